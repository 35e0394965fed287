"""How a rollout looks to people: the picture of `status` and `watch`, and the list of `history`.

Pure: rows of styled pieces of text, which a pipe gets without colour and a terminal with it. Styles are the names that
`rich` uses. This module reads nothing and holds no clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from rollout.decision.order import Intent
from rollout.evidence.error_rate import VERSUS_FAILS_AT
from rollout.evidence.intervals import Counts, GateResult, Interval, Verdict
from rollout.evidence.wording import odds, share
from rollout.record.state import Phase, RolloutState
from rollout.split import Split
from rollout.views.next_command import next_command

BAR_CELLS = 20
"""Cells of a bar at 100 %: one for each 5 %."""
SPARKS = "▁▂▃▄▅▆▇█"
SPARK_INTERVALS = 20
RECENT_SECONDS = 60
"""Rates are those of the last settled minute, whatever the grain, as far as the weights were the present ones."""

Row = tuple[tuple[str, str], ...]
"""Pieces of one line: text and style ("" for none)."""

_PHASES = {
    Phase.PREPARE: "prepare",
    Phase.VERIFY: "verify",
    Phase.RESERVE: "reserve",
    Phase.DONE: "done",
    Phase.ROLLED_BACK: "rolled back",
    Phase.ABORTED: "aborted",
    Phase.SUPERSEDED: "superseded",
}
_VERDICT_STYLES = {
    Verdict.PASS: "green",
    Verdict.FAIL: "bold red",
    Verdict.INCIDENT: "magenta",
    Verdict.INCONCLUSIVE: "yellow",
    Verdict.ERROR: "red",
}


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What the view shows: the record's state, and what was read beside it.

    `declared` and `live` are None where they were not read; `next_tick` is None where no command ticks here.
    """

    state: RolloutState
    now: int
    results: Sequence[GateResult] = ()
    declared: Split | None = None
    live: Split | None = None
    next_tick: int | None = None
    notes: Sequence[str] = ()


def picture(seen: Seen) -> list[Row]:
    """The whole picture, one row a line."""
    rows = [_header(seen), *_colours(seen), *_gates(seen)]
    rows += [((f" {note}", "yellow"),) for note in seen.notes]
    return [*rows, *_footer(seen)]


def plain(rows: Sequence[Row]) -> str:
    """The rows as text without colour."""
    return "\n".join("".join(text for text, _ in row).rstrip() for row in rows)


def phase_of(state: RolloutState) -> str:
    """`live step 2 of 5`, `prepare`, `rolled back`."""
    if state.phase in _PHASES and (state.ended is None or state.back is None):
        return _PHASES[state.phase]
    if state.back is not None:
        return "going back"
    return f"{state.phase} step {state.step + 1} of {len(state.plan.steps)}"


def duration(seconds: float) -> str:
    """`45s`, `3m10s`, `2h05m`."""
    whole = max(0, round(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s" if whole % 60 else f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m" if whole % 3600 >= 60 else f"{whole // 3600}h"


def clock(at: int) -> str:
    """`14:31:20`, in UTC like the record."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M:%S}"


def bake_seconds(state: RolloutState, now: int) -> int:
    """How much of the step's bake is over: settled intervals since its weights were applied, without holds."""
    return max(0, state.read_until - state.weights_since - state.held_seconds(now))


def observed_share(state: RolloutState) -> float | None:
    """The new colour's fraction of the requests since its weights were applied; None before the first one."""
    since = [one for one in state.intervals if one.start >= state.weights_since]
    total = sum(counts.requests for one in since for counts in one.counts.values())
    return sum(one.counts_of(state.colour).requests for one in since) / total if total else None


def requests_of(state: RolloutState) -> Counts:
    """The new colour's requests while it had weight or mirrored requests, as far as the record has them."""
    placed = (one for one in state.intervals if state.placement(one) is not None)
    return sum((one.counts_of(state.colour) for one in placed), Counts())


def _header(seen: Seen) -> Row:
    state = seen.state
    ticks = f" · next tick {clock(seen.next_tick)}" if seen.next_tick is not None else ""
    synthetic = " · synthetic traffic" if state.synthetic else ""
    return (
        (f"{state.endpoint} · {state.stack} · {state.id}", "bold"),
        (f"   {phase_of(state)}", "bold cyan"),
        (f" · {clock(seen.now)} UTC{ticks}{synthetic}", "dim"),
    )


def _colours(seen: Seen) -> Iterator[Row]:
    state = seen.state
    names = [*state.stable_colours, state.colour]
    recent = _recent(state)
    width = max(map(len, names))
    agreed = _agreement(seen)
    for name in names:
        percent, mirrored = state.weights.percent_of(name), state.weights.mirror.get(name, 0)
        shown = f"{mirrored:3} % mirrored" if mirrored else f"{percent:3} %"
        bar = "█" * round((percent or mirrored) * BAR_CELLS / 100)
        yield (
            (f" {name:{width}} ", "bold"),
            (f"{shown} ", ""),
            (f"{bar:{BAR_CELLS}}", "green" if name == state.colour else "blue"),
            (f" {agreed if name == state.colour else '':{len(agreed)}}  ", ""),
            (_rates(name, recent), ""),
        )
    sides = {"record": state.weights, "declared": seen.declared, "live": seen.live}
    if len({side for side in sides.values() if side is not None}) > 1:
        said = " · ".join(f"{name} {side.describe()}" for name, side in sides.items() if side is not None)
        yield ((f" {said}", "bold yellow"),)


def _agreement(seen: Seen) -> str:
    """`declared = live = observed 24.1 %`, as far as they are known and agree with the record."""
    weights, observed = seen.state.weights, observed_share(seen.state)
    parts = [name for name, side in (("declared", seen.declared), ("live", seen.live)) if side == weights]
    return " = ".join([*parts, *([f"observed {100 * observed:.1f} %"] if observed is not None else [])])


def _recent(state: RolloutState) -> list[Interval]:
    since = max(state.read_until - RECENT_SECONDS, state.weights_since)
    return [one for one in state.intervals if one.start >= since]


def _rates(name: str, recent: Sequence[Interval]) -> str:
    counts = sum((one.counts_of(name) for one in recent), Counts())
    seconds = sum(one.seconds for one in recent)
    if not seconds:
        return "no settled metrics yet"
    errors = share(counts.errors / counts.requests) if counts.requests else "no requests"
    latest = next((one.quantiles_of(name).p95 for one in reversed(recent) if one.quantiles_of(name).p95), None)
    latency = f"  p95 {latest:.{0 if latest >= 10 else 1}f} ms" if latest is not None else ""
    return f"{counts.requests * 60 / seconds:6.0f} rpm  {errors:>6}{latency}"


def _gates(seen: Seen) -> Iterator[Row]:
    if not seen.results:
        return
    width = max(len(result.gate) for result in seen.results)
    ceilings = [f"ceiling {odds(result.ceiling)}" if result.ceiling is not None else "" for result in seen.results]
    versus = [
        f"versus {odds(result.versus)} of {VERSUS_FAILS_AT:.0f}:1" if result.versus is not None else ""
        for result in seen.results
    ]
    for result, ceiling, compared in zip(seen.results, ceilings, versus, strict=True):
        dry = " (dry run)" if result.dry_run else ""
        yield (
            (f" {result.gate:{width}}  ", ""),
            (f"{ceiling:{max(map(len, ceilings))}}   {compared:{max(map(len, versus))}}   ", "dim"),
            (f"{result.verdict}{dry}: {result.reason}", _VERDICT_STYLES[result.verdict]),
            (_sparkline(seen.state, result.gate), "dim"),
        )


def _sparkline(state: RolloutState, gate: str) -> str:
    """The last intervals of what a gate looks at, of the new colour; empty for other gates."""
    intervals = [one for one in state.intervals if one.counts_of(state.colour).requests][-SPARK_INTERVALS:]
    values: list[float]
    if gate == "error_rate":
        counts = [one.counts_of(state.colour) for one in intervals]
        values = [one.errors / one.requests for one in counts]
    elif gate.startswith("latency_"):
        quantiles = [getattr(one.quantiles_of(state.colour), gate.removeprefix("latency_")) for one in intervals]
        values = [value for value in quantiles if value is not None]
    else:
        values = []
    if not values:
        return ""
    highest = max(values) or 1.0
    return "   " + "".join(SPARKS[min(len(SPARKS) - 1, int(value / highest * (len(SPARKS) - 1)))] for value in values)


def _footer(seen: Seen) -> Iterator[Row]:
    state = seen.state
    rollback = f"sluice rollout rollback {state.endpoint} --stack {state.stack}"
    if state.is_over and state.ended is not None:
        yield ((f" {_PHASES[state.phase]}: {state.ended.reason}", _ending_style(state)),)
        if state.reserved is not None:
            floor = state.reserved
            yield (
                (
                    f" the floor of {floor.deployment} is not given back yet ({floor.describe()}) · next: ",
                    "bold yellow",
                ),
                (next_command(state) or "", "bold"),
            )
        closes = state.ended.at + state.plan.rollback_window_seconds
        if state.phase is Phase.DONE and not state.retired and seen.now <= closes:
            yield ((f" can be rolled back for {duration(closes - seen.now)}: {rollback}", "dim"),)
        return
    if state.open_intent is not None:
        yield ((f" {_open_change(state.open_intent, seen.now)}", "bold yellow"),)
    if state.held is not None:
        held = duration(seen.now - state.held.since)
        yield ((f" on hold for {held} ({state.held.kind}): {state.held.reason}", "bold yellow"),)
    parts = [*_progress(state, seen.now), _lag(seen), f"rollback: {rollback}"]
    yield ((" " + " · ".join(part for part in parts if part), ""),)
    command = next_command(state)
    if command is not None and (state.held is not None or seen.next_tick is None):  # else a command runs already
        yield ((f" next: {command}", "bold"),)


def _open_change(intent: Intent, now: int) -> str:
    """A change that was begun and is neither done nor withdrawn: the next tick finishes it."""
    attempts = (
        f", {intent.attempts} {'attempt' if intent.attempts == 1 else 'attempts'} failed" if intent.attempts else ""
    )
    return f"open change for {duration(now - intent.at)}: {intent.order.to.describe()}{attempts}"


def _progress(state: RolloutState, now: int) -> Iterator[str]:
    if state.back is not None:
        yield f"goes back to {state.baseline.describe()}: {state.back.why}"
        return
    if state.current_step is not None:
        bake = state.current_step.bake_seconds
        yield f"bake {duration(min(bake, bake_seconds(state, now)))} of {duration(bake)}"
    if state.step + 1 < len(state.plan.steps):
        following = state.plan.steps[state.step + 1]
        asks = " (needs approval)" if following.approve and state.step + 1 not in state.approved else ""
        yield f"then {'mirror ' if following.is_mirror else ''}{following.percent} %{asks}"
    else:
        yield f"then done, {state.colour} is stable"


def _lag(seen: Seen) -> str:
    """How far the metrics are behind."""
    if not seen.state.intervals:
        return "no settled metrics yet"
    return f"metrics {duration(seen.now - seen.state.read_until)} behind"


def _ending_style(state: RolloutState) -> str:
    return "bold green" if state.phase is Phase.DONE else "bold red"
