"""Actions on a workspace: list its keys, diagnose it, resynchronise its keys, provision its network.

A diagnosis checks what can be known here: whether the resources that the workspace refers to exist.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.long_running import WORKSPACE
from localazure.arm.namespaces.machine_learning.workspace.managed_network import READY, activate
from localazure.arm.operations import Commit, Operation
from localazure.arm.quota import usage_rows, used_cores
from localazure.arm.reply import Reply, Request
from localazure.errors import BadRequest
from localazure.resource import Resource

# The field of a request -> its name in the answer (names are documented).
_DIAGNOSES = {
    "udr": "userDefinedRouteResults",
    "nsg": "networkSecurityRuleResults",
    "resourceLock": "resourceLockResults",
    "dnsResolution": "dnsResolutionResults",
    "storageAccount": "storageAccountResults",
    "keyVault": "keyVaultResults",
    "containerRegistry": "containerRegistryResults",
    "applicationInsights": "applicationInsightsResults",
    "others": "otherResults",
}
_REFERENCES = ("storageAccount", "keyVault", "containerRegistry", "applicationInsights")


class WorkspaceActions(Behaviour):
    """The POST actions of a workspace."""

    def _list_usages(self, request: Request) -> Reply:
        """The quotas of a region by family (documented; `--quota` sets limits)."""
        deployments = self.store.of_type(f"{self.shape.arm}/onlineEndpoints/deployments")
        clusters = self.store.of_type(f"{self.shape.arm}/computes")
        used = used_cores(deployments, clusters, request.parts["location"])
        return Reply(200, {"value": usage_rows(self.plane.options.quota, used, request.parts["subscription"])})

    routes: ClassVar[Mapping[str, Action]] = {
        "GET /subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}/usages": (
            _list_usages
        ),
    }

    def handle_actions(self) -> None:
        """Register the last step of each operation."""
        handle = self.plane.operations.handle
        handle(f"{self.shape.arm}.provisionNetwork", self._finish_provisioning)
        handle(f"{self.shape.arm}.diagnose", self._finish_diagnosis)
        handle(f"{self.shape.arm}.resyncKeys", self._finish_resync)

    def _begin(self, request: Request, workspace: Resource, verb: str, payload: dict[str, Any]) -> Operation:
        return self.start(request, workspace, verb, WORKSPACE, payload=payload)

    def _list_keys(self, request: Request, workspace: Resource) -> Reply:
        account = self.store.get(str(workspace.properties["storageAccount"]))
        answer = {
            "userStorageKey": account.private["keys"][0] if account else None,
            "userStorageArmId": workspace.properties["storageAccount"],
            "appInsightsInstrumentationKey": workspace.properties["sdkTelemetryAppInsightsKey"],
            # The registry here has no admin user, and there is no notebook service.
            "containerRegistryCredentials": None,
            "notebookAccessKeys": None,
        }
        return Reply(200, answer)

    def _diagnose(self, request: Request, workspace: Resource) -> Reply:
        asked = request.body.get("value")
        wanted = [name for name in _DIAGNOSES if isinstance(asked, Mapping) and asked.get(name) is not None]
        operation = self._begin(request, workspace, "diagnose", {"wanted": wanted or list(_DIAGNOSES)})
        return self.accepted(operation, "POST diagnose")

    async def _finish_diagnosis(self, operation: Operation) -> Commit:
        def commit() -> None:
            workspace = self.store.get(operation.target)
            found = {name: self._problems(workspace, name) for name in operation.payload["wanted"] if workspace}
            operation.result = {"value": {_DIAGNOSES[name]: problems for name, problems in found.items()}}

        return commit

    def _problems(self, workspace: Resource, name: str) -> list[dict[str, Any]]:
        reference = workspace.properties.get(name) if name in _REFERENCES else None
        if not reference or self.store.get(str(reference)) is not None:
            return []
        # The form of a problem is documented, the wording is ours.
        return [{"code": "ResourceNotFound", "level": "Error", "message": f"{reference} does not exist."}]

    def _resync_keys(self, request: Request, workspace: Resource) -> Reply:
        return self.accepted(self._begin(request, workspace, "resyncKeys", {}), "POST")

    async def _finish_resync(self, operation: Operation) -> Commit | None:
        return None  # keys are read when they are needed; recorded: the result is the workspace

    def _provision_network(self, request: Request, workspace: Resource) -> Reply:
        if workspace.properties["managedNetwork"]["isolationMode"] == "Disabled":
            # Not recorded; code and wording are ours.
            text = f"Workspace {workspace.name} has no managed network. Set managedNetwork.isolationMode first."
            raise BadRequest("BadRequest", text)
        payload = {"spark": bool(request.body.get("includeSpark"))}
        return self.accepted(self._begin(request, workspace, "provisionNetwork", payload), "POST")

    async def _finish_provisioning(self, operation: Operation) -> Commit:
        spark = bool(operation.payload.get("spark"))

        def commit() -> None:
            workspace = self.store.get(operation.target)
            if workspace is not None:
                activate(workspace.properties["managedNetwork"], spark=spark)
                self.store.save(workspace)
            operation.result = {"status": READY, "sparkReady": spark}

        return commit

    actions: ClassVar[Mapping[str, Action]] = {
        "provisionManagedNetwork": _provision_network,
        "listKeys": _list_keys,
        "diagnose": _diagnose,
        "resyncKeys": _resync_keys,
    }
