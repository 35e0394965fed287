"""Faults on deployments, weights and requests to models: in the requests of the router, and in the calls of the control
plane to the data plane.

They act in front of the compute and therefore work with every kind of it: no process is harmed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from http import HTTPStatus

from aiohttp import web
from aiohttp.abc import AbstractStreamWriter

from localazure.arm.scoring import Scoring
from localazure.faults.fault import AFTER, BEFORE, Kind
from localazure.faults.holding import stand_still
from localazure.faults.registry import ActiveFault, Faults
from localazure.faults.requests import FAULT_HEADER
from localazure.faults.subjects import deployment_subject, endpoint_subject, score_subject
from localazure.scoring import upstream
from localazure.scoring.calls import Call, Target
from localazure.scoring.dispatch import Backend
from localazure.scoring.replies import TIMEOUT, Refusal
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, EndpointRouting

Exchange = Callable[[Target, Call, float], Awaitable[tuple[Backend, upstream.ModelReply]]]
_UNHEALTHY = frozenset({Kind.UNHEALTHY})
_SLOW = frozenset({Kind.SLOW})
_ERRORS = frozenset({Kind.ERRORS})
_CRASHES = frozenset({Kind.CRASH_AT_START})
_LATE = frozenset({Kind.LATE_TRAFFIC})
_HOLDS = frozenset({Kind.HOLD})
_DELAYS = frozenset({Kind.DELAY})
_REFUSALS = frozenset({Kind.CONFLICT, Kind.THROTTLE, Kind.ERROR, Kind.DROP})
_LOSSES = frozenset({Kind.LOSE_RESPONSE})
_NOBODY = 499
"""The status that metrics record for an answer that did not reach its caller, for example after a disconnect."""


class FaultyReply(upstream.ModelReply):
    """A model's error without a model."""

    def __init__(self, status: int, number: int) -> None:
        self.status = status
        self._body = f"Fault {number} on command: the model answers {status}.".encode()
        self.headers = [(b"Content-Type", b"text/plain; charset=utf-8"), (FAULT_HEADER.encode(), str(number).encode())]
        self.length = len(self._body)

    @property
    def whole_body(self) -> bytes | None:
        return self._body

    async def chunks(self) -> AsyncIterator[bytes]:
        yield self._body

    def close(self) -> None:
        """There is no connection."""


class FaultyRefusal(Refusal):
    """A refusal that a fault caused."""

    def __init__(self, active: ActiveFault, status: int, text: str, reason: str | None = None) -> None:
        super().__init__(status, text, reason)
        self._active = active

    def response(self, request_id: str, deployment: str | None = None) -> web.Response:
        """The HTTP response, marked with the fault's number."""
        response = super().response(request_id, deployment)
        response.headers[FAULT_HEADER] = str(self._active.number)
        if self._active.fault.kind is Kind.THROTTLE:
            response.headers["Retry-After"] = str(self._active.fault.retry_after_seconds)
        return response


class BrokenConnection(FaultyRefusal):
    """No answer at all: the caller's connection is reset."""

    def __init__(self, active: ActiveFault) -> None:
        super().__init__(active, _NOBODY, "")

    def response(self, request_id: str, deployment: str | None = None) -> web.Response:
        """A response that breaks the connection instead of being sent."""
        return _Break(status=_NOBODY)


class _Break(web.Response):
    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        if request.transport is not None:
            request.transport.abort()
        return await super().prepare(request)


def exchange_with_faults(faults: Faults, exchange: Exchange) -> Exchange:
    """The router's exchange with a model, disturbed while faults are active.

    Faults on requests (`--type score`) act before those of the deployment, as the network comes before the model. A
    copy for a shadow deployment is a request, too.
    """

    async def disturbed(target: Target, call: Call, deadline: float) -> tuple[Backend, upstream.ModelReply]:
        if not faults:
            return await exchange(target, call, deadline)
        subject = score_subject(target.endpoint, target.deployment, call.method)
        deadline += await hold(target, call, BEFORE)
        delay = faults.take(_DELAYS, subject)
        if delay is not None:
            # Network delay does not count towards the model's timeout, which begins afterwards.
            await asyncio.sleep(delay.fault.by_seconds)
            deadline += delay.fault.by_seconds
        refusal = faults.take(_REFUSALS, subject)
        if refusal is not None:
            raise BrokenConnection(refusal) if refusal.fault.kind is Kind.DROP else _refused(refusal)
        backend, reply = await deployment(target, call, deadline)
        try:
            if reply.status == HTTPStatus.OK:
                await hold(target, call, AFTER)
            lost = faults.take(_LOSSES, subject) if reply.status == HTTPStatus.OK else None
            if lost is not None:
                raise BrokenConnection(lost)
        except BaseException:
            reply.close()
            target.dispatcher.release(backend)
            raise
        return backend, reply

    async def hold(target: Target, call: Call, when: str) -> float:
        """Seconds for which the request was held. Raises BrokenConnection if the server stops meanwhile."""
        active = faults.take(_HOLDS, score_subject(target.endpoint, target.deployment, call.method), when)
        if active is None:
            return 0.0
        loop = asyncio.get_running_loop()
        started = loop.time()
        if not await stand_still(faults, active):
            raise BrokenConnection(active)
        return loop.time() - started

    async def deployment(target: Target, call: Call, deadline: float) -> tuple[Backend, upstream.ModelReply]:
        """A slow model occupies its instance."""
        subject = deployment_subject(target.endpoint, target.deployment)
        unhealthy = faults.take(_UNHEALTHY, subject)
        if unhealthy is not None:
            raise FaultyRefusal(unhealthy, 503, f"No instance of '{target.deployment}' is ready.", "model_not_ready")
        backend, reply = await exchange(target, call, deadline)
        try:
            slow = faults.take(_SLOW, subject)
            if slow is not None:
                left = deadline - asyncio.get_running_loop().time()
                await asyncio.sleep(max(0.0, min(slow.fault.by_seconds, left)))
                if slow.fault.by_seconds > left:
                    raise FaultyRefusal(slow, 408, TIMEOUT)
            broken = faults.take(_ERRORS, subject)
        except BaseException:
            reply.close()
            target.dispatcher.release(backend)
            raise
        if broken is None:
            return backend, reply
        reply.close()
        return backend, FaultyReply(broken.fault.status, broken.number)

    return disturbed


def _refused(active: ActiveFault) -> FaultyRefusal:
    kind = active.fault.kind
    if kind is Kind.THROTTLE:
        return FaultyRefusal(active, HTTPStatus.TOO_MANY_REQUESTS, "", "too_many_pending_request")
    status = active.fault.status if kind is Kind.ERROR else int(kind)
    return FaultyRefusal(active, status, f"Fault {active.number} on command: {status}.")


class FaultyScoring:
    """The data plane as the control plane sees it, with deployments that crash and weights that take effect late."""

    def __init__(self, scoring: Scoring, faults: Faults) -> None:
        self._scoring = scoring
        self._faults = faults
        self._crashed: dict[tuple[str, str], str] = {}
        self._effective: dict[str, EndpointRouting] = {}
        self._pending: dict[str, asyncio.Task[None]] = {}
        # Untouched.
        self.scale = scoring.scale

    async def deploy(self, spec: DeploymentSpec) -> None:
        """Like the data plane, unless the deployment is to crash."""
        key = (spec.endpoint.lower(), spec.deployment.lower())
        self._crashed.pop(key, None)
        active = self._faults.take(_CRASHES, deployment_subject(*key)) if self._faults else None
        if active is not None:
            text = (
                "the inference server ended with exit code 3 before it was ready. End of its log:\n"
                f"Fault {active.number} on command: crash at start."
            )
            self._crashed[key] = text
            raise DeploymentFailed("ResourceNotReady", text)
        await self._scoring.deploy(spec)

    async def remove(self, endpoint: str, deployment: str) -> None:
        """Like the data plane."""
        self._crashed.pop((endpoint.lower(), deployment.lower()), None)
        await self._scoring.remove(endpoint, deployment)

    async def logs(self, endpoint: str, deployment: str, container: str, tail: int) -> str:
        """Like the data plane; the logs of the container show a crash on command."""
        crash = self._crashed.get((endpoint.lower(), deployment.lower()))
        if crash is None:
            return await self._scoring.logs(endpoint, deployment, container, tail)
        shown = crash if container.lower() != "storageinitializer" else ""
        return f"Instance status:\nUserContainerStart: Failed\n\nContainer logs:\n{shown}\n"

    def route(self, routing: EndpointRouting) -> None:
        """Like the data plane; late weights leave the old ones in force, while keys change at once."""
        key = routing.endpoint.lower()
        self._forget_pending(key)
        before = self._effective.get(key)
        changed = before is not None and (before.traffic, before.mirror) != (routing.traffic, routing.mirror)
        active = self._faults.take(_LATE, endpoint_subject(key)) if changed and self._faults else None
        if active is None or before is None:
            self._apply(routing)
            return
        self._apply(replace(routing, traffic=before.traffic, mirror=before.mirror))
        self._pending[key] = asyncio.get_running_loop().create_task(self._apply_late(active, routing))

    def unroute(self, endpoint: str) -> None:
        """Like the data plane."""
        self._forget_pending(endpoint.lower())
        self._effective.pop(endpoint.lower(), None)
        self._scoring.unroute(endpoint)

    def close(self) -> None:
        """Forget pending weights; the store has them for the next start."""
        for key in list(self._pending):
            self._forget_pending(key)

    async def _apply_late(self, active: ActiveFault, routing: EndpointRouting) -> None:
        if await stand_still(self._faults, active, active.fault.by_seconds):
            self._apply(routing)

    def _apply(self, routing: EndpointRouting) -> None:
        self._effective[routing.endpoint.lower()] = routing
        self._scoring.route(routing)

    def _forget_pending(self, key: str) -> None:
        task = self._pending.pop(key, None)
        if task is not None:
            task.cancel()
