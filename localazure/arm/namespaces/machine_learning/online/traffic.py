"""Rules for the weights of an endpoint, and the refusal to delete a deployment that has weight. Pure.

The rules are documented (sum 0 or 100, existing deployments only, mirror at most 50 % to one deployment, live XOR
mirror); the service's wording of a refusal, and that it refuses with status 400 rather than in the operation, are not
verified. The wording here is ours.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.operations import Operation
from localazure.arm.timing import time_text
from localazure.errors import BadRequest, OperationFailed
from localazure.resource import Resource

MAX_MIRROR_PERCENT = 50


def read_weights(field: str, sent: Any) -> dict[str, int]:
    """Deployment -> whole percent, as numbers. Raises BadRequest for anything else."""
    if sent is None:
        return {}
    if not isinstance(sent, dict):
        raise BadRequest("BadRequest", f"properties.{field} must be an object of deployment names and percents.")
    weights = {}
    for name, value in sent.items():
        percent = _read_percent(value)
        if percent is None:
            raise BadRequest(
                "BadRequest", f"properties.{field}.{name} must be a whole percent from 0 to 100, got {value!r}."
            )
        weights[name] = percent
    return weights


def _read_percent(value: Any) -> int | None:
    """The number; None if the value is not a whole percentage.

    50.0 is JSON for 50 in languages where every number is a double; 33.5 and true are refused. "50" is accepted,
    because azure-ai-ml 1.35 and later send the weights of `az ml online-endpoint update --traffic "blue=50"` as
    strings. It is not verified that the service accepts them; .NET's JSON parser does by default.
    """
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 3:
        value = int(value)
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    return int(value) if whole and 0 <= value <= 100 else None


def check_weights(traffic: Mapping[str, int], mirror: Mapping[str, int], deployments: Collection[str]) -> None:
    """Raise one BadRequest with every rule that the weights break."""
    known = {name.lower() for name in deployments}
    problems = []
    for field, weights in (("traffic", traffic), ("mirrorTraffic", mirror)):
        missing = sorted(name for name in weights if name.lower() not in known)
        if missing:
            problems.append(f"{field} names deployments that do not exist: {', '.join(missing)}")
    total = sum(traffic.values())
    if total not in (0, 100):
        problems.append(f"traffic must sum to 0 or 100 percent, got {total}")
    mirrored = [name for name, weight in mirror.items() if weight]
    if len(mirrored) > 1:
        problems.append(f"mirrorTraffic must go to one deployment, got {', '.join(mirrored)}")
    if sum(mirror.values()) > MAX_MIRROR_PERCENT:
        problems.append(f"mirrorTraffic must be at most {MAX_MIRROR_PERCENT} percent, got {sum(mirror.values())}")
    both = [name for name in mirrored if traffic.get(name)]
    if both:
        problems.append(f"{', '.join(both)} would receive both live and mirrored traffic")
    if problems:
        raise BadRequest("BadRequest", "The traffic of the endpoint is refused: " + "; ".join(problems) + ".")


def refused_deletion(
    operation: Operation, deployment: Resource, endpoint: Resource, weight: int, now: float
) -> OperationFailed:
    """The recorded refusal, including quotation marks (of a Kubernetes endpoint; managed ones are not recorded)."""
    message = (
        f"\"Can't delete deployment [{deployment.name}] with non-zero traffic weight, Current traffic [{weight}]. "
        f'Remove the traffic for this deployment on endpoint [{endpoint.name}] and try again"'
    )
    code = "InferencingClientCallFailed"
    guid = operation.id.rsplit(":", 1)[-1]
    service = f"/api{workspace_id_of(endpoint.resource_id)}/services/{deployment.name}-{endpoint.name}"
    info = {
        "id": guid,
        "operationType": "AmlArcService",
        "state": "Failed",
        "createdTime": time_text(operation.started),
        "endTime": time_text(now),
        "error": {"code": code, "statusCode": 400, "message": message, "details": []},
        "resourceLocation": service,
        "operationLog": "",
        "parentRequestId": guid,
    }
    return OperationFailed(code, message, additional_info=[{"type": "MmsOperation", "info": info}])
