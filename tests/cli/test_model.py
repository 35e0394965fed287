"""`sluice model check`: one line for each defect, exit code 2 when there is one."""

import json
import shutil
from pathlib import Path

import pytest

from cli.main import main

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
