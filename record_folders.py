"""Where a checkout keeps what pipelines write about a stack: `rollouts/<stack>/`. Pure.

`source.json` is there only on the stack's own branch (`sluice:branch`), beside the release locks of that branch.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = "rollouts"
SOURCE = "source.json"
LOCKS = "locks"


def source_path(root: Path, stack: str) -> Path:
    """The document that says which commit a stack's branch carries."""
    return root / FOLDER / stack / SOURCE


def locks_folder(root: Path) -> Path | None:
    """The folder of the release locks of a stack's branch; None in a checkout of any other branch."""
    source = next(iter((root / FOLDER).glob(f"*/{SOURCE}")), None)
    return source.parent / LOCKS if source else None
