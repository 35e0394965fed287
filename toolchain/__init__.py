"""Gets a virtual environment and a Pulumi CLI onto a machine that has none. Nothing else depends on it.

`python3 -m toolchain setup` runs on a bare Python >= 3.11, so nothing here imports anything but the standard library
(`languagehost.py` is no part of the package's imports: it is copied beside the CLI). For the rest of the project there
are two functions: `pulumi_cli` finds the CLI that set-up chose, and `cli_environment` puts that CLI first on PATH.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

__all__ = ["cli_environment", "pulumi_cli"]


def pulumi_cli() -> Path:
    """The Pulumi CLI that set-up chose: the one on PATH if it is recent enough, else the cached one. Installs nothing.

    Raises `toolchain.console.ToolchainError`, which states the fix, if there is none.
    """
    from toolchain.selection import select

    return select(os.environ).path


def cli_environment(environment: Mapping[str, str]) -> dict[str, str]:
    """`environment` with the folder of `pulumi_cli()` first on PATH.

    The engine takes its language host from PATH before it looks beside itself, so without this an older Pulumi on PATH
    would supply the host of a newer engine.
    """
    from toolchain.selection import select

    folder = str(select(environment).path.parent)
    path = environment.get("PATH", os.defpath)
    if path.split(os.pathsep)[0] != folder:
        path = os.pathsep.join([folder, path])
    return {**environment, "PATH": path}
