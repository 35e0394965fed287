"""The sentence that a comment begins with: what a merge does to a stack. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from delivery.pull_request.preview_reading import ColourMove, EndpointMove, Reading
from delivery.pull_request.preview_report import PreviewReport
from git_server.markdown import code, escaped


def sentence_of(report: PreviewReport, reading: Reading) -> str:
    """Return one sentence: `green enters fraud-detection in prod at 0 %; nothing else changes.`"""
    stack = code(report.stack)
    if report.preview is None:
        count = len(report.failures)
        why = f"{count} {'reason is' if count == 1 else 'reasons are'} below" if count else "no reason was given"
        return f"The preview of {stack} failed, so a delivery would change nothing: {why}."
    if report.preview.is_empty:
        return f"Nothing changes in {stack}."
    clauses = [clause for move in reading.endpoints for clause in _clauses(move, report)]
    others = sum(change.custom for change in reading.others)
    if not clauses:
        return f"{_count(others)} in {stack}; no colour and no weight does."
    rest = f"{_count(others, 'other ')}" if others else "nothing else changes"
    return f"{'; '.join(clauses)}; {rest}."


def _count(number: int, which: str = "") -> str:
    return f"{number} {which}resource changes" if number == 1 else f"{number} {which}resources change"


def _clauses(move: EndpointMove, report: PreviewReport) -> Iterator[str]:
    key, stack = code(move.endpoint), code(report.stack)
    if move.operation == "create":
        weights = escaped(move.after.describe()) if move.after is not None else "no live weights"
        yield f"the endpoint {key} enters {stack} with {weights}"
        return
    if move.operation == "delete":
        yield f"the endpoint {key} leaves {stack}"
        return
    for colour in move.colours:
        yield _colour_clause(colour, f"{key} in {stack}", move, report)
    if move.operation == "replace":
        yield f"the endpoint {key} of {stack} is replaced"
    if move.moves_weights and move.before is not None and move.after is not None:
        yield f"{key} in {stack} goes from {escaped(move.before.describe())} to {escaped(move.after.describe())}"


def _colour_clause(colour: ColourMove, place: str, move: EndpointMove, report: PreviewReport) -> str:
    name = code(colour.colour)
    match colour.operation:
        case "create":
            return f"{name} enters {place} at {_weight(colour, move, report)} %"
        case "delete":
            return f"{name} leaves {place}"
        case "replace":
            return f"{name} of {place} is replaced"
        case _ if colour.changes_release:
            return f"{name} of {place} gets another release in place"
        case _:
            return f"{name} of {place} changes ({', '.join(map(code, colour.diffs)) or 'no property is named'})"


def _weight(colour: ColourMove, move: EndpointMove, report: PreviewReport) -> int:
    if move.after is not None:
        return move.after.percent_of(colour.colour)
    rollout = report.after.rollout.get(move.endpoint) if report.after else None
    return rollout.traffic.get(colour.colour, 0) if rollout else 0
