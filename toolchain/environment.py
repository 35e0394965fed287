"""Creates the project's virtual environment: exactly the locked packages, compiled, and the project itself, editable.

A stamp in the environment records its inputs; while they are unchanged there is nothing to do. An environment without
a stamp, or with an old one, is updated in place.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from cache_folder import cache_folder
from toolchain.cache import locked, require_disk
from toolchain.console import ToolchainError, is_disk_failure, run, run_or_fail, say
from toolchain.uv import find_uv, uv_environment
from toolchain.versions import of_program

STAMP = ".sluice-setup"
LOCK = "requirements-dev.lock"
SIZE_GIB = 1.5  # 0.9 GiB installed and compiled; the rest is for uv's download


def ensure_environment(root: Path, environment: Mapping[str, str]) -> bool:
    """Create or update `<root>/.venv`. Returns whether there was anything to do."""
    folder = root / ".venv"
    if _is_current(root, folder):
        _compile_project(root, folder, environment)
        return False
    name = f"environment-{hashlib.sha256(str(root).encode()).hexdigest()[:12]}"
    with locked(cache_folder(environment), name, doing=f"working on {folder}"):
        if _is_current(root, folder):
            return False
        _make(root, folder, environment)
    _compile_project(root, folder, environment)
    return True


def _compile_project(root: Path, folder: Path, environment: Mapping[str, str]) -> None:
    """Compile the project's sources. They change often; for unchanged ones only the time stamps are compared."""
    # Folder by folder, packages only: a bytecode folder in models/<model>/ would look like part of the release.
    packages = [init.parent for top in root.glob("*/__init__.py") for init in top.parent.rglob("__init__.py")]
    compile_bytecode(folder / "bin" / "python", ["-l", *packages, *root.glob("*.py")], environment)


def fingerprint(root: Path) -> str:
    """Return a digest of the environment's inputs: the lock, the project's metadata and its path."""
    digest = hashlib.sha256(str(root).encode())
    for file in (LOCK, "pyproject.toml"):
        digest.update((root / file).read_bytes())
    return digest.hexdigest()


def _is_current(root: Path, folder: Path) -> bool:
    try:
        stamp = (folder / STAMP).read_text(encoding="utf-8")
    except OSError:
        return False
    # exists() follows the link to the base interpreter, which a Python upgrade may have removed.
    return stamp == fingerprint(root) and (folder / "bin" / "python").exists()


def _make(root: Path, folder: Path, environment: Mapping[str, str]) -> None:
    uv = find_uv(environment)
    variables = uv_environment(environment)
    python = folder / "bin" / "python"
    if (of_program([python, "--version"]) or (0, 0, 0)) < (3, 11, 0):
        require_disk(folder, SIZE_GIB, purpose="the virtual environment")
        say(f"creating {folder} with {_base_interpreter()}")
        shutil.rmtree(folder, ignore_errors=True)
        run_or_fail(
            [uv, "venv", "--quiet", "--python", _base_interpreter(), folder],
            doing="creating the virtual environment",
            fix="see above, then repeat",
            environment=variables,
        )
    (folder / STAMP).unlink(missing_ok=True)
    made_from = fingerprint(root)  # first of all: a lock that changes from here on must make the stamp stale
    say(f"installing the packages of {LOCK} (about a minute when nothing is cached)")
    run_or_fail(
        [uv, "pip", "sync", "--quiet", "--python", python, "--require-hashes", root / LOCK],
        doing="installing packages",
        fix="see above, then repeat: what is downloaded stays",
        environment=variables,
    )
    say("installing the project itself, editable")
    project: list[str | Path] = ["--no-deps", "--no-build-isolation", "--editable", root]
    run_or_fail(
        [uv, "pip", "install", "--quiet", "--python", python, *project],
        doing="installing the project",
        fix="see above, then repeat",
        environment=variables,
    )
    run_or_fail(
        [python, "-m", "pip", "--version"],
        doing="checking that pip is there (the official language host calls it)",
        fix=f"add pip to {LOCK} again",
        environment=variables,
    )
    say("compiling everything to bytecode")
    compile_bytecode(python, [folder / "lib"], variables)
    staging = folder / f"{STAMP}.{os.getpid()}"
    staging.write_text(made_from, encoding="utf-8")
    staging.replace(folder / STAMP)


def compile_bytecode(python: Path, folders: list[str | Path], environment: Mapping[str, str]) -> None:
    """Compile what is not compiled yet; previews are then twice as fast.

    Python compiles on import, but not where PYTHONDONTWRITEBYTECODE is set (many containers, CI): there, every run
    compiles megabytes of SDK again. compileall ignores that variable. Its exit code does not help, because packages
    ship files that are not meant to be compiled.
    """
    _, output = run(
        [python, "-m", "compileall", "-q", "-j", "0", *folders], doing="compiling bytecode", environment=environment
    )
    if is_disk_failure(output):
        raise ToolchainError("the disk is full", "free some space, then repeat")


def _base_interpreter() -> str:
    """Return the interpreter that runs this, or its base interpreter if it belongs to a virtual environment."""
    return str(getattr(sys, "_base_executable", "") or sys.executable)
