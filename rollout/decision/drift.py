"""Compares Azure and the stack file with the record. Pure; what each difference means is in `situation.DriftKind`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from endpoint_state import LiveEndpoint
from rollout.decision.order import Intent
from rollout.decision.situation import Drift, DriftKind, Standing
from rollout.ports import Declared
from rollout.record.state import RolloutState
from rollout.split import Split
from rollout_config import plan_digest

_BUSY = frozenset({"updating", "creating", "deleting"})


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What differs from the record, and which colours cannot serve."""

    drift: tuple[Drift, ...] = ()
    canary_problem: str | None = None
    stable_problem: str | None = None
    notes: tuple[str, ...] = ()
    """What people should know and no decision rests on: an undeclared deployment, a plan that was edited."""


def split_of(endpoint: LiveEndpoint) -> Split:
    """The weights that Azure has."""
    return Split(traffic=endpoint.traffic, mirror=endpoint.mirror)


def standing_of(intent: Intent, live: LiveEndpoint | None) -> Standing:
    """How far Azure is with an open change."""
    if live is None:
        return Standing.OTHER
    if live.state in _BUSY:
        return Standing.UPDATING
    if split_of(live) == intent.order.to:
        return Standing.TO
    if live.state == "failed":
        return Standing.FAILED
    return Standing.FROM if split_of(live) == intent.order.start else Standing.OTHER


def compare(live: LiveEndpoint | None, declared: Declared, state: RolloutState) -> Comparison:
    """What differs between Azure, the stack file and the record.

    While a change is open, its own weights are no drift. Instance counts in Azure belong to autoscale and are not
    compared; the raised floor is, as the stack file declares it.
    """
    if live is None:
        gone = Drift(kind=DriftKind.ENDPOINT, text=f"the endpoint of {state.endpoint} is gone from Azure")
        return Comparison(drift=(gone,))
    return Comparison(
        drift=(
            *_weights(live, declared, state),
            *_settings(live, state),
            *_floor(declared, state),
            *_releases(live, state),
            *_pending(state),
        ),
        canary_problem=_canary_problem(live, state),
        stable_problem=_stable_problem(live, state),
        notes=(*_undeclared(live, declared), *_edited_plan(declared, state)),
    )


def _weights(live: LiveEndpoint, declared: Declared, state: RolloutState) -> Iterator[Drift]:
    record, actual = state.weights, split_of(live)
    order = state.open_intent.order if state.open_intent else None
    known = {record} | ({order.start, order.to} if order else set())
    who = _author(live)
    if actual not in known:
        lost = actual.traffic == record.traffic and record.mirror and not actual.mirror
        text = (
            f"Azure lost the mirror: it has {actual.describe()}, the rollout set {record.describe()}{who}"
            if lost
            else f"Azure has {actual.describe()}, the rollout set {record.describe()}{who}"
        )
        kind = DriftKind.MIRROR if lost else DriftKind.LIVE
        found = Drift(kind=kind, text=text, live=actual, declared=declared.split, record=record)
        yield replace(found, who=live.changed_by, when=live.changed_at)
    if declared.split not in known:
        text = f"the stack file declares {declared.split.describe()}, the rollout set {record.describe()}"
        yield Drift(kind=DriftKind.DECLARED, text=text, live=actual, declared=declared.split, record=record)
    stables = {state.declared_stable, (order.stable if order else None) or state.declared_stable}
    if declared.stable is not None and declared.stable not in stables:
        text = f"the stack file says stable: {declared.stable}, the rollout expects {state.declared_stable}"
        yield Drift(kind=DriftKind.DECLARED, text=text, live=actual, declared=declared.split, record=record)


def _settings(live: LiveEndpoint, state: RolloutState) -> Iterator[Drift]:
    """The endpoint's auth mode and identities, which callers and deployments rest on. Azure ignores the case of ids."""
    how = (
        f"{_author(live)}. Put it back with `pulumi up --refresh --stack {state.stack}`, and the rollout goes on; or "
        "roll back"
    )
    if state.auth_mode is not None and live.auth_mode.lower() != state.auth_mode.lower():
        text = f"the endpoint's auth mode is {live.auth_mode}, at the start it was {state.auth_mode}{how}"
        yield Drift(kind=DriftKind.SETTINGS, text=text, who=live.changed_by, when=live.changed_at)
    if state.identity_ids is None:
        return
    now, then = ({one.lower(): one for one in ids} for ids in (live.identity_ids, state.identity_ids))
    if now.keys() != then.keys():
        names = [", ".join(sorted(one.rpartition("/")[2] for one in ids.values())) or "none" for ids in (now, then)]
        text = f"the endpoint's identities are {names[0]}, at the start they were {names[1]}{how}"
        yield Drift(kind=DriftKind.SETTINGS, text=text, who=live.changed_by, when=live.changed_at)


def _undeclared(live: LiveEndpoint, declared: Declared) -> Iterator[str]:
    for name in sorted(live.deployments):
        if declared.deployments and name not in declared.deployments and not split_of(live).carries(name):
            yield f"{name} is in Azure at 0 %, and the stack file does not declare it; the rollout leaves it alone"


def _edited_plan(declared: Declared, state: RolloutState) -> Iterator[str]:
    if declared.plan is not None and plan_digest(declared.plan) != plan_digest(state.plan):
        yield (
            "the stack file's plan differs from the frozen one, which goes on; `sluice rollout resume "
            f"{state.endpoint} --stack {state.stack} --replan` takes the new one"
        )


def _author(live: LiveEndpoint) -> str:
    return (
        f" (changed by {live.changed_by or 'an unknown client'}{f' at {live.changed_at}' if live.changed_at else ''})"
    )


def _floor(declared: Declared, state: RolloutState) -> Iterator[Drift]:
    """An edit of the raised floor. While it is being raised, the change itself looks at it."""
    floor = state.reserved
    if floor is None or not state.floor_settled:
        return
    for difference in floor.differences(declared.deployments.get(floor.deployment)):
        text = f"the stack file was edited where the rollout holds {floor.deployment}'s floor: {difference}"
        yield Drift(kind=DriftKind.FLOOR, text=text)


def _releases(live: LiveEndpoint, state: RolloutState) -> Iterator[Drift]:
    for name in state.stable_colours:
        deployment, expected = live.deployments.get(name), state.releases.get(name)
        if deployment is not None and expected is not None and deployment.release != expected:
            yield Drift(
                kind=DriftKind.STABLE_RELEASE,
                text=f"{name} has another release than at the start, so the evidence is about one that is gone "
                f"({_short(deployment.release)}, at the start {_short(expected)})",
            )


def _pending(state: RolloutState) -> Iterator[Drift]:
    if state.pending:
        yield Drift(kind=DriftKind.PENDING, text=f"other changes of the stack are pending: {', '.join(state.pending)}")


def _canary_problem(live: LiveEndpoint, state: RolloutState) -> str | None:
    deployment, expected = live.deployments.get(state.colour), state.releases.get(state.colour)
    if deployment is None:
        return f"{state.colour} is gone from Azure"
    if deployment.state == "failed":
        return f"{state.colour} is {deployment.provisioning_state} in Azure"
    if expected is not None and deployment.release != expected:
        return (
            f"{state.colour} has another release than this rollout is about ({_short(deployment.release)}, at the "
            f"start {_short(expected)})"
        )
    return None


def _stable_problem(live: LiveEndpoint, state: RolloutState) -> str | None:
    for name in state.stable_colours:
        deployment = live.deployments.get(name)
        if deployment is None:
            return f"{name} is gone from Azure"
        if deployment.state == "failed":
            return f"{name} is {deployment.provisioning_state} in Azure"
    return None


def _short(release: str | None) -> str:
    return release[:12] if release else "no release tag"
