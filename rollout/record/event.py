"""The events of a rollout's record: the only input of its state (`state.fold`). One event is one line of its file.

What `data` holds, by kind (splits as `Split.as_values`, times as whole seconds since 1970):

started             id, project, stack, endpoint (key), workspace, subscription, arm_host, endpoint_id, commit, actor,
                    colour, stable, colours {name: {release, content}} of the canary and of every colour with weight,
                    baseline (split), plan, plan_digest, grain (seconds of an interval), settle (seconds), synthetic,
                    auth_mode and identities (ARM ids) of the endpoint, allow_unproven (the reason that the stack file
                    gives, or null); endpoint_id and these three are absent in older records
probed              sent, start (when the first one was sent), disagreement (fraction, or null), problem (text, or null)
verified            counted, settle (seconds), skipped (true where the plan says `verify: false`)
reserving           deployment, minimum, was {path: number}, now {path: number}: written before the floor is raised
reserved            deployment, minimum, was, now: it is raised; minimum null, no now: the stable colour needs no
                    reserve. Said again with fewer numbers after drift that a person answered with "adopt"
reserve_failed      reason: the floor was not raised, or not given back; it is tried again
returned            deployment, values {path: number}, left (list of texts: what somebody else has edited)
intent              what an Order is: from, to, direction, step, why, outcome, stable, evidence
attempt             intent (its seq), reason: the engine or Azure did not finish it; it stays open
withdrawn           intent (its seq), reason: nothing was changed
applied             intent (its seq), found (Azure had it already), update (its name in the backend's history, or null),
                    seconds
observed            step, shares {colour: fraction}, requests, chance (of a split at least as far off)
evidence            intervals (list, `Interval.as_values`), results {gate: {verdict, ceiling, guard, versus}}
verdict             gate, reason, value: a gate, the tripwire or the canary's health failed; the way back follows
metrics_error       reason, in_a_row
approval_requested  step, run
approved, rejected  by, reason, run, step, unreviewed (true without a review)
held                hold (HoldKind), reason
released            hold, reason
paused              by, reason
resumed             by, reason, drift (null, "restore", "adopt" or "replan"), plan (the new one, for "replan"),
                    colours (for "adopt", as in `started`: another release starts the evidence afresh)
drift               findings (list of {kind, text, live, declared, record}), who, when
promoted            by, reason: the remaining steps need no evidence
rollback_requested  by, reason, outcome ("rolled_back", "aborted" or "superseded"), keep_weights
break_glass         by, why, weights (split): set through Azure, without the engine
reconciled          file and state followed a break_glass; their preview is empty
noted               what (one word), text: for people; decides nothing
ended               outcome, reason, requests, errors, evidence {gate: {...}}, synthetic, evidence_skipped, approved_by
retiring            how ("scale_down" or "remove"), deployment: written before the stack file is edited
retired             what ("kept", "scaled_down" or "removed"), deployment, reason (why it was kept; may lack)
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

FIRST_PREV = "0" * 64
"""`prev` of the first line of a record."""
_FIELDS = frozenset({"seq", "at", "kind", "data", "prev"})
_TIME = "%Y-%m-%dT%H:%M:%SZ"


class Kind(StrEnum):
    """What an event says."""

    STARTED = "started"
    PROBED = "probed"
    VERIFIED = "verified"
    RESERVING = "reserving"
    RESERVED = "reserved"
    RESERVE_FAILED = "reserve_failed"
    RETURNED = "returned"
    INTENT = "intent"
    ATTEMPT = "attempt"
    WITHDRAWN = "withdrawn"
    APPLIED = "applied"
    OBSERVED = "observed"
    EVIDENCE = "evidence"
    VERDICT = "verdict"
    METRICS_ERROR = "metrics_error"
    APPROVAL_REQUESTED = "approval_requested"
    APPROVED = "approved"
    REJECTED = "rejected"
    HELD = "held"
    RELEASED = "released"
    PAUSED = "paused"
    RESUMED = "resumed"
    DRIFT = "drift"
    PROMOTED = "promoted"
    ROLLBACK_REQUESTED = "rollback_requested"
    BREAK_GLASS = "break_glass"
    RECONCILED = "reconciled"
    NOTED = "noted"
    ENDED = "ended"
    RETIRING = "retiring"
    RETIRED = "retired"


@dataclass(frozen=True, kw_only=True)
class Event:
    """One line of a record: number from 0, time (seconds since 1970), kind, values, SHA-256 of the line before."""

    seq: int
    at: int
    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)
    prev: str = FIRST_PREV

    def line(self) -> str:
        """The event as canonical JSON (keys sorted, no spaces, ASCII), without the line's end."""
        at = datetime.fromtimestamp(self.at, UTC).strftime(_TIME)
        values = {"seq": self.seq, "at": at, "kind": self.kind.value, "data": self.data, "prev": self.prev}
        return canonical_json(values)

    @property
    def digest(self) -> str:
        """SHA-256 of the line, which the next one names as `prev`."""
        return hashlib.sha256(self.line().encode()).hexdigest()


def canonical_json(values: object) -> str:
    """JSON that is the same on every machine: keys sorted, no spaces, ASCII, no NaN."""
    return json.dumps(values, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest_of(values: object) -> str:
    """SHA-256 of values as canonical JSON, 64 hex characters."""
    return hashlib.sha256(canonical_json(values).encode()).hexdigest()


def parse_event(line: str) -> Event:
    """The event of one line. Raises ValueError with the reason if the line is not an event in canonical JSON."""
    try:
        values = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON ({error.msg} at character {error.pos})") from error
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not isinstance(values, dict) or values.keys() != _FIELDS or not isinstance(values["data"], dict):
        raise ValueError(f"it must have exactly {', '.join(sorted(_FIELDS))}, with an object as data")
    if values["kind"] not in list(Kind):
        raise ValueError(f'its kind "{values["kind"]}" is not known; a newer version of sluice may have written it')
    try:
        at = int(datetime.strptime(values["at"], _TIME).replace(tzinfo=UTC).timestamp())
    except (TypeError, ValueError) as error:
        raise ValueError(f"its time must be like 2026-11-27T14:07:31Z, got {values['at']}") from error
    event = Event(seq=values["seq"], at=at, kind=Kind(values["kind"]), data=values["data"], prev=values["prev"])
    if event.line() != line:
        raise ValueError("it was edited: its keys or spaces are not as they were written")
    return event
