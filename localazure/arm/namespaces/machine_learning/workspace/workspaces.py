"""Machine Learning workspaces: their GUID, default datastores and managed network.

Connections and notebooks are not emulated. A new workspace gets its containers in the storage account, as in Azure.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.control_plane import ControlPlane, new_guid
from localazure.arm.long_running import WORKSPACE
from localazure.arm.namespaces.machine_learning.workspace.actions import WorkspaceActions
from localazure.arm.namespaces.machine_learning.workspace.deletion import WorkspaceDeletion
from localazure.arm.namespaces.machine_learning.workspace.managed_network import (
    MODES,
    activate,
    add_required_rules,
    is_ready,
    network_of,
)
from localazure.arm.namespaces.storage import let_the_studio_in
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.arm.tags import read_tags
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, NotEmulated
from localazure.resource import Resource
from localazure.resource_id import ResourceId

TYPE = "Microsoft.MachineLearningServices/workspaces"
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}")
_REFERENCES = {
    "storageAccount": "microsoft.storage/storageaccounts",
    "keyVault": "microsoft.keyvault/vaults",
    "applicationInsights": "microsoft.insights/components",
    "containerRegistry": "microsoft.containerregistry/registries",
}
# References: which are required at creation, and which cannot change later.
_FIXED = ("storageAccount", "keyVault")
_PROVISION = "provisionNetwork"
"""Whether the current PUT provisions the network when it ends."""


class Workspaces(WorkspaceActions, WorkspaceDeletion):
    """A workspace."""

    patchable = frozenset({"tags", "identity", "sku", "properties", "location", "kind"})
    honoured: ClassVar[Mapping[str, str]] = {
        "properties.storageAccount": "holds the default datastores and uploads; identities need a role on it",
        "properties.keyVault": "its network rules decide whether endpoints with keys can be created",
        "properties.containerRegistry": "user-assigned identities of endpoints need AcrPull on it",
        "properties.managedNetwork.isolationMode": "unless Disabled, deployments need a provisioned network",
        "properties.managedNetwork.outboundRules": "named rules are added to those that are there",
        "properties.provisionNetworkNow": "provisions the managed network when a creation succeeds; has no "
        "effect after a failed creation or in an update",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "identity": "missing at creation",
        "name": "not 3 to 33 letters, digits, - and _; or a workspace of this name was deleted less than 14 days ago "
        "and not purged (forceToPurge=true)",
        "properties.storageAccount": "missing, not existing, or different from before",
        "properties.keyVault": "missing, not existing, or different from before",
        "properties.encryption": "different from before",
        "properties.hbiWorkspace": "different from before",
        "properties.applicationInsights": "names nothing that exists",
        "properties.containerRegistry": "names nothing that exists",
        "properties.managedNetwork.isolationMode": "unknown, or less isolated than before",
        "properties.managedNetwork.outboundRules": "a rule of the service; a host name or a service tag in another "
        "mode than AllowOnlyApprovedOutbound",
    }
    unkept: ClassVar[Mapping[str, str]] = {
        "properties.discoveryUrl": "the service's own",
        "properties.managedNetwork.status": "the service's own",
    }

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        self.handle_actions()

    def check(self, request: Request, existing: Resource | None) -> None:
        if not _NAME.fullmatch(request.id.name):
            raise BadRequest("InvalidWorkspaceName", f"{request.id.name!r} is not a workspace name: {_NAME.pattern}.")
        if existing is None:
            self.refuse_soft_deleted(request.id)
        sent = request.sent_properties
        before = existing.properties if existing else {}
        for field, type_ in _REFERENCES.items():
            value = sent.get(field)
            if value is None:
                if field in _FIXED and not before.get(field):
                    raise BadRequest("BadRequest", f"properties.{field} of a workspace is required.")
                continue
            target = self.store.get(str(value))
            if target is None or target.resource_id.type != type_:
                raise BadRequest("BadRequest", f"properties.{field} names {value}, which does not exist.")
            if field in _FIXED and before.get(field) and str(before[field]).lower() != str(value).lower():
                raise BadRequest("BadRequest", f"properties.{field} of a workspace cannot be changed after creation.")
        if existing is not None:
            self._check_created_with(sent, before)
        self._check_network(sent.get("managedNetwork"), before.get("managedNetwork") or {})
        if not isinstance(request.body.get("identity") or (existing and existing.body.get("identity")), dict):
            raise BadRequest("BadRequest", "A workspace needs an identity, for example {'type': 'SystemAssigned'}.")

    def _check_created_with(self, sent: dict[str, Any], before: dict[str, Any]) -> None:
        """Documented as set at creation only; the wording is ours."""
        for field, unset in (("encryption", None), ("hbiWorkspace", False)):
            if field in sent and (sent[field] or unset) != (before.get(field) or unset):
                raise BadRequest("BadRequest", f"properties.{field} of a workspace cannot be changed after creation.")

    def _check_network(self, sent: Any, before: dict[str, Any]) -> None:
        mode = sent.get("isolationMode") if isinstance(sent, dict) else None
        if mode is None:
            return
        if mode not in MODES:
            raise BadRequest("BadRequest", f"managedNetwork.isolationMode must be one of {MODES}, got {mode!r}.")
        current = before.get("isolationMode", "Disabled")
        if MODES.index(mode) < MODES.index(current):
            # The one-way ratchet is documented, the wording is ours.
            raise BadRequest("BadRequest", f"managedNetwork.isolationMode cannot go from {current} back to {mode}.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        workspace_guid = before.get("workspaceId") or new_guid()
        location = request.body.get("location") or (existing.body.get("location") if existing else "")
        defaults: dict[str, Any] = {
            "friendlyName": self.plane.machine_learning(request.api_version).friendly_name(request.id.name),
            "description": "",
            "hbiWorkspace": False,
            "imageBuildCompute": None,
            "v1LegacyMode": False,
            "softDeleteEnabled": False,
            "containerRegistry": None,
            "storageHnsEnabled": False,
            "linkedModelInventoryArmId": None,
            "privateLinkCount": 0,
            "publicNetworkAccess": "Enabled",
            "enableDataIsolation": False,
            "systemDatastoresAuthMode": "accesskey",
            "sasGetterUri": "",
        }
        kept = {field: before[field] for field in _REFERENCES if before.get(field)}
        properties = defaults | kept | super().properties(request, existing)
        properties.pop("provisionNetworkNow", None)
        properties["managedNetwork"] = network_of(
            properties.get("managedNetwork"), before.get("managedNetwork"), workspace_guid
        )
        host = self.plane.base_url.removeprefix("https://")
        return properties | {
            "workspaceId": workspace_guid,
            "tenantId": identity.TENANT_ID,
            "notebookInfo": {
                "resourceId": workspace_guid.replace("-", ""),
                "fqdn": host,
                "isPrivateLinkEnabled": False,
                "notebookPreparationError": None,
            },
            "discoveryUrl": f"{self.plane.base_url}/discovery",
            "mlFlowTrackingUri": f"azureml://{host}/mlflow/v1.0{request.id.text}",
            "sdkTelemetryAppInsightsKey": before.get("sdkTelemetryAppInsightsKey") or new_guid(),
            "creationTime": before.get("creationTime") or time_text(self.plane.clock()),
            "provisionedLocation": location,
        }

    def complete_body(self, resource: Resource, request: Request) -> None:
        before = self.store.get(resource.id)
        body = resource.body
        body["sku"] = {"name": "Basic", "tier": "Basic"} | (body.get("sku") or {})
        body.setdefault("kind", "Default")
        if "identity" not in body and before is not None:
            body["identity"] = before.body["identity"]
        body["systemData"] = self.system_data(before, request.caller, with_types=True)
        body["etag"] = None
        add_required_rules(body)
        # `provisionNetworkNow` acts only when the workspace is created (documented), so a failed creation leaves the
        # network unprovisioned.
        resource.private[_PROVISION] = before is None and bool(request.sent_properties.get("provisionNetworkNow"))

    def provisioned(self, resource: Resource) -> None:
        if resource.private.pop(_PROVISION, False):
            make_network_ready(resource)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return self.plane.machine_learning(request.api_version).workspace_view(resource.body)

    def patch(self, request: Request) -> Reply:
        """Recorded: sent fields change, named outbound rules are added."""
        workspace = self.find(request.id, "write")
        if self.store.is_busy(workspace.id):
            raise self.busy(workspace)
        unknown = sorted(set(request.body) - self.patchable)
        if unknown:
            raise NotEmulated(f"PATCH of {', '.join(unknown)} of a workspace")
        self.check(request, workspace)
        changes = copy.deepcopy(request.sent_properties)
        properties = workspace.properties
        network = network_of(
            changes.pop("managedNetwork", None), properties.get("managedNetwork"), properties["workspaceId"]
        )
        properties.update({name: value for name, value in changes.items() if value is not None})
        properties["managedNetwork"] = network
        add_required_rules(workspace.body)
        if request.body.get("tags") is not None:
            workspace.body["tags"] = read_tags(request.body["tags"])
        for field in ("identity", "sku"):
            if request.body.get(field) is not None:
                workspace.body[field] = copy.deepcopy(request.body[field])
        if request.body.get("identity") is not None:
            workspace.body["identity"] = self.plane.identities.resolve(
                request.body["identity"], self.store.get(workspace.id)
            )
        workspace.body["systemData"] = self.system_data(workspace, request.caller, with_types=True)
        properties["provisioningState"] = "Updating"
        workspace.private.pop(_PROVISION, None)
        with self.store.transaction():
            operation = self.start(request, workspace, "put", WORKSPACE, update=True)
            self.store.save(workspace)
        return self.accepted(operation, "PATCH")

    def created(self, resource: Resource) -> None:
        from localazure.arm.namespaces.machine_learning.workspace.datastores import create_default_datastores

        create_default_datastores(self.plane, resource)
        account = self.store.get(str(resource.properties["storageAccount"]))
        assert account is not None  # checked when the workspace was put
        let_the_studio_in(self.store, account)


def make_network_ready(workspace: Resource) -> None:
    """Provision the managed network, on request or for the first compute."""
    if workspace.properties["managedNetwork"]["isolationMode"] != "Disabled":
        activate(workspace.properties["managedNetwork"])


def network_is_ready(workspace: Resource) -> bool:
    return is_ready(workspace.properties.get("managedNetwork") or {"isolationMode": "Disabled"})


def workspace_id_of(resource_id: ResourceId) -> str:
    """The id of the workspace to which a child resource belongs."""
    return resource_id.ancestor(1)
