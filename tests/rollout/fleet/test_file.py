"""A fleet file: what is in it, and what is wrong with it, all at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.fleet.file import FleetFileError, read_fleet

GOOD = """
waves:
  - name: pilot
    rollouts: [{endpoint: fraud-detection, stack: prod-weu}]
    bake: 10m
  - name: europe
    rollouts:
      - {endpoint: fraud-detection, stack: prod-neu}
      - {endpoint: credit-score, stack: prod-weu, to: amber}
"""
WRONG = """
waves:
  - name: pilot
    rollout: []
    bake: 10 minutes
  - name: pilot
    rollouts: [{endpoint: Fraud, stack: prod weu}]
"""
TWICE = """
waves:
  - {name: pilot, rollouts: [{endpoint: fraud, stack: weu}]}
  - {name: pilot, rollouts: [{endpoint: fraud, stack: weu}]}
"""


def read(tmp_path: Path, text: str) -> str:
    file = tmp_path / "fleet.yaml"
    file.write_text(text)
    with pytest.raises(FleetFileError) as refused:
        read_fleet(file)
    return str(refused.value)


def test_a_good_file(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(GOOD)
    fleet = read_fleet(tmp_path / "fleet.yaml")
    assert [wave.bake_seconds for wave in fleet.waves] == [600, 0]
    assert [str(one) for one in fleet.rollouts] == [
        "fraud-detection in prod-weu",
        "fraud-detection in prod-neu",
        "credit-score in prod-weu",
    ]
    assert fleet.rollouts[2].to == "amber"


def test_everything_that_is_wrong_is_said_at_once(tmp_path: Path) -> None:
    assert read(tmp_path, WRONG).splitlines() == [
        "The fleet file has 5 problems; nothing was changed:",
        '  fleet.yaml: waves[0].bake must be a duration, such as 90s, 10m, 2h or 1d, got "10 minutes". Correct it.',
        "  fleet.yaml: waves[0].rollout is not a known key (known here: name, rollouts, bake). Did you mean rollouts?",
        "  fleet.yaml: waves[0].rollouts is missing, and there is no default. Correct it.",
        "  fleet.yaml: waves[1].rollouts[0].endpoint must be lower-case letters, digits and single dashes, starting "
        'with a letter, got "Fraud". Correct it.',
        "  fleet.yaml: waves[1].rollouts[0].stack must be the name of a stack: letters, digits, dots, dashes and "
        'underscores, such as prod, got "prod weu". Correct it.',
    ]


def test_a_wave_and_a_rollout_occur_once(tmp_path: Path) -> None:
    said = read(tmp_path, TWICE)
    assert "waves must name each wave and each endpoint of a stack once, got pilot, fraud in weu more than once" in said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("waves: []", "waves must have at least 1 entry, got []"),
        ("waves: [{name: pilot, rollouts: []}]", "waves[0].rollouts must have at least 1 entry"),
        ("", "the file must hold keys and values, but it is empty"),
        ("waves: [", "the YAML cannot be read"),
        ("waves: 2001-99-99", "line 1, column 8: '2001-99-99' is not a valid timestamp"),
        ("waves: 0x_", "'0x_' is not a valid int"),
        (f"waves: {'9' * 5000}", "is not a valid int"),
        (f"waves: {'[' * 100_000}", "the YAML is nested too deeply"),
        ("2001-01-01: 1", "has a key that is not text"),
        ("text", "the file must hold keys and values, but it is text"),
    ],
)
def test_an_empty_or_unreadable_file(tmp_path: Path, text: str, said: str) -> None:
    assert said in read(tmp_path, text)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FleetFileError, match="the file cannot be read: No such file"):
        read_fleet(tmp_path / "none.yaml")
