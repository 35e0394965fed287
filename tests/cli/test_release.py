"""`sluice release publish`: finds the workspace's storage by asking Azure; each dead end names the way out."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest

from cli import release
from cli.errors import CommandError, ExitCode, UsageError
from cli.release import find_destination, model_folder, read_settings
from models.spec import EndpointSpec, Model

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stshop"
DATASTORE = f"{WORKSPACE}/datastores/workspaceblobstore"
STACK_FILE = """
config:
  azure-native:location: westeurope
  sluice:team: payments
  sluice:network: public
  sluice:endpoints: {}
"""


def workspace(**properties: str) -> dict[str, Any]:
    return {"id": WORKSPACE, "name": "ws", "properties": properties}


class FakeArm:
    """Azure Resource Manager with these resources."""

    def __init__(self, **changes: Any) -> None:
        self.resources: dict[str, Any] = {
            WORKSPACE: {
                "id": WORKSPACE,
                "name": "ws",
                "properties": {"storageAccount": ACCOUNT, "workspaceId": "guid"},
            },
            f"{WORKSPACE}/datastores/workspaceblobstore": {
                "id": "datastore",
                "properties": {"accountName": "stshop", "containerName": "azureml-blobstore-guid"},
            },
            ACCOUNT: {
                "id": ACCOUNT,
                "properties": {
                    "primaryEndpoints": {"blob": "https://stshop.blob.example"},
                    "publicNetworkAccess": "Disabled",
                },
            },
        }
        self.resources |= {
            {"workspace": WORKSPACE, "datastore": f"{WORKSPACE}/datastores/workspaceblobstore", "account": ACCOUNT}[
                key
            ]: value
            for key, value in changes.items()
        }

    def get(self, resource_id: str, api_version: str) -> Any:
        assert api_version
        return self.resources.get(resource_id)


def find(**changes: Any) -> Any:
    return find_destination(FakeArm(**changes), WORKSPACE, "dev")  # type: ignore[arg-type]  # the same one method


def test_addresses_come_from_azure_and_are_not_built() -> None:
    destination = find()
    assert destination.blob_endpoint == "https://stshop.blob.example/"
    assert (destination.container, destination.workspace_guid) == ("azureml-blobstore-guid", "guid")
    assert not destination.public


def test_a_missing_workspace_names_the_command_that_makes_it() -> None:
    with pytest.raises(UsageError, match=r"does not exist yet: /subscriptions.*Run `pulumi up --stack dev` first"):
        find(workspace=None)


def test_a_missing_datastore_is_named() -> None:
    with pytest.raises(CommandError, match="has no datastore workspaceblobstore"):
        find(datastore=None)


def test_a_datastore_in_another_account_is_refused() -> None:
    other = {"id": "d", "properties": {"accountName": "other", "containerName": "c"}}
    with pytest.raises(CommandError, match="datastore workspaceblobstore is in storage account other"):
        find(datastore=other)


def test_an_answer_without_what_is_needed_is_an_error_and_not_guessed() -> None:
    with pytest.raises(CommandError, match="has no workspaceId"):
        find(workspace=workspace(storageAccount=ACCOUNT))


@pytest.fixture
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "Pulumi.trial.yaml"
    path.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(path))
    for name in release.SUBSCRIPTION_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    return path


def test_the_stack_file_is_the_one_that_pulumi_reads(stack_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "from-azure")
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", "from-arm")
    settings, subscription = read_settings("trial")
    assert (settings.team, subscription) == ("payments", "from-arm")
    stack_file.write_text(f"{STACK_FILE}  azure-native:subscriptionId: from-file\n")
    assert read_settings("trial")[1] == "from-file"


def test_an_unknown_subscription_names_the_command(stack_file: Path) -> None:
    with pytest.raises(UsageError, match=r"subscription is not known.*az account show"):
        read_settings("trial")


@pytest.mark.parametrize(("text", "piece"), [("config: [", "cannot be read"), ("- a\n", "cannot be read")])
def test_a_broken_stack_file_is_named(text: str, piece: str, stack_file: Path) -> None:
    stack_file.write_text(text)
    with pytest.raises(UsageError, match=piece):
        read_settings("trial")


def test_a_missing_stack_file_is_named(stack_file: Path) -> None:
    stack_file.unlink()
    with pytest.raises(UsageError, match="stack trial has no file"):
        read_settings("trial")


@pytest.mark.parametrize("name", ["fraud-detektion", "../models/fraud-detection", ".", ".."])
def test_an_unknown_model_lists_the_known_ones(name: str) -> None:
    with pytest.raises(UsageError, match=r"Known: .*fraud-detection"):
        model_folder(name)


def test_a_model_without_local_files_needs_no_azure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    endpoint = EndpointSpec(
        auth_mode="Key",
        description=None,
        tags={},
        properties={},
        identity=None,
        public_network_access=None,
        compute=None,
    )
    monkeypatch.setattr(
        "models.loader.load_model", lambda folder, names: Model(name="m", endpoint=endpoint, deployments={})
    )
    options = argparse.Namespace(model="fraud-detection", deployment=["blue"], stack="dev", json=True)
    assert release.publish_model(options) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out) == {"model": "m", "stack": "dev", "assets": []}
