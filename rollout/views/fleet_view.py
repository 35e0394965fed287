"""How a fleet looks to people and to scripts: its waves, their rollouts, and what to type next. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rollout.fleet.progress import Progress, Standing, WaveState
from rollout.fleet.runner import FleetView
from rollout.record.state import RolloutState
from rollout.tick.controller import exit_code_of
from rollout.views.next_command import next_command
from rollout.views.status_values import summary_values
from rollout.views.view import Row, clock, duration, phase_of

_STYLES = {
    Progress.WAITING: "dim",
    Progress.BLOCKED: "yellow",
    Progress.UNDER_WAY: "bold cyan",
    Progress.DONE: "green",
    Progress.FAILED: "bold red",
}


def fleet_picture(view: FleetView, file: str) -> list[Row]:
    """The waves with their rollouts, one line each, and what is left to do."""
    state, now = view.state, view.now
    index = state.current(now)
    shown = f"wave {index + 1} of {len(state.waves)}" if index < len(state.waves) else "done"
    rows: list[Row] = [((f"fleet {file}", "bold"), (f"   {shown}", "bold cyan"), (f" · {clock(now)} UTC", "dim"))]
    width = max(len(str(one.rollout)) for one in state.standings)
    for number, wave in enumerate(state.waves):
        rows.append(((f" {number + 1} {wave.wave.name}", "bold"), (f"   {_wave_text(view, number, wave)}", "")))
        for one in wave.standings:
            style = "yellow" if _held(one) else _STYLES[one.progress]
            rows.append(((f"   {one.rollout!s:{width}}  ", ""), (_text_of(view, one), style)))
    rows += [((f" {line}", "bold"),) for line in fleet_next(view)]
    return rows


def fleet_next(view: FleetView) -> Iterator[str]:
    """What to type next, one line for each rollout that needs a person; then what earlier waves keep."""
    for one in view.state.under_way:
        if one.state is not None and (command := next_command(one.state)) is not None and _held(one):
            yield f"next for {one.rollout}: {command}"
    for one in view.state.failed:
        yield (
            f"{one.rollout} failed, so no rollout starts any more. Roll out a better release, or try this one again: "
            f"sluice rollout start {_place(one)}{f' --to {one.state.colour}' if one.state else ''}"
        )
    if view.state.failed:
        kept = [one for one in view.state.standings if _can_go_back(one, view.now)]
        yield from (f"{one.rollout} keeps the new release. To take it back: {_rollback(one)}" for one in kept)


def fleet_values(view: FleetView, file: str) -> dict[str, Any]:
    """The same for scripts; times are seconds since 1970."""
    index = view.state.current(view.now)
    return {
        "file": file,
        "now": view.now,
        "wave": index + 1 if index < len(view.state.waves) else None,
        "done": view.state.is_over(view.now),
        "bakes_until": view.state.bakes_until(view.now),
        "waves": [
            {"name": wave.wave.name, "rollouts": [_values(view, one) for one in wave.standings]}
            for wave in view.state.waves
        ],
        "exit_code": int(view.exit_code),
    }


def _values(view: FleetView, one: Standing) -> dict[str, Any]:
    trouble = view.troubles.get(one.rollout)
    state = one.state
    return {
        "endpoint": one.rollout.endpoint,
        "stack": one.rollout.stack,
        "progress": one.progress.value,
        "why": one.why,
        "content": one.content,
        "colour": one.colour if state is None else state.colour,
        "error": trouble.text if trouble is not None else None,
        "rollout": summary_values(state) if state is not None else None,
        "held": {"kind": state.held.kind.value, "reason": state.held.reason}
        if state is not None and _held(one) and state.held
        else None,
        "next": next_command(state) if state is not None and one.progress is Progress.UNDER_WAY else None,
        "rollback": _rollback(one) if _can_go_back(one, view.now) else None,
        "exit_code": int(exit_code_of(state)) if state is not None else None,
    }


def _wave_text(view: FleetView, number: int, wave: WaveState) -> str:
    index, until = view.state.current(view.now), view.state.bakes_until(view.now)
    if any(one.progress is Progress.FAILED for one in wave.standings):
        return "failed"
    if number < index or (wave.is_done and until is None):
        return "done"
    if number > index:
        return "does not start" if view.state.failed else f"waits for {view.state.waves[number - 1].wave.name}"
    if until is not None:
        return f"done; bakes for another {duration(until - view.now)} of {wave.wave.bake}"
    return "under way"


def _text_of(view: FleetView, one: Standing) -> str:
    trouble = view.troubles.get(one.rollout)
    if trouble is not None:
        return trouble.text
    if one.state is None or one.progress is not Progress.UNDER_WAY:
        return f"{one.progress.replace('_', ' ')}: {one.why}"
    return _doing(one.state)


def _doing(state: RolloutState) -> str:
    said = f"{phase_of(state)} · {state.weights.describe()}"
    if state.back is not None:
        return f"{said} · goes back: {state.back.why}"
    return f"{said} · held ({state.held.kind}): {state.held.reason}" if state.held is not None else said


def _held(one: Standing) -> bool:
    return one.progress is Progress.UNDER_WAY and one.state is not None and one.state.held is not None


def _can_go_back(one: Standing, now: int) -> bool:
    """Whether a rollout is done and its `rollback_window` is not over."""
    state = one.state
    if one.progress is not Progress.DONE or state is None or state.retired:
        return False
    return now <= one.ended_at + state.plan.rollback_window_seconds


def _rollback(one: Standing) -> str:
    return f"sluice rollout rollback {_place(one)}"


def _place(one: Standing) -> str:
    return f"{one.rollout.endpoint} --stack {one.rollout.stack}"
