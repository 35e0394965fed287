"""The storage of a stack's workspace is found by asking Azure, and each dead end names the way out."""

from typing import Any

import pytest

from command_errors import CommandError, UsageError
from stacks.destination import find_destination

WORKSPACE = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
ACCOUNT = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/stshop"


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
