"""Decides which intervals are complete. Pure.

Azure Monitor shows a young interval as nothing, as 0 or as part of its value, and later as its value
(Azure/azure-libraries-for-net#499, tomkerkhove/promitor#711; Microsoft: "a couple of minutes"). So an interval counts
once: when it has ended for at least `settle`, and two readings agree. A reading of 0 from before `settle` is nothing,
and agrees with nothing. Intervals in which weights changed are left out by `rollout.record.state.placement`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rollout.evidence.intervals import Interval
from rollout.sources.metric_answer import Look


@dataclass(frozen=True, kw_only=True)
class Settled:
    """What two readings give together: the intervals that are complete, without a gap, and the younger ones."""

    intervals: tuple[Interval, ...] = ()
    young: tuple[Interval, ...] = ()
    """After the complete ones, those that have a request and can be believed: their counts mean "at least"."""
    problem: str | None = None
    """Why the first interval that should be complete cannot be believed; then `intervals` is empty."""


def settle(before: Mapping[int, Look], now: Sequence[Look], settle_seconds: int) -> Settled:
    """Compare a reading, in the order of time, with the one before (by start); both of the same grain."""
    complete: list[Interval] = []
    for number, look in enumerate(now):
        old = _is_old(look, settle_seconds)
        if old and look.problem is not None and not complete:
            return Settled(young=_believed(now[number:]), problem=look.problem)
        if not (old and _agree(before.get(look.interval.start), look, settle_seconds)):
            return Settled(intervals=tuple(complete), young=_believed(now[number:]))
        complete.append(look.interval)
    return Settled(intervals=tuple(complete))


def has_complete(since: int, now: int, grain: int, settle_seconds: int) -> bool:
    """Whether an interval that began in `since` or later can be complete by `now`."""
    first = -(-since // grain) * grain
    return now - (first + grain) >= settle_seconds


def _is_old(look: Look, settle_seconds: int) -> bool:
    return look.at - look.interval.end >= settle_seconds


def _agree(before: Look | None, now: Look, settle_seconds: int) -> bool:
    if before is None or before.problem is not None or now.problem is not None:
        return False
    same = before.interval.counts == now.interval.counts if before.counts_only else before.interval == now.interval
    return same and (before.has_requests or _is_old(before, settle_seconds))


def _believed(looks: Iterable[Look]) -> tuple[Interval, ...]:
    return tuple(look.interval for look in looks if look.problem is None and look.has_requests)
