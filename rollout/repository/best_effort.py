"""The clone on a way back: what git or origin refuses is told, and stops nothing."""

from __future__ import annotations

from collections.abc import Callable

from command_errors import UnavailableError, UsageError
from rollout.instances import DeploymentEdit
from rollout.ports import Message, Repository


class BestEffort:
    """`ports.Repository` over another one, which it opens. It raises Overtaken only, which the caller must answer."""

    def __init__(self, opened: Callable[[], Repository], say: Callable[[str], None]) -> None:
        """`opened` may raise UsageError: no branch, no committer, no remote."""
        self._say = say
        self._repository: Repository | None = None
        self._closed = ""
        try:
            self._repository = opened()
        except (UsageError, UnavailableError) as error:
            self._closed = str(error)
            self._tell("nothing is committed", error)

    def sync(self) -> str | None:
        """Fetch the branch, if that is possible; else nothing new is known of the remote."""
        try:
            return self._repository.sync() if self._repository else None
        except (UsageError, UnavailableError) as error:
            self._tell("what others pushed is not known", error)
            return None

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Commit and push, if that is possible. Raises Overtaken.

        An `edit` is no part of the way back, and a file that is not committed would undo it: then nothing is swallowed.
        """
        if edit is not None:
            if self._repository is None:
                raise UsageError(f"the stack file cannot be committed: {self._closed}")
            self._repository.publish(message, patient=patient, edit=edit)
            return
        try:
            if self._repository:
                self._repository.publish(message, patient=patient)
        except (UsageError, UnavailableError) as error:
            self._tell("not pushed", error)

    def _tell(self, what: str, error: Exception) -> None:
        self._say(f"the way back goes on; {what}: {error}")
