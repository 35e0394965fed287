"""`sluice demo` cleans up when it is interrupted. That it tells its story to the end is `make demo` itself."""

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.integration.rehearsal import ROOT, SLUICE, processes_with, repository_files

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("line", "number"), [(" 1. ", signal.SIGINT), ("+ machinelearningservices:Code", signal.SIGTERM)]
)
def test_an_interrupted_demo_leaves_nothing(line: str, number: signal.Signals, tmp_path: Path) -> None:
    """Once while the platform is made, once while inference servers start."""
    before = repository_files()
    log = tmp_path / "log"
    with log.open("w") as stream:
        demo = subprocess.Popen(
            [str(SLUICE), "demo"],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(tmp_path), "PULUMI_STACK": "another"},
            stdin=subprocess.DEVNULL,
            stdout=stream,
            stderr=stream,
            start_new_session=True,
            # A shell that runs the tests in the background has them ignore Ctrl-C, and so would the demo.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
        deadline = time.monotonic() + 120
        while line not in log.read_text():
            assert demo.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        demo.send_signal(number)
        assert demo.wait(60) == 130, log.read_text()
    assert "Cleaning up" in log.read_text()
    assert not list(tmp_path.glob("sluice-demo-*"))
    for _ in range(100):
        if not (left := processes_with(str(tmp_path / "sluice-demo-"))):
            break
        time.sleep(0.1)
    assert not left
    assert repository_files() == before
