"""Creates programs that pretend to be pulumi, go or uv, and an environment in which nothing else is installed."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

MakeProgram = Callable[..., Path]


@pytest.fixture
def make_program(tmp_path: Path) -> MakeProgram:
    """Writes an executable shell script; by default into the folder that is on the bare machine's PATH."""

    def make(name: str, script: str, folder: Path | None = None) -> Path:
        file = (folder or tmp_path / "bin") / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        file.chmod(0o755)
        return file

    return make


@pytest.fixture
def bare_machine(tmp_path: Path) -> dict[str, str]:
    """The variables of a machine that has a shell, and a cache folder that is empty."""
    (tmp_path / "bin").mkdir(exist_ok=True)
    path = os.pathsep.join([str(tmp_path / "bin"), "/usr/bin", "/bin"])
    return {"PATH": path, "HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
