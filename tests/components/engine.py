"""Runs Pulumi programs without an engine: records what they declare and answers their reads of Azure.

`deploy` is the only entry point; it owns the event loop and leaves no Pulumi state behind. This module checks nothing
and does not refuse what a real engine would refuse (protection, replacement).
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import grpc
import pulumi
from pulumi.runtime import mocks, settings
from pulumi.runtime.rpc import UNKNOWN, deserialize_properties

from components.version_aliases import omit_version_aliases
from naming import Names

SUBSCRIPTION_ID = "00000000-0000-4000-8000-00000000abcd"
TENANT_ID = "00000000-0000-4000-8000-00000000ffff"
NAME_INPUTS = (
    "blobServicesName",
    "containerName",
    "keyName",
    "federatedIdentityCredentialResourceName",
    "roleDefinitionId",
    "deploymentName",
    "endpointName",
    "computeName",
    "version",
    "subnetName",
    "virtualNetworkLinkName",
    "privateDnsZoneGroupName",
    "privateEndpointName",
    "privateZoneName",
    "networkSecurityGroupName",
    "virtualNetworkName",
    "roleAssignmentName",
    "autoscaleSettingName",
    "resourceName",
    "registryName",
    "vaultName",
    "accountName",
    "workspaceName",
    "name",
    "resourceGroupName",
)
"""Inputs that hold a resource's own Azure name, the most specific first."""


@dataclass(frozen=True, kw_only=True)
class Registration:
    """One resource as the program registered it."""

    urn: str
    type: str
    name: str
    inputs: Mapping[str, Any]
    protect: bool
    deleted_with: str
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    secret_outputs: tuple[str, ...]
    depends_on: frozenset[str]

    @property
    def id(self) -> str:
        """The ARM id that the recording engine gives the resource."""
        return f"/ids/{self.type}/{self.name}"


class InvokeFailed(grpc.RpcError):
    """Return a failed read as the engine passes it to the program."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._text = text

    def code(self) -> grpc.StatusCode:
        return grpc.StatusCode.UNKNOWN

    def details(self) -> str:
        return self._text


@dataclass
class FakeAzure:
    """The resources that reads of Azure find. Everything that was not added is absent."""

    names: Names
    failures: dict[str, str] = field(default_factory=dict)
    """Message of the failure by function token (`azure-native:machinelearningservices:getWorkspace`)."""
    failures_first: dict[str, list[str]] = field(default_factory=dict)
    """Failures that each happen once, by function token."""
    outputs: dict[str, Any] = field(default_factory=dict)
    """The outputs of the stack's last update."""
    left_alone: set[str] = field(default_factory=set)
    """Logical names of endpoints and deployments that the engine does not touch, because its state equals what is
    declared. What it touches is there after an update, and not known yet in a preview."""
    made: list[str] = field(default_factory=list)
    """Logical names of resources, in the order in which the program registered them."""
    reads: list[str] = field(default_factory=list)
    _found: dict[tuple[str, ...], dict[str, Any]] = field(default_factory=dict)

    def add_group(self, *, location: str = "westeurope", tags: Mapping[str, str] | None = None) -> None:
        name = self.names.resource_group
        self._found["getResourceGroup", name] = {"name": name, "location": location, "tags": dict(tags or {})}

    def add_stack_identity(self, tags: Mapping[str, str] | None = None) -> None:
        name = self.names.stack_identity
        self._found["getUserAssignedIdentity", name] = {"name": name, "tags": dict(tags or {})}

    def add_workspace(
        self,
        *,
        guid: str = "guid-1",
        public: bool = True,
        network: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        name = self.names.workspace
        access = "Enabled" if public else "Disabled"
        self._found["getWorkspace", name] = {
            "name": name,
            "workspaceId": guid,
            "publicNetworkAccess": access,
            "managedNetwork": network,
            "tags": dict(tags or {}),
        }

    def add_endpoint(
        self,
        name: str,
        *,
        traffic: Mapping[str, int] | None = None,
        mirror: Mapping[str, int] | None = None,
        state: str = "Succeeded",
        auth_mode: str = "Key",
        identity_ids: tuple[str, ...] = (),
        changed_by: str | None = None,
        changed_at: str | None = None,
    ) -> None:
        properties = {
            "authMode": auth_mode,
            "provisioningState": state,
            "traffic": dict(traffic or {}),
            "mirrorTraffic": dict(mirror or {}),
        }
        identity = {"type": "UserAssigned", "userAssignedIdentities": {one: {} for one in identity_ids}}
        self._found["getOnlineEndpoint", name] = {
            "name": name,
            "properties": properties,
            "identity": identity,
            "systemData": {"lastModifiedBy": changed_by, "lastModifiedAt": changed_at},
        }

    def add_deployment(
        self,
        endpoint: str,
        name: str,
        *,
        state: str = "Succeeded",
        capacity: int = 1,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        self._found["getOnlineDeployment", endpoint, name] = {
            "name": name,
            "properties": {"endpointComputeType": "Managed", "provisioningState": state},
            "sku": {"name": "Default", "capacity": capacity},
            "tags": dict(tags or {}),
        }

    def add(self, function: str, name: str, resource: Mapping[str, Any]) -> None:
        """Add what one of azure-native's functions (`getVault`) finds by a name."""
        self._found[function, name] = {"name": name, **resource}

    def put(self, kind: str, inputs: Mapping[str, Any]) -> None:
        """Create an endpoint or a deployment as an update declares it."""
        if kind == "OnlineEndpoint":
            old = self._found.get(("getOnlineEndpoint", inputs["endpointName"]), {})
            new = {"properties": {"provisioningState": "Succeeded", **inputs["properties"]}}
            self._found["getOnlineEndpoint", inputs["endpointName"]] = {**old, "name": inputs["endpointName"], **new}
        else:
            self.add_deployment(inputs["endpointName"], inputs["deploymentName"], tags=inputs.get("tags"))

    def answer(self, token: str, args: Mapping[str, Any]) -> dict[str, Any]:
        self.reads.append(token)
        if self.failures_first.get(token):
            raise InvokeFailed(self.failures_first[token].pop(0))
        if token in self.failures:
            raise InvokeFailed(self.failures[token])
        function = token.rsplit(":", 1)[-1]
        if function == "getClientConfig":
            return {
                "clientId": "client",
                "objectId": "object",
                "subscriptionId": self.names.subscription_id,
                "tenantId": TENANT_ID,
            }
        if function == "readStackOutputs":
            return {"name": args["name"], "outputs": self.outputs}
        key = {
            "getResourceGroup": ("resourceGroupName",),
            "getVirtualNetwork": ("virtualNetworkName",),
            "getPrivateZone": ("privateZoneName",),
            "getPrivateLinkScope": ("scopeName",),
            "getPrivateDnsZoneGroup": ("privateEndpointName",),
            "getUserAssignedIdentity": ("resourceName",),
            "getWorkspace": ("workspaceName",),
            "getOnlineEndpoint": ("endpointName",),
            "getOnlineDeployment": ("endpointName", "deploymentName"),
            "getStorageAccount": ("accountName",),
            "getVault": ("vaultName",),
            "getRegistry": ("registryName",),
            "getComponent": ("resourceName",),
            "getSubnet": ("subnetName",),
        }[function]
        found = self._found.get((function, *(args[part] for part in key)))
        if found is None:
            raise InvokeFailed('request failed /x: Status=404 Code="ResourceNotFound" Message="It was not found."')
        return found


_ANSWERED: dict[str, Callable[[mocks.MockResourceArgs], dict[str, Any]]] = {
    "StorageAccount": lambda args: {"primaryEndpoints": {"blob": "https://blobs/"}},
    "Registry": lambda args: {"loginServer": "login-server"},
    "Vault": lambda args: {"properties": {**args.inputs["properties"], "vaultUri": "https://vault/"}},
    "Workspace": lambda args: {"workspaceId": f"guid-of-{args.name}"},
}
"""What Azure adds to its answer, by type."""


def _added(args: mocks.MockResourceArgs) -> dict[str, Any]:
    found = _ANSWERED.get(args.typ.rpartition(":")[2])
    return found(args) if found else {}


class _Recorder(mocks.Mocks):
    def __init__(self, azure: FakeAzure, *, preview: bool) -> None:
        self.azure = azure
        self.preview = preview

    def call(self, args: mocks.MockCallArgs) -> Any:
        return self.azure.answer(args.token, args.args)

    def new_resource(self, args: mocks.MockResourceArgs) -> tuple[str | None, dict[str, Any]]:
        if not args.custom:
            return None, {}
        self.azure.made.append(args.name)
        name = next((args.inputs[key] for key in NAME_INPUTS if key in args.inputs), args.name)
        state = {**args.inputs, "name": name, "principalId": f"principal-of-{args.name}"}
        state |= {"clientId": f"client-of-{args.name}", **_added(args)}
        if args.typ.endswith(":OnlineEndpoint"):
            state["properties"] = {**args.inputs["properties"], "scoringUri": f"https://{name}/score"}
        kind = args.typ.rpartition(":")[2]
        if kind == "Key":
            state["keyUri"] = f"https://{args.inputs['vaultName']}.vault.azure.net/keys/{name}"
        if kind in ("OnlineEndpoint", "OnlineDeployment"):
            acts = args.name not in self.azure.left_alone
            state["systemData"] = {"lastModifiedAt": UNKNOWN if acts and self.preview else "2026-11-27T12:00:00Z"}
            if acts and not self.preview:
                self.azure.put(kind, args.inputs)
        identity = args.inputs.get("identity") or {}
        if "userAssignedIdentities" in identity:
            # A list in requests, a map in answers.
            state["identity"] = {
                **identity,
                "userAssignedIdentities": {i: {} for i in identity["userAssignedIdentities"]},
            }
        return f"/ids/{args.typ}/{args.name}", state


class _Monitor(mocks.MockMonitor):
    def __init__(self, recorder: _Recorder) -> None:
        super().__init__(recorder)
        self.registrations: list[Registration] = []

    def RegisterResource(self, request: Any) -> Any:
        response = super().RegisterResource(request)
        self.registrations.append(
            Registration(
                urn=response.urn,
                type=request.type,
                name=request.name,
                inputs=deserialize_properties(request.object),
                protect=request.protect,
                deleted_with=request.deletedWith,
                delete_before_replace=request.deleteBeforeReplace,
                replace_on_changes=tuple(request.replaceOnChanges),
                ignore_changes=tuple(request.ignoreChanges),
                secret_outputs=tuple(request.additionalSecretOutputs),
                depends_on=frozenset(request.dependencies),
            )
        )
        return response


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """What one run of a program declared."""

    registrations: tuple[Registration, ...]
    outputs: Mapping[str, Any]

    def of_type(self, kind: str) -> list[Registration]:
        """All resources whose type ends in `:<kind>`, by name."""
        found = [one for one in self.registrations if one.type.endswith(f":{kind}")]
        return sorted(found, key=lambda one: one.name)

    def one(self, kind: str, name: str | None = None) -> Registration:
        """The only resource of a type, or the one with a logical name."""
        (found,) = [one for one in self.of_type(kind) if name in (None, one.name)]
        return found

    def tree(self) -> str:
        """All resources, sorted: parents, type, logical name, and what guards them."""
        return "\n".join(sorted(self._line(one) for one in self.registrations)) + "\n"

    def _line(self, one: Registration) -> str:
        path, name = one.urn.split("::")[2:4]
        *parents, own = (kind.removeprefix("azure-native:").removeprefix("sluice:index:") for kind in path.split("$"))
        marks = " [protect]" if one.protect else ""
        marks += f" [with {one.deleted_with.rsplit('::', 1)[-1]}]" if one.deleted_with else ""
        return f"{'/'.join([*parents, own])} {name}{marks}"


def deploy(
    program: Callable[[], object],
    azure: FakeAzure,
    *,
    config: Mapping[str, object] | None = None,
    stack: str = "dev",
    preview: bool = False,
) -> Deployment:
    """Run a program once and return what it declared; exceptions of the program propagate."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    # The mock monitor answers in worker threads and opens an event loop in each; with one thread there is one to close.
    worker = ThreadPoolExecutor(1)
    loop.set_default_executor(worker)
    monitor = _Monitor(_Recorder(azure, preview=preview))
    try:
        mocks.set_mocks(
            _Recorder(azure, preview=preview), project="sluice", stack=stack, preview=preview, monitor=monitor
        )
        texts = {key: one if isinstance(one, str) else json.dumps(one) for key, one in (config or {}).items()}
        pulumi.runtime.set_all_config(texts)
        outputs: dict[str, Any] = {}

        @pulumi.runtime.test
        def run() -> pulumi.Output[None]:
            omit_version_aliases()
            program()
            root = settings.get_root_resource()
            declared = pulumi.Output.from_input(dict(root.outputs) if root else {})
            return declared.apply(outputs.update)

        run()
        return Deployment(registrations=tuple(monitor.registrations), outputs=outputs)
    finally:
        pulumi.runtime.set_all_config({})
        settings.reset_options()
        worker.submit(_close_event_loop).result()
        worker.shutdown()
        asyncio.set_event_loop(None)
        loop.close()


def _close_event_loop() -> None:
    with suppress(RuntimeError):  # there is none
        asyncio.get_event_loop().close()
