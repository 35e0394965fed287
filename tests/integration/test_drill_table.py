"""The whole table of drills on the real engine, under load: `make drills`. `make test` runs only a part of it."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from endpoint_client.load import Load
from tests.integration.crash_drill import CRASHES, Crash, survive
from tests.integration.drill import BLUE, GREEN, PLAN, Drill, callers, lost
from tests.integration.drill_table import (
    ROWS,
    cells,
    has_passed,
    line,
    play,
)
from tests.integration.rehearsal import Azure, Stack

pytestmark = pytest.mark.integration

BEGAN = time.monotonic()
LIMIT_SECONDS = 60 * float(os.environ.get("DRILL_MINUTES", "240"))


@pytest.fixture
def is_due(request: pytest.FixtureRequest) -> None:
    """Skip what has passed before, and everything when the time is over."""
    parameters = request.node.callspec.params
    if has_passed(**(parameters["crash"].facts() if "crash" in parameters else parameters)):
        pytest.skip("it has passed in an earlier run; AGAIN=1 forgets that")
    if time.monotonic() - BEGAN > LIMIT_SECONDS:
        pytest.skip("the time for drills is over")


@pytest.fixture
def drill(is_due: None, simulated_azure: Azure, tmp_path: Path) -> Iterator[Drill]:
    drill = Drill(Stack(simulated_azure, "dev"), tmp_path, PLAN)
    yield drill
    drill.close()


@pytest.fixture
def load(drill: Drill) -> Iterator[Load]:
    with callers(drill.stack) as load:
        yield load


@pytest.mark.drill
@pytest.mark.parametrize("crash", CRASHES, ids=str)
def test_a_change_survives_a_kill(crash: Crash, drill: Drill, load: Load) -> None:
    with line(**crash.facts()) as facts:
        survive(drill, crash)
        facts["lost"] = lost(load)
        assert facts["lost"] == 0


@pytest.mark.drill
@pytest.mark.parametrize(("row", "fault", "change"), list(cells()))
def test_a_rollout_ends_as_it_must(row: str, fault: str, change: int, drill: Drill, load: Load) -> None:
    with line(row=row, fault=fault, change=change) as facts:
        scaled = fault == "autoscale acts"
        if scaled:
            drill.let_autoscale()
        code = play(drill, row, fault, change)
        ended = drill.events()[-1]["data"]
        facts["outcome"] = ended.get("outcome", "not ended").replace("_", " ")
        facts["lost"] = lost(load)
        good = ROWS[row] is None
        assert (facts["outcome"], code) == (("done", 0) if good else ("rolled back", 1)), drill.said()[-400:]
        drill.require_agreed(GREEN if good else BLUE, over=True, scaled=scaled)
        assert facts["lost"] == 0, load.total.facts()
