"""Online endpoints: create, the recorded merge of an update, keys and tokens, routing.

A PUT merges: an omitted description stays, another authMode is ignored, tags and weights are replaced. An omitted
`traffic` resets the weights (documented, not recorded; an option keeps them). Endpoints on Kubernetes answer in their
own recorded form; there is no cluster behind them.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.behaviour import Action, Shape, read_tags
from localazure.arm.control_plane import ControlPlane
from localazure.arm.errors import BadRequest, OperationFailed, inferencing_refusal, validation_text
from localazure.arm.manners import endpoint_view, sparse_answer
from localazure.arm.namespaces.key_vault import trusted_services_blocked
from localazure.arm.namespaces.machine_learning import online_fields
from localazure.arm.namespaces.machine_learning.endpoint_resource import EndpointResource, read_choice
from localazure.arm.namespaces.machine_learning.kubernetes import KIND
from localazure.arm.namespaces.machine_learning.names import check_name
from localazure.arm.namespaces.machine_learning.traffic import check_weights, read_weights
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.store import Resource
from localazure.arm.timing import time_text
from localazure.scoring.specification import EndpointRouting

DEPLOYMENTS = "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"
_AUTH_MODES = ("Key", "AMLToken", "AADToken")
_AUDIENCES = ("https://ml.azure.com", "https://management.azure.com")
_TOKEN_SECONDS = 24 * 3600  # recorded
_REFRESH_SECONDS = 12 * 3600  # recorded
# Verbatim, from users' reports.
_NAME_TAKEN = (
    "There is already an endpoint with this name, Endpoint name needs to be unique within a region. "
    "Try some other name."
)


class OnlineEndpoints(EndpointResource):
    """An online endpoint."""

    honoured = online_fields.ENDPOINT_HONOURED
    refused = online_fields.ENDPOINT_REFUSED
    unkept = online_fields.ENDPOINT_UNKEPT
    prefixes = ("oe", "oeidp")
    noun = "an online endpoint"

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        plane.operations.handle(f"{shape.arm}.regenerateKeys", self._finish_regenerate)

    # PUT

    def put(self, request: Request) -> Reply:
        existing = self.store.get(request.id.text)
        workspace = self.require_parent(request.id)
        assert workspace is not None
        self.refuse_while_busy(request.id)
        location = self.location_of(request, existing)
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
        # Recorded: the answer to an update is the old resource; the new values show when the operation has ended.
        answer = self.read(resource, request)
        if existing is None and self.plane.manners(request.api_version).sparse:
            answer = sparse_answer(answer)
        return self.put_reply(operation, request, answer)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return endpoint_view(resource.body, request.api_version)

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
        if self.store.has_named(self.shape.arm, name):
            # Azure: unique per region. Here in all regions, because the data plane's addresses have none.
            raise inferencing_refusal(validation_text("", _NAME_TAKEN))
        sent = request.sent_properties
        resource = Resource(id=self.canonical_id(request.id, workspace), body={})
        bag = dict(sent.get("properties") or {})
        bag["azureml.onlineendpointid"] = resource.id.lower()
        resource.body = {
            "id": resource.id,
            "name": name,
            "type": self.shape.arm,
            "properties": {
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
            },
            "systemData": self.system_data(None, request.caller),
            "tags": read_tags(request.body.get("tags")),
            "location": location,
            "kind": KIND if sent.get("compute") else "Managed",
            "identity": self.plane.identities.resolve(request.body.get("identity") or {"type": "SystemAssigned"}, None),
        }
        resource.private = _keys(sent.get("keys"))
        return resource

    def _changes(self, request: Request, existing: Resource) -> dict[str, Any]:
        """What an update asks for. Identity and authMode of an endpoint never change: the first is documented, that
        the second is ignored without a word is recorded; so both are ignored here."""
        sent, before = request.sent_properties, existing.properties
        description = sent["description"] if sent.get("description") is not None else before["description"]
        bag = {**(sent.get("properties") or {}), **before["properties"]}  # keys can be added, not altered (documented)
        bag.pop("AzureAsyncOperationUri", None)
        # Tags replace tags (recorded); leaving them out keeps them, like the other fields of a merge (not recorded).
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
        """Documented: keys cannot be stored when the vault keeps Azure's own services out. Code and words are ours."""
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
            accepts_token=self._token_check(endpoint),
        )
        self.plane.scoring.route(routing)

    def _token_check(self, endpoint: Resource) -> Callable[[str], bool] | None:
        """What the data plane asks about a bearer token; None for endpoints with keys."""
        mode, key, name = endpoint.properties["authMode"], endpoint.private["primaryKey"], endpoint.name
        if mode == "Key":
            return None

        def accepts(token: str) -> bool:
            if mode == "AMLToken":
                claims = identity.decode_token(token, key, self.plane.clock())
                return claims is not None and claims.get("endpointName") == name
            # The caller may do everything, so any token of this installation that is meant for the service will do.
            claims = identity.decode_token(token, self.plane.token_secret, self.plane.clock())
            return claims is not None and str(claims.get("aud", "")).rstrip("/") in _AUDIENCES

        return accepts

    def restore(self) -> None:
        for endpoint in self.store.of_type(self.shape.arm):
            if endpoint.properties["scoringUri"] is not None:
                self.route(endpoint)

    def removed(self, resource: Resource) -> None:
        self.plane.scoring.unroute(resource.name)

    # Keys and tokens

    def _list_keys(self, request: Request, endpoint: Resource) -> Reply:
        if endpoint.properties["authMode"] != "Key":
            return Reply(200, {"primaryKey": None, "secondaryKey": None})  # recorded for AADToken
        return Reply(200, {kind: endpoint.private[kind] for kind in ("primaryKey", "secondaryKey")})

    def _regenerate_keys(self, request: Request, endpoint: Resource) -> Reply:
        kind = read_choice("keyType", request.body.get("keyType"), ("Primary", "Secondary"), "")
        if not kind:
            raise BadRequest("BadRequest", "keyType is required, Primary or Secondary.")
        self.refuse_while_busy(request.id)
        field, value = f"{kind.lower()}Key", request.body.get("keyValue")
        # azure-ai-ml sends the key it wants to be rid of as keyValue; taken at its word nothing would change.
        fresh = value if isinstance(value, str) and value and value != endpoint.private[field] else _new_key()
        with self.store.transaction():
            operation = self.begin(request, endpoint, "regenerateKeys", {field: fresh})
            self.store.save(endpoint)
        return self.accepted_post(operation)

    async def _finish_regenerate(self, operation: Operation) -> Commit:
        def commit() -> None:
            endpoint = self.store.get(operation.target)
            if endpoint is not None:
                endpoint.private |= operation.payload
                operation.payload = {}
                self.store.save(endpoint)
                self.route(endpoint)

        return commit

    def _token(self, request: Request, endpoint: Resource) -> Reply:
        if endpoint.properties["authMode"] == "Key":
            raise BadRequest("BadRequest", f"Endpoint {endpoint.name} uses keys; it has no tokens.")
        workspace = self.store.get(endpoint.resource_id.parent)
        now = int(self.plane.clock())
        actions = ["Microsoft.MachineLearningServices/workspaces/onlineEndpoints/score/action"]
        claims = {
            "canRefresh": "False",
            "workspaceId": workspace.properties["workspaceId"] if workspace else "",
            "tid": identity.TENANT_ID,
            "oid": identity.CALLER_OBJECT_ID,
            "actions": json.dumps(actions),
            "endpointName": endpoint.name,
            "serviceId": endpoint.name,
            "exp": now + _TOKEN_SECONDS,
            "iss": "azureml",
            "aud": "azureml",
        }
        # Signed with the endpoint's own key, so that the data plane can check it; the service uses RS256 (recorded).
        token = identity.encode_token(claims, endpoint.private["primaryKey"])
        answer = {
            "accessToken": token,
            "tokenType": "Bearer",
            "expiryTimeUtc": now + _TOKEN_SECONDS,
            "refreshAfterTimeUtc": now + _REFRESH_SECONDS,
        }
        return Reply(200, answer)

    # List, delete

    async def finish_delete(self, operation: Operation) -> Commit | None:
        endpoint = self.store.get(operation.target)
        if endpoint is not None:
            # No request may reach a deployment that is about to go.
            self.plane.scoring.unroute(endpoint.name)
        return await super().finish_delete(operation)

    actions: ClassVar[Mapping[str, Action]] = {
        "listKeys": _list_keys,
        "regenerateKeys": _regenerate_keys,
        "token": _token,
    }


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def _keys(sent: Any) -> dict[str, Any]:
    """The endpoint's keys: as the creator chose them, else fresh ones."""
    chosen = sent if isinstance(sent, dict) else {}
    return {
        kind: chosen[kind] if isinstance(chosen.get(kind), str) and chosen[kind] else _new_key()
        for kind in ("primaryKey", "secondaryKey")
    }
