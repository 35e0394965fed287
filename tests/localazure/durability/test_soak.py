"""Twenty seconds of the soak that `python -m bench soak` runs for minutes: load, faults and changes at once."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.waiting import HANGS

ROOT = Path(__file__).parents[3]
SECONDS = 20


@pytest.mark.integration
@pytest.mark.proves("data plane", honours=["weights"])
def test_the_router_fails_no_request_while_faults_and_weights_come_and_go(tmp_path: Path) -> None:
    facts = tmp_path / "soak.json"
    command = [sys.executable, "-m", "bench", "soak", "--minutes", str(SECONDS / 60), "--compute", "simulated"]
    done = subprocess.run([*command, "--json", str(facts)], cwd=ROOT, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 0, done.stdout + done.stderr
    soak = json.loads(facts.read_text())["soak"]
    assert soak["failed_by_the_router"] == 0
    # How much of each fits into the time is this machine's business.
    assert soak["answers"]["200"] > 0
    assert soak["changes"]["weights"] > 0
    assert soak["faults"]
