"""`sluice rollout report`: which record it takes, where the file goes, what it prints."""

import json
from pathlib import Path

import pytest

from cli import main as command
from rollout.record.chain import Owner
from rollout.record.fold import fold
from rollout.report.summary import sentence
from rollout.session.site import Site
from tests.rollout.report.records import FOLDER, read

STACK_FILE = """
config:
  azure-native:location: westeurope
  azure-native:subscriptionId: 00000000-0000-0000-0000-000000000001
  sluice:team: payments
  sluice:network: public
  sluice:endpoints: {fraud-detection: {deployments: {blue: {}, green: {}}}}
  sluice:rollout: {fraud-detection: {stable: blue, traffic: {blue: 100}}}
"""
OLD, LAST = "20261127T130000Z-green", "20261127T140000Z-green"


@pytest.fixture
def records(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two records of fraud-detection in prod: one that reached the end, then one that went back."""
    file = tmp_path / "Pulumi.prod.yaml"
    file.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    started = read("done")[0].data
    owner = Owner(**{name: started[name] for name in ("project", "stack", "endpoint", "subscription", "workspace")})
    monkeypatch.setattr(Site, "owner", owner)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "rollouts" / "prod" / "fraud-detection"
    folder.mkdir(parents=True)
    for name, source in ((OLD, "done"), (LAST, "rolled-back")):
        (folder / f"{name}.jsonl").write_bytes((FOLDER / f"{source}.jsonl").read_bytes())
    return folder


def report(*words: str) -> int:
    return command.main(["rollout", "report", "fraud-detection", "--stack", "prod", *words])


def test_the_last_rollout_is_reported_in_this_folder(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report() == 0
    printed = capsys.readouterr()
    assert printed.out == f"{LAST}.html\n"
    assert printed.err == f"{LAST}: {sentence(fold(read('rolled-back')))}\n"
    assert "back at 0 % in 9 s." in Path(f"{LAST}.html").read_text()


def test_another_one_goes_to_another_file(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.html"
    assert report("--id", OLD, "-o", str(file), "--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts == {"report": str(file), "id": OLD, "sentence": sentence(fold(read("done"))), "broken": None}
    assert "green is stable after" in file.read_text()


def test_an_unknown_one_is_refused_with_those_that_there_are(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("--id", "x") == 2
    assert f"(known: {OLD}, {LAST})" in capsys.readouterr().err


def test_a_broken_record_is_reported_up_to_the_break(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = records / f"{LAST}.jsonl"
    lines = file.read_text().splitlines(keepends=True)
    file.write_text("".join([*lines[:5], lines[5].replace("ada", "bob"), *lines[6:]]))
    assert report("--json") == 0
    facts = json.loads(capsys.readouterr().out)
    assert "is broken at line" in facts["broken"]
    assert "This report ends there." in Path(facts["report"]).read_text()


def test_a_file_that_cannot_be_written_is_an_error(records: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert report("-o", "nowhere/a.html") == 4
    assert "the report was not written: " in capsys.readouterr().err
