"""A remote whose source branch has a stack file and a workflow."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.delivery.stack_branch.branches import STACK
from tests.rollout.repository.clones import Remote


@pytest.fixture
def remote(tmp_path: Path) -> Remote:
    remote = Remote(tmp_path, STACK)
    seed = remote.checkout("workflows")
    (seed.path / ".github").mkdir()
    seed.commit(".github/deliver.yml", "on: push\n")
    return remote
