"""The subject of a request or an operation, in the terms of a fault's scope. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import unquote

from localazure.arm.long_running import OPERATION_SEGMENTS
from localazure.faults.fault import BLOBS, DEPLOYMENTS, ENDPOINTS, METRIC_DEFINITIONS, METRICS, POLLS, SCORE, Subject
from localazure.resource_id import RESOURCE_GROUP_TYPE, ResourceId

_OF_METRICS = {f"/providers/{kind}": kind for kind in (METRICS, METRIC_DEFINITIONS)}


def request_subject(method: str, path: str) -> Subject:
    """A request to Resource Manager or the blob service, from its escaped path.

    The subject of a list is the listed type, that of an action (POST) the resource that it acts on.
    """
    path = unquote(path).strip("/")
    segments = path.split("/")
    if segments[0].lower() != "subscriptions":
        account, container, blob = [*segments[:2], "/".join(segments[2:])] if len(segments) > 1 else [*segments, "", ""]
        return Subject(BLOBS, tuple(name for name in (account, container, blob) if name), method)
    lowered = path.lower()
    if (end := next((end for end in _OF_METRICS if lowered.endswith(end)), None)) is not None:
        return metrics_subject(method, [path[: -len(end)]], _OF_METRICS[end])
    return _resource_subject(path, method)


def metrics_subject(method: str, resource_ids: Iterable[str], kind: str = METRICS) -> Subject:
    """A question about the metrics of resources; a deployment also matches its endpoint."""
    names: list[tuple[str, ...]] = []
    for resource_id in resource_ids:
        found = _resource_subject(resource_id, "GET")
        names += [found.names, found.names[:-1]] if found.type == DEPLOYMENTS else [found.names]
    return Subject(kind, (), method, others=tuple(names))


def score_subject(endpoint: str, deployment: str, method: str) -> Subject:
    """A request to a model, after a deployment was chosen."""
    return Subject(SCORE, (endpoint, deployment), method, owner=(endpoint,))


def operation_subject(kind: str, target: str) -> Subject:
    """A long-running operation, from its kind (`<type>.put`) and its target's id."""
    verb = kind.rpartition(".")[2]
    return _resource_subject(target, verb.upper() if verb in ("put", "delete") else "POST")


def endpoint_subject(endpoint: str) -> Subject:
    """An online endpoint in the data plane."""
    return Subject(ENDPOINTS, (endpoint,))


def deployment_subject(endpoint: str, deployment: str) -> Subject:
    """A deployment in the data plane."""
    return Subject(DEPLOYMENTS, (endpoint, deployment))


def _resource_subject(path: str, method: str) -> Subject:
    resource_id = ResourceId("/" + path.strip("/"))
    group, names = resource_id.resource_group, resource_id.names
    if not resource_id.namespace:
        return Subject(RESOURCE_GROUP_TYPE, (group,) if group else (), method)
    listed = resource_id.type_as_written.lower()
    outer, _, last = listed.rpartition("/")
    if not group and len(names) == len(("location", "operation")) and last in OPERATION_SEGMENTS:
        return Subject(POLLS, names, method)
    acts = method == "POST" and not resource_id.type and names
    return Subject(outer if acts else listed, names, method)
