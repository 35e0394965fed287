"""The issue about drift: what Azure has that neither Pulumi's state nor the stack file explains. Pure."""

from __future__ import annotations

from git_server.markdown import Section, code, escaped, fitted
from rollout.events import OPERATIONS, Change, Preview

LIMIT = 60_000
CLEAN = "A preview with refresh shows no difference any more."


def drift_marker(project: str, stack: str) -> str:
    """The first line of the issue, by which the next run finds it."""
    return f"<!-- sluice:drift:{project}/{stack} -->"


def title_of(stack: str) -> str:
    """The title of the issue."""
    return f"{stack} differs from what is declared"


def drift_text(stack: str, preview: Preview, run: str | None) -> str:
    """The text of the issue: what differs by name and property, never a value, and what a person may do."""
    changes = [change for change in preview.changes if change.custom]
    head = (
        f"A preview of {code(stack)} with refresh shows {len(changes)} "
        f"{'resource that differs' if len(changes) == 1 else 'resources that differ'}. Nothing was changed.",
        "",
    )
    foot = (
        "",
        f"Look at {code(f'pulumi preview --refresh --diff --stack {stack}')}. Then either declare what Azure has, or "
        f"run {code(f'pulumi up --refresh --stack {stack}')}, which restores what is declared. While a rollout is "
        f"under way, {code(f'sluice rollout status ENDPOINT --stack {stack}')} names the command for its drift.",
        *(["", f"<sub>{escaped(run)}</sub>"] if run else []),
    )
    return fitted(
        [Section(head=head, lines=tuple(map(_line, changes)), foot=foot)], LIMIT, elsewhere="the log of the run"
    )


def _line(change: Change) -> str:
    paths = f": {', '.join(map(code, change.diffs))}" if change.diffs else ""
    what = OPERATIONS.get(change.op, escaped(change.op))
    return f"- {code(change.name)} ({code(change.type.rpartition(':')[2])}) {_verb(what)}{paths}"


def _verb(done: str) -> str:
    """What an update would do, or what the refresh found."""
    return "was changed in Azure" if done == "refreshed" else f"would be {done}"
