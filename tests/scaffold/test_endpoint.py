"""A new endpoint's folder: checked before it appears, and never over one that exists."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from scaffold.endpoint import TEMPLATES, write_endpoint
from scaffold.errors import ScaffoldError

ROOT = Path(__file__).parents[2]
MODEL = ROOT / "models" / "fraud-detection"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "Pulumi.yaml").write_text("name: sluice\n")
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(key: str, source: str, root: Path) -> list[str]:
    before = sorted(root.rglob("*"))
    with pytest.raises(ScaffoldError) as error:
        write_endpoint(key, source, root)
    assert sorted(root.rglob("*")) == before
    return [str(one) for one in error.value.problems]


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_sample_is_accepted_and_pinned(root: Path, template: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "endpoint", "churn", "--from", template]) == 0
    assert "sluice:rollout: {churn: {stable: blue, traffic: {blue: 100}}}" in capsys.readouterr().out
    assert main(["model", "check", "models/churn", "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    assert (result["problems"], result["warnings"]) == ([], [])
    json.loads((root / "models/churn/sample-request.json").read_text())
    assert not any("KEY" in path.read_text() for path in root.rglob("*.yml"))


def test_a_folder_of_az_ml_gets_the_key_as_its_name(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "endpoint", "churn", "--from", str(MODEL)]) == 0
    assert main(["model", "check", "models/churn"]) == 0
    text = (root / "models/churn/blue.yml").read_text()
    assert "endpoint_name: churn\n" in text
    assert (
        text.replace("endpoint_name: churn\n", "endpoint_name: fraud-detection\n") == (MODEL / "blue.yml").read_text()
    )
    assert (MODEL / "artefacts/blue/model.joblib").read_bytes() == (
        root / "models/churn/artefacts/blue/model.joblib"
    ).read_bytes()
    assert not list((root / "models/churn").glob("release*"))


def test_what_the_check_refuses_is_refused_with_every_reason_and_leaves_nothing(root: Path) -> None:
    source = root / "mine"
    source.mkdir()
    (source / "endpoint.yml").write_text("name: mine\nauth_mode: key\ntraffic: {blue: 100}\n")
    (source / "blue.yml").write_text(
        "name: blue\nendpoint_name: 'mine'  # theirs\nmodel: {path: ./missing}\ninstance_type: Standard_D4as_v4\n"
        "instance_count: one\n"
    )
    lines = refused("churn", str(source), root)
    assert any("traffic is {'blue': 100}, but weights belong to the stack" in line for line in lines), lines
    assert any("blue.yml" in line for line in lines), lines
    assert not any("endpoint_name" in line for line in lines), lines


@pytest.mark.parametrize(
    ("key", "source", "begins"),
    [
        ("Churn", "sklearn", ["KEY must be 3 to 32 lower-case"]),
        ("stack", "nowhere", ['KEY must not be "stack"', "--from must be sklearn, mlflow, onnx or an existing folder"]),
        ("churn", ".", ["--from must be a folder with the endpoint's file endpoint.yml"]),
    ],
)
def test_nonsense_is_refused(root: Path, key: str, source: str, begins: list[str]) -> None:
    lines = refused(key, source, root)
    assert [line.startswith(begin) for line, begin in zip(lines, begins, strict=True)] == [True] * len(begins), lines


def test_a_folder_that_exists_is_kept(root: Path) -> None:
    (root / "models/churn").mkdir()
    (line,) = refused("churn", "sklearn", root)
    assert line.startswith("models/churn exists already; every team that serves this model uses this folder")
