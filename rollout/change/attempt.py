"""One attempt at a change of weights: the parts that forward and back share, their times, and how it ends."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from command_errors import CommandError, UnavailableError, UsageError
from exit_codes import ExitCode
from rollout.change.commit_message import change_message, closing_message, withdrawal_message
from rollout.change.tools import Tools
from rollout.decision.order import Changed, Ending, Intent, Order
from rollout.errors import EngineError, Overtaken
from rollout.ports import Record
from rollout.record.event import Kind
from rollout.split import Split

VERIFY_SECONDS = 120
VERIFY_PAUSE = 0.5
PUBLICATIONS = 5
CLOSED_BY_OTHERS = "another runner has closed this change; run the command again to see where the rollout stands"


class Attempt:
    """An intent that is carried out, and its record. `closing` is the data of `ended`, if the rollout ends with it."""

    def __init__(
        self,
        tools: Tools,
        record: Record,
        intent: Intent,
        closing: Mapping[str, Any] | None,
        spent: Mapping[str, float] | None = None,
    ) -> None:
        self.tools = tools
        self.record = record
        self.intent = intent
        self.closing = closing
        self.seconds: dict[str, float] = dict(spent or {})

    @property
    def order(self) -> Order:
        """What is asked for."""
        return self.intent.order

    @contextmanager
    def timed(self, part: str) -> Iterator[None]:
        """Add the time of one part to `seconds`."""
        started = time.monotonic()
        try:
            yield
        finally:
            self.seconds[part] = round(self.seconds.get(part, 0.0) + time.monotonic() - started, 3)

    def write(self) -> None:
        """Declare the weights in the stack file."""
        with self.timed("write"):
            self.tools.stack_file.write(self.order.to, self.order.stable)

    def publish(self, *, patient: bool = True) -> None:
        """Commit and push intent and stack file."""
        message = change_message(self.record.state, self.order, self.tools.actor)
        with self.timed("publish"):
            self.tools.repository.publish(message, patient=patient)

    def azure_has(self, split: Split) -> bool:
        """Whether Azure has these weights and no operation under way. Raises UnavailableError."""
        endpoint = self.tools.azure.endpoint()
        if endpoint is None or endpoint.state != "succeeded":
            return False
        return Split(traffic=endpoint.traffic, mirror=endpoint.mirror) == split

    def is_verified(self) -> bool:
        """Wait until Azure says twice in a row that it has the weights; False if it does not in `VERIFY_SECONDS`."""
        deadline = self.tools.clock.now() + VERIFY_SECONDS
        in_a_row = 0
        with self.timed("verify"):
            while True:
                try:
                    in_a_row = in_a_row + 1 if self.azure_has(self.order.to) else 0
                except UnavailableError as error:
                    in_a_row = 0
                    self.tools.say(str(error))
                if in_a_row == 2:
                    return True
                if self.tools.clock.now() >= deadline:
                    return False
                self.tools.clock.sleep(VERIFY_PAUSE)

    # How it ends

    def finished(self, *, found: bool = False) -> Changed:
        """Azure has the weights: write it down, with the end of the rollout if this is its last change, and push."""
        self._append_applied(found)
        changed = self._published()
        if self.closing is not None:
            self._unprotect()
        return changed

    def reconciled(self) -> Changed:
        """File and state have followed a break-glass: write it down."""
        self.record.append(Kind.RECONCILED, {"intent": self.intent.seq})
        self._append_ended()
        return self._published()

    def left_open(self, reason: str, *, needs_break_glass: bool = False) -> Changed:
        """Leave the intent open for a later attempt."""
        self.note_failure(reason)
        return Changed(
            ending=Ending.OPEN,
            reason=reason,
            exit_code=ExitCode.UNAVAILABLE,
            needs_break_glass=needs_break_glass,
            seconds=self.seconds,
        )

    def note_failure(self, reason: str) -> None:
        """Count an attempt that the engine or Azure did not finish."""
        self.record.append(Kind.ATTEMPT, {"intent": self.intent.seq, "reason": reason})

    def overtaken(self, reason: str) -> Changed:
        """Another runner was first."""
        return Changed(ending=Ending.OVERTAKEN, reason=reason, exit_code=ExitCode.WAITING, seconds=self.seconds)

    def withdrawn(
        self,
        reason: str,
        exit_code: ExitCode,
        *,
        ending: Ending = Ending.WITHDRAWN,
        publishes: bool = True,
        pending: tuple[str, ...] = (),
    ) -> Changed:
        """Take the intent back: the file gets the weights of the record again. Azure was not changed."""
        state = self.record.state
        try:
            self.tools.stack_file.write(state.weights, state.declared_stable)
        except CommandError as error:
            reason = f"{reason}\nThe stack file still declares {self.order.to.describe()}: {error}"
        self.record.append(Kind.WITHDRAWN, {"intent": self.intent.seq, "reason": reason})
        if publishes:
            message = withdrawal_message(state, self.order, self.tools.actor, reason)
            try:
                self.tools.repository.publish(message)
            except Overtaken as error:
                return self.overtaken(str(error))
            except (UsageError, UnavailableError) as error:
                reason = f"{reason}\nThe withdrawal was not pushed: {error}"
        return Changed(ending=ending, reason=reason, exit_code=exit_code, pending=pending, seconds=self.seconds)

    def _unprotect(self) -> None:
        """Let the protection of deployments follow the weights. Nothing depends on it but their removal."""
        try:
            ran = self.tools.engine.up_without_changes()
        except EngineError as error:
            self.tools.say(f"the weights are in place; the engine's state could not follow: {error}")
        else:
            if not ran:
                stack = self.record.state.stack
                self.tools.say(f"the stack file declares other changes too: run `pulumi up --stack {stack}`.")

    def _append_applied(self, found: bool) -> None:
        update = None if found else self.tools.locks.last_update()  # what is found, an update before has set
        data = {"intent": self.intent.seq, "found": found, "update": update, "seconds": dict(self.seconds)}
        self.record.append(Kind.APPLIED, data)
        self._append_ended()

    def _append_ended(self) -> None:
        if self.closing is not None:
            self.record.append(Kind.ENDED, self.closing)

    def _published(self) -> Changed:
        """Push what was just appended. Azure has the weights, so nothing that fails here undoes them.

        Where another runner has appended in the meantime, a way back says its events again behind theirs; forward,
        `applied` is said again only while the intent is still open.
        """
        for _ in range(PUBLICATIONS):
            try:
                self.tools.repository.publish(closing_message(self.record.state, self.order, self.tools.actor))
            except Overtaken as error:
                changed = self._said_again(str(error))
                if changed is not None:
                    return changed
            except (UsageError, UnavailableError) as error:
                return Changed(ending=Ending.APPLIED, reason=f"not pushed: {error}", seconds=self.seconds)
            else:
                return Changed(ending=Ending.APPLIED, seconds=self.seconds)
        return Changed(ending=Ending.APPLIED, reason="not pushed: other pushes came first", seconds=self.seconds)

    def _said_again(self, reason: str) -> Changed | None:
        """Append `applied` behind what another runner has pushed; how the change ends if that is not right any more."""
        self.record.refresh()
        try:
            if not self._is_still_open():
                return self.overtaken(f"{reason}\n{CLOSED_BY_OTHERS}")
            if not self.azure_has(self.order.to):
                return self.left_open(f"{reason}\nAzure has other weights now.")
        except (UsageError, UnavailableError) as error:
            return self.left_open(f"{reason}\n{error}")
        self._append_applied(found=True)
        return None

    def _is_still_open(self) -> bool:
        """Whether the record that was taken over still has this change open; a way back opens it again."""
        still = self.record.state.open_intent
        if still is not None and still.order == self.order:
            self.intent = still
            return True
        if not self.intent.is_back:
            return False
        self.tools.stack_file.write(self.order.to, self.order.stable)
        self.intent = opened(self.record, self.order)
        return True


def opened(record: Record, order: Order) -> Intent:
    """Append an order to the record as its open intent."""
    event = record.append(Kind.INTENT, order.as_values())
    return Intent(seq=event.seq, at=event.at, order=order)
