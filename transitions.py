"""Which change of an endpoint is allowed, given the live state in Azure.

Pure: plain values in, a `Transition` out, or one `TransitionError` that lists every problem. The program calls it
before it declares its first resource, so a refusal changes nothing. It does not read Azure, and it holds no clock.

While an endpoint serves nothing, weights that cannot be given yet wait for a later update; while it serves, they are an
error. The way back to the stable colour is limited only by its own state: it must exist and, if it serves nothing now,
be healthy.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from change_rules import problems_of
from declared_change import DeclaredChange
from endpoint_state import DeclaredEndpoint, LiveEndpoint, LiveState, Transition
from problem import Problem
from stack_config import Limits
from weights import nonzero, show

__all__ = ["TransitionError", "validate_removal", "validate_transition"]


class TransitionError(ValueError):
    """The declared change is refused; `problems` has every reason, sorted by key."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        super().__init__("\n".join(str(problem) for problem in self.problems))


def validate_transition(live: LiveState, declared: DeclaredEndpoint, stable: str | None, limits: Limits) -> Transition:
    """Say what the next update may declare for one endpoint, or raise `TransitionError` with every problem."""
    change = DeclaredChange(live, declared, stable, limits)
    if problems := list(problems_of(change)):
        raise TransitionError(problems)
    return _transition(change)


def validate_removal(live: Iterable[LiveEndpoint], declared_names: Collection[str], *, stack: str) -> None:
    """Raise `TransitionError` if an endpoint that is no longer declared still has live or mirror weight.

    `live` are endpoints that an earlier update declared; a renamed endpoint is one that is no longer declared.
    """
    problems = [
        Problem(
            "sluice:endpoints",
            f'no longer declares the endpoint "{endpoint.name}", which has live weights '
            f"{show(nonzero(endpoint.traffic))} and mirrors {show(nonzero(endpoint.mirror))}. An endpoint can "
            "be removed or renamed only when all its weights are 0",
            f"Declare it again in Pulumi.{stack}.yaml, set its weights to 0, run pulumi up --stack {stack}, then "
            "remove it.",
        )
        for endpoint in live
        if endpoint.name not in declared_names and (nonzero(endpoint.traffic) or nonzero(endpoint.mirror))
    ]
    if problems:
        raise TransitionError(problems)


def _transition(change: DeclaredChange) -> Transition:
    """What may be declared now; called only when no rule is broken."""
    names = tuple(change.declared.deployments)
    waiting: list[str] = []
    if not change.live.workspace_exists:
        if names:
            waiting.append(f"deployments wait for the workspace: {', '.join(names)}")
        names = ()
    elif without_network := _without_network(change):
        status = f"{change.live.network_status} in Azure, not Active"
        waiting.append(
            f"deployments wait for the workspace's managed network, which is {status}: {', '.join(without_network)}"
        )
        # What exists stays declared: the engine would delete what is left out.
        names = tuple(name for name in names if name in change.existing)
    held = _held(change, change.wanted)
    if held:
        waiting.append(f"live weights wait ({show(change.wanted)}): {held}")
    held_mirror = _held(change, change.wanted_mirror) or held
    if held_mirror and change.wanted_mirror:
        waiting.append(f"mirrored weights wait ({show(change.wanted_mirror)}): {held_mirror}")
    return Transition(
        traffic={} if held else change.wanted,
        mirror={} if held_mirror else change.wanted_mirror,
        deployments=names,
        replaced=change.replaced,
        replaces_endpoint=change.replaces_endpoint,
        waiting=tuple(waiting),
        next=(change.up if change.live.network_is_ready else change.recover) if waiting else None,
    )


def _without_network(change: DeclaredChange) -> list[str]:
    """Deployments that Azure would have to create but cannot, because the managed network is not provisioned."""
    if change.live.network_is_ready:
        return []
    return [
        name
        for name in change.declared.deployments
        if (live := change.existing.get(name)) is None or (live.state == "failed" and not change.carries(name))
    ]


def _held(change: DeclaredChange, weights: Mapping[str, int]) -> str | None:
    """Why these weights wait, or None. On an endpoint that serves, they do not wait; they are an error."""
    if not weights or change.serves:
        return None
    if change.endpoint is None:
        return "the endpoint does not exist in Azure yet"
    if change.replaces_endpoint:
        return "the endpoint is replaced in this update"
    obstacles = [f"{name} {obstacle}" for name in weights if (obstacle := change.obstacle(name)) is not None]
    return "; ".join(obstacles) or None
