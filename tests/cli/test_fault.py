"""`sluice local fault`: how durations are written, and what stops a command."""

from __future__ import annotations

import argparse
from pathlib import Path

import pytest

from cli.fault import duration
from cli.main import main
from rehearsal.home import LocalHome, Server


@pytest.mark.parametrize(("text", "seconds"), [("500ms", 0.5), ("2s", 2), ("1.5m", 90), ("1h", 3600), ("7", 7)])
def test_a_duration_has_a_unit_or_is_in_seconds(text: str, seconds: float) -> None:
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "-1s", "1d", "1 s 2", "inf", "1e3"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="ms, s, m or h"):
        duration(text)


@pytest.mark.parametrize("text", ["721h", "9" * 400])
def test_a_duration_that_nothing_lasts_is_refused(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="at most 720 h"):
        duration(text)


@pytest.mark.parametrize("content", [None, b"\xff"], ids=["missing", "not text"])
def test_a_control_token_that_cannot_be_read_is_told_with_the_way_to_a_new_one(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    server = Server(pid=1, https="https://localhost:1", http="http://localhost:2", version="", started=0.0)
    monkeypatch.setattr(LocalHome, "require_server", lambda home: server)
    if content is not None:
        (tmp_path / "control.token").write_bytes(content)
    assert main(["local", "fault", "list", "--home", str(tmp_path)]) == 4
    said = capsys.readouterr().err
    assert said.startswith(f"sluice: {tmp_path}/control.token, which lets a command control the local Azure, cannot be")
    assert "sluice local stop --home" in said


def test_the_help_lists_every_kind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["local", "fault", "add", "--help"])
    text = capsys.readouterr().out
    for kind in ("lose-response", "operation-never-ends", "late-traffic", "crash-at-start"):
        assert f"  {kind} " in text
