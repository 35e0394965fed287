"""The picture of a rollout without a tick: its record, the stack file, and Azure if it answers. It changes nothing."""

from __future__ import annotations

from command_errors import CommandError
from endpoint_state import LiveEndpoint
from rollout.change.neighbours import open_neighbours
from rollout.decision.drift import compare
from rollout.record.journal import Journal
from rollout.record.state import RolloutState
from rollout.session.site import Site
from rollout.split import Split
from rollout.tick.weighing import Weighing
from rollout.views.view import Seen


def look(site: Site, journal: Journal) -> Seen:
    """What `status` shows; what cannot be read is a note in it."""
    state = journal.state
    notes = [] if journal.broken is None else [journal.broken]
    live: Split | None = None
    endpoint: LiveEndpoint | None = None
    try:
        endpoint = site.azure.endpoint()
        live = Split(traffic=endpoint.traffic, mirror=endpoint.mirror) if endpoint is not None else Split()
    except CommandError as error:
        notes.append(f"live weights are not known: {error}")
    declared: Split | None = None
    try:
        read = site.declared.read()
        declared = read.split
        if not state.is_over:
            notes += compare(endpoint, read, state).notes
    except CommandError as error:
        notes.append(str(error))
    if not state.is_over:
        notes += [_neighbour(one) for one in open_neighbours(site.folder, site.session.clock)]
    return Seen(
        state=state,
        now=site.session.clock.now(),
        results=Weighing(state).results(state),
        declared=declared,
        live=live,
        notes=notes,
    )


def _neighbour(state: RolloutState) -> str:
    to = state.open_intent.order.to.describe() if state.open_intent is not None else ""
    return (
        f"{state.endpoint} of this stack has an open change ({to}): steps here go on without it, and a plain "
        "`pulumi up` would apply it"
    )
