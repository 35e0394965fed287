"""`ports.Change`: an order carried out, finished after a crash, withdrawn, or forced through without the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from command_errors import CommandError, UnavailableError, UsageError, WaitingError
from exit_codes import ExitCode
from rollout.change.attempt import Attempt, opened
from rollout.change.back import go_back
from rollout.change.break_glass import BreakGlass
from rollout.change.forward import go_forward
from rollout.change.stack_turn import alone
from rollout.change.tools import Tools
from rollout.decision.open_change import MOST_ATTEMPTS
from rollout.decision.order import Changed, Direction, Ending, Intent, Order
from rollout.errors import EngineError, EngineRefused, Overtaken, PushUnanswered
from rollout.ports import Record
from rollout.record.event import Kind

Closing = Mapping[str, Any] | None


class WeightChange:
    """Changes the weights of one endpoint."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    def make(self, record: Record, order: Order, closing: Closing, spent: Mapping[str, float] | None = None) -> Changed:
        """Append the intent and carry it out. Raises RecordUnwritable, and then nothing was changed."""
        if order.direction is Direction.BACK:
            return go_back(Attempt(self._tools, record, opened(record, order), closing, spent), refresh=False)
        refresh = order.direction is Direction.RESTORE

        def forward() -> Changed:
            return go_forward(Attempt(self._tools, record, opened(record, order), closing, spent), refresh=refresh)

        return alone(self._tools, record, forward)

    def resume(self, record: Record, intent: Intent, closing: Closing) -> Changed:
        """Carry out an open intent that Azure does not have: file, commit and push as far as missing, then up."""
        attempt = Attempt(self._tools, record, intent, closing)
        if intent.is_back:
            return go_back(attempt, refresh=True)
        return alone(self._tools, record, lambda: go_forward(attempt, refresh=True))

    def confirm(self, record: Record, intent: Intent, closing: Closing) -> Changed:
        """Azure has `to`: file and commit as far as missing, targeted up with refresh, `applied {found: true}`."""
        attempt = Attempt(self._tools, record, intent, closing)
        try:
            attempt.write()
            if not intent.is_back:
                attempt.publish()
        except Overtaken as error:
            return attempt.overtaken(str(error))
        except PushUnanswered as error:
            return attempt.left_open(str(error))
        except UsageError as error:
            self._tools.say(f"Azure has the weights already; they were not pushed: {error}")
        except CommandError as error:
            return attempt.left_open(str(error))
        try:
            self._follow(attempt)
        except (CommandError, EngineError) as error:
            return attempt.left_open(str(error))
        return attempt.finished(found=True)

    def withdraw(self, record: Record, intent: Intent, reason: str) -> Changed:
        """Put the file back to the weights of the record and append `withdrawn`. Azure still has `from`."""
        return Attempt(self._tools, record, intent, None).withdrawn(reason, ExitCode.DONE)

    def break_glass(self, record: Record, intent: Intent, closing: Closing) -> Changed:
        """Set `to` through Azure, without the engine, and append `break_glass`. `reconcile` must follow."""
        attempt = Attempt(self._tools, record, intent, closing)
        tools, order = self._tools, intent.order
        try:
            with attempt.timed("up"):
                left = BreakGlass(tools.azure, tools.locks, tools.clock, tools.say).set(order.to)
        except UnavailableError as error:
            return attempt.left_open(str(error))
        except UsageError as error:
            attempt.note_failure(str(error))
            place = f"{record.state.endpoint} --stack {record.state.stack}"
            reason = (
                f"{order.to.describe()} cannot be set: {error} Set other weights with `sluice rollout rollback {place} "
                "--to green=100` (with colours that are there)."
            )
            return Changed(ending=Ending.OPEN, reason=reason, exit_code=ExitCode.USAGE, seconds=attempt.seconds)
        by = {"by": tools.actor.name, "why": order.why, "weights": order.to.as_values()}
        record.append(Kind.BREAK_GLASS, by)
        try:
            attempt.write()
            attempt.publish(patient=False)
        except (UsageError, WaitingError, UnavailableError) as error:
            left = f"{left}\n{error}".strip()
        return Changed(ending=Ending.APPLIED, reason=left, seconds=attempt.seconds)

    def reconcile(self, record: Record, intent: Intent, closing: Closing) -> Changed:
        """After break-glass: file, targeted up with refresh, preview empty, `reconciled`. OPEN while it cannot."""
        attempt = Attempt(self._tools, record, intent, closing)
        try:
            attempt.write()
            self._follow(attempt)
        except (CommandError, EngineError) as error:
            state, to, code = record.state, intent.order.to.describe(), _code_of(error)
            if code is ExitCode.UNAVAILABLE and intent.attempts < MOST_ATTEMPTS:  # later tries add no lines
                attempt.note_failure(str(error))
            reason = (
                f"Azure has {to}; the stack file and Pulumi's state have yet to follow: {str(error).rstrip('.')}. When "
                f"that is repaired, finish it with `sluice rollout step {state.endpoint} --stack {state.stack}`."
            )
            return Changed(ending=Ending.OPEN, reason=reason, exit_code=code, seconds=attempt.seconds)
        return attempt.reconciled()

    def _follow(self, attempt: Attempt) -> None:
        """Let the engine's state follow Azure. Raises EngineError, UnavailableError for what is not so then."""
        with attempt.timed("up"):
            self._tools.engine.up(refresh=True)
        with attempt.timed("preview"):
            preview = self._tools.engine.preview(only_target=True)
        if not preview.is_empty:
            raise UnavailableError(f"the preview still shows {'; '.join(map(str, preview.changes))}.")
        if not attempt.is_verified():
            raise UnavailableError(f"Azure does not have {attempt.order.to.describe()}.")


def _code_of(error: CommandError | EngineError) -> ExitCode:
    """A stack file that cannot be read, or that the program refuses, waits for a person; anything else for a tick."""
    return ExitCode.USAGE if isinstance(error, UsageError | EngineRefused) else ExitCode.UNAVAILABLE
