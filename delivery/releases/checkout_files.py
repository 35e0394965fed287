"""The project's folder in the checkout: read in place of a branch of origin, and written by a promotion."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from command_errors import UnavailableError, explain_system_error
from models.atomic_write import replace_file
from record_folders import FOLDER

NEW_FILE_MODE = 0o644
RECORD = ".jsonl"


class CheckoutFiles:
    """The project's folder `root`; `promotion.Base` and `stack_place.Files`."""

    branch = "this checkout"
    tip = ""

    def __init__(self, root: Path) -> None:
        self._root = root

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none. Raises UnavailableError if it cannot be read."""
        try:
            return (self._root / path).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise UnavailableError(explain_system_error(error)) from error

    def rollouts(self, stack: str) -> tuple[tuple[str, str], ...]:
        """Id and endpoint of every rollout of a stack that has a record, oldest first."""
        paths = (self._root / FOLDER / stack).glob(f"*/*{RECORD}")
        return tuple(sorted((path.name.removesuffix(RECORD), path.parent.name) for path in paths))

    def write(self, files: Mapping[str, str]) -> None:
        """Write files in this order, each in one step: a stack file comes last, when what it names is there."""
        for name, text in files.items():
            path = (self._root / name).resolve()  # a link stays a link
            try:
                mode = path.stat().st_mode & 0o7777 if path.exists() else NEW_FILE_MODE
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, text)
                path.chmod(mode)
            except OSError as error:
                raise UnavailableError(f"{name} was not written: {explain_system_error(error)}") from error
