"""What Azure says is there now, read before the program declares its first resource (law 3 of the design).

Synchronous reads by name: 404 means absent, anything else stops the program with one `AzureReadError`. The stack's own
outputs are not believed, because after failed, targeted or imported updates they say what is not so; they only say
where else to ask when nothing is found.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import pulumi
from pulumi_azure_native import authorization, resources
from pulumi_azure_native import machinelearningservices as ml

from endpoint_state import LiveDeployment, LiveEndpoint
from naming import Names, endpoints_from_tags

__all__ = [
    "ATTEMPT_TAG",
    "RELEASE_TAG",
    "AzureReadError",
    "Caller",
    "LiveStack",
    "read_caller",
    "read_left_behind",
    "read_stack",
]

RELEASE_TAG = "sluice:release"
"""Tag of a deployment: the digest of what it serves."""
ATTEMPT_TAG = "sluice:attempt"
"""Tag of a deployment: how many times it was made anew because its creation had failed."""

ABSENT_CODES = frozenset(
    {
        "NotFound",  # the service, after ARM still knew the resource
        "ParentResourceNotFound",
        "ResourceGroupNotFound",
        "ResourceNotFound",  # ARM itself
        "WorkspaceNotFound",
    }
)
"""Codes that come with a 404 and mean that the resource is not there. A 404 with another code (SubscriptionNotFound,
InvalidResourceType, ...) means that the question was wrong."""

_ENDPOINT_ID = re.compile(
    r"/subscriptions/[^/]+/resourceGroups/(?P<group>[^/]+)/providers/Microsoft.MachineLearningServices"
    r"/workspaces/(?P<workspace>[^/]+)/onlineEndpoints/(?P<endpoint>[^/]+)",
    re.IGNORECASE,
)

_INVOKE_PREFIX = re.compile(r"^(invoke of \S+ failed: )?(invocation of \S+ returned an error: )?")

_ARM_ERROR = re.compile(r'Status=(?P<status>\d+)(?: Code="(?P<code>[^"]*)")? Message="(?P<message>.*)"', re.DOTALL)
"""How azure-native writes an answer of ARM that is not a success."""


class AzureReadError(pulumi.RunError):
    """Azure could not be asked what is live, so the program declares nothing."""


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who runs the program, and where."""

    subscription_id: str
    tenant_id: str


@dataclass(frozen=True, kw_only=True)
class LiveStack:
    """The part of a stack that exists in Azure."""

    location: str | None
    """Region of the resource group; None if there is no group."""
    workspace_guid: str | None
    """Azure ML's own id of the workspace, another one after it was deleted and made again; None if there is none."""
    endpoints: Mapping[str, LiveEndpoint]
    """Declared endpoints that exist, by name in Azure."""
    undeclared: tuple[LiveEndpoint, ...]
    """Endpoints that an earlier update declared, that are still there, and that the stack file no longer has."""
    attempts: Mapping[tuple[str, str], int]
    """`ATTEMPT_TAG` of the deployments that have it, by endpoint and deployment."""

    @property
    def workspace_exists(self) -> bool:
        """Whether deployments can be made."""
        return self.workspace_guid is not None


def read_caller() -> Caller:
    """Return subscription and tenant of the signed-in caller."""
    config = _read("the signed-in caller", authorization.get_client_config)
    if config is None:
        raise AzureReadError("the azure-native plugin does not know who is signed in. Run `az login` and try again.")
    return Caller(subscription_id=config.subscription_id, tenant_id=config.tenant_id)


def read_stack(names: Names, declared: Mapping[str, Collection[str]]) -> LiveStack:
    """Read group, workspace and endpoints; `declared` gives each declared endpoint's name and its deployments."""
    group = _read(names.resource_group_id, partial(resources.get_resource_group, names.resource_group))
    workspace = group and _read(
        names.workspace_id,
        partial(ml.get_workspace, resource_group_name=names.resource_group, workspace_name=names.workspace),
    )
    if group is None or workspace is None:
        location = group.location if group else None
        return LiveStack(location=location, workspace_guid=None, endpoints={}, undeclared=(), attempts={})
    attempts: dict[tuple[str, str], int] = {}
    former = sorted(endpoints_from_tags(group.tags or {}).keys() - declared.keys())
    read = {
        name: _read_endpoint(names, name, deployments, attempts)
        for name, deployments in [*declared.items(), *((name, ()) for name in former)]
    }
    return LiveStack(
        location=group.location,
        workspace_guid=workspace.workspace_id,
        endpoints={name: endpoint for name in declared if (endpoint := read[name])},
        undeclared=tuple(endpoint for name in former if (endpoint := read[name])),
        attempts=attempts,
    )


def read_left_behind(stack: str) -> dict[str, dict[str, int]]:
    """Return the weights of the endpoints that the stack's last update declared and that still serve, by their ids.

    To be asked when nothing is found under the names of this update: after another team or stack name, what serves is
    in another group. In another subscription it is out of reach here, and the engine's protection is what remains.
    """
    answer = pulumi.runtime.invoke("pulumi:pulumi:readStackOutputs", {"name": stack}).value or {}
    endpoints = (answer.get("outputs") or {}).get("endpoints")
    serving = {}
    for summary in endpoints.values() if isinstance(endpoints, Mapping) else ():
        place = _ENDPOINT_ID.fullmatch(str(summary.get("id"))) if isinstance(summary, Mapping) else None
        if place is None:
            continue
        get = partial(ml.get_online_endpoint, place["endpoint"], place["group"], place["workspace"])
        endpoint = _read(place.group(0), get)
        weights = endpoint and {
            **_weights(endpoint.properties.mirror_traffic),
            **_weights(endpoint.properties.traffic),
        }
        if weights:
            serving[place.group(0)] = weights
    return serving


def _read_endpoint(
    names: Names, name: str, deployments: Collection[str], attempts: dict[tuple[str, str], int]
) -> LiveEndpoint | None:
    at = {"resource_group_name": names.resource_group, "workspace_name": names.workspace, "endpoint_name": name}
    endpoint = _read(names.endpoint_id(name), partial(ml.get_online_endpoint, **at))
    if endpoint is None:
        return None
    traffic, mirror = _weights(endpoint.properties.traffic), _weights(endpoint.properties.mirror_traffic)
    live: dict[str, LiveDeployment] = {}
    # One that gets requests without being declared counts too: leaving it out would remove it.
    for deployment in dict.fromkeys([*deployments, *traffic, *mirror]):
        found = _read(names.deployment_id(name, deployment), partial(ml.get_online_deployment, deployment, **at))
        if found is None:
            continue
        tags = found.tags or {}
        live[deployment] = LiveDeployment(
            name=deployment,
            provisioning_state=_property(found.properties, "provisioningState", "provisioning_state") or "Unknown",
            release=tags.get(RELEASE_TAG),
            instances=int(found.sku.capacity) if found.sku and found.sku.capacity is not None else None,
        )
        if tags.get(ATTEMPT_TAG, "").isdecimal():
            attempts[name, deployment] = int(tags[ATTEMPT_TAG])
    identities = (endpoint.identity and endpoint.identity.user_assigned_identities) or {}
    return LiveEndpoint(
        name=name,
        provisioning_state=endpoint.properties.provisioning_state,
        auth_mode=endpoint.properties.auth_mode,
        identity_ids=frozenset(identity_id.lower() for identity_id in identities),
        traffic=traffic,
        mirror=mirror,
        deployments=live,
    )


def _weights(traffic: Mapping[str, float] | None) -> dict[str, int]:
    """Numbers arrive as doubles; a deployment at 0 % is the same as one that is not listed."""
    return {name: int(weight) for name, weight in (traffic or {}).items() if weight}


def _property(properties: Any, arm_name: str, sdk_name: str) -> str | None:
    """A property of a union type, which the SDK hands over typed or as ARM's JSON, depending on the answer."""
    if isinstance(properties, Mapping) and arm_name in properties:
        return str(properties[arm_name])
    return getattr(properties, sdk_name, None)


def _read(what: str, get: Callable[[], Any]) -> Any | None:
    """Call one of the SDK's `get_*` functions; None if Azure says that the resource is absent."""
    try:
        return get()
    except Exception as exc:  # the SDK raises plain Exception for a failed invoke
        answer = _ARM_ERROR.search(str(exc))
        if answer and _is_absent(answer):
            return None
        reason = (answer.group(0) if answer else _INVOKE_PREFIX.sub("", str(exc))).rstrip(".")
        raise AzureReadError(
            f"cannot read {what} from Azure: {reason}. What is live decides which change is allowed, so nothing was "
            "changed. Make it readable (`sluice doctor` says what is missing) and try again."
        ) from exc


def _is_absent(answer: re.Match[str]) -> bool:
    if answer["status"] != "404":
        return False
    # Newer backends of Azure ML say UserError for what is not there (recorded for batch endpoints, 2024).
    said = answer["code"] == "UserError" and re.search(r"does not exist|not found", answer["message"])
    return answer["code"] in ABSENT_CODES or bool(said)
