"""`sluice remove team`: which stacks it looks at, and what it says to a wrong command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from cli.main import main
from stacks.file import stacks_of_team


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: sluice\n")
    for stack, team in (("b-dev", "b"), ("a-prod", "a"), ("a-dev", "a"), ("old", None)):
        (tmp_path / f"Pulumi.{stack}.yaml").write_text(f"config: {{{f'sluice:team: {team}' if team else ''}}}\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE", raising=False)
    return tmp_path


def test_the_stacks_of_a_team_are_those_whose_files_say_so(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert stacks_of_team("a") == ["a-dev", "a-prod"]
    assert stacks_of_team("c") == []
    copies = root / "copies"
    copies.mkdir()
    (copies / "Pulumi.c-dev.yaml").write_text("config: {sluice:team: c}\n")
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(copies / "Pulumi.x.yaml"))
    assert stacks_of_team("c") == ["c-dev"]


@pytest.mark.parametrize("words", [["team"], ["stack", "a"], ["team", "a", "b"], ["team", "a", "--stack", "a-dev"]])
def test_another_command_line_is_refused(root: Path, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", *words]) == 2
    assert "give either `--stack STACK`, or `team NAME`" in capsys.readouterr().err


def test_a_team_without_stacks_is_refused(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["remove", "team", "c"]) == 2
    assert "no stack file says sluice:team: c." in capsys.readouterr().err
