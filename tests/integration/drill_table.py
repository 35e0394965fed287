"""The rows of the table of drills, the faults that strike in them, and the lines that `make drills` writes.

Each drill appends one line to `build/drills.jsonl`, and one that has passed there is not run again; `python -m
tests.integration.drill_table` prints the lines as Markdown.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.integration.crash_drill import CRASHES
from tests.integration.drill import ENDPOINTS, Drill
from tests.integration.rehearsal import ROOT

RESULTS = ROOT / "build" / "drills.jsonl"
ROWS: Mapping[str, int | None] = {"good": None, "bad from the start": 0, "bad at 50 %": 1, "bad after 100 %": 2}
"""How green behaves: the step at which it turns bad."""
BACK = 3
CHANGES = ("0 → 10 %", "10 → 50 %", "50 → 100 %", "way back")
METRICS_SECONDS = 12


def put_fault(kind: str, count: int = 1, **scope: Any) -> Callable[[Drill, int], None]:
    return lambda drill, after: drill.fault(kind, type=ENDPOINTS, method="PUT", count=count, after=after, **scope)


def metrics_fault(kind: str, **scope: Any) -> Callable[[Drill, int], None]:
    def strike(drill: Drill, after: int) -> None:
        drill.fault(kind, name=drill.endpoint_name, for_seconds=METRICS_SECONDS, **scope)

    return strike


def late_traffic(drill: Drill, after: int) -> None:
    drill.fault("late-traffic", name=drill.endpoint_name, by_seconds=3, count=1, after=after)


def autoscale(drill: Drill, after: int) -> None:
    """Autoscale adds an instance to each colour."""
    for colour in ("blue", "green"):
        path = f"{drill.stack.endpoint_id}/deployments/{colour}"
        capacity = drill.stack.azure.get(path)["sku"]["capacity"] + 1
        status, answer = drill.stack.azure.request("PATCH", path, {"sku": {"capacity": capacity}})
        assert status < 300, answer


FAULTS: Mapping[str, Callable[[Drill, int], None]] = {
    "none": lambda drill, after: None,
    "429": put_fault("429", count=2, retry_after_seconds=1),
    "409": put_fault("409"),
    "500": put_fault("500"),
    "lost answer": put_fault("lose-response"),
    "operation fails": put_fault("operation-fails"),
    "late traffic": late_traffic,
    "metrics late": metrics_fault("metrics-late", by_seconds=6),
    "metrics zero": metrics_fault("metrics-zero", by_seconds=6),
    "metrics missing": metrics_fault("metrics-missing"),
    "metrics error": metrics_fault("500", type="metrics"),
    "autoscale acts": autoscale,
}
"""How each fault begins; `after`: how many changes of weights are spared, where it strikes a change."""


def cells() -> Iterator[tuple[str, str, int]]:
    """Row, fault and change of each drill, the plain rows and then the shortest ones first.

    A change that a row does not reach has no drill.
    """
    yield from ((row, "none", 0) for row in ROWS)
    for row, bad_at in sorted(ROWS.items(), key=lambda item: BACK if item[1] is None else item[1]):
        for fault in list(FAULTS)[1:]:
            last = BACK if bad_at is None else bad_at + 1
            yield from ((row, fault, change) for change in range(last))
            if bad_at is not None:
                yield row, fault, BACK


def play(drill: Drill, row: str, fault: str, change: int) -> int:
    """Run the rollout of a row, with the fault at one change; return the exit code."""
    process = drill.run()
    bad_at = ROWS[row]

    def at_step(step: int) -> None:
        if step == change:
            FAULTS[fault](drill, 0)
        elif step == bad_at and change == BACK:
            FAULTS[fault](drill, 1)
        if step == bad_at:
            drill.turn_bad(process)
        else:
            drill.origin.release()

    return drill.follow(process, at_step)


# Lines


def recorded() -> list[dict[str, Any]]:
    """The last line of each drill, in the order of their first ones."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    last: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in map(json.loads, text.splitlines()):
        last[_drill_of(one)] = one
    return list(last.values())


def has_passed(**facts: Any) -> bool:
    """Whether an earlier run, or this one, has a line of this drill without an error."""
    return any(_drill_of(one) == _drill_of(facts) and "failed" not in one for one in recorded())


def _drill_of(facts: Mapping[str, Any]) -> tuple[Any, ...]:
    names = ("row", "fault", "change") if "row" in facts else ("direction", "point", "victims", "place")
    return tuple(facts[name] for name in names)


def _commit() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True).stdout.strip() or "unknown"


@contextlib.contextmanager
def line(**facts: Any) -> Iterator[dict[str, Any]]:
    """One line of the results: how the drill went; an error goes on."""
    facts["commit"] = _commit()
    started = time.monotonic()
    try:
        yield facts
    except BaseException as error:
        facts["failed"] = str(error).partition("\n")[0][:200] or type(error).__name__
        raise
    finally:
        facts["took"] = round(time.monotonic() - started)
        RESULTS.parent.mkdir(exist_ok=True)
        with RESULTS.open("a", encoding="utf-8") as results:
            results.write(json.dumps(facts) + "\n")


def tables(lines: list[dict[str, Any]]) -> str:
    """The results as Markdown."""
    return "\n".join([*_faults(lines), "", *_crashes(lines), "", *_failures(lines)])


def _faults(lines: list[dict[str, Any]]) -> Iterator[str]:
    done = {_drill_of(one): one for one in lines}
    yield "| green | fault | " + " | ".join(f"at {change}" for change in CHANGES) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in CHANGES) + " |"
    wanted = list(cells())
    for row in ROWS:
        for fault in FAULTS:
            keys = [(row, fault, change) for change in range(len(CHANGES))]
            yield f"| {row} | {fault} | " + " | ".join(_cell(done.get(key), key in wanted) for key in keys) + " |"


def _cell(one: Mapping[str, Any] | None, is_wanted: bool) -> str:
    if not is_wanted:
        return ""
    if one is None:
        return "not run"
    return "FAILED" if "failed" in one else f"{one.get('outcome', 'agreed')}, {one['lost']} lost"


def _crashes(lines: list[dict[str, Any]]) -> Iterator[str]:
    done = {_drill_of(one): one for one in lines}
    wanted = [tuple(crash.facts().values()) for crash in CRASHES]
    ends = list(dict.fromkeys(key[2:] for key in wanted))
    yield "| change | killed at | " + " | ".join(f"{victims}, {place}" for victims, place in ends) + " |"
    yield "| --- | --- | " + " | ".join("---" for _ in ends) + " |"
    for place in dict.fromkeys(key[:2] for key in wanted):
        keys = [(*place, *end) for end in ends]
        shown = " | ".join(_cell(done.get(key), key in wanted) for key in keys)
        yield f"| {' | '.join(place)} | {shown} |"


def _failures(lines: list[dict[str, Any]]) -> Iterator[str]:
    for one in lines:
        if "failed" in one:
            what = ", ".join(map(str, _drill_of(one)))
            yield f"FAILED: {what}: {one['failed']}"
    commits = ", ".join(sorted({one["commit"] for one in lines}))
    yield f"{len(lines)} drills, {sum(one['took'] for one in lines) / 60:.0f} minutes, at {commits or 'no commit'}."


if __name__ == "__main__":
    print(tables(recorded()))
    sys.exit()
