"""What one tick finds before it decides: Azure, the stack file and the instances, compared with the record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from command_errors import CommandError, UnavailableError
from endpoint_state import LiveEndpoint
from rollout.decision.acts import Move
from rollout.decision.drift import Comparison, compare, split_of, standing_of
from rollout.decision.situation import Drift, DriftKind, Evidence
from rollout.instances import Floor, Numbers
from rollout.ports import Declared, Reading
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.record.state import Phase
from rollout.tick.weighing import Weighing, observed, tripped
from rollout.tick.world import World


class Survey:
    """Looks at the world of one rollout."""

    def __init__(self, journal: Journal, world: World, weighing: Weighing) -> None:
        self._journal = journal
        self._world = world
        self._weighing = weighing

    def evidence(self, reading: Reading, now: int) -> Evidence:
        """Everything that the decision rests on; what was noticed beside it is written down."""
        state, world = self._journal.state, self._world
        live, azure_problem = self._live()
        comparison, standing, numbers = Comparison(), None, None
        if azure_problem is None and not state.is_over:
            comparison, numbers = self._compared(live)
            self._note_once(comparison.notes)
            standing = standing_of(state.open_intent, live) if state.open_intent is not None else None
        probing = state.phase is Phase.VERIFY and state.probes is not None
        floor, floor_problem = self._floor(live)
        seen = observed(state)
        return Evidence(
            results=(*self._weighing.results(state), *reading.results),
            tripwire=tripped(state, reading.young),
            live=split_of(live) if live is not None else None,
            standing=standing,
            drift=comparison.drift,
            canary_problem=comparison.canary_problem,
            stable_problem=comparison.stable_problem,
            notes=comparison.notes,
            azure_problem=azure_problem,
            metrics_problem=reading.problem,
            split_problem=seen.problem(state.weights) if seen is not None else None,
            settled_until=state.read_until,
            requests_in_step=self._weighing.requests_in_step(state),
            probes_counted=world.metrics.counted(state.colour, state.probes.start, now)
            if probing and state.probes is not None
            else None,
            floor=floor,
            floor_problem=floor_problem,
            numbers=numbers,
        )

    def _floor(self, live: LiveEndpoint | None) -> tuple[Floor | None, str | None]:
        """What to raise before the first weight, or why that cannot be; looked at once, before anything is raised."""
        state = self._journal.state
        begun = state.floor_settled or state.reserved is not None
        if live is None or begun or state.phase is not Phase.RESERVE or not state.plan.hold_stable:
            return None, None
        try:
            return self._world.capacity.floor(state.stable, live), None
        except CommandError as error:
            return None, str(error)

    def _compared(self, live: LiveEndpoint | None) -> tuple[Comparison, Numbers | None]:
        """What differs from the record, and the declared counts of the colour whose floor is raised.

        A stack file that cannot be read is drift, which stops no way back.
        """
        state = self._journal.state
        try:
            declared = self._world.stack_file.read()
        except CommandError as error:
            found = compare(live, Declared(split=state.weights, stable=state.declared_stable), state)
            others = (one for one in found.drift if one.kind is not DriftKind.FLOOR)
            unread = Drift(kind=DriftKind.DECLARED, text=str(error), record=state.weights)
            return replace(found, drift=(*others, unread)), None
        numbers = declared.deployments.get(state.reserved.deployment) if state.reserved is not None else None
        return compare(live, declared, state), numbers

    def _note_once(self, notes: Sequence[str]) -> None:
        """What decides nothing is written down the first time that it is seen."""
        if notes:
            told = {event.data["text"] for event in self._journal.chain.events if event.kind is Kind.NOTED}
            for text in notes:
                if text not in told:
                    self._journal.note(Kind.NOTED, {"what": "noticed", "text": text})

    def _live(self) -> tuple[LiveEndpoint | None, str | None]:
        try:
            return self._world.azure.endpoint(), None
        except UnavailableError as error:
            return None, str(error)

    def capacity(self, move: Move) -> str | None:
        """Why the instances do not suffice for a move, or may not stay; None if they do."""
        reserved = self._journal.state.reserved
        try:
            lost = self._world.instances.problem(reserved) if reserved is not None else None
            return lost or self._world.capacity.problem(move.order.to)
        except UnavailableError as error:
            return f"whether the instances suffice could not be read: {error}"
