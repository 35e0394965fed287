"""One fault on command: its kind, its scope, its parameters, and how it is read from JSON. Pure.

    FaultError               the requested fault breaks rules; it lists every broken rule

The other modules of this package apply faults.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any

MAX_SECONDS = 24 * 3600.0
MAX_COUNT = 1_000_000
METHODS = ("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE")
DEPLOYMENTS = "microsoft.machinelearningservices/workspaces/onlineendpoints/deployments"
ENDPOINTS = "microsoft.machinelearningservices/workspaces/onlineendpoints"
BLOBS = "microsoft.storage/storageaccounts/blobservices/containers/blobs"
"""The type of requests to the blob service; the names are account, container and blob."""
SCORE = f"{ENDPOINTS}/score"
"""The type of requests to models; the names are endpoint and deployment."""
METRICS, METRIC_DEFINITIONS = "microsoft.insights/metrics", "microsoft.insights/metricdefinitions"
"""The types of metric queries, by either route, and of the question for definitions; the names are those of the
resources that are asked about."""
POLLS = "microsoft.resources/polls"
"""The type of requests for the state of a long-running operation; the names are region and operation."""


class FaultError(Exception):
    """A fault cannot be added; `problems` lists every reason."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__(" ".join(problems))
        self.problems = problems


class Kind(StrEnum):
    """What goes wrong."""

    DELAY = "delay"
    HOLD = "hold"
    CONFLICT = "409"
    THROTTLE = "429"
    ERROR = "500"
    DROP = "drop"
    LOSE_RESPONSE = "lose-response"
    OPERATION_FAILS = "operation-fails"
    OPERATION_NEVER_ENDS = "operation-never-ends"
    LATE_TRAFFIC = "late-traffic"
    CRASH_AT_START = "crash-at-start"
    UNHEALTHY = "unhealthy"
    SLOW = "slow"
    ERRORS = "errors"
    METRICS_LATE = "metrics-late"
    METRICS_ZERO = "metrics-zero"
    METRICS_PARTIAL = "metrics-partial"
    METRICS_MISSING = "metrics-missing"
    METRICS_AVERAGED = "metrics-averaged"


MEANINGS: Mapping[Kind, str] = {
    Kind.DELAY: "a request waits --by before it is processed",
    Kind.HOLD: "a request is held until it is released, either before or after it takes effect (--when)",
    Kind.CONFLICT: "a request is refused with 409 Conflict",
    Kind.THROTTLE: "a request is refused with 429 and Retry-After (--retry-after)",
    Kind.ERROR: "a request is answered with 500, or another 5xx (--status)",
    Kind.DROP: "the connection breaks before the request is processed",
    Kind.LOSE_RESPONSE: "the request succeeds, then the connection breaks instead of the answer",
    Kind.OPERATION_FAILS: "a long-running operation ends with Failed",
    Kind.OPERATION_NEVER_ENDS: "a long-running operation runs until it is released or the fault ends or is cleared",
    Kind.LATE_TRAFFIC: "weights are accepted and shown, but take effect only after --by, or when they are released",
    Kind.CRASH_AT_START: "a deployment's container ends before it is ready",
    Kind.UNHEALTHY: "a deployment has no healthy instance: 503",
    Kind.SLOW: "a deployment takes --by longer for a request",
    Kind.ERRORS: "a deployment's model answers with an error (--status, 500), which callers see as 424",
    Kind.METRICS_LATE: "metrics of an endpoint have no value until their interval is --by old",
    Kind.METRICS_ZERO: "metrics of an endpoint are 0 until their interval is --by old (120 s)",
    Kind.METRICS_PARTIAL: "metrics count half of the requests until their interval is --by old (120 s)",
    Kind.METRICS_MISSING: "metrics of an endpoint have no values",
    Kind.METRICS_AVERAGED: "metrics count a third of the requests, as an average over three front ends would",
}
NEEDS_BY = frozenset({Kind.DELAY, Kind.LATE_TRAFFIC, Kind.SLOW, Kind.METRICS_LATE})
BY_DEFAULT = {Kind.METRICS_ZERO: 120.0, Kind.METRICS_PARTIAL: 120.0}
"""Seconds, of the kinds that take --by and do without it."""
ABOUT_DEPLOYMENTS = frozenset({Kind.CRASH_AT_START, Kind.UNHEALTHY, Kind.SLOW, Kind.ERRORS})
ABOUT_METRICS = frozenset(kind for kind in Kind if kind.startswith("metrics-"))
ABOUT_OPERATIONS = frozenset({Kind.OPERATION_FAILS, Kind.OPERATION_NEVER_ENDS})
HOLDING = frozenset({Kind.HOLD, Kind.OPERATION_NEVER_ENDS, Kind.LATE_TRAFFIC})
"""Kinds that make a subject wait until it is released (late weights: or until their delay ends); others act at once."""
BEFORE, AFTER = "before", "after"
_ONE_TYPE = dict.fromkeys(ABOUT_DEPLOYMENTS, DEPLOYMENTS) | dict.fromkeys(
    (Kind.LATE_TRAFFIC, *ABOUT_METRICS), ENDPOINTS
)


@dataclass(frozen=True)
class Subject:
    """What a fault may affect: a resource type, names from the outermost resource to the innermost, an HTTP method."""

    type: str
    names: tuple[str, ...]
    method: str = ""
    owner: tuple[str, ...] = ()
    """A second name that matches: a request to a deployment also matches its endpoint."""
    others: tuple[tuple[str, ...], ...] = ()
    """Further names that match: a query about the metrics of several resources."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """A kind of fault with its scope and parameters."""

    kind: Kind
    type: str = ""
    """An ARM type or the end of one, in any case; empty matches every type."""
    name: str = ""
    """A resource's name or the end of its path of names: `blue` or `fraud-dev/blue`; empty matches every name."""
    method: str = ""
    count: int | None = None
    """How often it acts; None means without limit."""
    for_seconds: float | None = None
    """How long it lasts; None means until it is cleared or the local Azure restarts."""
    after: int = 0
    """The number of matches to skip before it acts."""
    share_percent: float = 100.0
    by_seconds: float = 0.0
    retry_after_seconds: int = 1
    status: int = 500
    """The status that the model (errors) or the service (500) returns."""
    when: str = BEFORE
    """Whether a request is held before or after it takes effect (hold)."""

    def matches(self, subject: Subject) -> bool:
        """Whether the subject is in the scope; count, time and share are checked elsewhere."""
        given = subject.type.lower()
        if self.type:
            wanted = self.type.lower()
            if given != wanted and not given.endswith("/" + wanted):
                return False
        elif given == SCORE or (given in (METRICS, METRIC_DEFINITIONS) and self.name):
            # Only when the fault names this type: the load on a model, and a rollout that reads metrics every second,
            # would use up a fault meant for one request to ARM.
            return False
        names = (subject.names, subject.owner, *subject.others)
        if self.name and not any(_ends_with(path, self.name) for path in names):
            return False
        return not self.method or self.method == subject.method


def _ends_with(path: tuple[str, ...], name: str) -> bool:
    names = name.lower().split("/")
    return [one.lower() for one in path[-len(names) :]] == names


_FIELDS = tuple(field.name for field in fields(Fault))


def read_fault(document: Any, known_types: Collection[str]) -> Fault:
    """A fault from its JSON form. Raises FaultError with everything that is wrong."""
    if not isinstance(document, dict):
        raise FaultError(["A fault is a JSON object with at least a kind."])
    problems = [
        f"{name[:40]!r} is not a field of a fault; the fields are {', '.join(_FIELDS)}."
        for name in document
        if name not in _FIELDS
    ]
    given = {name: value for name, value in document.items() if name in _FIELDS and value is not None}
    kind = _read_kind(given.pop("kind", None), problems)
    for name, value in given.items():
        if problem := _problem(name, value):
            problems.append(problem)
    if kind is not None:
        problems += _contradictions(kind, given, known_types)
    if problems or kind is None:
        raise FaultError(problems)
    if kind in BY_DEFAULT:
        given.setdefault("by_seconds", BY_DEFAULT[kind])
    return Fault(kind=kind, **given)


def _read_kind(sent: Any, problems: list[str]) -> Kind | None:
    try:
        return Kind(sent)
    except ValueError:
        problems.append(f"Unknown kind {str(sent)[:40]!r}; the kinds are {', '.join(Kind)}.")
        return None


def _problem(name: str, value: Any) -> str | None:
    if name == "when":
        return None if value in (BEFORE, AFTER) else f"when must be before or after, got {str(value)[:40]!r}."
    if name in ("type", "name", "method"):
        if not isinstance(value, str) or len(value) > 1000:
            return f"{name} must be a string of at most 1000 characters."
        if name == "method" and value not in ("", *METHODS):
            return f"method must be one of {', '.join(METHODS)}, got {value[:40]!r}."
        return None
    lowest, highest, whole = {
        "count": (1, MAX_COUNT, True),
        "after": (0, MAX_COUNT, True),
        "share_percent": (0, 100, False),
        "for_seconds": (0, MAX_SECONDS, False),
        "by_seconds": (0, MAX_SECONDS, False),
        "retry_after_seconds": (0, int(MAX_SECONDS), True),
        "status": (201, 599, True),
    }[name]
    number = type(value) is int or (type(value) is float and not whole)
    if not number or not lowest <= value <= highest:
        return f"{name} must be a {'whole ' if whole else ''}number from {lowest} to {highest}, got {str(value)[:40]}."
    return None


def _contradictions(kind: Kind, given: Mapping[str, Any], known_types: Collection[str]) -> list[str]:
    problems = []
    if kind in NEEDS_BY and not given.get("by_seconds"):
        problems.append(f"{kind} needs by_seconds (--by), the duration in seconds.")
    if kind not in NEEDS_BY and kind not in BY_DEFAULT and "by_seconds" in given:
        problems.append(f"{kind} does not take by_seconds (--by).")
    if kind is not Kind.THROTTLE and "retry_after_seconds" in given:
        problems.append(f"{kind} does not take retry_after_seconds (--retry-after); only 429 does.")
    if kind not in (Kind.ERRORS, Kind.ERROR) and "status" in given:
        problems.append(f"{kind} does not take status (--status); only errors and 500 do.")
    if kind is not Kind.HOLD and "when" in given:
        problems.append(f"{kind} does not take when (--when); only hold does.")
    if kind is Kind.ERROR and type(given.get("status", 500)) is int and given.get("status", 500) < 500:
        problems.append(f"500 takes a status (--status) from 500 to 599, got {given['status']}; use errors for others.")
    if given.get("method") and (kind in ABOUT_DEPLOYMENTS | ABOUT_METRICS or kind is Kind.LATE_TRAFFIC):
        problems.append(f"{kind} does not take method (--method).")
    wanted = given.get("type")
    if wanted and isinstance(wanted, str):
        problems += _type_problems(kind, wanted.lower(), known_types)
    return problems


def _type_problems(kind: Kind, wanted: str, known_types: Collection[str]) -> list[str]:
    only = _ONE_TYPE.get(kind)
    if only is not None:
        fits = only == wanted or only.endswith("/" + wanted)
        return [] if fits else [f"{kind} affects {only.rpartition('/')[2]} only, got type {wanted[:80]!r}."]
    outside = next((one for one in (SCORE, BLOBS, POLLS) if one == wanted or one.endswith("/" + wanted)), None)
    if outside is not None and kind in ABOUT_OPERATIONS:
        return [f"{kind} affects operations on resources, but type {outside.rpartition('/')[2]} stands for requests."]
    lowered = {known.lower() for known in known_types} | {BLOBS, SCORE, POLLS}
    if any(known == wanted or known.endswith("/" + wanted) for known in lowered):
        return []
    ends = {"/".join(known.split("/")[start:]) for known in lowered for start in range(known.count("/") + 1)}
    import difflib  # only after a mistake

    near = difflib.get_close_matches(wanted, ends, n=1)
    return [f"The local Azure has no type {wanted[:80]!r}." + (f" Did you mean {near[0]!r}?" if near else "")]
