"""Where the time from a merge to the promotion's pull request goes: `python -m bench.merge_to_promotion ORIGIN ...`.

ORIGIN is the bare repository of a story (`tests/pipelines`) in which a merge was rolled out in dev and promoted. Its
commits and its record have the times; nothing else is measured.
"""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from bench.timing import print_spreads

STACK, SOURCE = "dev", "main"


def parts_of(origin: Path) -> dict[str, float]:
    """Seconds of each part, in the order in which they happen; equal parts of several steps are added."""
    branch = f"sluice/{STACK}" if f"sluice/{STACK}" in _git(origin, "branch", "--format=%(refname:short)") else SOURCE
    (promotion,) = _git(origin, "branch", "--format=%(refname:short)", "--list", "promote/*").splitlines()
    names = _git(origin, "ls-tree", "-r", "--name-only", branch, "--", f"rollouts/{STACK}").splitlines()
    (name,) = [one for one in names if one.endswith(".jsonl")]
    events = [json.loads(line) for line in _git(origin, "show", f"{branch}:{name}").splitlines()]
    times = [*_commits(origin, branch, until=_at(events[0])), *_turns(events)]
    opened = float(_git(origin, "log", "-1", "--format=%ct", promotion))
    seconds: dict[str, float] = {}
    for (_, began), (part, ended) in pairwise([*times, ("promotion", opened)]):
        seconds[part] = seconds.get(part, 0.0) + ended - began
    return seconds


def _commits(origin: Path, branch: str, until: float) -> Iterator[tuple[str, float]]:
    """The merge, and what a delivery did before it started a rollout."""
    merged = max(at for at in map(float, _git(origin, "log", "--format=%ct", SOURCE).split()) if at < until)
    yield "merge", merged
    for line in reversed(_git(origin, "log", "--format=%ct %s", branch).splitlines()):
        at, _, subject = line.partition(" ")
        if not merged < float(at) <= until:
            continue
        if subject.startswith("sync(") and f": {SOURCE} at " in subject:
            yield "start of the job, and sync", float(at)
        elif subject.startswith("release("):
            yield "publish", float(at)
        elif subject.endswith(" is deployed"):
            yield "update of the stack", float(at)


def _turns(events: list[Mapping[str, object]]) -> Iterator[tuple[str, float]]:
    """What a rollout did, by the events with which each part ends."""
    ends = {
        "started": "checks before the rollout",
        "verified": "counted requests, until the metric shows them",
        "intent": "gathering evidence",
        "applied": "changes of weights",
        "ended": "changes of weights",
    }
    for event in events:
        if event["kind"] in ends:
            yield ends[str(event["kind"])], _at(event)


def _at(event: Mapping[str, object]) -> float:
    return datetime.fromisoformat(str(event["at"])).timestamp()


def _git(origin: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(origin), *arguments], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main() -> int:
    """Print the share of each part."""
    found = [parts_of(Path(name)) for name in sys.argv[1:]]
    names = list(dict.fromkeys(name for one in found for name in one))
    shares = {name: [100 * one.get(name, 0.0) / sum(one.values()) for one in found] for name in names}
    print_spreads(f"from the merge to the promotion's pull request, {len(found)} stories", shares, "%")
    return 0


if __name__ == "__main__":
    sys.exit(main())
