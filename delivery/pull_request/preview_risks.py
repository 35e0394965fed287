"""What a reviewer must see before a merge: replacements, protected and live things, networks, weights by hand. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from delivery.pull_request.preview_reading import EndpointMove, Reading
from delivery.pull_request.preview_report import PreviewReport
from git_server.markdown import code, escaped
from rollout.events import Change
from rollout.split import Split
from stack_config import DeploymentSettings, Settings

NETWORK_TYPES = "azure-native:network:"
NETWORK_WORDS = ("publicnetworkaccess", "managednetwork", "networkacls", "networkruleset")


def risks_of(report: PreviewReport, reading: Reading) -> Iterator[str]:
    """Each risk as one line of Markdown."""
    changes = [change for change in report.preview.changes if change.custom] if report.preview is not None else []
    yield from _replacements(changes)
    yield from _protected(changes)
    for move in reading.endpoints:
        yield from _live_changes(move, report.after)
    yield from _network(changes, report)
    yield from _stable_by_hand(report)
    yield from _choices(report, reading)


def _replacements(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        if change.op == "replace":
            because = f", because of {', '.join(map(code, change.diffs))}" if change.diffs else ""
            yield f"Replacement: {code(change.name)} is deleted and created again{because}."


def _protected(changes: list[Change]) -> Iterator[str]:
    for change in changes:
        if change.protected and change.op in ("delete", "replace"):
            yield f"Protected: the engine refuses to delete {code(change.name)}, which this change asks for."


def _live_changes(move: EndpointMove, settings: Settings | None) -> Iterator[str]:
    declared = settings.rollout.get(move.endpoint) if settings else None
    weights = move.before or (Split(traffic=declared.traffic, mirror=declared.mirror) if declared else Split())
    for colour in move.colours:
        if colour.operation in ("update", "replace", "delete") and weights.carries(colour.colour):
            share = f"{weights.percent_of(colour.colour)} %"
            yield (
                f"Live change: {code(colour.colour)} of {code(move.endpoint)} changes while it gets {share} of the "
                "live requests."
            )


def _network(changes: list[Change], report: PreviewReport) -> Iterator[str]:
    touched = [
        change.name
        for change in changes
        if change.type.startswith(NETWORK_TYPES)
        or (change.op != "create" and any(_is_network(path) for path in change.diffs))
    ]
    before, after = report.before, report.after
    if before is not None and after is not None and before.network != after.network:
        yield f"Network: the stack file changes {code('sluice:network')}."
    if touched and any(change.op != "create" for change in changes):
        yield f"Network: {', '.join(map(code, touched))} {'changes' if len(touched) == 1 else 'change'}."


def _is_network(path: str) -> bool:
    lower = path.lower()
    return any(word in lower for word in NETWORK_WORDS)


def _stable_by_hand(report: PreviewReport) -> Iterator[str]:
    """`stable` names the colour whose increases no limit binds; a rollout sets it at its end."""
    if report.before is None or report.after is None:
        return
    for key, rollout in report.after.rollout.items():
        known = report.before.rollout.get(key)
        if known is not None and known.stable != rollout.stable:
            was, now = (code(one) if one else "none" for one in (known.stable, rollout.stable))
            yield (
                f"By hand: {code('stable')} of {code(key)} changes from {was} to {now} in the stack file. Limits do "
                "not bind the increases of the stable colour, and a rollout sets it at its end."
            )


def _choices(report: PreviewReport, reading: Reading) -> Iterator[str]:
    """What the stack file chooses for a colour that this change touches or that gets weight."""
    if report.after is None:
        return
    moved = {(move.endpoint, colour.colour) for move in reading.endpoints for colour in move.colours}
    for key, endpoint in report.after.endpoints.items():
        for name, chosen in endpoint.deployments.items():
            if (key, name) in moved or _is_new(report.before, key, name, chosen):
                yield from _choice(key, name, chosen)


def _is_new(before: Settings | None, key: str, name: str, chosen: DeploymentSettings) -> bool:
    """Whether the stack file said something else about a colour before."""
    known = before.endpoints.get(key) if before else None
    return before is not None and (known is None or known.deployments.get(name) != chosen)


def _choice(key: str, name: str, chosen: DeploymentSettings) -> Iterator[str]:
    of = f"{code(name)} of {code(key)}"
    if chosen.environment_variables:
        names = ", ".join(map(code, sorted(chosen.environment_variables)))
        yield f"Override: {of} has other values than its release for {names}."
    if chosen.allow_unproven:
        yield f"Unproven: {of} may get weight without proof: {escaped(chosen.allow_unproven)}"
    if chosen.allow_live_change:
        yield f"Live change: {of} may get another release while it serves ({code('allow_live_change')})."
