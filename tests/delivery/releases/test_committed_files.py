"""A release is frozen only from bytes that the commit has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.releases.committed_files import CommittedFiles
from models.content import local_asset
from models.spec import AssetKind
from tests.delivery.repository import commit_all, git, new_repository

pytestmark = pytest.mark.slow  # real git


@pytest.fixture
def code(tmp_path: Path) -> Path:
    """A folder of code in a repository, committed."""
    folder = new_repository(tmp_path / "team") / "models" / "shop" / "src"
    folder.mkdir(parents=True)
    (folder / "score.py").write_bytes(b"def run():\n    pass\n")
    (folder / "sub").mkdir()
    (folder / "sub" / "table.csv").write_bytes(b"a,b\n1,2\n")
    commit_all(tmp_path / "team")
    return folder


def require(folder: Path) -> None:
    CommittedFiles(folder).require([local_asset(AssetKind.CODE, folder, "code")])


def refusal(folder: Path) -> str:
    with pytest.raises(UsageError) as caught:
        require(folder)
    return str(caught.value)


def test_what_is_committed_may_be_frozen(code: Path) -> None:
    require(code)
    assert CommittedFiles(code).commit == git(code, "rev-parse", "HEAD")


def test_modes_and_times_do_not_count(code: Path) -> None:
    before = local_asset(AssetKind.CODE, code, "code").digest
    (code / "score.py").chmod(0o755)
    os.utime(code / "score.py", (0, 0))
    require(code)
    assert local_asset(AssetKind.CODE, code, "code").digest == before


def test_a_changed_file_is_named_even_if_git_is_told_to_pass_over_it(code: Path) -> None:
    (code / "score.py").write_bytes(b"def run():\n    fail\n")
    git(code, "update-index", "--assume-unchanged", "score.py")
    assert "models/shop/src/score.py differs from the commit" in refusal(code)
    git(code, "update-index", "--no-assume-unchanged", "score.py")
    git(code, "add", "score.py")
    assert "differs from the commit" in refusal(code)  # staged is not committed


def test_line_ends_that_git_converts_are_called_by_their_name(code: Path) -> None:
    """With core.autocrlf=true, `git status` finds nothing to say about this file."""
    git(code, "config", "core.autocrlf", "true")
    (code / "score.py").write_bytes(b"def run():\r\n    pass\r\n")
    git(code, "add", "-A")
    assert git(code, "status", "--porcelain") == ""
    said = refusal(code)
    assert "models/shop/src/score.py has other line endings than in the commit" in said
    assert "models/** -text" in said


def test_an_untracked_file_is_refused_unless_an_ignore_file_leaves_it_out(code: Path) -> None:
    (code / "notes.txt").write_text("x")
    assert "models/shop/src/notes.txt is not in the commit" in refusal(code)
    (code / ".amlignore").write_text("notes.txt\n.amlignore\n")
    require(code)


def test_a_pointer_of_git_lfs_is_refused(code: Path) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:" + b"0" * 64 + b"\nsize 12345\n"
    (code / "weights.bin").write_bytes(pointer)
    commit_all(code)
    assert "models/shop/src/weights.bin is a Git LFS pointer" in refusal(code)
    (code / "weights.bin").write_bytes(b"the real weights")  # as `git lfs pull` leaves it
    assert "models/shop/src/weights.bin is a Git LFS pointer" in refusal(code)


def test_a_link_inside_the_repository_is_what_it_leads_to(code: Path) -> None:
    (code / "link.csv").symlink_to("sub/table.csv")
    (code / "folder").symlink_to("sub")
    assert "is a link that is not in the commit" in refusal(code)
    commit_all(code)
    require(code)
    (code / "link.csv").unlink()
    (code / "link.csv").symlink_to("score.py")
    assert "models/shop/src/link.csv is a link to another place than in the commit" in refusal(code)


def test_a_link_that_leaves_the_repository_is_refused(code: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "data.csv").write_text("x")
    (code / "away").symlink_to(tmp_path / "outside")
    commit_all(code)
    said = refusal(code)
    assert "models/shop/src/away/data.csv is a link that leaves the repository" in said


def test_a_link_that_git_wrote_as_a_plain_file_is_refused(code: Path) -> None:
    """With core.symlinks=false the file holds the path, and its bytes are exactly the blob of the link."""
    (code / "link.csv").symlink_to("sub/table.csv")
    commit_all(code)
    git(code, "config", "core.symlinks", "false")
    (code / "link.csv").unlink()
    git(code, "checkout", "--", ".")
    assert (code / "link.csv").read_text() == "sub/table.csv"
    assert "models/shop/src/link.csv is a link in the repository, but a plain file here" in refusal(code)


def test_the_first_file_is_named_and_the_others_are_counted(code: Path) -> None:
    for name in ("a.py", "b.py", "c.py"):
        (code / name).write_text("x")
    said = refusal(code)
    assert "models/shop/src/a.py is not in the commit" in said
    assert "(2 more files are refused too.)" in said


def test_without_a_repository_or_a_commit_nothing_can_be_frozen(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is in no git repository"):
        CommittedFiles(tmp_path)
    with pytest.raises(UsageError, match="has no commit yet"):
        CommittedFiles(new_repository(tmp_path / "empty"))
