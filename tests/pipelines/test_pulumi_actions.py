"""What pulumi/actions runs works without a wrapper: plain `preview` and `up` in a clone with the weights."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.pipelines.repository import git
from tests.pipelines.team import ROOT, Team

pytestmark = pytest.mark.integration


def pulumi(team: Team, clone: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    """One command of pulumi/actions: the Automation API adds `--stack` and `--non-interactive`."""
    variables = {**team.machine, **team.server.environments["dev"].variables, "PULUMI_CONFIG_PASSPHRASE": ""}
    command = shutil.which("pulumi", path=variables["PATH"])
    assert command
    words = ("--non-interactive", *words, "--stack", "dev")
    return subprocess.run([command, *words], cwd=clone, env=variables, capture_output=True, text=True)


@pytest.mark.story
def test_preview_and_up_of_a_clone_change_nothing_and_leave_the_clone_clean(
    team: Callable[..., Team], tmp_path: Path
) -> None:
    ours = team("github")
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{ours.server.origin}", str(clone))
    (clone / ".venv").symlink_to(ROOT / ".venv")
    _, *before = ours.stacks["dev"].snapshot()
    for words in (("preview", "--expect-no-changes"), ("up", "--yes", "--skip-preview", "--expect-no-changes")):
        done = pulumi(ours, clone, *words)
        assert done.returncode == 0, done.stdout + done.stderr
    assert list(ours.stacks["dev"].snapshot()[1:]) == before, "an update changed Azure"
    assert git(clone, "status", "--porcelain") == ""
