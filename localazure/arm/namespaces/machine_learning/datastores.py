"""Datastores of a workspace: the two blob stores that the service makes by itself, and their secrets.

The default file shares (`workspacefilestore`, `workspaceworkingdirectory`) do not exist here: there is no file service.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.control_plane import ControlPlane
from localazure.arm.errors import NotFound
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_id import ResourceId
from localazure.arm.store import Resource
from localazure.storage.signatures import container_signature

TYPE = "Microsoft.MachineLearningServices/workspaces/datastores"
DEFAULT = "workspaceblobstore"
_SIGNATURE_SECONDS = 24 * 3600


class Datastores(Behaviour):
    """A default datastore of a workspace."""

    honoured: ClassVar[Mapping[str, str]] = {
        "listSecrets/expirableSecret": "true: a signature of the container instead of the account's key",
    }

    tracked = False
    read_only = True

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        datastore = self.store.get(resource_id.text)
        if datastore is None:
            self.require_parent(resource_id, verb)
            # Verbatim, recorded.
            raise NotFound("UserError", f"Could not find datastore: {resource_id.name}.")
        return datastore

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        """As stored; but azure-ai-ml makes the blob service's host out of the account's name, so it gets a name from
        which a local address comes out: what it appends becomes a fragment."""
        if "azure-ai-ml/" not in request.client:
            return resource.body
        shown = resource.properties
        name = f"{self.plane.base_url.removeprefix('https://')}/{shown['accountName']}#"
        return resource.body | {"properties": shown | {"accountName": name}}

    def _list_secrets(self, request: Request, datastore: Resource) -> Reply:
        account = self.plane.storage_account(datastore.properties["accountName"])
        if account is None:
            raise NotFound("UserError", f"The storage account of datastore {datastore.name} does not exist.")
        if request.body.get("expirableSecret"):
            container = datastore.properties["containerName"]
            until = self.plane.clock() + _SIGNATURE_SECONDS
            token = container_signature(account.name, container, account.private["keys"][0], until, "racwdl")
            return Reply(200, {"secretsType": "Sas", "sasToken": token})
        return Reply(200, {"secretsType": "AccountKey", "key": account.private["keys"][0]})

    actions: ClassVar[Mapping[str, Action]] = {"listSecrets": _list_secrets}


def create_default_datastores(plane: ControlPlane, workspace: Resource) -> None:
    """What the service makes with a workspace: two containers in its storage account and their datastores."""
    account_id = ResourceId(str(workspace.properties["storageAccount"]))
    account = plane.store.get(account_id.text)
    assert account is not None  # checked when the workspace was put
    guid = workspace.properties["workspaceId"]
    for name, container in ((DEFAULT, f"azureml-blobstore-{guid}"), ("workspaceartifactstore", "azureml")):
        plane.blobs.create_container(account.name, container, exist_ok=True)
        datastore_id = f"{workspace.id}/datastores/{name}"
        properties: dict[str, Any] = {
            "description": None,
            "tags": None,
            "properties": None,
            "isDefault": name == DEFAULT,
            "credentials": {"credentialsType": "AccountKey"},
            "intellectualProperty": None,
            "subscriptionId": account_id.subscription,
            "resourceGroup": account_id.resource_group,
            "datastoreType": "AzureBlob",
            "accountName": account.name,
            "containerName": container,
            "endpoint": plane.base_url.removeprefix("https://"),
            "protocol": "https",
            "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
        }
        body = {"id": datastore_id, "name": name, "type": TYPE, "properties": properties}
        body["systemData"] = copy.deepcopy(workspace.body["systemData"])
        plane.store.save(Resource(id=datastore_id, body=body))
