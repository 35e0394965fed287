"""The stack file in use: an endpoint's declared weights and instance counts, read and edited in place.

An edit is one atomic rename of a file that was written and synchronized beside it, so a kill leaves the old file or
the new one, and perhaps a draft, which the next edit removes. Rollouts of several endpoints share the file, so a lock
on the folder keeps their edits apart.
"""

import contextlib
import fcntl
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from command_errors import UnavailableError, UsageError, explain_system_error
from rollout.declaration.deployment_text import edit_deployment, numbers_in, read_numbers
from rollout.declaration.stack_text import WeightLines, differ_in_weights_only, edit_lines, read_lines
from rollout.instances import DeploymentEdit, Numbers
from rollout.ports import Declared
from rollout.split import Split
from rollout_config import PlanSettings
from strict_yaml import read_yaml

BYTE_ORDER_MARK = "\ufeff"


class StackFile:
    """One endpoint in a `Pulumi.<stack>.yaml`. Raises UsageError for its content, UnavailableError for its disk."""

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self.key = key
        self._known: tuple[str, Declared] | None = None

    def read(self) -> Declared:
        """Return what the file declares for the endpoint. An invalid plan counts as none: a preview refuses it.

        Each tick reads it, and with a thousand endpoints parsing takes seconds: the same text is parsed once.
        """
        text = self.text()
        if self._known is None or self._known[0] != text:
            self._known = text, self._declared(text)
        return self._known[1]

    def _declared(self, text: str) -> Declared:
        lines = self.lines_of(text)
        config = read_yaml(_without_mark(text)[1])["config"]
        return Declared(
            split=lines.split,
            stable=lines.stable,
            plan=_plan(config["sluice:rollout"][self.key]),
            deployments={name: dict(numbers_in(one)) for name, one in _deployments(config, self.key).items()},
        )

    def lines(self) -> WeightLines:
        """Return the weights and the stable colour in the file."""
        return self.lines_of(self.text())

    def lines_of(self, text: str) -> WeightLines:
        """Return the weights and the stable colour in another version of the file."""
        return read_lines(_without_mark(text)[1], self.key, str(self.path))

    def edited(self, text: str, split: Split, stable: str | None = None) -> str:
        """Return another version of the file with these weights; `stable` stays as it is if it is None."""
        mark, body = _without_mark(text)
        return mark + edit_lines(body, self.key, str(self.path), split, stable)

    def write(self, split: Split, stable: str | None = None) -> None:
        """Declare these weights. A colour without weight keeps its entry, as 0."""
        self.replace(lambda text: self.edited(text, split, stable))

    def numbers(self, deployment: str) -> Numbers | None:
        """Return the instance counts that are written at a deployment; None if it is not declared."""
        return read_numbers(_without_mark(self.text())[1], self.key, deployment, str(self.path))

    def with_edit(self, text: str, edit: DeploymentEdit) -> str:
        """Return another version of the file after an edit of one deployment."""
        mark, body = _without_mark(text)
        return mark + edit_deployment(body, self.key, edit, str(self.path))

    def apply(self, edit: DeploymentEdit) -> None:
        """Edit one deployment; a file that is so already stays as it is."""
        self.replace(lambda text: self.with_edit(text, edit))

    def replace(self, change: Callable[[str], str]) -> None:
        """Replace the file's text by what `change` makes of it, in one step that no other edit can interrupt."""
        target = self.path.resolve()  # a link stays a link
        try:
            with _locked(target.parent):
                self._remove_drafts(target)
                text = self.text()
                edited = change(text)
                if edited != text:
                    _replace(target, edited.encode(), _draft(target))
        except OSError as error:
            raise UnavailableError(f"{self.path} was not written: {explain_system_error(error)}") from error

    def differs_in_weights_only(self, one: str, other: str) -> bool:
        """Whether two versions of the file are equal, comments included, apart from this endpoint's lines."""
        first, second = (_without_mark(text.replace("\r\n", "\n"))[1] for text in (one, other))
        return differ_in_weights_only(first, second, self.key, str(self.path))

    def text(self) -> str:
        """Return the file as it is, line ends and byte order mark included."""
        try:
            return self.path.read_bytes().decode()
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


def _plan(section: Any) -> PlanSettings | None:
    try:
        return PlanSettings.from_values(section["plan"])
    except (KeyError, TypeError, ValidationError):
        return None


def _deployments(config: Any, key: str) -> dict[str, Any]:
    try:
        return dict(config["sluice:endpoints"][key]["deployments"])
    except (KeyError, TypeError, ValueError):
        return {}


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
