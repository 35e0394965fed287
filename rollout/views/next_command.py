"""What a person does next about a rollout: the command to type. Pure."""

from __future__ import annotations

from rollout.record.state import HoldKind, RolloutState

_ANSWERS = {
    HoldKind.APPROVAL: "approve",
    HoldKind.PAUSED: "resume",
    HoldKind.INCIDENT: "resume",
    HoldKind.INCONCLUSIVE: "resume",
    HoldKind.DRIFT: "resume --restore",
    HoldKind.METRICS: "step",
    HoldKind.ENGINE: "step",
}
_ALTERNATIVES = {
    HoldKind.APPROVAL: "reject",
    HoldKind.INCIDENT: "rollback",
    HoldKind.INCONCLUSIVE: "promote --reason '...', or rollback",
    HoldKind.DRIFT: "resume --adopt, or rollback",
}


def next_command(state: RolloutState) -> str | None:
    """The command that takes a rollout on, with its alternative; None: nothing is left to do."""
    place = f"{state.endpoint} --stack {state.stack}"
    if state.is_over:
        return None if state.reserved is None else f"sluice rollout step {place}"
    if state.held is None:
        return f"sluice rollout run {place}"
    kind = state.held.kind
    if kind is HoldKind.NO_WAY_BACK:
        return (
            f"repair {' and '.join(state.stable_colours)}, or sluice rollout promote {place} --reason '...' if "
            f"{state.colour} serves well"
        )
    verb, _, flag = _ANSWERS[kind].partition(" ")
    command = f"sluice rollout {verb} {place}{f' {flag}' if flag else ''}"
    other = _ALTERNATIVES.get(kind)
    return f"{command} (or {other})" if other else command
