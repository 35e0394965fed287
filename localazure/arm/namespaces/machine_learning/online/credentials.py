"""Keys and tokens of online endpoints: chooses, shows, renews, issues and checks them."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.behaviour import Action
from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.machine_learning.endpoint_resource import EndpointResource, read_choice
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.errors import BadRequest
from localazure.resource import Resource

_AUDIENCES = ("https://ml.azure.com", "https://management.azure.com")
_TOKEN_SECONDS = 24 * 3600  # recorded
_REFRESH_SECONDS = 12 * 3600  # recorded


class EndpointCredentials(EndpointResource):
    """The POST actions of an online endpoint."""

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        plane.operations.handle(f"{shape.arm}.regenerateKeys", self._finish_regenerate)

    def route(self, endpoint: Resource) -> None:
        """Make the stored weights and keys effective."""
        raise NotImplementedError

    def token_check(self, endpoint: Resource) -> Callable[[str], bool] | None:
        """The data plane's check of a bearer token; None for endpoints with keys."""
        mode, key, name = endpoint.properties["authMode"], endpoint.private["primaryKey"], endpoint.name
        if mode == "Key":
            return None

        def accepts(token: str) -> bool:
            if mode == "AMLToken":
                claims = identity.decode_token(token, key, self.plane.clock())
                return claims is not None and claims.get("endpointName") == name
            # The caller may do everything, so any token of this installation for the service's audience is accepted.
            claims = identity.decode_token(token, self.plane.token_secret, self.plane.clock())
            return claims is not None and str(claims.get("aud", "")).rstrip("/") in _AUDIENCES

        return accepts

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
        # azure-ai-ml sends the old key as keyValue; taken literally, the request would change nothing.
        fresh = value if isinstance(value, str) and value and value != endpoint.private[field] else _new_key()
        with self.store.transaction():
            operation = self.begin(request, endpoint, "regenerateKeys", {field: fresh})
            self.store.save(endpoint)
        return self.accepted(operation, "POST")

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

    actions: ClassVar[Mapping[str, Action]] = {
        "listKeys": _list_keys,
        "regenerateKeys": _regenerate_keys,
        "token": _token,
    }


def _new_key() -> str:
    return secrets.token_urlsafe(32)


def chosen_keys(sent: Any) -> dict[str, Any]:
    """The endpoint's keys: those chosen by the creator, or else new ones."""
    chosen = sent if isinstance(sent, dict) else {}
    return {
        kind: chosen[kind] if isinstance(chosen.get(kind), str) and chosen[kind] else _new_key()
        for kind in ("primaryKey", "secondaryKey")
    }
