"""Twenty seconds of the soak that `python -m bench soak` runs for minutes: load, faults and changes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.waiting import HANGS, wait_until

ROOT = Path(__file__).parents[3]
SECONDS = 20


@pytest.mark.integration
@pytest.mark.proves("data plane", honours=["weights"])
def test_the_router_fails_no_request_while_faults_and_weights_come_and_go(tmp_path: Path) -> None:
    answers: Counter[str] = Counter()
    changes: Counter[str] = Counter()
    faults: set[str] = set()

    def soaked_enough() -> bool:
        soak = run_soak(tmp_path / "soak.json")
        assert soak["failed_by_the_router"] == 0
        answers.update(soak["answers"])
        changes.update(soak["changes"])
        faults.update(soak["faults"])
        return answers["200"] > 100 and changes["weights"] >= 2 and len(faults) >= 4

    # One run is enough unless the machine is very busy.
    wait_until(soaked_enough, "too few answers, changes of weights or kinds of faults")


def run_soak(facts: Path) -> dict:
    command = [sys.executable, "-m", "bench", "soak", "--minutes", str(SECONDS / 60), "--compute", "simulated"]
    done = subprocess.run([*command, "--json", str(facts)], cwd=ROOT, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(json.loads(facts.read_text())["soak"])
