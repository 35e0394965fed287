"""Functions: `getX` of every resource type, the listed POST actions, and who the caller is.

Follows azure-native's Invoke: the path comes from the arguments, a getter adds `azureApiVersion`, a result that is
not an object comes under `value`.
"""

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from localazure.catalog import RESOURCE_TYPES, ResourceType, by_token
from localazure.catalog.shapes import resource_shape
from localazure.provider import convert
from localazure.provider.arm_client import ArmClient
from localazure.provider.errors import NotEmulatedError, PluginError, RefusedError
from localazure.provider.resources import resource_id
from localazure.provider.wire import Values


@dataclass(frozen=True)
class Action:
    """A POST on a child of a resource; arguments that are not in the path go into the body."""

    resource: str
    segment: str


# Token -> the POST that it sends. The segments were read in ARM's REST reference and in the clients of azure-ai-ml and
# azure-mgmt.
ACTIONS: dict[str, Action] = {
    "azure-native:machinelearningservices:listOnlineEndpointKeys": Action(
        "azure-native:machinelearningservices:OnlineEndpoint", "listKeys"
    ),
    "azure-native:machinelearningservices:getOnlineEndpointToken": Action(
        "azure-native:machinelearningservices:OnlineEndpoint", "token"
    ),
    "azure-native:machinelearningservices:getOnlineDeploymentLogs": Action(
        "azure-native:machinelearningservices:OnlineDeployment", "getLogs"
    ),
    "azure-native:machinelearningservices:listWorkspaceKeys": Action(
        "azure-native:machinelearningservices:Workspace", "listKeys"
    ),
    "azure-native:machinelearningservices:listWorkspaceStorageAccountKeys": Action(
        "azure-native:machinelearningservices:Workspace", "listStorageAccountKeys"
    ),
    "azure-native:storage:listStorageAccountKeys": Action("azure-native:storage:StorageAccount", "listKeys"),
    "azure-native:containerregistry:listRegistryCredentials": Action(
        "azure-native:containerregistry:Registry", "listCredentials"
    ),
    "azure-native:operationalinsights:getSharedKeys": Action(
        "azure-native:operationalinsights:Workspace", "sharedKeys"
    ),
}


def getter_token(kind: ResourceType) -> str:
    """The function that reads a type: `azure-native:keyvault:getVault`."""
    namespace, name = kind.token.rsplit(":", 1)
    return f"{namespace}:get{name}"


_GETTERS = {getter_token(kind): kind for kind in RESOURCE_TYPES}


class Invokes:
    """The functions of one subscription."""

    def __init__(self, arm: ArmClient, subscription_id: str) -> None:
        self._arm = arm
        self._subscription_id = subscription_id
        self._special: dict[str, Callable[[Values], Values]] = {
            "azure-native:authorization:getClientConfig": lambda _: self._client_config(),
            "azure-native:authorization:getClientToken": self._client_token,
        }

    def call(self, token: str, arguments: Values) -> Values:
        """The result of a function."""
        if token in self._special:
            return self._special[token](arguments)
        if token in _GETTERS:
            return self._get(_GETTERS[token], arguments)
        action = ACTIONS.get(token)
        kind = by_token(action.resource) if action else None
        if action is None or kind is None:
            known = ", ".join(sorted([*self._special, *_GETTERS, *ACTIONS])).replace("azure-native:", "")
            raise NotEmulatedError(f"the function {token}", f"It has: {known}.")
        return self._post(kind, action, arguments)

    def _get(self, kind: ResourceType, arguments: Values) -> Values:
        path = resource_id(kind, arguments, self._subscription_id)
        try:
            body = self._arm.get(path, kind.api_version)
        except RefusedError as error:
            raise PluginError(f"request failed {path}: {error}") from error
        outputs = convert.to_sdk(resource_shape(kind.token)["outputs"], body) or {}
        return outputs | {"id": body.get("id", path), "azureApiVersion": kind.api_version}

    def _post(self, kind: ResourceType, action: Action, arguments: Values) -> Values:
        path = f"{resource_id(kind, arguments, self._subscription_id)}/{action.segment}"
        body = {key: value for key, value in arguments.items() if key not in kind.parameters}
        try:
            result = self._arm.post(path, kind.api_version, body)
        except RefusedError as error:
            raise PluginError(f"request failed {path}: {error}") from error
        return result if isinstance(result, dict) else {"value": result}

    def _client_config(self) -> Values:
        claims = _claims(self._arm.token())
        return {
            "clientId": claims.get("appid", ""),
            "objectId": claims.get("oid", ""),
            "subscriptionId": self._subscription_id,
            "tenantId": claims.get("tid", ""),
        }

    def _client_token(self, arguments: Values) -> Values:
        endpoint = arguments.get("endpoint")
        return {"token": self._arm.token(endpoint if isinstance(endpoint, str) and endpoint else None)}


def _claims(token: str) -> dict[str, Any]:
    """The claims of a token; not verified, because no client does that."""
    try:
        payload = token.split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except (IndexError, ValueError) as error:
        raise PluginError(
            "the token is not a JWT: the identity endpoint does not belong to the local Azure."
        ) from error
    return claims if isinstance(claims, dict) else {}
