"""A way back: the file, the update of the endpoint alone, then the commit. It waits for neither push nor preview."""

from __future__ import annotations

import threading

from command_errors import CommandError
from rollout.change.attempt import Attempt
from rollout.decision.order import Changed
from rollout.errors import EngineError, EngineFailed

TRIES = 3
RETRY_SECONDS = 2.0
PUSH_SECONDS = 12.0
"""More than the push itself gives up after (`repository.clone.IMPATIENT_SECONDS`)."""


def go_back(attempt: Attempt, *, refresh: bool) -> Changed:
    """File, `up` of the endpoint without a preview, two readings, commit. The intent is pushed beside the `up`."""
    try:
        attempt.write()
    except CommandError as error:
        return attempt.left_open(f"the weights cannot be declared: {error}", needs_break_glass=True)
    pushing = _Push(attempt)
    try:
        failure = _updated(attempt, refresh=refresh)
    finally:
        pushing.join(PUSH_SECONDS)
    if failure is not None:
        return attempt.left_open(str(failure), needs_break_glass=True)
    if not attempt.is_verified():
        return attempt.left_open(f"the update ended, but Azure does not have {attempt.order.to.describe()}.")
    return attempt.finished()


def _updated(attempt: Attempt, *, refresh: bool) -> EngineError | CommandError | None:
    """Run the update, three times if Azure or the engine fails it; return why it cannot be run."""
    for tried in range(1, TRIES + 1):
        try:
            with attempt.timed("up"):
                attempt.tools.engine.up(refresh=refresh)
        except EngineFailed as error:
            if tried == TRIES:
                return error
            attempt.note_failure(str(error))
            attempt.tools.say(f"{error}\ntrying again")
            attempt.tools.clock.sleep(RETRY_SECONDS * tried)
            refresh = True
        except (EngineError, CommandError) as error:  # locked, no backend or login, refused: trying again does not help
            return error
        else:
            return None
    return None


class _Push(threading.Thread):
    """The push of the intent, so that a forward runner on another machine stops. Nothing depends on it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(daemon=True)
        self._attempt = attempt
        self.start()

    def run(self) -> None:
        try:
            self._attempt.publish(patient=False)
        except CommandError as error:
            self._attempt.tools.say(f"the way back is under way; its intent was not pushed: {error}")
