"""The tables of a report, as HTML: every text from the record is escaped here. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from html import escape
from typing import Any

from rollout.decision.order import Direction
from rollout.evidence.bounds import confidence_sequence
from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.wording import odds, share
from rollout.record.event import Event, Kind
from rollout.record.state import RolloutState
from rollout.report.summary import total
from rollout.report.timeline import Timeline
from rollout.split import Split
from rollout.views.event_lines import line_of

_TESTS = ("ceiling", "guard", "versus")


class Cell(str):
    """HTML that is already escaped."""


def table(heads: Sequence[str], rows: Iterable[Sequence[object]], *, numbers: Iterable[int] = ()) -> str:
    """A table; the columns `numbers` (from 0) are aligned to the right. Cells are escaped unless they are `Cell`."""
    right = frozenset(numbers)
    head = "".join(f"<th{_class(index, right)}>{escape(text)}</th>" for index, text in enumerate(heads))
    body = "".join(
        "<tr>" + "".join(f"<td{_class(index, right)}>{_html(cell)}</td>" for index, cell in enumerate(row)) + "</tr>\n"
        for row in rows
    )
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>\n'


def moment(second: int) -> Cell:
    """A time in UTC: "2026-11-27 14:31:20"."""
    return Cell(f"<time>{datetime.fromtimestamp(second, UTC):%Y-%m-%d %H:%M:%S}</time>")


def decisions(line: Timeline) -> str:
    """Every decision with the number of its mark and its reason."""
    rows = [
        (Cell(f'<span class="mark">{decision.number}</span>'), moment(decision.at), decision.text)
        for decision in line.decisions()
    ]
    return table(("mark", "UTC", "decision and reason"), rows, numbers=[0])


def steps(line: Timeline) -> str:
    """What each step counted, with the bounds of the new colour's error rate in that step."""
    state = line.state
    rows = []
    for index, step in enumerate(state.plan.steps):
        intervals = [one for one in state.intervals if (at := state.placement(one)) is not None and at.step == index]
        canary, stable = total(intervals, [state.colour]), total(intervals, state.stable_colours)
        kind = f"mirror {step.percent} %" if step.is_mirror else f"{step.percent} %"
        rows.append((index + 1, kind, step.bake, len(intervals), *_rate(canary), *_rate(stable)[:2]))
    names = line.names
    heads = ("step", "share", "bake", "intervals", f"{names.canary} requests", "errors", "rate (95 % bounds)")
    return table((*heads, f"{names.stable} requests", "errors"), rows, numbers=(0, 1, 2, 3, 4, 5, 7, 8))


def gates(line: Timeline) -> str:
    """What each gate concluded last, with its evidence."""
    last = next((event for event in reversed(line.events) if event.kind is Kind.EVIDENCE), None)
    results: dict[str, Any] = dict(last.data["results"]) if last else {}
    limits = dict(line.state.plan.gates.named())
    rows = []
    for name, gate in limits.items():
        result = results.get(name, {})
        values = [odds(result[test]) if result.get(test) is not None else "–" for test in _TESTS]
        bounds = gate.model_dump(exclude_none=True, exclude_defaults=True)
        bounds_text = ", ".join(f"{key}: {value}" for key, value in bounds.items())
        rows.append((name, bounds_text, result.get("verdict", "no result"), *values))
    return table(("gate", "limits", "last verdict", *_TESTS), rows, numbers=(3, 4, 5)) if rows else "<p>None.</p>\n"


def changes(line: Timeline) -> str:
    """Each change of weights: what was asked, and the engine's update that made it."""
    rows = []
    for intent, closed in line.changes():
        data = intent.data
        rows.append(
            (
                moment(intent.at),
                Split.from_values(data["from"]).describe(),
                Split.from_values(data["to"]).describe()
                + (f"; stable: {data['stable']}" if data.get("stable") else ""),
                "back" if data["direction"] == Direction.BACK.value else data["direction"],
                _closing(closed),
                _update(closed),
                _took(intent, closed),
            )
        )
    heads = ("asked at (UTC)", "from", "to", "direction", "ended", "engine update", "took")
    return table(heads, rows, numbers=(6,)) if rows else "<p>No change of weights was asked for.</p>\n"


def counts(line: Timeline) -> str:
    """The raw counts and latencies of every interval in the record, a row for each colour that had requests."""
    state = line.state
    colours = (state.colour, *state.stable_colours)
    heads = ("UTC", "seconds", "step", "colour", "requests", "errors", "client errors", "throttled")
    rows = [
        (moment(one.start), one.seconds, _step(state, one), name, *_cells(one, name))
        for one in state.intervals
        for name in colours
        if name in one.counts or name in one.quantiles
    ]
    if not rows:
        return "<p>The record has no interval with requests yet.</p>\n"
    return table((*heads, "P50", "P90", "P95", "P99"), rows, numbers=(1, 2, *range(4, 12)))


def events(line: Timeline) -> str:
    """All events of the record but its evidence, as they stand in it."""
    rows = [(event.seq, moment(event.at), event.kind.value, _said(event)) for event in line.events if _said(event)]
    return table(("seq", "UTC", "kind", "event"), rows, numbers=(0,))


def facts(rows: Iterable[tuple[str, object]]) -> str:
    """A table of names and values."""
    return table(("", ""), [(Cell(f"<strong>{escape(name)}</strong>"), value) for name, value in rows])


def code(text: object) -> Cell:
    """A digest or an id."""
    return Cell(f"<code>{escape(str(text))}</code>")


def _said(event: Event) -> str:
    return (line_of(event) or "").partition("  ")[2]


def _closing(closed: Event | None) -> str:
    if closed is None:
        return "open"
    if closed.kind is Kind.WITHDRAWN:
        return f"withdrawn: {closed.data['reason']}"
    return "found in Azure" if closed.data.get("found") else "applied"


def _update(closed: Event | None) -> str:
    update = None if closed is None else closed.data.get("update")
    return "–" if update is None else str(update)


def _took(intent: Event, closed: Event | None) -> str:
    """The whole time, and that of each part, if it was measured."""
    if closed is None:
        return "–"
    parts = ", ".join(f"{part} {seconds:.1f}" for part, seconds in (closed.data.get("seconds") or {}).items())
    return f"{closed.at - intent.at} s" + (f" ({parts})" if parts else "")


def _rate(counts: Counts) -> tuple[str, str, str]:
    if not counts.requests:
        return "0", "0", "–"
    low, high = confidence_sequence(counts.requests, counts.errors)
    bounds = f"{share(counts.errors / counts.requests)} ({share(low)} to {share(high)})"
    return f"{counts.requests:,}", f"{counts.errors:,}", bounds


def _step(state: RolloutState, interval: Interval) -> str:
    placement = state.placement(interval)
    return "–" if placement is None else str(placement.step + 1)


def _cells(interval: Interval, name: str) -> Iterator[str]:
    counted, quantiles = interval.counts_of(name), interval.quantiles_of(name)
    for number in (counted.requests, counted.errors, counted.client_errors, counted.throttled):
        yield f"{number:,}"
    for value in (quantiles.p50, quantiles.p90, quantiles.p95, quantiles.p99):
        yield "–" if value is None else f"{value:,.4g}"


def _class(index: int, right: frozenset[int]) -> str:
    return ' class="number"' if index in right else ""


def _html(cell: object) -> str:
    return cell if isinstance(cell, Cell) else escape(str(cell))
