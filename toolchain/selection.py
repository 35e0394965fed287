"""Chooses the Pulumi CLI: the one on PATH, else a cached one, else an official download, else a build with Go.

`select` installs nothing, and the rest of the project uses it; `ensure_cli` also gets what is missing. In the cache
(`<cache>/pulumi`) there are `<version>-official`, a download with its own language host, or `<version>-built` and
`<version>-host-<digest>`: the build, and the build together with this project's small language host.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from cache_folder import cache_folder
from toolchain.cache import locked, staged
from toolchain.console import ToolchainError, run_or_fail, say
from toolchain.uv import find_uv, uv_environment
from toolchain.versions import Version, of_program, show

VERSION: Version = (3, 274, 1)  # the engine that the tests run with; also in wrapper/go.mod
# The oldest CLI that this project ran with: the whole suite passed with 3.259.0 before VERSION was raised. The local
# Azure relies on recent things, such as every flag being settable as PULUMI_OPTION_<FLAG>; an older CLI would ignore
# those silently and edit the repository's stack files.
MINIMUM: Version = (3, 259, 0)
HERE = Path(__file__).parent
HOST_FILES = ("languagehost.py", "pulumi-language-python")
HOST_PACKAGES = ("pulumi", "grpcio", "protobuf", "typing-extensions")  # all that the host imports
INSTALL_YOURSELF = (
    f"install the Pulumi CLI {show(MINIMUM)} or later yourself (https://www.pulumi.com/docs/install) and put it on PATH"
)


@dataclass(frozen=True, kw_only=True)
class Selection:
    """A usable CLI."""

    path: Path
    version: Version
    origin: str


def select(environment: Mapping[str, str]) -> Selection:
    """Return the CLI to use; install nothing. If there is none, the error states the fix."""
    found, passed_over = look(environment)
    if found is None:
        reasons = "".join(f"\n  {reason}" for reason in passed_over)
        raise ToolchainError(f"there is no usable Pulumi CLI{reasons}", f"run `make setup`, or {INSTALL_YOURSELF}")
    return found


def look(environment: Mapping[str, str]) -> tuple[Selection | None, tuple[str, ...]]:
    """Return the CLI to use, or None, and the reasons why others were rejected."""
    cache = cache_folder(environment) / "pulumi"
    passed_over: tuple[str, ...] = ()
    on_path = shutil.which("pulumi", path=environment.get("PATH"))
    # A CLI of this cache on PATH (`sluice local env` puts it there) is not the user's choice, and it may be outdated.
    if on_path is not None and not Path(on_path).resolve().is_relative_to(cache.resolve()):
        version = of_program([on_path, "version"], dict(environment))
        problem = _problem_with(Path(on_path), version, environment)
        if problem is None and version is not None:
            return Selection(path=Path(on_path), version=version, origin="on PATH"), ()
        passed_over = (f"not using {on_path}: {problem}",)
    for folder, origin in ((official_folder(cache), "official download"), (host_folder(cache), "built with Go")):
        if _is_complete(folder):
            cached = Selection(path=folder / "pulumi", version=VERSION, origin=origin)
            return cached, passed_over
    return None, passed_over


def _problem_with(path: Path, version: Version | None, environment: Mapping[str, str]) -> str | None:
    if version is None:
        return "`pulumi version` prints no version there"
    if version < MINIMUM:
        return f"Pulumi {show(version)} is too old, {show(MINIMUM)} or later is needed (to use yours, upgrade it)"
    if version[0] != MINIMUM[0]:
        return f"Pulumi {show(version)} is not {MINIMUM[0]}.x, which this project is tested with"
    host = "pulumi-language-python"
    if not (path.resolve().with_name(host).exists() or shutil.which(host, path=environment.get("PATH"))):
        return f"it has no Python language host ({host}) beside it or on PATH"
    return None


def official_folder(cache: Path) -> Path:
    return cache / f"{show(VERSION)}-official"


def built_folder(cache: Path) -> Path:
    return cache / f"{show(VERSION)}-built"


def host_folder(cache: Path) -> Path:
    """Return the folder of the build together with the host. Its name changes with the host, so that an update takes
    effect and a checkout with another host is not disturbed."""
    digest = hashlib.sha256(host_requirements().encode())
    for name in HOST_FILES:
        digest.update((HERE / name).read_bytes())
    return cache / f"{show(VERSION)}-host-{digest.hexdigest()[:12]}"


def host_requirements() -> str:
    """Return the few packages that the host needs, with their hashes, from the project's lock."""
    lock = (HERE.parent / "requirements.lock").read_text(encoding="utf-8")
    entries = {match[2]: match[1] for match in re.finditer(r"^(([\w.-]+)==.*(?:\n +--hash=.*)*)", lock, re.MULTILINE)}
    return "".join(f"{entries[name]}\n" for name in HOST_PACKAGES)


def _is_complete(folder: Path) -> bool:
    needed = ["pulumi", "pulumi-language-python"]
    if "-host-" in folder.name:
        needed.append("host/bin/python")  # exists() follows it to the base interpreter, which may be gone
    return all((folder / name).exists() for name in needed)


def ensure_cli(
    environment: Mapping[str, str],
    download: Callable[[Path], None],
    build: Callable[[Path, Mapping[str, str]], None],
) -> Selection:
    """Return the CLI to use; get it first if there is none: `download` and `build` fill the folder they are given."""
    found, passed_over = look(environment)
    for reason in passed_over:
        say(reason)
    if found is not None:
        return found
    base = cache_folder(environment)
    with locked(base, "pulumi", doing="getting the Pulumi CLI"):
        found, _ = look(environment)  # another process may have installed it in the meantime
        if found is None:
            _get(base / "pulumi", environment, download, build)
    return select(environment)


def _get(
    cache: Path,
    environment: Mapping[str, str],
    download: Callable[[Path], None],
    build: Callable[[Path, Mapping[str, str]], None],
) -> None:
    built = built_folder(cache)
    if not (built / "pulumi").exists():
        try:
            with staged(official_folder(cache)) as staging:
                download(staging)
                _check(staging / "pulumi")
            return
        except ToolchainError as error:
            say(f"the official Pulumi CLI is not available ({error.problem}); building it from its Go modules")
        with staged(built) as staging:
            build(staging, environment)
            _check(staging / "pulumi")
    _add_host(cache, built, environment)


def _check(cli: Path) -> None:
    version = of_program([cli, "version"])
    if version != VERSION:
        raise ToolchainError(
            f"the Pulumi CLI that set-up got does not run, or is not {show(VERSION)}: {cli}", INSTALL_YOURSELF
        )


def _add_host(cache: Path, built: Path, environment: Mapping[str, str]) -> None:
    say("adding the Python language host")
    with staged(host_folder(cache)) as staging:
        for source in built.iterdir():
            try:
                os.link(source, staging / source.name)
            except OSError:  # a file system without hard links
                shutil.copy2(source, staging / source.name)
        for name in HOST_FILES:
            shutil.copy2(HERE / name, staging / name)
        # A separate environment: checkouts share the CLI, and the environment of one of them may be deleted. The parts
        # of a virtual environment that are used here (bin/python, site-packages) survive the rename.
        uv, variables = find_uv(environment), uv_environment(environment) | {"UV_COMPILE_BYTECODE": "1"}
        requirements = staging / "host-requirements.txt"
        requirements.write_text(host_requirements(), encoding="utf-8")
        python = staging / "host" / "bin" / "python"
        interpreter = str(getattr(sys, "_base_executable", "") or sys.executable)
        fix = "see above, then repeat"
        run_or_fail(
            [uv, "venv", "--quiet", "--python", interpreter, staging / "host"],
            doing="creating the language host's environment",
            fix=fix,
            environment=variables,
        )
        run_or_fail(
            [uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "--no-deps", "-r", requirements],
            doing="installing the language host's packages",
            fix=fix,
            environment=variables,
        )
