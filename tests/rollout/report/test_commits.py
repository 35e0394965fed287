"""The commits of a record are read from the clone that holds it."""

from __future__ import annotations

import subprocess
from pathlib import Path

from rollout.report.commits import commits_of
from tests.rollout.repository.clones import isolated


def test_the_commits_of_a_record_are_listed_oldest_first(tmp_path: Path) -> None:
    environment = isolated(tmp_path)
    record = tmp_path / "clone" / "rollouts" / "a.jsonl"
    record.parent.mkdir(parents=True)
    git = ["git", "-C", str(tmp_path / "clone")]

    def run(*arguments: str) -> None:
        subprocess.run([*git, *arguments], env=environment, check=True, capture_output=True)

    run("init")
    for number, name in enumerate(("a.jsonl", "b.jsonl", "a.jsonl")):
        with (record.parent / name).open("a") as stream:
            stream.write(f"{number}\n")
        run("add", ".")
        run("commit", "-m", f"rollout(fraud): green\t{number}")
    commits = commits_of(record, environment)
    assert [commit.subject for commit in commits] == ["rollout(fraud): green\t0", "rollout(fraud): green\t2"]
    assert all(len(commit.sha) == 40 and commit.at > 1_700_000_000 for commit in commits)


def test_outside_of_a_repository_and_without_git_there_are_no_commits(tmp_path: Path) -> None:
    environment = isolated(tmp_path) | {"GIT_CEILING_DIRECTORIES": str(tmp_path)}
    assert commits_of(tmp_path / "a.jsonl", environment) == ()
