"""Which rollout `plan.start: auto` begins: exactly one colour is at 0 % and healthy, and its content is new. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from endpoint_state import LiveEndpoint
from rollout.people.start import HEALTHY
from rollout.people.start_facts import Colour, PastRollout
from rollout.split import Split


@dataclass(frozen=True)
class Candidate:
    """The colour to roll out."""

    colour: str


def candidate(
    *,
    declared: Split,
    colours: Mapping[str, Colour],
    past: Sequence[PastRollout],
    live: LiveEndpoint | None,
) -> Candidate | str | None:
    """Return the colour to roll out, None if there is nothing to start, else why a person has to look.

    A content that occurs in a record, as the new colour or in a baseline, was tried or served before, so it is not
    new. The first colour of an endpoint without live weight has nothing to be compared with: a person gives it weight.
    """
    seen = {content for rollout in past for content in rollout.contents.values()}
    new = sorted(name for name in colours if not declared.carries(name) and colours[name].content not in seen)
    if not new or not declared.traffic:
        return None
    healthy = [name for name in new if _is_healthy(live, name)]
    if len(new) > 1:
        return f"several colours at 0 % are new: {', '.join(new)}. Start one with `sluice rollout start --to`."
    if not healthy:
        return f"{new[0]} is new and not healthy in Azure yet. It starts once it is Succeeded."
    return Candidate(healthy[0])


def _is_healthy(live: LiveEndpoint | None, colour: str) -> bool:
    found = live.deployments.get(colour) if live is not None else None
    return found is not None and found.state == HEALTHY
