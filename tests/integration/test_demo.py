"""`sluice demo` cleans up when it is interrupted. `make demo` itself shows that it runs to the end."""

import os
import signal
import subprocess
from pathlib import Path

import pytest

from rehearsal.home import LocalHome
from tests.integration.moments import Moment
from tests.integration.rehearsal import ROOT, SLUICE, processes_with, repository_files
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration


@pytest.mark.parametrize(
    ("moment", "number"),
    [
        ({"type": "storageAccounts", "when": "before"}, signal.SIGINT),
        ({"type": "onlineEndpoints/deployments", "when": "after"}, signal.SIGTERM),
    ],
    ids=["platform", "inference servers"],
)
def test_an_interrupted_demo_leaves_nothing(moment: dict[str, str], number: signal.Signals, tmp_path: Path) -> None:
    """Hold the local Azure once while the platform is created, and once while inference servers start."""
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
        try:
            wait_until(lambda: demo.poll() is not None or home_of_demo(tmp_path), "the demo has no local Azure")
            home = home_of_demo(tmp_path)
            assert home is not None, log.read_text()
            # It lives as long as the local Azure that it is set in.
            held = Moment(home, method="PUT", **moment).__enter__()
            assert held.reached(demo), log.read_text()
            demo.send_signal(number)
            assert demo.wait(HANGS) == 130, log.read_text()
        finally:
            demo.kill()
    assert "Cleaning up" in log.read_text()
    assert not list(tmp_path.glob("sluice-demo-*"))
    wait_until(lambda: not processes_with(str(tmp_path / "sluice-demo-")), "processes that are left over")
    assert repository_files() == before


def home_of_demo(folder: Path) -> LocalHome | None:
    """The home of the demo's local Azure, as soon as that runs."""
    homes = [LocalHome(file.parent) for file in folder.glob("sluice-demo-*/server.json")]
    return homes[0] if homes and homes[0].server() else None
