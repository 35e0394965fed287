"""The events of a record as lines for a log: one line for each that changes what a rollout does. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from rollout.instances import describe
from rollout.record.event import Event, Kind
from rollout.split import Split

_QUIET = frozenset({Kind.EVIDENCE, Kind.ATTEMPT, Kind.METRICS_ERROR, Kind.DRIFT})
"""Drift also holds the rollout, and that line has the reason."""
_DIRECTIONS = {"forward": "changing", "back": "going back", "restore": "restoring", "adopt": "adopting"}


def line_of(event: Event) -> str | None:
    """`14:31:20  applied: blue 75 %, green 25 %`, in UTC; None for events that only add evidence."""
    if event.kind in _QUIET:
        return None
    return f"{datetime.fromtimestamp(event.at, UTC):%H:%M:%S}  {text_of(event)}"


def text_of(event: Event) -> str:
    """The same without the time."""
    return _said(event.kind, event.data)


def _said(kind: Kind, data: Mapping[str, Any]) -> str:
    by = f" by {data['by']}" if data.get("by") else ""
    reason = f": {data['reason']}" if data.get("reason") else ""
    match kind:
        case Kind.STARTED:
            baseline = Split.from_values(data["baseline"]).describe()
            unproven = data.get("allow_unproven")
            without = f", without the proof that this stack requires ({unproven})" if unproven else ""
            said = f"started {data['id']}: {data['colour']} is to replace {baseline}{without}"
        case Kind.PROBED:
            said = f"verify: {data['sent']} counted requests sent{_problem(data)}"
        case Kind.VERIFIED:
            said = "verify: skipped by the plan" if data.get("skipped") else _verified(data)
        case Kind.RESERVING:
            said = f"reserve: raising the floor of {data['deployment']} ({_numbers(data)})"
        case Kind.RESERVED:
            said = _reserved(data)
        case Kind.RETURNED:
            said = _returned(data)
        case Kind.INTENT:
            said = _intent(data)
        case Kind.APPLIED:
            seconds = [one for part, one in (data.get("seconds") or {}).items() if part not in ("read", "decide")]
            took = f" in {sum(seconds):.1f} s" if seconds else ""
            said = f"applied{took}{', found in Azure' if data.get('found') else ''}"
        case Kind.OBSERVED:
            shares = ", ".join(f"{name} {share:.1%}" for name, share in sorted(data["shares"].items()))
            said = f"observed: {shares.replace('%', ' %')} of {data['requests']} requests"
        case Kind.VERDICT:
            gate, why = str(data["gate"]), str(data.get("reason") or "")
            said = f"failed: {gate}: {why.removeprefix(f'{gate}: ')}" if why else f"failed: {gate}"
        case Kind.HELD:
            said = f"held ({data['hold']}){reason}"
        case Kind.APPROVAL_REQUESTED:
            said = f"step {data['step'] + 1} needs an approval"
        case Kind.APPROVED | Kind.REJECTED:
            said = f"step {data['step'] + 1} {kind}{by}{' (unreviewed)' if data.get('unreviewed') else ''}{reason}"
        case Kind.NOTED:
            said = f"note: {data['text']}"
        case Kind.BREAK_GLASS:
            said = f"break-glass: {Split.from_values(data['weights']).describe()} set without the engine: {data['why']}"
        case Kind.RECONCILED:
            said = "reconciled: stack file and state follow Azure again"
        case Kind.ENDED:
            said = _ended(data)
        case Kind.RETIRING:
            said = f"retiring {data['deployment']}: {str(data['how']).replace('_', ' ')}"
        case Kind.RETIRED:
            said = f"retired: {data['deployment']} {str(data['what']).replace('_', ' ')}{reason}"
        case _:
            said = f"{str(kind).replace('_', ' ')}{by}{reason}"
    return said


def _intent(data: Mapping[str, Any]) -> str:
    start, to = (Split.from_values(data[side]).describe() for side in ("from", "to"))
    if start == to and data.get("stable"):
        return f"{data['stable']} becomes the stable colour ({data['why']})"
    verb = _DIRECTIONS[data["direction"]]
    return f"{verb}: {to if start == to else f'{start} → {to}'} ({data['why']})"


def _problem(data: Mapping[str, Any]) -> str:
    if data.get("problem"):
        return f": {data['problem']}"
    disagreement = data.get("disagreement")
    return f", {disagreement:.1%} of the sample outputs differ" if disagreement is not None else ""


def _verified(data: Mapping[str, Any]) -> str:
    return f"verify: all {data['counted']} requests counted, metrics settle within {data['settle']} s"


def _reserved(data: Mapping[str, Any]) -> str:
    if data.get("minimum") is None:
        return "reserve: not needed"
    return f"reserve: {data['deployment']} keeps at least {data['minimum']} instances ({_numbers(data)})"


def _numbers(data: Mapping[str, Any]) -> str:
    return describe(data["was"], data["now"])


def _returned(data: Mapping[str, Any]) -> str:
    given = ", ".join(f"{path} {number}" for path, number in data["values"].items())
    left = f"; left as somebody else wrote it: {'; '.join(data['left'])}" if data["left"] else ""
    return f"floor of {data['deployment']} given back: {given or 'nothing'}{left}"


def _ended(data: Mapping[str, Any]) -> str:
    exposed = f" (evidence: {data['requests']} requests, {data['errors']} errors)" if data.get("requests") else ""
    return f"{str(data['outcome']).replace('_', ' ')}: {data['reason']}{exposed}"
