"""What the record of a rollout proves: the proof of a content, or every reason why there is none.

Pure: the bytes of a record in, a `Proof` or a `NoProof` out. The chain in a record has no secret, so anyone can write a
perfect one: what makes a record evidence is the place that it was read from (`remote_records.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from models.proof import Proof
from rollout.decision.order import Outcome
from rollout.record.chain import read_lines
from rollout.record.event import Event, Kind
from rollout.record.fold import fold
from rollout.record.state import RolloutState

UNREVIEWED = " (unreviewed)"
"""Stands behind an approver who started the pipeline's run, where no review was asked for."""
_CASELESS = frozenset({"subscription", "arm_host"})
_CONTENT = re.compile(r"[0-9a-f]{64}")
_RELEASE = re.compile(r"[0-9a-f]{16}")


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a rollout must have taken place to prove anything; None: not known, so not compared."""

    project: str
    stack: str
    endpoint: str
    subscription: str | None = None
    arm_host: str | None = None


@dataclass(frozen=True, kw_only=True)
class NoProof:
    """A record proves nothing, for these reasons."""

    reasons: tuple[str, ...]


def proof_in(record: bytes, rollout: str, place: Place) -> Proof | NoProof:
    """Return what the record of a rollout proves; `rollout` is its id, the name of its file without the ending."""
    lines = read_lines(record, f"the record {rollout}")
    if lines.broken is not None:
        return NoProof(reasons=(lines.broken.partition(" No forward step")[0],))
    if lines.torn is not None:
        return NoProof(reasons=("its last line has no end: the record was cut off",))
    try:
        return _proven(lines.events, rollout, place)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        return NoProof(reasons=(f"its events do not add up to a rollout: {error or type(error).__name__}",))


def _proven(events: tuple[Event, ...], rollout: str, place: Place) -> Proof | NoProof:
    state = fold(events)
    closing = next((event for event in reversed(events) if event.kind is Kind.ENDED), None)
    reasons = [*_misplaced(events[0], rollout, place), *_unfinished(state), *_unnamed(state), *_uncounted(closing)]
    if reasons or closing is None:
        return NoProof(reasons=tuple(reasons))
    return Proof(
        stack=state.stack,
        endpoint=state.endpoint,
        rollout=state.id,
        head=closing.digest,
        content=str(state.contents[state.colour]),
        deployment=str(state.releases[state.colour]),
        requests=closing.data["requests"],
        errors=closing.data["errors"],
        synthetic=state.synthetic or state.plan.load is not None,
        skipped_gates=_skipped(state),
        approvers=_approvers(state, events),
    )


def _misplaced(started: Event, rollout: str, place: Place) -> Iterator[str]:
    """A record of another place proves nothing here: the content of a rehearsal never served anyone."""
    wanted = {"id": rollout, **vars(place)}
    for name, expected in wanted.items():
        found = str(started.data.get(name))
        alike = found.lower() == str(expected).lower() if name in _CASELESS else found == expected
        if expected is not None and not alike:
            yield f"its {name.replace('_', ' ')} is {found}, but must be {expected}"


def _unfinished(state: RolloutState) -> Iterator[str]:
    if state.ended is None:
        yield f"it has not ended (phase {state.phase.value})"
    elif state.ended.outcome is not Outcome.DONE:
        yield f"it ended as {state.ended.outcome.value.replace('_', ' ')}: {state.ended.reason.rstrip('.')}"
    elif state.back is not None:
        yield f"it ended well, but is on its way back: {state.back.why.rstrip('.')}"


def _unnamed(state: RolloutState) -> Iterator[str]:
    """Earlier versions wrote no content; anything else was not written by the controller."""
    content, release = str(state.contents.get(state.colour)), str(state.releases.get(state.colour))
    if not _CONTENT.fullmatch(content):
        yield f"it has no content digest of {state.colour} (64 hexadecimal digits), got {content}"
    if not _RELEASE.fullmatch(release):
        yield f"it has no release digest of {state.colour} (16 hexadecimal digits), got {release}"


def _uncounted(closing: Event | None) -> Iterator[str]:
    counts = [closing.data.get(name) for name in ("requests", "errors")] if closing else []
    if not all(type(count) is int and count >= 0 for count in counts):
        yield f"its last `ended` must count requests and errors, got {counts[0]} and {counts[1]}"


def _skipped(state: RolloutState) -> tuple[str, ...]:
    """A person who promotes by hand skips every gate of the steps that remain, and the record does not count them."""
    return tuple(sorted(name for name, _ in state.plan.gates.named())) if state.evidence_skipped else ()


def _approvers(state: RolloutState, events: tuple[Event, ...]) -> tuple[str, ...]:
    unreviewed = {
        (event.data["step"], event.data["by"])
        for event in events
        if event.kind is Kind.APPROVED and event.data.get("unreviewed")
    }
    found = [f"{by}{UNREVIEWED if (step, by) in unreviewed else ''}" for step, by in sorted(state.approved.items())]
    return tuple(dict.fromkeys(found))
