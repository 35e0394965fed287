"""`sluice release freeze` and `pin`: what they print, and their exit codes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from cli.main import main
from endpoint_state import LiveDeployment, LiveEndpoint
from models.loader import load_model
from models.spec import release_digest
from tests.delivery.repository import commit_all, new_repository
from tests.models.conftest import EXAMPLE

pytestmark = pytest.mark.slow  # real git, and azure-ai-ml

CONFIG = {
    "azure-native:location": "westeurope",
    "azure-native:subscriptionId": "s",
    "sluice:team": "payments",
    "sluice:network": "public",
    "sluice:endpoints": {"fraud-detection": {"deployments": {"blue": {}, "green": {}}}},
}


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with the example and a dev stack, in which blue is live as the folder says."""
    root = new_repository(tmp_path / "team")
    shutil.copytree(EXAMPLE, root / "models" / "fraud-detection")
    (root / "Pulumi.yaml").write_text("name: sluice\n")
    (root / "Pulumi.dev.yaml").write_text(yaml.safe_dump({"config": CONFIG}))
    commit_all(root)
    monkeypatch.chdir(root)
    for name in ("SLUICE_RELEASE_LOCKS", "PULUMI_OPTION_CONFIG_FILE", "PULUMI_STACK"):
        monkeypatch.delenv(name, raising=False)
    blue = load_model(root / "models" / "fraud-detection", ["blue"]).deployments["blue"]
    live = LiveDeployment(name="blue", provisioning_state="Succeeded", release=release_digest(blue)[:16])
    endpoint = LiveEndpoint(
        name="fraud-detection-dev", provisioning_state="Succeeded", auth_mode="Key", deployments={"blue": live}
    )
    monkeypatch.setattr("rollout.sources.live.ArmEndpoint.endpoint", lambda _: endpoint)
    return root


def test_freezing_says_what_to_commit_and_the_second_time_that_nothing_changed(
    team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "freeze", "fraud-detection", "blue", "--json"]) == 0
    frozen: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (frozen["new"], len(frozen["content"]), len(frozen["commit"])) == (True, 64, 40)
    assert (team / frozen["document"]).is_file()
    assert main(["release", "freeze", "fraud-detection", "blue"]) == 0
    assert capsys.readouterr().out == (
        f"{frozen['document']} has this content already, from commit {frozen['commit'][:12]}; nothing was changed\n"
    )
    assert main(["release", "freeze", "fraud-detektion", "blue"]) == 2
    assert "there is no model 'fraud-detektion'" in capsys.readouterr().err


def test_a_pin_names_both_files_and_the_second_one_changes_nothing(
    team: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["release", "pin", "fraud-detection", "blue", "--stack", "dev"]
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "Pulumi.dev.yaml: blue is pinned: release: " in printed
    assert "Commit both files: the next preview changes nothing." in printed
    assert main(command) == 0
    assert "before; nothing was changed" in capsys.readouterr().out
    assert main([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["set"] == {}


def test_a_pin_of_what_is_not_live_or_not_declared_is_refused(team: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "pin", "fraud-detection", "green", "--stack", "dev"]) == 2
    assert "green of fraud-detection in dev does not exist in Azure" in capsys.readouterr().err
    assert main(["release", "pin", "fraud-detection", "gren", "--stack", "dev"]) == 2
    assert "declares no deployment gren of fraud-detection" in capsys.readouterr().err
    assert main(["release", "pin", "fraud-detection", "blue", "--stack", "dev", "--commit", "0" * 40]) == 2
    assert "there is no commit" in capsys.readouterr().err
