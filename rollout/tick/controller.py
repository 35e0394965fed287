"""One tick of a rollout, on the ports: lock, sync, fold, read, decide, act.

A tick changes weights at most once. The record is written before the world is changed, so that a controller that dies
anywhere is continued by the next tick, here or in a fresh clone.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from command_errors import CommandError, UnavailableError
from exit_codes import ExitCode
from rollout.decision.acts import Act, BreakGlass, Confirm, Move, Reconcile, Resume, Wait
from rollout.decision.decide import METRICS_ERRORS, decide
from rollout.decision.order import Direction
from rollout.decision.situation import Evidence
from rollout.errors import BrokenRecord
from rollout.evidence.intervals import GateResult, Verdict
from rollout.ports import Message, Reading
from rollout.record.chain import Owner
from rollout.record.event import Event, Kind
from rollout.record.journal import Journal
from rollout.record.lock import endpoint_lock
from rollout.record.state import HoldKind, Phase, RolloutState
from rollout.tick.acting import Acting
from rollout.tick.survey import Survey
from rollout.tick.weighing import Weighing, observed
from rollout.tick.world import World

LEAVE_SECONDS = 10 * 60
"""A runner that leaves pushes what it wrote if the remote's last event is older."""
UNWATCHED_SECONDS = 15 * 60
"""After so long without an event, the record notes that nothing watched the rollout."""


@dataclass(frozen=True, kw_only=True)
class Tick:
    """What one tick found and did."""

    at: int
    act: Act
    state: RolloutState
    """After the act."""
    evidence: Evidence
    reading: Reading
    exit_code: ExitCode
    text: str
    """One sentence for a person."""


_EXIT_CODES: Mapping[HoldKind, ExitCode] = {
    HoldKind.APPROVAL: ExitCode.WAITING,
    HoldKind.PAUSED: ExitCode.WAITING,
    HoldKind.INCIDENT: ExitCode.WAITING,
    HoldKind.INCONCLUSIVE: ExitCode.WAITING,
    HoldKind.DRIFT: ExitCode.USAGE,
    HoldKind.METRICS: ExitCode.UNAVAILABLE,
    HoldKind.ENGINE: ExitCode.UNAVAILABLE,
    HoldKind.NO_WAY_BACK: ExitCode.FAILED,
}


_OTHERS_NEED = frozenset(
    {
        Kind.RESERVED,
        Kind.APPLIED,
        Kind.APPROVAL_REQUESTED,
        Kind.BREAK_GLASS,
        Kind.ENDED,
        Kind.RETURNED,
        Kind.RETIRED,
    }
)
"""What a crash may have left unpushed; what is only about to be done pushes itself when it goes on."""


def _is_needed(event: Event) -> bool:
    """Whether other runners have to know it; of `reserved`, only that a floor was raised."""
    return event.kind in _OTHERS_NEED and (event.kind is not Kind.RESERVED or bool(event.data.get("now")))


def exit_code_of(state: RolloutState) -> ExitCode:
    """What `sluice rollout` ends with when a rollout is in this state."""
    if state.ended is not None and state.is_over:
        return ExitCode.DONE if state.phase is Phase.DONE else ExitCode.FAILED
    return _EXIT_CODES[state.held.kind] if state.held is not None else ExitCode.DONE


class Controller:
    """Ticks of one rollout."""

    def __init__(self, journal: Journal, world: World, owner: Owner) -> None:
        self.journal = journal
        self._world = world
        self._owner = owner
        self._weighing = Weighing(journal.state)
        self._survey = Survey(journal, world, self._weighing)
        self._watched = False

    def tick(self) -> Tick:
        """Look, decide, and do at most one thing.

        Raises `EndpointBusy`, `ForeignRecord`, `BrokenRecord` and `RecordUnwritable` (no forward step).
        """
        with endpoint_lock(self.journal.chain.path.parent, self._world.clock):
            return self._tick()

    def _tick(self) -> Tick:
        world, journal = self._world, self.journal
        torn = self._take_in()
        now = world.clock.now()
        journal.chain.require_owner(self._owner)
        journal.way_back = False
        if torn is not None:
            journal.note(
                Kind.NOTED, {"what": "torn", "text": f"a line that a crash had cut off was dropped: {torn[:80]}"}
            )
        self._note_unwatched(now)
        began = time.monotonic()
        unsynced = self._sync()
        reading = self._read(now)
        evidence = self._survey.evidence(reading, now)
        known = time.monotonic()
        act = decide(journal.state.plan, journal.state, evidence, now)
        if isinstance(act, Move) and act.order.direction is Direction.FORWARD and act.order.outcome is None:
            evidence = replace(evidence, capacity_problem=self._survey.capacity(act))
            act = decide(journal.state.plan, journal.state, evidence, now)
        if journal.broken is not None and not _is_back(act):
            raise BrokenRecord(journal.broken)
        spent = {"read": round(known - began, 3), "decide": round(time.monotonic() - known, 3)}
        acting = Acting(journal, world.change, world.repository, world.probes, world.instances, self._closing, spent)
        done = acting.do(act, now=now, unsynced=unsynced)
        return self._told(act, done.exit_code, done.text, evidence, reading, now)

    def _told(
        self, act: Act, exit_code: ExitCode | None, text: str, evidence: Evidence, reading: Reading, now: int
    ) -> Tick:
        state = self.journal.state
        if exit_code is None:
            silent = evidence.azure_problem is not None and isinstance(act, Wait)
            exit_code = ExitCode.UNAVAILABLE if silent else exit_code_of(state)
        if self.journal.unwritten is not None:
            text = f"{text} NOT IN THE RECORD: {self.journal.unwritten}"
        return Tick(at=now, act=act, state=state, evidence=evidence, reading=reading, exit_code=exit_code, text=text)

    def _take_in(self) -> str | None:
        """Fold what other processes wrote; the line that a crash cut off, if there is one."""
        self.journal.refresh()
        return self.journal.chain.torn

    def _sync(self) -> CommandError | None:
        """Take over what others pushed; why that was not possible, which forbids forward steps only."""
        try:
            remote = self._world.repository.sync()
            if remote is not None:
                self.journal.take_over(remote)
                self._publish_rest(remote.count("\n"))
        except CommandError as error:  # also UsageError: a person's commits or edits are in the way, a right is missing
            return error
        return None

    def _publish_rest(self, pushed: int) -> None:
        """Push what a controller wrote and did not push before it died; an open change pushes its own lines."""
        rest = self.journal.chain.events[pushed:]
        if self.journal.state.open_intent is None and any(map(_is_needed, rest)):
            self._publish(self.journal.state.weights.describe())

    def leave(self) -> None:
        """Push what the last ticks wrote, so that the next runner knows about it.

        Evidence is read again from Azure, so it is pushed at most every ten minutes. Counted requests are pushed at
        once, or the next runner would send them again. Only with `--push`. An error changes nothing.
        """
        with contextlib.suppress(CommandError), endpoint_lock(self.journal.chain.path.parent, self._world.clock):
            remote = self._world.repository.sync()
            if remote is None:
                return
            self.journal.refresh()
            events, pushed = self.journal.chain.events, remote.count("\n")
            old = 0 < pushed < len(events) and events[pushed - 1].at <= self._world.clock.now() - LEAVE_SECONDS
            counted = pushed > 0 and any(event.kind in (Kind.PROBED, Kind.VERIFIED) for event in events[pushed:])
            if (old or counted) and self.journal.state.open_intent is None:
                self._publish(f"watched at {self.journal.state.weights.describe()}")

    def _publish(self, subject: str) -> None:
        state = self.journal.state
        message = Message(
            subject=f"rollout({state.endpoint}): {state.colour} in {state.stack}: {subject}",
            trailers={"Rollout": state.id},
        )
        self._world.repository.publish(message)

    def _note_unwatched(self, now: int) -> None:
        state = self.journal.state
        gap = now - state.last_at
        if not self._watched and gap > UNWATCHED_SECONDS and not state.is_over:
            hours, minutes = gap // 3600, gap % 3600 // 60
            text = f"unwatched for {f'{hours} h' if hours else f'{minutes} min'}"
            self.journal.note(Kind.NOTED, {"what": "unwatched", "text": text})
        self._watched = True

    def _read(self, now: int) -> Reading:
        """Read the metrics and write new intervals to the record; an error is counted there."""
        state = self.journal.state
        if state.is_over:
            return Reading(settled_until=state.read_until)
        try:
            reading = self._world.metrics.read(state, now)
        except UnavailableError as error:
            reading = Reading(settled_until=state.read_until, problem=str(error))
        failed = next((one.reason for one in reading.results if one.verdict is Verdict.ERROR and not one.dry_run), None)
        if reading.problem is None and failed is not None:
            reading = replace(reading, problem=failed)
        if reading.settled or (reading.problem is None and state.metrics_errors):
            intervals = [interval.as_values() for interval in reading.settled]
            weighed = self._results_with(reading)
            self.journal.note(Kind.EVIDENCE, {"intervals": intervals, "results": weighed})
        if reading.problem is not None and state.metrics_errors < METRICS_ERRORS:
            data = {"reason": reading.problem, "in_a_row": state.metrics_errors + 1}
            self.journal.note(Kind.METRICS_ERROR, data)
        self._weighing.follow(self.journal.state)
        self._note_observed()
        return reading

    def _results_with(self, reading: Reading) -> dict[str, Any]:
        """What the gates conclude with these intervals, for people who read the record."""
        state = self.journal.state
        after = replace(state, intervals=(*state.intervals, *reading.settled))
        self._weighing.follow(after)
        return {one.gate: _summary(one) for one in self._weighing.results(state)}

    def _note_observed(self) -> None:
        state = self.journal.state
        if state.step in state.observed_steps or (seen := observed(state)) is None:
            return
        data = {"step": state.step, "shares": seen.shares, "requests": seen.requests, "chance": seen.chance}
        self.journal.note(Kind.OBSERVED, data)

    def _closing(self, outcome: str, reason: str) -> dict[str, Any]:
        """The data of `ended`."""
        state, totals = self.journal.state, self._weighing.totals()
        return {
            "outcome": outcome,
            "reason": reason,
            "requests": totals.requests,
            "errors": totals.errors,
            "evidence": {one.gate: _summary(one) for one in self._weighing.results(state)},
            "synthetic": state.synthetic,
            "evidence_skipped": state.evidence_skipped,
            "approved_by": sorted(set(state.approved.values())),
        }


def _is_back(act: Act) -> bool:
    """Whether an act leads back, so that it may be done without a whole record."""
    if isinstance(act, Move):
        return act.order.direction is Direction.BACK
    return isinstance(act, Resume | Confirm | BreakGlass | Reconcile) and act.intent.is_back


def _summary(result: GateResult) -> dict[str, Any]:
    values = {"ceiling": result.ceiling, "guard": result.guard, "versus": result.versus}
    rounded = {name: None if value is None else float(f"{value:.6g}") for name, value in values.items()}
    return {"verdict": result.verdict.value, **rounded}
