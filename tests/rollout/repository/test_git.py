"""What the `git` of a folder answers."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UnavailableError
from rollout.repository.git import Git
from tests.rollout.repository.clones import Remote

pytestmark = pytest.mark.slow


def test_many_files_of_a_commit_are_read_at_once(tmp_path: Path) -> None:
    clone = Remote(tmp_path).checkout("clone")
    clone.commit("with a space.txt", "one\n\ntwo")
    clone.commit("empty", "")
    git = Git(clone.path, clone.environment)
    assert git.blobs("HEAD", ["empty", "with a space.txt", "README.md"]) == [b"", b"one\n\ntwo", b"models\n"]
    assert git.blobs("HEAD", []) == []
    with pytest.raises(UnavailableError, match="has no gone"):
        git.blobs("HEAD", ["README.md", "gone"])
