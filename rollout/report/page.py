"""The report of a rollout: one HTML file that needs nothing else, in light, dark and print."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path

from rollout.decision.order import Outcome
from rollout.record.event import Event, Kind
from rollout.report import tables
from rollout.report.commits import Commit
from rollout.report.summary import sentence
from rollout.report.timeline import Timeline

_STYLE = Path(__file__).with_name("style.css")
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
"""A browser runs no script in the page and loads nothing for it, whatever the record says."""


def render(events: Sequence[Event], *, commits: Sequence[Commit] = (), broken: str | None = None) -> str:
    """The HTML of a report about the rollout whose record has these events.

    `commits` are those of the record's file, which the record itself cannot name. `broken` says where the chain of the
    record breaks, if it does: the report then shows the events before. Raises ValueError if the events are not those of
    a record.
    """
    line = Timeline(events)
    state = line.state
    title = f"{state.endpoint} · {state.stack} · {state.id}"
    body = "".join(_body(line, commits, broken))
    return (
        f'<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>{escape(title)}</title>\n'
        f"<style>\n{_STYLE.read_text(encoding='utf-8')}</style>\n</head>\n<body>\n{body}</body>\n</html>\n"
    )


def _body(line: Timeline, commits: Sequence[Commit], broken: str | None) -> Iterator[str]:
    state = line.state
    yield f"<h1>{escape(state.endpoint)} · {escape(state.stack)}</h1>\n"
    about = f"{state.id}: {state.colour} in place of {state.baseline.describe()}, started by {state.started_by}"
    yield f'<p class="about">{escape(about)}, {tables.moment(state.started_at)} UTC. All times are UTC.</p>\n'
    yield f'<p class="lead {_mood(line)}">{escape(sentence(state))}</p>\n'
    if broken is not None:
        yield f'<p class="lead bad">{escape(broken)} This report ends there.</p>\n'
    if state.synthetic:
        yield "<p>The requests were <strong>synthetic</strong>: the rollout itself sent them.</p>\n"
    if state.evidence_skipped:
        who = f"{state.promoted_by or 'a person'} promoted it"
        yield f"<p><strong>Steps were taken without evidence</strong>: {escape(who)}.</p>\n"
    yield _section("Decisions", tables.decisions(line))
    yield from _pictures(line)
    yield _section("Steps", tables.steps(line))
    yield _section("Gates", tables.gates(line))
    yield _section("Changes of weights and engine updates", tables.changes(line))
    yield _section("Commits", _commits(commits))
    yield _section("Record", _record(line))
    yield _section("Plan", f"<pre><code>{escape(json.dumps(state.plan.as_values(), indent=2))}</code></pre>\n")
    yield _section("Events", tables.events(line))
    yield _section("Raw counts", "<p>Latencies are milliseconds.</p>\n" + tables.counts(line))


def _pictures(line: Timeline) -> Iterator[str]:
    from rollout.report import charts

    caption = "Live weights in percent. The numbers are those of the decisions above."
    yield _figure(charts.weights(line), caption, "Weights")
    if not line.exposed():
        yield f"<p>The record has no interval in which {escape(line.state.colour)} had requests.</p>\n"
        return
    yield _figure(
        charts.error_rates(line),
        "Errors of all requests so far, with bounds that hold the true rate at every moment at once with 95 % "
        "confidence. No gate decides by them.",
        "Error rates",
    )
    gates = line.state.plan.gates
    latencies = {
        percentile: gate
        for percentile, gate in (
            (50, gates.latency_p50),
            (90, gates.latency_p90),
            (95, gates.latency_p95),
            (99, gates.latency_p99),
        )
        if (gate is not None or percentile == 95) and any(line.latencies(percentile))
    }
    for index, (percentile, gate) in enumerate(latencies.items()):
        title = "" if index else "Latencies"
        yield _figure(charts.latency(line, percentile, gate), f"P{percentile} of each interval.", title)
    known = list(line.evidence())
    for index, name in enumerate(dict.fromkeys(point.gate for point in known)):
        points = [point for point in known if point.gate == name]
        caption = f"{name}: odds against the new colour being as good as required, as the record had them."
        yield _figure(charts.evidence(line, name, points), caption, "" if index else "Evidence")


def _record(line: Timeline) -> str:
    state, first, last = line.state, line.events[0], line.events[-1]
    rows: list[tuple[str, object]] = [
        ("rollout", state.id),
        ("project, stack, endpoint", f"{state.project}, {state.stack}, {state.endpoint}"),
        ("workspace", state.workspace),
        ("subscription", state.subscription),
        ("Resource Manager", first.data.get("arm_host") or "–"),
        ("commit at the start", tables.code(first.data.get("commit") or "–")),
        ("events", tables.Cell(f"{len(line.events)}, the last one at {tables.moment(last.at)}")),
        ("chain head (SHA-256)", tables.code(last.digest)),
        ("plan digest (SHA-256)", tables.code(state.plan_digest)),
        ("interval, settle", f"{state.grain_seconds} s, {state.settle_seconds} s"),
    ]
    for name in state.releases:
        rows.append((f"{name}: release", tables.code(state.releases[name] or "–")))
        rows.append((f"{name}: content", tables.code(state.contents.get(name) or "–")))
    approvals = [event.data for event in line.events if event.kind is Kind.APPROVED]
    for data in approvals:
        review = ", without a review" if data.get("unreviewed") else ""
        rows.append((f"step {data['step'] + 1} approved by", f"{data['by']}{review}"))
    return tables.facts(rows)


def _commits(commits: Sequence[Commit]) -> str:
    if not commits:
        return "<p>None is known: the record was not committed, or the report was made outside its repository.</p>\n"
    rows = [(tables.code(commit.sha[:12]), tables.moment(commit.at), commit.subject) for commit in commits]
    return tables.table(("commit", "UTC", "subject"), rows)


def _section(title: str, content: str) -> str:
    return f"<h2>{title}</h2>\n{content}"


def _figure(svg: str, caption: str, title: str) -> str:
    """A picture; the heading of the first one of its kind stays on its page in print."""
    head = f"<h2>{title}</h2>\n" if title else ""
    return f"<figure>{head}{svg}\n<figcaption>{escape(caption)}</figcaption></figure>\n"


def _mood(line: Timeline) -> str:
    ended = line.state.ended
    if line.state.back is not None:
        return "bad"
    if ended is None:
        return ""
    return "good" if ended.outcome is Outcome.DONE else "bad"
