"""Datastores of a workspace: the four that the service creates, those of users, and their secrets.

Blob stores whose account is emulated have files behind them. All other kinds (file shares, data lakes) are stored only,
including the workspace's own `workspacefilestore` and `workspaceworkingdirectory`: there is no file service.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.control_plane import ControlPlane
from localazure.arm.reply import Reply, Request, with_location
from localazure.arm.resource_body import envelope
from localazure.errors import BadRequest, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId
from localazure.storage.signatures import container_signature

TYPE = "Microsoft.MachineLearningServices/workspaces/datastores"
DEFAULT = "workspaceblobstore"
_SIGNATURE_SECONDS = 24 * 3600
# Kind in Azure's spelling -> required fields.
_REQUIRED = {
    "AzureBlob": ("accountName", "containerName"),
    "AzureFile": ("accountName", "fileShareName"),
    "AzureDataLakeGen1": ("storeName",),
    "AzureDataLakeGen2": ("accountName", "filesystem"),
}
_CREDENTIALS = ("AccountKey", "Sas", "ServicePrincipal", "Certificate", "None")


class Datastores(Behaviour):
    """A datastore; only blob stores have files behind them."""

    honoured: ClassVar[Mapping[str, str]] = {
        "listSecrets/expirableSecret": "true: a signature of the container instead of the account's key",
        "properties.credentials": "secrets are kept apart and given by listSecrets only",
        "properties.isDefault": "true: the others are no default any more",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.datastoreType": "unknown, or without the fields that say where it is",
        "properties.credentials": "missing, or of an unknown type",
    }
    tracked = False

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        datastore = self.store.get(resource_id.text)
        if datastore is None:
            self.require_parent(resource_id, verb)
            # Verbatim, recorded.
            raise NotFound("UserError", f"Could not find datastore: {resource_id.name}.")
        return datastore

    # PUT

    def put(self, request: Request) -> Reply:
        return with_location(super().put(request), self.plane.base_url, request)

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        kind = sent.get("datastoreType")
        if not isinstance(kind, str) or kind not in _REQUIRED:
            raise BadRequest(
                "UserError", f"properties.datastoreType must be one of {', '.join(_REQUIRED)}, got {kind!r}."
            )
        missing = [field for field in _REQUIRED[kind] if not isinstance(sent.get(field), str) or not sent[field]]
        if missing:
            raise BadRequest("UserError", f"A datastore of type {kind} needs properties.{', '.join(missing)}.")
        credentials = sent.get("credentials")
        if not isinstance(credentials, dict) or credentials.get("credentialsType") not in _CREDENTIALS:
            raise BadRequest(
                "UserError", f"properties.credentials.credentialsType must be one of {', '.join(_CREDENTIALS)}."
            )

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        sent = super().properties(request, existing)
        sent["credentials"].pop("secrets", None)
        return _defaults(str(sent["datastoreType"])) | {
            name: value for name, value in sent.items() if value is not None
        }

    def complete_body(self, resource: Resource, request: Request) -> None:
        secrets = request.sent_properties["credentials"].get("secrets")
        if isinstance(secrets, dict):
            resource.private["secrets"] = copy.deepcopy(secrets)
        before = self.store.get(resource.id)
        resource.body["systemData"] = self.system_data(before, request.caller, with_types=True)
        if resource.properties["isDefault"]:
            self._take_default_from_others(resource)

    def _take_default_from_others(self, resource: Resource) -> None:
        for other in self.store.children(resource.resource_id.parent, self.shape.arm):
            if other.key != resource.key and other.properties.get("isDefault"):
                other.properties["isDefault"] = False
                self.store.save(other)

    def mark_provisioned(self, resource: Resource) -> None:
        """Recorded: a datastore has no provisioning state."""

    # Reading

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        """The stored datastore, with a changed account name for azure-ai-ml.

        azure-ai-ml builds the blob service's host from the account's name, so it gets a name that results in a local
        address: the suffix that it appends becomes a fragment."""
        body = self.plane.machine_learning(request.api_version).datastore_view(resource.body)
        shown = body["properties"]
        if "azure-ai-ml/" in request.client and self.plane.storage_account(str(shown.get("accountName"))) is not None:
            name = f"{self.plane.base_url.removeprefix('https://')}/{shown['accountName']}#"
            body["properties"] = shown | {"accountName": name}
        return body

    def list_children(self, parent_id: str, request: Request) -> Reply:
        found = self.store.children(parent_id, self.shape.arm)
        if request.query.get("isDefault", "").lower() == "true":
            found = [item for item in found if item.properties.get("isDefault")]
        # Recorded: newest first.
        return Reply(200, {"value": [self.read(item, request) for item in reversed(found)]})

    def _list_secrets(self, request: Request, datastore: Resource) -> Reply:
        if secrets := datastore.private.get("secrets"):
            return Reply(200, secrets)
        shown = datastore.properties
        account = self.plane.storage_account(str(shown.get("accountName")))
        if account is None or shown["credentials"]["credentialsType"] != "AccountKey":
            # Not recorded; the wording is ours.
            raise BadRequest("UserError", f"Datastore {datastore.name} has no secrets.")
        if request.body.get("expirableSecret") and shown.get("containerName"):
            until = self.plane.clock() + _SIGNATURE_SECONDS
            key = account.private["keys"][0]
            token = container_signature(account.name, shown["containerName"], key, until, "racwdl")
            return Reply(200, {"secretsType": "Sas", "sasToken": token})
        return Reply(200, {"secretsType": "AccountKey", "key": account.private["keys"][0]})

    actions: ClassVar[Mapping[str, Action]] = {"listSecrets": _list_secrets}


def _defaults(kind: str) -> dict[str, Any]:
    """The fields that the service fills in (recorded for blob stores and file shares)."""
    defaults: dict[str, Any] = {
        "description": None,
        "tags": None,
        "properties": None,
        "isDefault": False,
        "credentials": {"credentialsType": "None"},
        "intellectualProperty": None,
        "subscriptionId": None,
        "resourceGroup": None,
        "datastoreType": kind,
        "serviceDataAccessAuthIdentity": "None",
    }
    if kind != "AzureDataLakeGen1":
        defaults |= {"endpoint": "core.windows.net", "protocol": "https"}
    return defaults


def create_default_datastores(plane: ControlPlane, workspace: Resource) -> None:
    """Create what the service creates with a workspace: two containers in its storage account and four datastores."""
    account_id = ResourceId(str(workspace.properties["storageAccount"]))
    account = plane.store.get(account_id.text)
    assert account is not None  # checked when the workspace was put
    guid = workspace.properties["workspaceId"]
    own: dict[str, Any] = {
        "isDefault": True,
        "subscriptionId": account_id.subscription,
        "resourceGroup": account_id.resource_group,
        "serviceDataAccessAuthIdentity": "WorkspaceSystemAssignedIdentity",
    }
    # In this order, because lists show the newest first, which gives the recorded order.
    places: tuple[tuple[str, str, dict[str, Any]], ...] = (
        ("workspacefilestore", "AzureFile", {"fileShareName": f"azureml-filestore-{guid}"}),
        ("workspaceartifactstore", "AzureBlob", {"containerName": "azureml"}),
        ("workspaceworkingdirectory", "AzureFile", {"fileShareName": f"code-{guid}"}),
        (DEFAULT, "AzureBlob", {"containerName": f"azureml-blobstore-{guid}"} | own),
    )
    who = workspace.body["systemData"]
    # Recorded: the service creates them, so they have no creator.
    system_data = {"createdAt": who["createdAt"], "lastModifiedAt": who["lastModifiedAt"]}
    system_data |= {"lastModifiedBy": guid, "lastModifiedByType": "Application"}
    for name, kind, place in places:
        if container := place.get("containerName"):
            plane.blobs.create_container(account.name, container, exist_ok=True)
        datastore_id = f"{workspace.id}/datastores/{name}"
        properties = _defaults(kind) | {
            "credentials": {"credentialsType": "AccountKey"},
            "accountName": account.name,
            "endpoint": plane.base_url.removeprefix("https://"),
            **place,
        }
        body = envelope(datastore_id, TYPE, properties=properties, systemData=system_data)
        plane.store.save(Resource(id=datastore_id, body=body))
