"""The stack file in use: an endpoint's declared weights, read and edited in place.

An edit is one atomic rename of a file that was written and synchronized beside it, so a kill leaves the old file or
the new one, and perhaps a draft, which the next edit removes. Rollouts of several endpoints share the file, so a lock
on the folder keeps their edits apart.
"""

import contextlib
import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

from command_errors import UnavailableError, UsageError, explain_system_error
from rollout.split import Split
from rollout.stack_text import WeightLines, edit_lines, read_lines

BYTE_ORDER_MARK = "\ufeff"


class StackFile:
    """One `Pulumi.<stack>.yaml`. What it raises: UsageError for its content, UnavailableError for its disk."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self, key: str) -> WeightLines:
        """Return the declared weights of the endpoint with this key, and its stable colour."""
        return read_lines(self._text()[1], key, str(self.path))

    def edited(self, text: str, key: str, to: Split, stable: str | None = None) -> str:
        """Return the text of a version of this file with these weights; `stable` stays as it is if it is None."""
        mark, body = _without_mark(text)
        return mark + edit_lines(body, key, str(self.path), to, stable)

    def write(self, key: str, to: Split, stable: str | None = None) -> bool:
        """Declare these weights; return whether the file had to change. A colour without weight keeps its entry."""
        target = self.path.resolve()  # a link stays a link
        try:
            with _locked(target.parent):
                self._remove_drafts(target)
                text = "".join(self._text())
                edited = self.edited(text, key, to, stable)
                if edited == text:
                    return False
                _replace(target, edited.encode(), _draft(target))
                return True
        except OSError as error:
            raise UnavailableError(f"the weights were not written: {explain_system_error(error)}") from error

    def _text(self) -> tuple[str, str]:
        try:
            return _without_mark(self.path.read_bytes().decode())
        except FileNotFoundError as error:
            raise UsageError(f"there is no stack file {self.path}. Create it, or give another --stack.") from error
        except UnicodeDecodeError as error:
            raise UsageError(f"{self.path} is not UTF-8 text (byte {error.start}). Correct it.") from error
        except OSError as error:
            raise UnavailableError(explain_system_error(error)) from error

    @staticmethod
    def _remove_drafts(target: Path) -> None:
        """Remove what a killed write left; while the folder is locked no other write is under way."""
        for draft in target.parent.glob(f".{target.name}.sluice-*.tmp"):
            draft.unlink(missing_ok=True)


def _without_mark(text: str) -> tuple[str, str]:
    """Split off a byte order mark, which is not counted in the positions of a YAML reader."""
    return (BYTE_ORDER_MARK, text[1:]) if text.startswith(BYTE_ORDER_MARK) else ("", text)


def _draft(target: Path) -> Path:
    return target.with_name(f".{target.name}.sluice-{os.getpid()}.tmp")


def _replace(target: Path, content: bytes, draft: Path) -> None:
    try:
        with draft.open("xb") as file:
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    with _opened(target.parent) as folder:
        os.fsync(folder)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder; the operating system releases it when its holder dies."""
    with _opened(folder) as descriptor:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield


@contextlib.contextmanager
def _opened(folder: Path) -> Iterator[int]:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
