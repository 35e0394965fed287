"""Where this project keeps what it can recreate: the Pulumi CLI, uv, environments of models, cached facts about them.

Pure, and imports no package: `toolchain/` uses it before any is installed.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def cache_folder(environment: Mapping[str, str]) -> Path:
    """`$XDG_CACHE_HOME/sluice`, by default ~/.cache/sluice."""
    base = environment.get("XDG_CACHE_HOME", "")
    # The XDG specification has relative paths ignored.
    return (Path(base) if base.startswith("/") else Path.home() / ".cache") / "sluice"
