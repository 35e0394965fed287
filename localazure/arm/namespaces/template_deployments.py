"""ARM template deployments: the one template by which azure-ai-ml creates a workspace, and no other.

Template expressions are not evaluated. The parameters identify the template, and its resources are created from their
values under the same rules as if each had been PUT. Anything that needs a resource which this local Azure does not have
(private endpoints, hubs, feature stores, customer-managed keys) is `NotEmulated`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Iterator, Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.behaviour import Behaviour
from localazure.arm.long_running import GENERIC, LOCATION
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape, envelope
from localazure.arm.timing import time_text
from localazure.errors import ArmError, BadRequest, NotEmulated, OperationFailed
from localazure.resource import Resource
from localazure.resource_id import ResourceId

OPERATIONS_TYPE = "Microsoft.Resources/deployments/operations"
_KNOWN_BY = frozenset({"workspaceName", "storageAccountOption", "keyVaultOption", "applicationInsightsOption"})
_ONLY = {
    "kind": ("default",),
    "privateEndpointType": ("none",),
    "encryption_status": ("disabled",),
    "storageAccountBehindVNet": ("false",),
    "keyVaultBehindVNet": ("false",),
    "materializationIdentityOption": ("none",),
    "workspace_hub": ("",),
}
"""The required values of these parameters, in lower case."""
_INSTEAD = "Create a workspace with `az ml workspace create`; create everything else one by one, or with Pulumi."
_VERSION = "2024-04-01"
_WAIT_SECONDS = 0.02


class TemplateDeployments(Behaviour):
    """A template deployment: only the template by which azure-ai-ml creates a workspace."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.template": "must declare the parameters by which azure-ai-ml's template is known",
        "properties.parameters": "what they ask for is created by the same rules as by a PUT of each resource",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.template": "any other template (501)",
        "properties.parameters": "hubs, private endpoints, encryption with own keys (501)",
    }
    unkept: ClassVar[Mapping[str, str]] = {
        "properties.mode": "every deployment is Incremental",
        "tags": "",
    }

    tracked = False

    def put(self, request: Request) -> Reply:
        self.require_parent(request.id)
        parameters = _parameters(request.sent_properties)
        existing = self.store.get(request.id.text)
        if existing is not None and self.store.is_busy(existing.id):
            raise self.busy(existing)
        resource = existing or Resource(id=self.canonical_id(request.id, None), body={})
        properties: dict[str, Any] = {
            "mode": "Incremental",
            "parameters": request.sent_properties.get("parameters"),
            "provisioningState": "Accepted",
            "timestamp": time_text(self.plane.clock()),
            "duration": "PT0S",
            "outputResources": [],
        }
        resource.body = envelope(resource.id, self.shape.arm, properties=properties)
        with self.store.transaction():
            operation = self.start(request, resource, "put", GENERIC, payload=parameters)
            self.store.save(resource)
        return self.accepted(operation, "PUT template", self.read(resource, request))

    def act(self, action: str, request: Request) -> Reply | Awaitable[Reply]:
        """Validation and what-if need a template's expressions, which are not evaluated."""
        raise NotEmulated(f"The action {action} of {self.shape.arm}", _INSTEAD)

    async def finish_put(self, operation: Operation) -> Commit:
        created = []
        try:
            for path, body in _resources(ResourceId(operation.target), operation.payload):
                await self._create(path, body)
                created.append(path)
        except ArmError as error:
            # ARM's known code for this; the wording is from memory.
            text = f"At least one resource deployment operation failed. {error.code}: {error.message}"
            failure = OperationFailed("DeploymentFailed", text)
            failure.commit = lambda: self._end(operation, "Failed", created)
            raise failure from error
        return lambda: self._end(operation, "Succeeded", created)

    async def _create(self, path: str, body: dict[str, Any]) -> None:
        behaviour = self.plane.behaviour(ResourceId(path).type)
        behaviour.put(Request("PUT", ResourceId(path), _VERSION, body, {}, identity.CALLER_NAME))
        while self.store.is_busy(path):
            await asyncio.sleep(_WAIT_SECONDS)

    def _end(self, operation: Operation, state: str, created: list[str]) -> None:
        deployment = self.store.get(operation.target)
        if deployment is not None:
            seconds = self.plane.clock() - operation.started
            outputs = [{"id": path} for path in created]
            ending = {"provisioningState": state, "duration": f"PT{seconds:.3f}S", "outputResources": outputs}
            deployment.properties.update(ending)
            self.store.save(deployment)


class DeploymentOperations(Behaviour):
    """The resources that a template deployment has created so far."""

    lists_only = True
    tracked = False
    read_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        deployment = self.store.get(parent_id)
        shown = deployment.properties["outputResources"] if deployment else []
        return Reply(200, {"value": [self._operation(parent_id, str(item["id"])) for item in shown]})

    def _operation(self, parent_id: str, path: str) -> dict[str, Any]:
        target = ResourceId(path)
        properties = {
            "provisioningOperation": "Create",
            "provisioningState": "Succeeded",
            "duration": "PT0S",
            "statusCode": "OK",
            "targetResource": {"id": path, "resourceType": target.type_as_written, "resourceName": target.name},
        }
        number = target.name
        return {"id": f"{parent_id}/operations/{number}", "operationId": number, "properties": properties}


def _parameters(sent: dict[str, Any]) -> dict[str, Any]:
    """Values of the template's parameters. Raises NotEmulated for another template or unknown parameters."""
    template = sent.get("template")
    known = template.get("parameters") if isinstance(template, dict) else None
    if not isinstance(known, dict) or not set(known) >= _KNOWN_BY:
        raise NotEmulated("Any template deployment but the one that azure-ai-ml uses to create a workspace", _INSTEAD)
    given = sent.get("parameters") or {}
    values: dict[str, Any] = {}
    for name, declared in known.items():
        value = given[name].get("value") if isinstance(given.get(name), dict) else None
        default = declared.get("defaultValue") if isinstance(declared, dict) else None
        if value is None and not str(default).startswith("["):
            value = default
        if value is not None:
            values[name] = value
    for name, allowed in _ONLY.items():
        if str(values.get(name) or allowed[0]).lower() not in allowed:
            raise NotEmulated(f"A workspace with {name} = {values[name]}")
    for name in ("workspaceName", "location", "storageAccountName", "keyVaultName"):
        if not isinstance(values.get(name), str):
            # Known code; the wording is ours.
            raise BadRequest("InvalidTemplate", f"The template parameter {name} has no value.")
    return values


def _resources(deployment: ResourceId, values: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Ids and bodies of the template's resources, in the order of their dependencies."""
    own = deployment.resource_group
    location, tags = values["location"], values.get("tagValues") or {}
    common = {"location": location, "tags": tags}

    def path(group: Any, rest: str) -> str:
        return f"/subscriptions/{deployment.subscription}/resourceGroups/{group or own}/providers/{rest}"

    access = values.get("associatedResourcePNA", "Enabled")
    storage = path(values.get("storageAccountResourceGroupName"), _named("Microsoft.Storage/storageAccounts", values))
    if values.get("storageAccountOption", "new") == "new":
        sku = {"name": values.get("storageAccountType", "Standard_LRS")}
        yield storage, common | {"sku": sku, "kind": "StorageV2", "properties": {"publicNetworkAccess": access}}
    vault = path(values.get("keyVaultResourceGroupName"), _named("Microsoft.KeyVault/vaults", values))
    if values.get("keyVaultOption", "new") == "new":
        sku = {"family": "A", "name": "standard"}
        yield (
            vault,
            common | {"properties": {"tenantId": identity.TENANT_ID, "sku": sku, "publicNetworkAccess": access}},
        )
    references = {"storageAccount": storage, "keyVault": vault}
    option = values.get("applicationInsightsOption", "new")
    if option == "new":
        logs = path(own, f"Microsoft.OperationalInsights/workspaces/{values['logAnalyticsName']}")
        yield logs, common | {"properties": {}}
    if option != "none":
        group = values.get("applicationInsightsResourceGroupName")
        insights = path(group, _named("Microsoft.Insights/components", values))
        references["applicationInsights"] = insights
        if option == "new":
            yield insights, common | {"kind": "web", "properties": {"WorkspaceResourceId": logs}}
    if values.get("containerRegistryOption", "none") != "none":
        group = values.get("containerRegistryResourceGroupName")
        references["containerRegistry"] = path(group, _named("Microsoft.ContainerRegistry/registries", values))
    yield (
        path(own, f"Microsoft.MachineLearningServices/workspaces/{values['workspaceName']}"),
        common
        | {
            "kind": "Default",
            "identity": values.get("identity") or {"type": "SystemAssigned"},
            "properties": references | _workspace_properties(values),
        },
    )


def _named(arm_type: str, values: dict[str, Any]) -> str:
    parameter = {
        "Microsoft.Storage/storageAccounts": "storageAccountName",
        "Microsoft.KeyVault/vaults": "keyVaultName",
        "Microsoft.Insights/components": "applicationInsightsName",
        "Microsoft.ContainerRegistry/registries": "containerRegistryName",
    }[arm_type]
    return f"{arm_type}/{values[parameter]}"


def _workspace_properties(values: dict[str, Any]) -> dict[str, Any]:
    sources = {
        "friendlyName": "friendlyName",
        "description": "description",
        "imageBuildCompute": "imageBuildCompute",
        "publicNetworkAccess": "publicNetworkAccess",
        "primaryUserAssignedIdentity": "primaryUserAssignedIdentity",
        "systemDatastoresAuthMode": "systemDatastoresAuthMode",
        "managedNetwork": "managedNetwork",
    }
    switches = {"hbiWorkspace": "confidential_data", "provisionNetworkNow": "provisionNetworkNow"}
    properties = {name: values[source] for name, source in sources.items() if values.get(source) not in (None, "")}
    return properties | {
        name: str(values[source]).lower() == "true" for name, source in switches.items() if source in values
    }


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.Resources/deployments": TemplateDeployments,
    OPERATIONS_TYPE: DeploymentOperations,
}
EXTRA_SHAPES = (Shape("Microsoft.Resources/deployments", GENERIC, LOCATION), Shape(OPERATIONS_TYPE))
