"""The subject of a request or an operation, in the terms of a fault's scope. Pure."""

from __future__ import annotations

from urllib.parse import unquote

from localazure.arm.long_running import OPERATION_SEGMENTS
from localazure.faults.fault import BLOBS, DEPLOYMENTS, ENDPOINTS, POLLS, SCORE, Subject

_GROUPS = "microsoft.resources/resourcegroups"
_POLL_LENGTH = 8


def request_subject(method: str, path: str) -> Subject:
    """A request to Resource Manager or the blob service, from its escaped path.

    The subject of a list is the listed type, that of an action (POST) the resource that it acts on.
    """
    segments = unquote(path).strip("/").split("/")
    if segments[0].lower() != "subscriptions":
        account, container, blob = [*segments[:2], "/".join(segments[2:])] if len(segments) > 1 else [*segments, "", ""]
        return Subject(BLOBS, tuple(name for name in (account, container, blob) if name), method)
    if len(segments) == _POLL_LENGTH and segments[6].lower() in OPERATION_SEGMENTS:
        return Subject(POLLS, (segments[5], segments[7]), method)
    return _resource_subject(segments, method)


def score_subject(endpoint: str, deployment: str, method: str) -> Subject:
    """A request to a model, after a deployment was chosen."""
    return Subject(SCORE, (endpoint, deployment), method, owner=(endpoint,))


def operation_subject(kind: str, target: str) -> Subject:
    """A long-running operation, from its kind (`<type>.put`) and its target's id."""
    verb = kind.rpartition(".")[2]
    return _resource_subject(target.strip("/").split("/"), verb.upper() if verb in ("put", "delete") else "POST")


def endpoint_subject(endpoint: str) -> Subject:
    """An online endpoint in the data plane."""
    return Subject(ENDPOINTS, (endpoint,))


def deployment_subject(endpoint: str, deployment: str) -> Subject:
    """A deployment in the data plane."""
    return Subject(DEPLOYMENTS, (endpoint, deployment))


def _resource_subject(segments: list[str], method: str) -> Subject:
    at = next((i for i in range(len(segments) - 1, -1, -1) if segments[i].lower() == "providers" and i % 2 == 0), None)
    if at is None or len(segments) <= at + 1:
        return Subject(_GROUPS, tuple(segments[3:4]), method)
    rest = segments[at + 2 :]
    types = rest[0::2]
    if method == "POST" and len(rest) % 2 and len(rest) > 1:
        types = types[:-1]
    return Subject("/".join([segments[at + 1], *types]).lower(), tuple(rest[1::2]), method)
