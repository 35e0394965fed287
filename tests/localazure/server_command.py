"""The command that runs a local Azure in a process of its own."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cache_folder import cache_folder


def server_command(home: Path, *switches: str, port: int = 0) -> list[str]:
    """`python -m localazure` with the environments of models that other tests and `sluice` use too; port 0: any."""
    environments = cache_folder(os.environ) / "environments"
    folders = ["--home", str(home), "--environments", str(environments)]
    return [sys.executable, "-m", "localazure", *folders, "--port", str(port), *switches]
