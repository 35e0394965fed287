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
