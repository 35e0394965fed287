"""A tree whose stack file or models the program would refuse is never pushed."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.stack_branch.runnable import require_runnable
from tests.integration.rehearsal import ROOT, copy_project

pytestmark = pytest.mark.slow


def test_the_repositorys_own_tree_runs_and_a_broken_one_says_why(tmp_path: Path) -> None:
    project = copy_project(tmp_path / "tree")
    require_runnable(project, "dev")
    file = project / "Pulumi.dev.yaml"
    good = file.read_text()
    file.write_text(good.replace("sluice:team", "sluice:teem"))
    with pytest.raises(UsageError, match=r"(?s)nothing was pushed: .*sluice:teem is not a known key"):
        require_runnable(project, "dev")
    file.write_text(good)
    shutil.rmtree(project / "models" / "fraud-detection")
    with pytest.raises(UsageError, match="fraud-detection"):
        require_runnable(project, "dev")
    assert (ROOT / "models" / "fraud-detection").is_dir()
