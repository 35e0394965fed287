"""Finds uv, or installs it from the package index into a small separate environment in the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from cache_folder import cache_folder
from toolchain.cache import locked, staged
from toolchain.console import ToolchainError, run_or_fail, say
from toolchain.versions import of_program, parse, show

LOCK = Path(__file__).with_name("uv.lock")  # a hash-pinned requirements file, like the project's
# It has `uv pip sync` and `compile` with every option used here; the tests of set-up run with it and the locked one.
MINIMUM = (0, 5, 0)


def find_uv(environment: Mapping[str, str]) -> Path:
    """Return the uv on PATH if it is recent enough, else the cached one, which is installed first if necessary."""
    on_path = shutil.which("uv", path=environment.get("PATH"))
    if on_path is not None:
        version = of_program([on_path, "--version"])
        if version is not None and version >= MINIMUM:
            return Path(on_path)
        say(f"not using {on_path}: {show(version) if version else 'unknown version'}, need {show(MINIMUM)}")
    cache = cache_folder(environment)
    cached = cache / "uv" / _locked_version()
    if not _works(cached / "bin" / "uv"):
        with locked(cache, "uv", doing="installing uv"):
            if not _works(cached / "bin" / "uv"):
                _install(cached, environment)
    return cached / "bin" / "uv"


def uv_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """Return `environment` for uv, with the package index and certificate that pip is configured to use.

    uv does not read pip's configuration, so it would ignore a company's mirror that is configured for pip alone. uv's
    own variables take precedence.
    """
    result = {key: value for key, value in environment.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
    result.setdefault("UV_PYTHON_DOWNLOADS", "never")
    translated = {"index-url": "UV_DEFAULT_INDEX", "extra-index-url": "UV_INDEX", "cert": "SSL_CERT_FILE"}
    for option, value in _pip_configuration(environment).items():
        if option in translated and "UV_INDEX_URL" not in result:
            result.setdefault(translated[option], value)
    return result


def _pip_configuration(environment: Mapping[str, str]) -> dict[str, str]:
    """Return what pip would use: its files, overridden by its variables. Empty if pip is not installed."""
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"],
        capture_output=True,
        text=True,
        check=False,
        env=dict(environment),
        stdin=subprocess.DEVNULL,
    )
    found: dict[str, str] = {}
    for line in answer.stdout.splitlines() if answer.returncode == 0 else ():
        key, _, value = line.partition("=")
        scope, _, option = key.partition(".")
        if scope in ("global", "install", ":env:") and value:
            found[option] = value.strip("'\"")
    return found


def _locked_version() -> str:
    version = parse(LOCK.read_text(encoding="utf-8"))
    assert version is not None, f"{LOCK} names no version"
    return show(version)


def _works(uv: Path) -> bool:
    return uv.exists() and of_program([uv, "--version"]) is not None


def _install(target: Path, environment: Mapping[str, str]) -> None:
    say(f"installing uv {_locked_version()}")
    fix = "install uv yourself (https://docs.astral.sh/uv) and put it on PATH, then repeat"
    clean = {key: value for key, value in environment.items() if key not in ("VIRTUAL_ENV", "PYTHONHOME")}
    with staged(target) as staging:
        venv: list[str | Path] = [sys.executable, "-m", "venv", staging]
        run_or_fail(
            venv,
            doing="creating a small environment for uv",
            fix=f"install your system's package for venv and pip (Debian: python3-venv); or {fix}",
            environment=clean,
        )
        pip: list[str | Path] = [staging / "bin" / "python", "-m", "pip", "install", "--disable-pip-version-check"]
        run_or_fail(
            [*pip, "--require-hashes", "--no-deps", "--only-binary", ":all:", "-r", LOCK],
            doing="installing uv with pip",
            fix=fix,
            environment=clean,
        )
        if not _works(staging / "bin" / "uv"):
            raise ToolchainError(f"the installed uv does not run on this machine ({os.uname().machine})", fix)
