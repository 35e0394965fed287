"""`sluice model check`: one line for each defect, exit code 2 when there is one."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cli.main import main
from models import azureml
from models.release_document import write
from tests.models.release_documents import a_document

EXAMPLE = Path(__file__).resolve().parents[2] / "models" / "fraud-detection"


@pytest.fixture
def model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return Path(shutil.copytree(EXAMPLE, tmp_path / "fraud-detection"))


@pytest.mark.integration  # starts azure-ai-ml: two seconds
def test_a_retired_size_and_a_broken_file_are_reported(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blue = model / "blue.yml"
    blue.write_text(blue.read_text().replace("Standard_DS3_v2", "Standard_NC6"))
    assert main(["model", "check", str(blue)]) == 2
    assert "blue.yml: instance_type" in capsys.readouterr().out
    blue.write_text("name: [")
    assert main(["model", "check", str(blue), "--json"]) == 2
    (result,) = json.loads(capsys.readouterr().out)
    assert result["problems"][0].startswith("fraud-detection/blue.yml: the YAML cannot be read")


def test_a_path_that_does_not_exist_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "check", "nowhere"]) == 2
    assert "nowhere does not exist" in capsys.readouterr().err


@pytest.mark.integration  # starts azure-ai-ml: two seconds
@pytest.mark.parametrize(
    ("size", "warning"),
    [
        ("STANDARD_E4S_V3", None),
        ("Standard_D2s_v3", "is not on Microsoft's list for managed online endpoints"),
        ("standard_f4s_v2", "which Azure retires on 2028-11-15"),
    ],
)
def test_sizes_are_accepted_with_a_warning_where_there_is_something_to_know(
    size: str, warning: str | None, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    blue = model / "blue.yml"
    blue.write_text(blue.read_text().replace("Standard_DS3_v2", size))
    assert main(["model", "check", str(blue)]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("fraud-detection: good\n")
    assert ("warning: fraud-detection/blue.yml: instance_type names the SKU" in printed) == (warning is not None)
    assert (warning or "") in printed


def test_every_yaml_file_is_judged_or_named(
    model: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file of 2021 without endpoint_name was left out without a word, and the folder called good."""
    (model / "old.yml").write_text("name: old\ninstance_type: Standard_F4s_v2\n")
    (model / "train.yml").write_text("command: python train.py\n")
    monkeypatch.setattr("models.azureml._run", lambda requests: [azureml.Loaded(result=None) for _ in requests])
    assert main(["model", "check", str(model)]) == 2
    printed = capsys.readouterr().out
    assert "fraud-detection/old.yml: endpoint_name is missing. Write endpoint_name: fraud-detection." in printed
    assert "passed over: fraud-detection/train.yml: a job or component" in printed


@pytest.mark.integration  # starts azure-ai-ml: two seconds
def test_what_would_fail_later_is_reported_by_the_check(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    conda, blue = model / "conda.yml", model / "blue.yml"
    conda.write_text(conda.read_text().replace("azureml-inference-server-http==1.5.1", "flask==3.1.1"))
    blue.write_text(re.sub(r"image: .*", "image: registry.example/x:latest", blue.read_text()))
    assert main(["model", "check", str(blue), "--json"]) == 0
    (result,) = json.loads(capsys.readouterr().out)
    for piece in ("does not list azureml-inference-server-http", "'registry.example/x:latest', which names no version"):
        assert any(piece in warning for warning in result["warnings"])


def test_a_broken_release_document_is_reported_and_one_is_enough_for_a_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    endpoint = {"identity": None, "properties": {"authMode": "Key"}, "tags": {}, "compute": None}
    monkeypatch.setattr("models.azureml._run", lambda requests: [azureml.Loaded(result=endpoint) for _ in requests])
    document = a_document()
    write(tmp_path, document)
    (tmp_path / "models" / "shop" / "endpoint.yml").write_text("auth_mode: key\n")
    assert main(["model", "check", str(tmp_path / "models" / "shop")]) == 0
    assert capsys.readouterr().out == "shop: good\n"
    path = tmp_path / document.path
    path.write_text(path.read_text().replace('"scoring_script": "score.py"', '"scoring_script": "other.py"'))
    assert main(["model", "check", str(tmp_path / "models" / "shop")]) == 2
    assert f"models/shop/releases/{document.short}.json is not a valid release document" in capsys.readouterr().out


def test_a_file_of_another_kind_is_wrong_use(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["model", "check", str(model / "src" / "score.py")]) == 2
    assert "its name must end in .yml or .yaml" in capsys.readouterr().err


def test_a_folder_without_an_endpoint_and_one_without_a_deployment_are_not_passed_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first was left out without a word; the second was good, although nothing of it can be deployed."""
    monkeypatch.setattr("cli.model.project_root", lambda: tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    result = {"identity": None, "properties": {"authMode": "Key"}, "tags": {}, "compute": None}
    monkeypatch.setattr(
        "models.azureml._run",
        lambda requests: [azureml.Loaded(result=result if one.kind == "endpoint" else None) for one in requests],
    )
    files = {"alone/blue.yml": "instance_type: Standard_F4s_v2\n", "empty/endpoint.yml": "auth_mode: key\n", "no/a": ""}
    for name, text in files.items():
        (tmp_path / "models" / name).parent.mkdir(parents=True)
        (tmp_path / "models" / name).write_text(text)
    assert main(["model", "check"]) == 2
    printed = capsys.readouterr().out
    assert "alone/endpoint.yml: the file that describes the endpoint is missing" in printed
    assert "empty: good\n  warning: empty: no YAML file beside endpoint.yml describes a deployment\n" in printed
    assert "no:" not in printed
