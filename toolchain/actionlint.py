"""Gets actionlint, which checks workflows of GitHub Actions: the one on PATH, else a cached one, else a build with Go.

`actionlint/` is a module that requires it, and its go.sum pins every module by hash. Only `make check` uses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from cache_folder import cache_folder
from toolchain.build import find_go, go_environment, run_go
from toolchain.cache import locked, staged
from toolchain.console import say
from toolchain.selection import HERE
from toolchain.versions import Version, of_program, show

VERSION: Version = (1, 7, 12)  # also in actionlint/go.mod
MINIMUM_GO: Version = (1, 25, 0)  # the version that its module declares
PACKAGE = "github.com/rhysd/actionlint/cmd/actionlint"
PROGRAM = f"actionlint {show(VERSION)}"
INSTALL_YOURSELF = f"install {PROGRAM} yourself (https://github.com/rhysd/actionlint) and put it on PATH"


def lint(files: Sequence[str]) -> int:
    """Check workflow files; return actionlint's exit code. The result depends on no other program of this machine."""
    program = ensure_actionlint(os.environ)
    return subprocess.run([str(program), "-shellcheck=", "-pyflakes=", *files]).returncode


def ensure_actionlint(environment: Mapping[str, str]) -> Path:
    """Return the program; build it first if there is none. Raises ToolchainError."""
    on_path = shutil.which("actionlint", path=environment.get("PATH"))
    if on_path is not None and of_program([on_path, "-version"]) == VERSION:
        return Path(on_path)
    cache = cache_folder(environment)
    folder = cache / "actionlint" / show(VERSION)
    if not (folder / "actionlint").exists():
        with locked(cache, "actionlint", doing=f"building {PROGRAM}"):
            if not (folder / "actionlint").exists():
                with staged(folder) as staging:
                    _build(staging, environment)
    return folder / "actionlint"


def _build(target: Path, environment: Mapping[str, str]) -> None:
    go = find_go(environment, program=PROGRAM, minimum=MINIMUM_GO, otherwise=INSTALL_YOURSELF)
    module = target / "module"
    shutil.copytree(HERE / "actionlint", module)
    say(f"building {PROGRAM} with Go: seconds, once per machine")
    command: list[str | Path] = [go, "build", "-ldflags", "-s -w", "-o", target / "actionlint", PACKAGE]
    variables = go_environment(environment)
    run_go(command, module, variables, doing="building", program=PROGRAM, otherwise=INSTALL_YOURSELF)
    shutil.rmtree(module)
