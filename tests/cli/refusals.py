"""Every refusal that the local Azure can produce, read from its source, and answers that no service should give."""

from __future__ import annotations

import ast
import http.client
import json
import socket
import ssl
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.cli.azure_that_answers import Answer, as_json

LOCAL_AZURE = Path(__file__).parents[2] / "localazure"
STATUS_OF = {"BadRequest": 400, "Conflict": 409, "NotFound": 404, "service": 404, "ArmError": 400}
# Statuses that come without a class of their own: no login, no right, faults on command, what is not emulated.
OTHER_STATUSES = (401, 403, 405, 412, 429, 500, 501, 502, 503, 504)


@cache
def arm_refusals() -> tuple[Answer, ...]:
    """Each status and code with which the local Azure's Resource Manager refuses, in its body's shape."""
    found = {(status, "Code") for status in OTHER_STATUSES}
    for path in LOCAL_AZURE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            code, status = node.args[0], STATUS_OF.get(name)
            for keyword in node.keywords:
                if keyword.arg == "status" and isinstance(keyword.value, ast.Constant) and status is not None:
                    status = int(str(keyword.value.value))
            if status is not None and isinstance(code, ast.Constant) and isinstance(code.value, str):
                found.add((status, code.value))
    for status, code in sorted(found):
        yield as_json(
            {"error": {"code": code, "message": "the reason.", "details": [{"message": "the detail"}]}}, status
        )


@cache
def scoring_refusals() -> tuple[Answer, ...]:
    """Each status of the router's own refusals, and of models, with the headers that say why."""
    statuses = set(OTHER_STATUSES) | {302, 400, 404, 408, 413, 424}
    for path in (LOCAL_AZURE / "scoring").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            called = isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Refusal" and node.args
            if called and isinstance(node.args[0], ast.Constant):  # type: ignore[attr-defined]  # narrowed above
                statuses.add(int(str(node.args[0].value)))  # type: ignore[attr-defined]  # narrowed above
    headers = {"azureml-model-deployment": "blue", "x-request-id": "the-id"}
    why = {"ms-azureml-model-error-reason": "model_error", "ms-azureml-model-error-statuscode": "400"}
    answers = []
    for status in sorted(statuses):
        answers += [
            Answer(status, b"the reason", headers | (why if status == 424 else {})),
            Answer(status, b'{"error": "the reason", "detail": ["x"]}', headers | why),
            Answer(status),
        ]
    return tuple(answers)


ODD_BODIES = [
    b"",
    b"plain text",
    b"<html>sign in</html>",
    b"[]",
    b"3",
    b"null",
    b'"text"',
    b'{"error": "text"}',
    b'{"error": null}',
    b'{"error": {"code": 1}}',
    b'{"error": {"code": "C", "message": "m", "details": "text"}}',
    b'{"error": {"code": "C", "message": "m", "details": [1]}}',
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b"a\nb\r\nc\x1b[31m",
    b"x" * 100_000,
]
WRONG_TYPES = [
    {},
    {"properties": None},
    {"properties": "text"},
    {"properties": []},
    {"value": None},
    {"content": 3},
    {"primaryKey": None},
    {"primaryKey": "a\nb"},
    {"name": 3, "properties": {"storageAccount": 3, "workspaceId": [], "accountName": {}, "containerName": 1}},
    {"name": "n", "tags": "text", "properties": {"primaryEndpoints": "text", "provisioningState": 3}},
    {"properties": {"primaryEndpoints": {}, "publicNetworkAccess": 3}},
    {"properties": {"scoringUri": "ftp://x", "authMode": "Key"}},
    {"properties": {"scoringUri": 3, "authMode": []}},
    {"properties": {"scoringUri": "https://a b/", "authMode": "Key"}},
]


def odd_answers() -> Iterator[Answer]:
    """Bodies that are not what the client expects, under 200 and under errors, and bodies that break off."""
    for number, body in enumerate(ODD_BODIES):
        yield Answer(200, body)
        if number % 2:
            yield Answer((400, 403, 404, 409, 502)[number % 5], body)
    for document in WRONG_TYPES:
        yield as_json(document)
    yield Answer(200, json.dumps({"id": "x"}).encode(), breaks=True)
    yield Answer(404, b"{", breaks=True)
    yield Answer(429, b"", {"Retry-After": "soon"})
    yield Answer(429, b"", {"Retry-After": "99999999"})


def broken_connections() -> Iterator[Exception]:
    """How a connection fails."""
    yield ConnectionRefusedError(111, "Connection refused")
    yield ConnectionResetError(104, "Connection reset by peer")
    yield TimeoutError("timed out")
    yield socket.gaierror(-2, "Name or service not known")
    yield ssl.SSLCertVerificationError(1, "certificate verify failed")
    yield http.client.RemoteDisconnected("Remote end closed connection without response")
    yield http.client.BadStatusLine("garbage")
    yield http.client.LineTooLong("header line")
