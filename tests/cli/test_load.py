"""What `sluice load` refuses before it sends anything."""

import re
from pathlib import Path

import pytest

from cli.main import main


@pytest.mark.parametrize(
    ("words", "piece"),
    [
        (["--requests", "0"], "--requests must be at least 1, got 0"),
        (["--requests", "-5"], "--requests must be at least 1, got -5"),
        (["--seconds", "0"], "--seconds must be more than 0, got 0"),
        (["--seconds", "nan"], "--seconds must be more than 0, got nan"),
        (["--clients", "0"], "--clients must be 1 to 64, got 0"),
        (["--requests", "0", "--clients", "65"], r"--requests .* --clients must be 1 to 64, got 65"),
        (["--rate", "0"], "--rate must be more than 0 and at most 500 per second, got 0"),
        (["--rate", "nan"], "--rate must be more than 0 .* got nan"),
        (["--rate", "501"], "--rate must be .* got 501"),
        (["--rate", "5", "--in-flight", "0"], "--in-flight must be 1 to 512, got 0"),
        (["--rate", "5", "--clients", "2"], "--clients and --rate exclude each other"),
        (["--in-flight", "5"], "--in-flight limits a load with --rate"),
    ],
)
def test_what_would_send_nothing_is_wrong_use(
    words: list[str], piece: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "r.json").write_text("{}")
    assert main(["load", "https://127.0.0.1:1/score", "--request-file", str(tmp_path / "r.json"), *words]) == 2
    assert re.search(piece, capsys.readouterr().err)
