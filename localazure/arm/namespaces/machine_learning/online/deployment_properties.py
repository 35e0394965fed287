"""Properties of an online deployment as the service stores and shows them: the sent ones with defaults. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from localazure.arm.namespaces.machine_learning.endpoint_resource import read_choice
from localazure.arm.namespaces.machine_learning.online.kubernetes import REQUESTS as KUBERNETES_REQUESTS
from localazure.arm.namespaces.machine_learning.online.kubernetes import (
    is_kubernetes,
    resource_requirements,
    scale_settings,
)

_PROBE = {"failureThreshold": 30, "successThreshold": 1, "timeout": "PT2S", "period": "PT10S", "initialDelay": "PT10S"}
_REQUESTS = {"maxQueueWait": "PT0S", "requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1}
DEFAULT_SIZE = "Standard_F4s_v2"
"""For managed deployments (documented)."""
_DEFAULT_SIZES = (DEFAULT_SIZE, "defaultinstancetype")  # managed, Kubernetes; documented


def deployment_properties(sent: dict[str, Any], kept: Mapping[str, Any], state: str) -> dict[str, Any]:
    """The properties after a PUT, which replaces them, except immutable fields and request settings, which merge.

    `kept` are the properties before it; empty when it creates.
    """
    on_kubernetes = is_kubernetes(sent)
    requests = KUBERNETES_REQUESTS if on_kubernetes else _REQUESTS
    properties: dict[str, Any] = {
        "description": sent.get("description"),
        "properties": {**(kept.get("properties") or {}), **(sent.get("properties") or {})},
        "codeConfiguration": sent.get("codeConfiguration"),
        "environmentId": sent.get("environmentId"),
        "environmentVariables": dict(sent.get("environmentVariables") or {}),
        "scaleSettings": scale_settings(sent.get("scaleSettings")) if on_kubernetes else {"scaleType": "Default"},
        "requestSettings": requests | (kept.get("requestSettings") or {}) | given(sent.get("requestSettings")),
        "modelMountPath": sent.get("modelMountPath"),
        "appInsightsEnabled": bool(sent.get("appInsightsEnabled", False)),
        "livenessProbe": _PROBE | given(sent.get("livenessProbe")),
        "readinessProbe": _PROBE | given(sent.get("readinessProbe")),
        "provisioningState": state,
        "instanceType": sent.get("instanceType") or kept.get("instanceType") or _DEFAULT_SIZES[on_kubernetes],
        "model": sent.get("model"),
        "egressPublicNetworkAccess": read_choice(
            "egressPublicNetworkAccess",
            sent.get("egressPublicNetworkAccess"),
            ("Enabled", "Disabled"),
            kept.get("egressPublicNetworkAccess", "Enabled"),
        ),
        "dataCollector": sent.get("dataCollector"),
        "privateNetworkConnection": bool(sent.get("privateNetworkConnection", False)),
        "endpointComputeType": "Kubernetes" if on_kubernetes else "Managed",
    }
    if on_kubernetes:
        sent_resources = sent.get("containerResourceRequirements") or kept.get("containerResourceRequirements")
        properties["containerResourceRequirements"] = resource_requirements(sent_resources)
    if sent.get("startupProbe"):
        properties["startupProbe"] = _PROBE | given(sent["startupProbe"])
    return properties


def undefaulted_properties(sent: dict[str, Any]) -> dict[str, Any]:
    """The older service's answer to a create: defaults appear only when the operation ends."""
    requests = KUBERNETES_REQUESTS if is_kubernetes(sent) else _REQUESTS
    probes = {
        name: _PROBE | given(sent[name]) if sent.get(name) else None for name in ("livenessProbe", "readinessProbe")
    }
    return {"requestSettings": requests | {"requestTimeout": "PT0S"} | given(sent.get("requestSettings")), **probes}


def given(sent: Any) -> dict[str, Any]:
    """The fields of an object that are not null."""
    return {key: value for key, value in sent.items() if value is not None} if isinstance(sent, dict) else {}
