"""Online endpoints: create, the recorded merge of an update, routing. Keys and tokens: `credentials`.

A PUT merges: an omitted description stays, a different authMode is ignored, tags and weights are replaced. An omitted
`traffic` resets the weights (documented, not recorded; an option keeps them). Endpoints on Kubernetes answer in their
own recorded form; there is no cluster behind them.
"""

from __future__ import annotations

from typing import Any

from localazure.arm.namespaces.key_vault import trusted_services_blocked
from localazure.arm.namespaces.machine_learning.endpoint_resource import read_choice
from localazure.arm.namespaces.machine_learning.names import check_name
from localazure.arm.namespaces.machine_learning.online import fields
from localazure.arm.namespaces.machine_learning.online.credentials import EndpointCredentials, chosen_keys
from localazure.arm.namespaces.machine_learning.online.kubernetes import KIND
from localazure.arm.namespaces.machine_learning.online.traffic import check_weights, read_weights
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.tags import read_tags
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, OperationFailed, inferencing_refusal, validation_text
from localazure.resource import Resource
from localazure.scoring.specification import EndpointRouting

DEPLOYMENTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"
_AUTH_MODES = ("Key", "AMLToken", "AADToken")
# Verbatim, from users' reports.
_NAME_TAKEN = (
    "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
    "Try some other name."
)


class OnlineEndpoints(EndpointCredentials):
    """An online endpoint."""

    honoured = fields.ENDPOINT_HONOURED
    refused = fields.ENDPOINT_REFUSED
    unkept = fields.ENDPOINT_UNKEPT
    noun = "an online endpoint"

    # PUT

    def put(self, request: Request) -> Reply:
        existing, workspace, location = self.admit(request)
        sent = request.sent_properties
        compute = sent.get("compute")
        if compute and (not isinstance(compute, str) or self.store.get(compute) is None):
            raise BadRequest("BadRequest", f"properties.compute names {compute}, which does not exist.")
        auth_mode = read_choice("authMode", sent.get("authMode"), _AUTH_MODES, "")
        if not auth_mode and existing is None:
            raise BadRequest("BadRequest", f"properties.authMode is required, one of {', '.join(_AUTH_MODES)}.")
        traffic, mirror = self._read_weights(request, existing)
        if existing is None:
            resource = self._create(request, workspace, location, auth_mode)
            payload: dict[str, Any] = {}
        else:
            resource, payload = existing, self._changes(request, existing)
        payload |= {"traffic": traffic, "mirrorTraffic": mirror}
        with self.store.transaction():
            operation = self.begin(request, resource, "put", payload, update=existing is not None)
            resource.properties["provisioningState"] = "Updating" if existing else "Creating"
            resource.body["systemData"]["lastModifiedAt"] = time_text(self.plane.clock())
            self.store.save(resource)
        # Recorded: the answer to an update is the old resource; the new values appear when the operation has ended.
        answer = self.read(resource, request)
        if existing is None:
            answer = self.plane.machine_learning(request.api_version).created_endpoint(answer)
        return self.accepted(operation, "PUT", answer)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return self.plane.machine_learning(request.api_version).endpoint_view(resource.body)

    def _read_weights(self, request: Request, existing: Resource | None) -> tuple[dict[str, int], dict[str, int]]:
        sent = request.sent_properties
        keep = self.plane.options.keep_omitted_traffic and existing is not None
        before = existing.properties if existing and keep else {}
        traffic = read_weights("traffic", sent.get("traffic", before.get("traffic")))
        mirror = read_weights("mirrorTraffic", sent.get("mirrorTraffic", before.get("mirrorTraffic")))
        deployments = self.store.children(existing.id, DEPLOYMENTS) if existing else []
        check_weights(traffic, mirror, [deployment.name for deployment in deployments])
        return traffic, mirror

    def _create(self, request: Request, workspace: Resource, location: str, auth_mode: str) -> Resource:
        name = request.id.name
        check_name("an endpoint", name)
        if self.store.has_named(self.shape.arm, name) or name.lower() in self.plane.options.taken_endpoint_names:
            # Unique per region in Azure, but in all regions here, because the data plane's addresses contain no region.
            raise inferencing_refusal(validation_text("", _NAME_TAKEN))
        sent = request.sent_properties
        resource = Resource(id=self.canonical_id(request.id, workspace), body={})
        bag = dict(sent.get("properties") or {})
        bag["azureml.onlineendpointid"] = resource.id.lower()
        properties = {
            "description": sent.get("description"),
            "properties": bag,
            "scoringUri": None,
            "swaggerUri": None,
            "authMode": auth_mode,
            "provisioningState": "Creating",
            "compute": sent.get("compute"),
            "publicNetworkAccess": self._public_access(sent, "Enabled"),
            "traffic": {},
            "mirrorTraffic": {},
        }
        kind = KIND if sent.get("compute") else "Managed"
        resource.body = self.resource_body(request, None, resource, properties, location, kind=kind)
        identity = request.body.get("identity") or {"type": "SystemAssigned"}
        resource.body["identity"] = self.plane.identities.resolve(identity, None)
        resource.private = chosen_keys(sent.get("keys"))
        return resource

    def _changes(self, request: Request, existing: Resource) -> dict[str, Any]:
        """The requested changes of an update.

        Identity and authMode of an endpoint never change. The first is documented; a
        recording shows that the second is silently ignored. So both are ignored here."""
        sent, before = request.sent_properties, existing.properties
        description = sent["description"] if sent.get("description") is not None else before["description"]
        bag = {**(sent.get("properties") or {}), **before["properties"]}  # keys can only be added (documented)
        bag.pop("AzureAsyncOperationUri", None)
        # Tags replace tags (recorded); omitted tags stay, like the other fields of a merge (not recorded).
        tags = request.body.get("tags")
        return {
            "description": description,
            "tags": existing.body["tags"] if tags is None else read_tags(tags),
            "publicNetworkAccess": self._public_access(sent, before["publicNetworkAccess"]),
            "bag": bag,
        }

    def _public_access(self, sent: dict[str, Any], default: str) -> str:
        return read_choice("publicNetworkAccess", sent.get("publicNetworkAccess"), ("Enabled", "Disabled"), default)

    async def finish_put(self, operation: Operation) -> Commit:
        endpoint = self.store.get(operation.target)
        if endpoint is not None and endpoint.properties["scoringUri"] is None:
            self._check_vault(operation, endpoint)
        return lambda: self._apply(operation)

    def _check_vault(self, operation: Operation, endpoint: Resource) -> None:
        """Documented: keys cannot be stored when the vault keeps Azure's own services out. The wording is ours."""
        workspace = self.store.get(endpoint.resource_id.parent)
        vault = self.store.get(str(workspace.properties["keyVault"])) if workspace else None
        if vault is not None and endpoint.properties["authMode"] == "Key" and trusted_services_blocked(vault):
            failure = OperationFailed(
                "BadArgument",
                f"The keys of endpoint {endpoint.name} cannot be stored: the network rules of key vault {vault.name} "
                "must have bypass AzureServices.",
            )
            failure.commit = self.commit_state(operation, "Failed", touch=True)
            raise failure

    def _apply(self, operation: Operation) -> None:
        endpoint = self.store.get(operation.target)
        if endpoint is None:
            return
        properties, payload = endpoint.properties, operation.payload
        for field in ("description", "publicNetworkAccess", "traffic", "mirrorTraffic"):
            if field in payload:
                properties[field] = payload[field]
        if "bag" in payload:
            properties["properties"] = payload["bag"] | properties["properties"]
        if "tags" in payload:
            endpoint.body["tags"] = payload["tags"]
        base = f"{self.plane.base_url}/endpoints/{endpoint.name}"
        properties |= {
            "scoringUri": f"{base}/score",
            "swaggerUri": f"{base}/swagger.json",
            "provisioningState": "Succeeded",
        }
        endpoint.body["systemData"]["lastModifiedAt"] = time_text(self.plane.clock())  # recorded: the end
        self.store.save(endpoint)
        self.route(endpoint)

    # Data plane

    def route(self, endpoint: Resource) -> None:
        """Make the stored weights and keys effective."""
        names = {item.name.lower(): item.name for item in self.store.children(endpoint.id, DEPLOYMENTS)}
        properties = endpoint.properties
        routing = EndpointRouting(
            endpoint=endpoint.name,
            traffic={names.get(key.lower(), key): weight for key, weight in properties["traffic"].items() if weight},
            mirror={
                names.get(key.lower(), key): weight for key, weight in properties["mirrorTraffic"].items() if weight
            },
            auth_mode=properties["authMode"],
            primary_key=endpoint.private["primaryKey"],
            secondary_key=endpoint.private["secondaryKey"],
            accepts_token=self.token_check(endpoint),
        )
        self.plane.scoring.route(routing)

    def restore(self) -> None:
        for endpoint in self.store.of_type(self.shape.arm):
            if endpoint.properties["scoringUri"] is not None:
                self.route(endpoint)

    def removed(self, resource: Resource) -> None:
        self.plane.scoring.unroute(resource.name)

    async def finish_delete(self, operation: Operation) -> Commit | None:
        endpoint = self.store.get(operation.target)
        if endpoint is not None:
            # No request may reach a deployment that is about to be deleted.
            self.plane.scoring.unroute(endpoint.name)
        return await super().finish_delete(operation)
