"""Fields of Kubernetes endpoints and deployments that the service fills in. Pure; all of it as recorded in 2022.

There is no cluster: such deployments run as local processes, like managed ones.
"""

from __future__ import annotations

import re
from typing import Any

KIND = "K8S"
REQUESTS = {"maxQueueWait": "PT0.5S", "requestTimeout": "PT0S", "maxConcurrentRequestsPerInstance": 1}
_SCALE = {
    "scaleType": "TargetUtilization",
    "pollingInterval": "PT1S",
    "targetUtilizationPercentage": 70,
    "minInstances": 1,
    "maxInstances": 1,
}
_QUANTITY = re.compile(r"(\d+(?:\.\d+)?)(m|Ki|Mi|Gi)?")
_IN_GIB = {"Ki": 1 / (1 << 20), "Mi": 1 / (1 << 10), "Gi": 1.0}


def is_kubernetes(properties: dict[str, Any]) -> bool:
    """Whether a deployment's properties request Kubernetes."""
    return str(properties.get("endpointComputeType", "")).lower() == "kubernetes"


def scale_settings(sent: Any) -> dict[str, Any]:
    """Scale settings with the defaults filled in."""
    given = {key: value for key, value in (sent or {}).items() if value is not None}
    if str(given.get("scaleType", "")).lower() == "default":
        return {"scaleType": "Default"}
    return _SCALE | given


def resource_requirements(sent: Any) -> dict[str, Any]:
    """Requests and limits with the defaults filled in and quantities in the service's units."""
    given = sent if isinstance(sent, dict) else {}
    requests = given.get("containerResourceRequests") or {}
    limits = given.get("containerResourceLimits") or {}
    gpu = requests.get("gpu")
    return {
        "containerResourceRequests": {
            "cpu": _cpu(requests.get("cpu") or "0.1"),
            "memory": _memory(requests.get("memory") or "0.5Gi"),
            "gpu": gpu,
        },
        "containerResourceLimits": {
            "cpu": _cpu(limits.get("cpu")),
            "memory": _memory(limits.get("memory")),
            "gpu": limits.get("gpu") or gpu,
        },
    }


def instance_count(body: dict[str, Any]) -> int:
    """The number of instances that a deployment's body requests, on either kind of compute."""
    if body.get("sku"):
        return int(body["sku"]["capacity"])
    return int(body["properties"]["scaleSettings"]["minInstances"])


def _cpu(quantity: Any) -> str | None:
    match = _QUANTITY.fullmatch(str(quantity)) if quantity else None
    return f"{float(match[1]) / 1000:g}" if match and match[2] == "m" else quantity


def _memory(quantity: Any) -> str | None:
    match = _QUANTITY.fullmatch(str(quantity)) if quantity else None
    return f"{float(match[1]) * _IN_GIB[match[2]]:.3f}Gi" if match and match[2] in _IN_GIB else quantity
