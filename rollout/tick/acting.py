"""Carries out what was decided: at most one change of the world, with its lines in the record."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from command_errors import CommandError
from exit_codes import ExitCode
from rollout.decision.acts import (
    Act,
    AdoptFloor,
    AskApproval,
    BreakGlass,
    Confirm,
    End,
    GiveBack,
    HoldFor,
    Move,
    Reconcile,
    Release,
    Reserve,
    RestoreFloor,
    Resume,
    Retire,
    Verified,
    Verify,
    Wait,
    Withdraw,
)
from rollout.decision.open_change import MOST_ATTEMPTS
from rollout.decision.order import Changed, Direction, Ending, Intent, Order
from rollout.decision.situation import Drift, DriftKind
from rollout.instances import Floor
from rollout.ports import Change, InstanceChange, Message, Probes, Repository
from rollout.record.event import Kind, digest_of
from rollout.record.journal import Journal
from rollout.record.state import HoldKind

_FAILED = ExitCode.UNAVAILABLE
Closing = Callable[[str, str], Mapping[str, Any]]


@dataclass(frozen=True)
class Done:
    """What was done; `exit_code` None: that of the state."""

    text: str
    exit_code: ExitCode | None = None


class Acting:
    """Carries out one act."""

    def __init__(
        self,
        journal: Journal,
        change: Change,
        repository: Repository,
        probes: Probes,
        instances: InstanceChange,
        closing: Closing,
        spent: Mapping[str, float] | None = None,
    ) -> None:
        """`spent`: seconds of the tick's parts before."""
        self._journal = journal
        self._change = change
        self._repository = repository
        self._probes = probes
        self._instances = instances
        self._closing = closing
        self._spent = spent

    def do(self, act: Act, *, now: int, unsynced: CommandError | None) -> Done:
        """Carry the act out. `unsynced`: the remote could not be read, so nothing may go forward."""
        match act:
            case Wait():
                return Done(act.reason)
            case Move() if act.order.direction is Direction.BACK:
                return self._back(act)
            case Move():
                return self._forward(act.order, unsynced)
            case Resume() | Confirm() | Withdraw() | BreakGlass() | Reconcile():
                return self._finish(act, unsynced)
            case HoldFor():
                return self._hold(act)
            case Release():
                self._journal.note(Kind.RELEASED, {"hold": self._held(), "reason": act.reason})
                return Done(f"goes on: {act.reason}")
            case AskApproval():
                return self._ask(act.step)
            case Verify() | Verified():
                return self._verify(act, now)
            case Reserve() | RestoreFloor():
                return self._reserve(act, unsynced)
            case AdoptFloor():
                return self._adopt(act.floor)
            case GiveBack():
                return self._give_back(act.floor, unsynced)
            case Retire():
                return self._retire(act, unsynced)
            case End():
                closing = self._closing(act.outcome.value, act.reason)
                self._journal.way_back = True
                self._journal.append(Kind.ENDED, closing)
                self._publish(f"{act.outcome}: {act.reason}")
                return Done(f"{act.outcome}: {act.reason}")

    # Weights.

    def _forward(self, order: Order, unsynced: CommandError | None) -> Done:
        if unsynced is not None:
            return Done(f"no step forward: {unsynced}", unsynced.exit_code)
        self._journal.require_written()
        return self._told(self._change.make(self._journal, order, self._closing_of(order), self._spent), order)

    def _back(self, act: Move) -> Done:
        self._journal.way_back = True
        if act.verdict is not None:
            self._journal.append(Kind.VERDICT, {"gate": act.verdict.partition(":")[0], "reason": act.verdict})
        order = act.order
        return self._told(self._change.make(self._journal, order, self._closing_of(order), self._spent), order)

    def _finish(self, act: Resume | Confirm | Withdraw | BreakGlass | Reconcile, unsynced: CommandError | None) -> Done:
        journal, change, intent = self._journal, self._change, act.intent
        closing = self._closing_of(intent.order)
        if intent.is_back:
            journal.way_back = True
        elif unsynced is not None:
            return Done(f"the open change waits: {unsynced}", unsynced.exit_code)
        else:
            journal.require_written()
        match act:
            case Resume():
                changed = change.resume(journal, intent, closing)
            case Confirm():
                changed = change.confirm(journal, intent, closing)
            case Withdraw():
                changed = change.withdraw(journal, intent, act.reason)
            case BreakGlass():
                changed = change.break_glass(journal, intent, closing)
            case Reconcile():
                changed = change.reconcile(journal, intent, closing)
        return self._told(changed, intent.order)

    def _told(self, changed: Changed, order: Order) -> Done:
        """What a change came to; a way back that the engine cannot take breaks glass at once."""
        match changed.ending:
            case Ending.APPLIED:
                moved = f"{order.start.describe()} → " if order.start != order.to else ""
                done = f"{moved}{order.to.describe()}: {order.why}"
                return Done(f"{done} ({changed.reason})" if changed.reason else done)
            case Ending.OPEN if changed.needs_break_glass and (intent := self._open_way_back()) is not None:
                broken = self._change.break_glass(self._journal, intent, self._closing_of(order))
                return Done(f"{changed.reason} {broken.reason}".strip(), broken.exit_code or None)
            case Ending.OPEN:
                return Done(changed.reason, changed.exit_code or ExitCode.UNAVAILABLE)
            case Ending.OVERTAKEN:
                self._journal.refresh()
                return Done(changed.reason, ExitCode.WAITING)
            case Ending.WITHDRAWN if changed.pending:
                texts = ", ".join(changed.pending)
                finding = Drift(kind=DriftKind.PENDING, text=texts)
                return self._hold(HoldFor(kind=HoldKind.DRIFT, reason=changed.reason or texts, drift=(finding,)))
            case Ending.WITHDRAWN | Ending.REFUSED:
                return Done(changed.reason, changed.exit_code or None)

    def _open_way_back(self) -> Intent | None:
        intent = self._journal.state.open_intent
        return intent if intent is not None and intent.is_back else None

    def _closing_of(self, order: Order) -> Mapping[str, Any] | None:
        return self._closing(order.outcome.value, order.why) if order.outcome is not None else None

    # Holds.

    def _held(self) -> str | None:
        held = self._journal.state.held
        return held.kind.value if held is not None else None

    def _hold(self, act: HoldFor) -> Done:
        findings = [_finding(one) for one in act.drift]
        if findings and digest_of(findings) != self._journal.state.drift_told:
            who, when = act.drift[0].who, act.drift[0].when
            self._journal.note(Kind.DRIFT, {"findings": findings, "who": who, "when": when})
        self._journal.note(Kind.HELD, {"hold": act.kind.value, "reason": act.reason})
        self._publish(f"held: {act.reason}")
        return Done(f"held ({act.kind}): {act.reason}")

    def _ask(self, step: int) -> Done:
        self._journal.append(Kind.APPROVAL_REQUESTED, {"step": step, "run": None})
        reason = f"step {step + 1} needs approval"
        self._journal.append(Kind.HELD, {"hold": HoldKind.APPROVAL.value, "reason": reason})
        self._publish(reason)
        return Done(f"waits for approval of step {step + 1}")

    def _publish(self, subject: str) -> None:
        """Let other machines see it. They can do without: it is decided again from Azure."""
        state = self._journal.state
        message = Message(
            subject=f"rollout({state.endpoint}): {state.colour} in {state.stack}: {subject}",
            trailers={"Rollout": state.id, "Step": f"{state.step + 1} of {len(state.plan.steps)}"},
        )
        try:
            self._repository.publish(message, patient=False)
        except CommandError as error:
            self._journal.note(Kind.NOTED, {"what": "unpublished", "text": str(error)})

    # Before the first weight, and after the last.

    def _verify(self, act: Verify | Verified, now: int) -> Done:
        journal, state = self._journal, self._journal.state
        if isinstance(act, Verified):
            sent = state.probes.sent if state.probes is not None else None
            journal.append(Kind.VERIFIED, {"counted": sent, "settle": act.settle, "skipped": False})
            return Done(f"the metric shows all {sent} requests after {act.settle} s")
        if not state.plan.verify:
            settle = state.plan.settle_seconds or state.settle_seconds
            journal.append(Kind.VERIFIED, {"counted": None, "settle": settle, "skipped": True})
            return Done(f"verify is skipped, as the plan says; metrics settle after {settle} s")
        probed = self._probes.send(state.colour, state.stable)
        data = {
            "sent": probed.sent,
            "start": probed.start,
            "disagreement": probed.disagreement,
            "problem": probed.problem,
        }
        journal.append(Kind.PROBED, data)
        return Done(probed.problem or f"{probed.sent} requests were sent straight to {state.colour}")

    def _reserve(self, act: Reserve | RestoreFloor, unsynced: CommandError | None) -> Done:
        journal, state = self._journal, self._journal.state
        if act.floor is None:
            nothing = {"deployment": state.stable, "minimum": None, "was": None}
            journal.append(Kind.RESERVED, nothing)
            return Done(f"{state.stable} keeps its instances")
        if unsynced is not None:
            return Done(f"no step forward: {unsynced}", unsynced.exit_code)
        journal.require_written()
        changed = self._instances.raise_floor(journal, act.floor, restore=isinstance(act, RestoreFloor))
        if changed.ending is Ending.OPEN:
            journal.note(Kind.RESERVE_FAILED, {"reason": changed.reason})
        if changed.ending is Ending.APPLIED:
            return Done(f"{act.floor.deployment} keeps at least {act.floor.minimum} instances ({act.floor.describe()})")
        return self._unchanged(changed)

    def _adopt(self, floor: Floor | None) -> Done:
        """What somebody else has written stays, now and at the end."""
        raised = self._journal.state.reserved
        deployment = raised.deployment if raised is not None else self._journal.state.stable
        nothing = {"deployment": deployment, "minimum": None, "was": None}
        self._journal.append(Kind.RESERVED, nothing if floor is None else floor.as_values())
        said = f"the edited instance counts of {deployment} stay, also at the end"
        self._publish(said)
        return Done(said)

    def _give_back(self, floor: Floor, unsynced: CommandError | None) -> Done:
        """The end does not wait for it; a failure is counted, so that a run does not try for ever."""
        state = self._journal.state
        if unsynced is None:
            changed = self._instances.give_back(self._journal, floor)
        else:
            changed = Changed(ending=Ending.OPEN, reason=str(unsynced), exit_code=unsynced.exit_code)
        if changed.ending is Ending.APPLIED:
            return Done(changed.reason)
        if changed.ending in (Ending.OPEN, Ending.REFUSED) and state.reserve_failures < MOST_ATTEMPTS:
            self._journal.note(Kind.RESERVE_FAILED, {"reason": changed.reason})
        done = self._unchanged(changed)
        kept = f"the floor of {floor.deployment} was not given back ({floor.describe()})"
        again = f"`sluice rollout step {state.endpoint} --stack {state.stack}` tries again."
        return Done(f"{kept}: {done.text.rstrip('.')}. {again}", done.exit_code)

    def _retire(self, act: Retire, unsynced: CommandError | None) -> Done:
        if act.how == "keep":
            self._journal.append(Kind.RETIRED, {"what": "kept", "deployment": act.deployment})
            self._publish(f"{act.deployment} is kept")
            return Done(f"{act.deployment} is kept")
        if unsynced is not None:
            return Done(f"{act.deployment} is not retired yet: {unsynced}", unsynced.exit_code)
        self._journal.require_written()
        changed = self._instances.retire(self._journal, act.deployment, act.how)
        return Done(changed.reason) if changed.ending is Ending.APPLIED else self._unchanged(changed)

    def _unchanged(self, changed: Changed) -> Done:
        """A change of instances that did not end as asked."""
        if changed.ending is Ending.OVERTAKEN:
            self._journal.refresh()
        if changed.pending and not self._journal.state.is_over:
            finding = Drift(kind=DriftKind.PENDING, text=", ".join(changed.pending))
            return self._hold(HoldFor(kind=HoldKind.DRIFT, reason=changed.reason, drift=(finding,)))
        return Done(changed.reason, changed.exit_code or (None if changed.ending is Ending.WITHDRAWN else _FAILED))


def _finding(drift: Drift) -> dict[str, Any]:
    sides = {"live": drift.live, "declared": drift.declared, "record": drift.record}
    return {
        "kind": drift.kind.value,
        "text": drift.text,
        **{name: split.as_values() if split is not None else None for name, split in sides.items()},
    }
