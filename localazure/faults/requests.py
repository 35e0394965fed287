"""Faults on requests: holds, delays, refusals, broken connections, lost answers. For Resource Manager and the blob
service; `scoring` has those on requests to models.

Answers of a fault carry the header `x-local-fault` with its number, so that they are not mistaken for findings.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from aiohttp import web

from localazure.faults.fault import AFTER, BEFORE, BLOBS, Kind, Subject
from localazure.faults.holding import stand_still
from localazure.faults.registry import ActiveFault, Faults
from localazure.faults.subjects import metrics_subject, request_subject
from localazure.origin import path_on_localhost
from localazure.requests import read_body

FAULT_HEADER = "x-local-fault"
_BATCH = "/metrics:getbatch"
_HOLDS = frozenset({Kind.HOLD})
_DELAYS = frozenset({Kind.DELAY})
_REFUSALS = frozenset({Kind.CONFLICT, Kind.THROTTLE, Kind.ERROR, Kind.DROP})
_LOSSES = frozenset({Kind.LOSE_RESPONSE})
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def answer_with_faults(faults: Faults, request: web.Request, handler: Handler) -> web.StreamResponse:
    """The handler's answer, unless a fault intervenes."""
    subject = await _subject(request)
    hold = faults.take(_HOLDS, subject, BEFORE)
    if hold is not None:
        if subject.type != BLOBS:
            await read_body(request)  # the request has arrived, so it takes effect even if its caller disconnects
        if not await stand_still(faults, hold):
            return _break(request)
    delay = faults.take(_DELAYS, subject)
    if delay is not None:
        await asyncio.sleep(delay.fault.by_seconds)
    refusal = faults.take(_REFUSALS, subject)
    if refusal is not None:
        return _break(request) if refusal.fault.kind is Kind.DROP else _refuse(refusal)
    response = await handler(request)
    hold = faults.take(_HOLDS, subject, AFTER) if response.status < 400 else None
    if hold is not None and not await stand_still(faults, hold):
        return _break(request)
    if response.status < 400 and faults.take(_LOSSES, subject) is not None:
        return _break(request)
    return response


async def _subject(request: web.Request) -> Subject:
    path = path_on_localhost(request)
    if not path.lower().endswith(_BATCH):
        return request_subject(request.method, path)
    try:
        sent = json.loads(await read_body(request))
        ids = [one for one in sent["resourceids"] if isinstance(one, str)]
    except (ValueError, KeyError, TypeError, RecursionError):
        ids = []  # the route itself refuses it
    return metrics_subject(request.method, ids)


def _refuse(active: ActiveFault) -> web.Response:
    status = active.fault.status if active.fault.kind is Kind.ERROR else int(active.fault.kind)
    headers = {FAULT_HEADER: str(active.number)}
    if active.fault.kind is Kind.THROTTLE:
        headers["Retry-After"] = str(active.fault.retry_after_seconds)
    return web.json_response(_body(active), status=status, headers=headers)


def _body(active: ActiveFault) -> dict[str, Any]:
    if active.fault.kind is Kind.ERROR and active.fault.status != 500:
        try:
            code = HTTPStatus(active.fault.status).phrase.replace(" ", "")
        except ValueError:
            code = "ServerError"
        return {"error": {"code": code, "message": f"Fault {active.number} on command: {active.fault.status}."}}
    if active.fault.kind is Kind.ERROR:
        # Recorded: an internal error of the service.
        return {
            "error": {"code": "ServiceError", "message": "InternalServerError", "details": [], "additionalInfo": []}
        }
    code = "Conflict" if active.fault.kind is Kind.CONFLICT else "TooManyRequests"
    return {"error": {"code": code, "message": f"Fault {active.number} on command: {active.fault.kind}."}}


def _break(request: web.Request) -> web.Response:
    """Reset the connection; the returned answer is never sent."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)
