"""What the report draws, in the order of time: decisions, weights, error rates, latencies and evidence. Pure.

Times are seconds since 1970, rates are shares from 0 to 1, latencies are milliseconds, evidence is the E of a test.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rollout.evidence.bounds import confidence_sequence
from rollout.evidence.intervals import Counts, Interval
from rollout.evidence.wording import Names
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState
from rollout.report.summary import total
from rollout.views.event_lines import line_of

_DECISIONS = frozenset(
    {
        Kind.INTENT,
        Kind.WITHDRAWN,
        Kind.VERDICT,
        Kind.APPROVED,
        Kind.REJECTED,
        Kind.HELD,
        Kind.RELEASED,
        Kind.PAUSED,
        Kind.RESUMED,
        Kind.PROMOTED,
        Kind.ROLLBACK_REQUESTED,
        Kind.BREAK_GLASS,
        Kind.ENDED,
        Kind.RETIRED,
    }
)
_LEAST_SPAN = 60
_CLOSE = 0.045
"""Marks that lie closer together, as a share of the whole time, get one label."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """One decision, with the number that its mark has in the pictures."""

    number: int
    at: int
    text: str


@dataclass(frozen=True, kw_only=True)
class Mark:
    """One or several decisions at almost the same time."""

    at: int
    label: str


@dataclass(frozen=True, kw_only=True)
class Weight:
    """The live weight of a colour, in percent, from a time on; or its mirrored share."""

    at: int
    colour: str
    percent: int
    mirrored: bool


@dataclass(frozen=True, kw_only=True)
class Rate:
    """The error rate of a colour in all intervals up to a time, with its anytime-valid bounds."""

    at: int
    colour: str
    counts: Counts
    low: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Latency:
    """A percentile of a colour in one interval."""

    at: int
    colour: str
    milliseconds: float


@dataclass(frozen=True, kw_only=True)
class Evidence:
    """What one test of a gate knew at a time."""

    at: int
    gate: str
    test: str
    """`ceiling`, `guard` or `versus`."""
    value: float


class Timeline:
    """A record, read for drawing. Raises ValueError if the events are not those of a record."""

    def __init__(self, events: Sequence[Event]) -> None:
        self.events = tuple(events)
        self.state: RolloutState = fold(events)
        self.names = Names.of(self.state.colour, self.state.stable_colours)
        self.start = self.state.started_at
        self.end = max(self.state.last_at, self.state.read_until, self.start + _LEAST_SPAN)

    def decisions(self) -> tuple[Decision, ...]:
        """Every decision, numbered from 1."""
        chosen = [event for event in self.events if event.kind in _DECISIONS]
        texts = [(line_of(event) or "").partition("  ")[2] for event in chosen]
        return tuple(
            Decision(number=number, at=event.at, text=text)
            for number, (event, text) in enumerate(zip(chosen, texts, strict=True), start=1)
        )

    def marks(self) -> tuple[Mark, ...]:
        """The marks of the decisions; those too close to be told apart share one, labelled like "3–5"."""
        groups: list[list[Decision]] = []
        for decision in self.decisions():
            if groups and decision.at - groups[-1][0].at <= _CLOSE * (self.end - self.start):
                groups[-1].append(decision)
            else:
                groups.append([decision])
        return tuple(Mark(at=group[0].at, label=_label(group)) for group in groups)

    def weights(self) -> Iterator[Weight]:
        """The weights of every colour, at the start, after each change and at the end."""
        spans = self.state.spans
        colours = sorted({name for span in spans for name in span.split.traffic} | {self.state.colour})
        mirrored = sorted({name for span in spans for name in span.split.mirror})
        for at, split in [*((span.since, span.split) for span in spans), (self.end, spans[-1].split)]:
            for name in colours:
                yield Weight(at=at, colour=name, percent=split.traffic.get(name, 0), mirrored=False)
            for name in mirrored:
                yield Weight(at=at, colour=name, percent=split.mirror.get(name, 0), mirrored=True)

    def exposed(self) -> tuple[Interval, ...]:
        """The intervals since the new colour first had weight or copies."""
        since = next((span.since for span in self.state.spans if span.step >= 0), self.end)
        return tuple(interval for interval in self.state.intervals if interval.start >= since)

    def rates(self) -> Iterator[Rate]:
        """The error rates of the new colour and of the stable ones together, after each interval."""
        for name, colours in (
            (self.names.canary, (self.state.colour,)),
            (self.names.stable, self.state.stable_colours),
        ):
            counts = Counts()
            for interval in self.exposed():
                counts += total([interval], colours)
                if counts.requests:
                    low, high = confidence_sequence(counts.requests, counts.errors)
                    yield Rate(at=interval.end, colour=name, counts=counts, low=low, high=high)

    def latencies(self, percentile: int) -> Iterator[Latency]:
        """A percentile (50, 90, 95 or 99) of the new colour and of each stable one, interval by interval."""
        for interval in self.exposed():
            for name in (self.state.colour, *self.state.stable_colours):
                value = getattr(interval.quantiles_of(name), f"p{percentile}")
                if value is not None:
                    at = interval.start + interval.seconds // 2
                    yield Latency(at=at, colour=name, milliseconds=value)

    def evidence(self) -> Iterator[Evidence]:
        """The evidence of every gate, as the record had it after each reading."""
        for event in self.events:
            if event.kind is not Kind.EVIDENCE or not event.data["intervals"]:
                continue
            last = event.data["intervals"][-1]
            for gate, result in event.data["results"].items():
                for test in ("ceiling", "guard", "versus"):
                    if result.get(test) is not None:
                        yield Evidence(at=last["start"] + last["seconds"], gate=gate, test=test, value=result[test])

    def changes(self) -> Iterator[tuple[Event, Event | None]]:
        """Each change of weights that was asked for: its `intent`, and the event that closed it."""
        closed = {event.data["intent"]: event for event in self.events if event.kind in (Kind.APPLIED, Kind.WITHDRAWN)}
        return ((event, closed.get(event.seq)) for event in self.events if event.kind is Kind.INTENT)


def _label(group: Sequence[Decision]) -> str:
    first, last = group[0].number, group[-1].number
    return str(first) if first == last else f"{first}–{last}"
