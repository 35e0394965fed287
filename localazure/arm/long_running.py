"""How clients are told of long-running operations: first answers, URLs and states of each family of services.

`PROTOCOLS` is the one table of it. A family is called as in the catalog. Recorded are the families of Machine Learning
(mfe, workspace, compute); the others are documented. Retry-After is this project's own (`localazure.arm.timing`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from localazure.arm.operations import Operation
from localazure.arm.reply import NULL, Reply
from localazure.arm.timing import Timing, time_text
from localazure.errors import ArmError, NotFound
from localazure.resource import Resource
from localazure.store import Store

MFE = "mfe"
WORKSPACE = "workspace"
COMPUTE = "compute"
GENERIC = "generic"
LOCATION = "location"

View = Callable[[Resource, str], Any]
"""A resource as an api-version shows it."""


class Body(Enum):
    """What a first answer carries."""

    EMPTY = auto()
    NULL = auto()
    """The JSON word."""
    RESOURCE = auto()


class Header(Enum):
    """A header of a first answer."""

    STATUS = auto()
    """Azure-AsyncOperation: the URL that shows the operation's status."""
    RESULT = auto()
    """Location: the URL that shows its result."""
    TARGET = auto()
    """Location: the URL of the resource itself."""
    TIMEOUT = auto()
    """x-ms-async-operation-timeout."""
    FRACTION = auto()
    """Retry-After with a fraction of a second."""
    WHOLE = auto()
    """Retry-After in whole seconds, for clients that read an integer."""
    MILLISECONDS = auto()
    """x-ms-retry-after-ms."""


@dataclass(frozen=True)
class FirstAnswer:
    """How the request is answered that starts an operation."""

    status: int
    body: Body
    headers: tuple[Header, ...]


@dataclass(frozen=True)
class Protocol:
    """How a family leads clients from the request to the end of its operation."""

    status_segment: str
    """In the path of the status URL."""
    result_segment: str
    answers: Mapping[str, FirstAnswer]
    """By method; a type that differs from its family adds a word to it."""
    status_query: str = ""
    result_query: str = ""
    shows_id: bool = True
    """Whether a status names the operation."""
    gone_status: int = 204
    """What the result URL answers when nothing is left to show."""


_BOTH = (Header.STATUS, Header.RESULT, Header.WHOLE)
_BOTH_EMPTY = FirstAnswer(202, Body.EMPTY, _BOTH)

PROTOCOLS: Mapping[str, Protocol] = {
    MFE: Protocol(
        "mfeOperationsStatus",
        "mfeOperationResults",
        {
            "PUT": FirstAnswer(201, Body.RESOURCE, (Header.STATUS, Header.TARGET, Header.FRACTION, Header.TIMEOUT)),
            "PUT batch": FirstAnswer(201, Body.RESOURCE, (Header.STATUS, Header.TARGET, Header.WHOLE, Header.TIMEOUT)),
            "PATCH": FirstAnswer(202, Body.NULL, (Header.RESULT, Header.WHOLE, Header.TIMEOUT)),
            "POST": FirstAnswer(202, Body.NULL, (Header.RESULT, Header.WHOLE)),
            "DELETE": FirstAnswer(202, Body.NULL, (*_BOTH, Header.TIMEOUT)),
            "DELETE empty": FirstAnswer(202, Body.EMPTY, (*_BOTH, Header.TIMEOUT)),
        },
    ),
    WORKSPACE: Protocol(
        "workspaceOperationsStatus",
        "workspaceOperationsStatus",
        {
            # Recorded with the 2021 api-version only.
            "PUT": FirstAnswer(202, Body.EMPTY, (Header.STATUS, Header.RESULT, Header.FRACTION)),
            "PUT outboundRule": _BOTH_EMPTY,
            "PATCH": _BOTH_EMPTY,
            "POST": _BOTH_EMPTY,
            "POST diagnose": FirstAnswer(202, Body.EMPTY, (Header.RESULT, Header.WHOLE)),
            "DELETE": _BOTH_EMPTY,
        },
        status_query="&type=async",
        result_query="&type=location",
        shows_id=False,
        gone_status=200,
    ),
    COMPUTE: Protocol(
        "computeOperationsStatus",
        "computeOperationResults",
        {
            "PUT": FirstAnswer(201, Body.RESOURCE, (Header.STATUS, Header.WHOLE)),
            "PATCH": FirstAnswer(202, Body.RESOURCE, (Header.STATUS, Header.WHOLE)),
            "DELETE": FirstAnswer(202, Body.EMPTY, (Header.STATUS, Header.WHOLE)),
        },
        status_query="&service=new",  # recorded
        result_query="&service=new",
        shows_id=False,
    ),
    GENERIC: Protocol(
        "operationStatuses",
        "operationResults",
        {
            "PUT": FirstAnswer(201, Body.RESOURCE, (Header.STATUS, Header.MILLISECONDS)),
            "PUT update": FirstAnswer(200, Body.RESOURCE, (Header.STATUS, Header.MILLISECONDS)),
            "PUT template": FirstAnswer(201, Body.RESOURCE, (Header.STATUS, Header.WHOLE)),
            "DELETE": _BOTH_EMPTY,
        },
    ),
    # Its PUT (storage accounts) answers 202 with an empty body in Azure; here nothing is left to wait for.
    LOCATION: Protocol(
        "operationStatuses",
        "operationResults",
        {
            "POST": FirstAnswer(202, Body.EMPTY, (Header.RESULT, Header.WHOLE)),
            "DELETE": FirstAnswer(202, Body.EMPTY, (Header.RESULT, Header.WHOLE)),
        },
    ),
}

OPERATION_SEGMENTS = frozenset(
    segment.lower() for one in PROTOCOLS.values() for segment in (one.status_segment, one.result_segment)
)

_TIMEOUT = "PT30M"
_NO_TIME = "0001-01-01T00:00:00+00:00"  # recorded as endTime of a running operation since 2024
_TICKS_AT_EPOCH = 621_355_968_000_000_000


class LongRunning:
    """What the clients of one control plane see of its operations."""

    def __init__(self, store: Store, timing: Timing, base_url: str, view: View) -> None:
        self._store = store
        self._timing = timing
        self._base_url = base_url
        self._view = view

    def accepted(self, operation: Operation, request: str, resource: Any = None) -> Reply:
        """The answer to the request that started an operation.

        `request` is a key of the family's answers, `resource` the body of those that carry one.
        """
        answer = PROTOCOLS[operation.family].answers[request]
        body = {Body.EMPTY: None, Body.NULL: NULL, Body.RESOURCE: resource}[answer.body]
        headers: dict[str, str] = {}
        for header in answer.headers:
            headers |= self._header(header, operation)
        return Reply(answer.status, body, headers)

    def _header(self, header: Header, operation: Operation) -> dict[str, str]:
        """Nothing for a pause that this pace does not ask for."""
        match header:
            case Header.STATUS:
                return {"Azure-AsyncOperation": self._status_url(operation)}
            case Header.RESULT:
                return {"Location": self._result_url(operation)}
            case Header.TARGET:
                return {"Location": f"{self._base_url}{operation.target}?api-version={operation.api_version}"}
            case Header.TIMEOUT:
                return {"x-ms-async-operation-timeout": _TIMEOUT}
            case Header.FRACTION:
                return self._timing.retry_after()
            case Header.WHOLE:
                return self._timing.retry_after(whole=True)
            case Header.MILLISECONDS:
                return self._timing.retry_soon()

    # URLs

    def _status_url(self, operation: Operation) -> str:
        protocol = PROTOCOLS[operation.family]
        return self._url(operation, protocol.status_segment) + protocol.status_query

    def _result_url(self, operation: Operation) -> str:
        protocol = PROTOCOLS[operation.family]
        return self._url(operation, protocol.result_segment) + protocol.result_query

    def unsigned_status_url(self, operation: Operation) -> str:
        """The status URL as resources show it (`AzureAsyncOperationUri`)."""
        path = _path(operation, PROTOCOLS[operation.family].status_segment)
        return f"{self._base_url}{path}?api-version={operation.api_version}"

    def _url(self, operation: Operation, segment: str) -> str:
        signature = _signature(operation) if operation.signed else ""
        return f"{self._base_url}{_path(operation, segment)}?api-version={operation.api_version}{signature}"

    # Polls

    def show(self, segment: str, operation_id: str, query_type: str) -> Reply:
        """Answer a GET of a status or result URL."""
        document = self._store.operation(operation_id)
        if document is None:
            guid = operation_id.rsplit(":", 1)[-1]
            raise NotFound.service("OperationNotFound", f"There is no operation with id {guid}")
        operation = Operation(**document)
        wants_result = segment.lower().endswith("results") or query_type == "location"
        if operation.family == MFE:
            reply = Reply(200, _mfe_body(operation, segment))
            if wants_result and operation.status == "Running":
                reply.status = 202
        elif wants_result:
            reply = self._result_reply(operation)
        else:
            reply = Reply(200, _plain_body(operation, segment))
        if operation.status == "Running":
            reply.headers |= self._timing.retry_after()
        return reply

    def _result_reply(self, operation: Operation) -> Reply:
        if operation.status == "Running":
            headers = {"Location": self._result_url(operation), "Azure-AsyncOperation": self._status_url(operation)}
            return Reply(202, headers=headers)
        if operation.error:
            error = ArmError(operation.error["code"], operation.error["message"])
            return Reply(error.status, error.body())
        if operation.result is not None:
            return Reply(200, operation.result)
        target = self._store.get(operation.target)
        if target is not None:
            return Reply(200, self._view(target, operation.api_version))
        return Reply(200 if operation.kind.endswith(".purge") else PROTOCOLS[operation.family].gone_status)


def _path(operation: Operation, segment: str) -> str:
    scope = f"/subscriptions/{operation.subscription}/providers/{operation.namespace}"
    return f"{scope}/locations/{operation.location}/{segment}/{operation.id}"


def _signature(operation: Operation) -> str:
    """What stands for the service's signature: ticks, certificate, signature, hash. Nothing checks it."""
    ticks = _TICKS_AT_EPOCH + int(operation.started * 10_000_000)
    digest = hashlib.sha256(operation.id.encode()).hexdigest()
    return f"&t={ticks}&c=local&s={digest}&h={digest[:43]}"


def _mfe_body(operation: Operation, segment: str) -> dict[str, Any]:
    """The recorded forms: each kind of operation id has its own."""
    body: dict[str, Any] = {"error": operation.error} if operation.error else {}
    body |= {"id": _path(operation, segment), "name": operation.id}
    status = {"status": {"Running": "Updating"}.get(operation.status, operation.status)}
    kind = operation.id.partition(":")[0]
    if kind.endswith("bes"):
        return body | status
    started, ended = {"startTime": time_text(operation.started)}, time_text(operation.ended or 0)
    if kind.endswith("idp"):
        # percentComplete stays 0.0, at Succeeded too.
        ending = {"endTime": ended if operation.ended else _NO_TIME, "percentComplete": 0.0}
        return body | status | started | ending
    if operation.ended is None:
        return body | started | {"percentComplete": 0.0} | status
    return body | started | {"endTime": ended, "percentComplete": 100.0} | status


def _plain_body(operation: Operation, segment: str) -> dict[str, Any]:
    # Template deployments have a word of their own (recorded).
    words = {"Running": "Running" if operation.namespace == "Microsoft.Resources" else "InProgress"}
    body: dict[str, Any] = {"status": words.get(operation.status, operation.status)}
    if operation.status == "Succeeded":
        body["percentComplete"] = 100.0
    if operation.error:
        body["error"] = operation.error
    if PROTOCOLS[operation.family].shows_id:
        body = {"id": _path(operation, segment), "name": operation.id} | body
    return body
