"""The HTTP interface of the endpoints: who may call, and which deployment answers.

Weights change between two requests, never within one: each request looks at one immutable route. Copies for a shadow
deployment are sent separately and their answers are dropped. `replies.py` defines statuses and texts.
"""

from __future__ import annotations

import asyncio
import random
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass

from aiohttp import web

from localazure.scoring import authorization, upstream
from localazure.scoring.calls import Call, Target, exchange, read_body
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.replies import (
    DEPLOYMENT_HEADER,
    NO_WEIGHT,
    TIMEOUT,
    Refusal,
    caller_headers,
    caller_status,
)
from localazure.scoring.served import ServedRequest
from localazure.scoring.specification import EndpointRouting

# Paths of the inference server that callers can reach, and their methods.
_PATHS = {"/score": ("POST", "GET", "OPTIONS"), "/swagger.json": ("GET",)}

_GUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_CLIENT_ID = "x-ms-client-request-id"
_NOT_IN_CLIENT_ID = re.compile(rb"[^A-Za-z0-9_-]")

Headers = tuple[tuple[bytes, bytes], ...]
Observer = Callable[[ServedRequest], None]
Exchange = Callable[[Target, Call, float], Awaitable[tuple[Backend, upstream.ModelReply]]]


@dataclass(frozen=True)
class _Route:
    routing: EndpointRouting
    weights: tuple[tuple[str, int], ...]
    total: int
    shadows: tuple[tuple[str, int], ...]
    connections: set[asyncio.BaseTransport]
    """Connections of clients that called the endpoint; closed ones are removed when connections are counted."""


class Router:
    """Routes of all endpoints. Give it a seeded `random.Random` to make the split reproducible.

    `exchange` carries a call to an instance; faults on command replace it.
    """

    def __init__(self, chance: random.Random | None = None, exchange: Exchange = exchange) -> None:
        self._exchange = exchange
        self._random = (chance or random.Random()).random
        self._routes: dict[str, _Route] = {}
        self._targets: dict[tuple[str, str], Target] = {}
        self._observers: list[Observer] = []
        self._copies: set[asyncio.Task[None]] = set()

    def observe(self, observer: Observer) -> None:
        """Call `observer` after every request to a deployment."""
        self._observers.append(observer)

    def attach(self, target: Target) -> None:
        """Add a deployment or replace its data."""
        self._targets[_key(target.endpoint, target.deployment)] = target

    def detach(self, endpoint: str, deployment: str) -> None:
        """Forget a deployment; its current requests continue."""
        self._targets.pop(_key(endpoint, deployment), None)

    def route(self, routing: EndpointRouting) -> None:
        """Set an endpoint's routing, effective for the next request."""
        weights = tuple((name, weight) for name, weight in routing.traffic.items() if weight > 0)
        shadows = tuple((name, percent) for name, percent in routing.mirror.items() if percent > 0)
        total = sum(weight for _, weight in weights)
        before = self._routes.get(routing.endpoint.lower())
        connections = before.connections if before is not None else set()
        self._routes[routing.endpoint.lower()] = _Route(routing, weights, total, shadows, connections)

    def unroute(self, endpoint: str) -> None:
        """Forget an endpoint."""
        self._routes.pop(endpoint.lower(), None)

    def connections(self) -> dict[str, int]:
        """The number of connected clients per endpoint that they called; endpoints without clients are left out."""
        for route in self._routes.values():
            route.connections.difference_update([one for one in route.connections if one.is_closing()])
        return {name: len(route.connections) for name, route in self._routes.items() if route.connections}

    async def close(self) -> None:
        """Cancel the copies that are still in flight."""
        for task in list(self._copies):
            task.cancel()
        await asyncio.gather(*self._copies, return_exceptions=True)

    def routes(self) -> list[web.RouteDef]:
        """The routes that the HTTP server mounts."""
        routes = []
        for path, methods in _PATHS.items():
            handler = self._handler(path)
            routes += [web.route(method, f"/endpoints/{{endpoint}}{path}", handler) for method in methods]
        return [*routes, web.route("*", "/endpoints/{endpoint}/{rest:.*}", _not_served)]

    def _handler(self, model_path: str) -> Callable[[web.Request], Coroutine[None, None, web.StreamResponse]]:
        async def handle(request: web.Request) -> web.StreamResponse:
            started, clock = time.time(), time.perf_counter()
            request_id = _request_id(request.headers.get("x-request-id"))
            try:
                return await self._answer(request, model_path, request_id, started, clock)
            except Refusal as exc:
                self._report_refused(request, model_path, request_id, started, clock, exc)
                return exc.response(request_id)

        return handle

    async def _answer(
        self, request: web.Request, model_path: str, request_id: str, started: float, clock: float
    ) -> web.StreamResponse:
        route = self._routes.get(request.match_info["endpoint"].lower())
        if route is None:
            raise Refusal(404, "There is no endpoint with this name on this local Azure.")
        if request.transport is not None:
            route.connections.add(request.transport)
        authorization.check(route.routing, request.headers.get("Authorization"))
        named = request.headers.get(DEPLOYMENT_HEADER)
        target = self._choose(route, named)
        body = await read_body(request)
        query = request.rel_url.raw_query_string
        path = f"{model_path}?{query}" if query else model_path
        direct = named is not None
        headers = _with_clean_client_id(request.raw_headers) if _CLIENT_ID in request.headers else request.raw_headers
        call = Call(request.method, path, headers, body, request_id, direct, started, clock)
        if route.shadows and not direct:
            self._mirror(route, target, call)
        return await self._forward(request, target, call)

    def _choose(self, route: _Route, named: str | None) -> Target:
        """Choose by header, regardless of weight; otherwise at random, in proportion to the live weights."""
        endpoint = route.routing.endpoint
        if named is not None:
            target = self._targets.get(_key(endpoint, named))
            if target is None:
                raise Refusal(404, f"The endpoint has no deployment with the name {named!a}.")
            return target
        if not route.weights:
            raise Refusal(404, NO_WEIGHT)
        chosen, point = route.weights[-1][0], self._random() * route.total
        for name, weight in route.weights:
            point -= weight
            if point < 0:
                chosen = name
                break
        # After a restart a weight may be back before its deployment: no instance is ready then, which is a 503.
        return self._targets.get(_key(endpoint, chosen)) or Target(endpoint, chosen, Dispatcher(1, 1), 5.0)

    async def _forward(self, request: web.Request, target: Target, call: Call) -> web.StreamResponse:
        deadline = asyncio.get_running_loop().time() + target.timeout_seconds
        try:
            backend, reply = await self._exchange(target, call, deadline)
        except Refusal as exc:
            self._report(call.served(target, status=exc.status, model_status=None, response_bytes=len(exc.text)))
            return exc.response(call.request_id, target.deployment)
        sent, status = 0, caller_status(reply)
        try:
            headers = caller_headers(reply, target.deployment, call.request_id)
            body = reply.whole_body
            if body is not None:
                sent = len(body)
                return web.Response(status=status, body=body, headers=headers)
            response = web.StreamResponse(status=status, headers=headers)
            response.content_length = reply.length
            try:
                async for chunk in reply.chunks():
                    if not response.prepared:
                        await response.prepare(request)
                    await response.write(chunk)
                    sent += len(chunk)
                if not response.prepared:
                    await response.prepare(request)
                await response.write_eof()
            except upstream.UpstreamError as exc:
                timeout = isinstance(exc, upstream.UpstreamTimeout)
                refusal = Refusal(408, TIMEOUT) if timeout else Refusal(502, f"The model's answer ended early: {exc}.")
                status = refusal.status
                if not response.prepared:
                    return refusal.response(call.request_id, target.deployment)
                if request.transport is not None:  # too late for a status: break the connection
                    request.transport.abort()
            return response
        finally:
            reply.close()
            target.dispatcher.release(backend)
            self._report(call.served(target, status=status, model_status=reply.status, response_bytes=sent))

    def _mirror(self, route: _Route, live: Target, call: Call) -> None:
        """Send copies to the shadow deployments, at random and without waiting; their answers are dropped."""
        for name, percent in route.shadows:
            shadow = self._targets.get(_key(route.routing.endpoint, name))
            if shadow is not None and shadow is not live and self._random() * 100 < percent:
                task = asyncio.create_task(self._copy(shadow, call.copied()))
                self._copies.add(task)
                task.add_done_callback(self._copies.discard)

    async def _copy(self, shadow: Target, call: Call) -> None:
        deadline = asyncio.get_running_loop().time() + shadow.timeout_seconds
        try:
            backend, reply = await self._exchange(shadow, call, deadline)
        except Refusal as exc:
            status = exc.status
            self._report(call.served(shadow, status=status, model_status=None, response_bytes=0, mirrored=True))
            return
        sent, status = 0, caller_status(reply)
        try:
            async for chunk in reply.chunks():
                sent += len(chunk)
        except upstream.UpstreamError as exc:
            status = 408 if isinstance(exc, upstream.UpstreamTimeout) else 502
        finally:
            reply.close()
            shadow.dispatcher.release(backend)
            model_status = reply.status
            served = call.served(shadow, status=status, model_status=model_status, response_bytes=sent, mirrored=True)
            self._report(served)

    def _report_refused(
        self, request: web.Request, path: str, request_id: str, started: float, clock: float, refusal: Refusal
    ) -> None:
        """Record a request that reached no deployment; requests to unknown endpoints are not recorded."""
        route = self._routes.get(request.match_info["endpoint"].lower())
        if route is not None:
            self._report(
                ServedRequest(
                    endpoint=route.routing.endpoint,
                    deployment="",
                    request_id=request_id,
                    method=request.method,
                    path=path,
                    started=started,
                    seconds=time.perf_counter() - clock,
                    status=refusal.status,
                    model_status=None,
                    request_bytes=0,
                    response_bytes=len(refusal.text),
                    headers=request.raw_headers,
                )
            )

    def _report(self, served: ServedRequest) -> None:
        for observer in self._observers:
            observer(served)


async def _not_served(request: web.Request) -> web.Response:
    """Answer wrong methods and unknown paths, which would otherwise reach the server's other services."""
    methods = _PATHS.get("/" + request.match_info["rest"])
    if methods is not None:
        refused = Refusal(405, "").response(str(uuid.uuid4()))
        refused.headers["Allow"] = ", ".join(methods)
        return refused
    known = ", ".join(_PATHS)
    return Refusal(404, f"An endpoint serves only {known}.").response(str(uuid.uuid4()))


def _key(endpoint: str, deployment: str) -> tuple[str, str]:
    return endpoint.lower(), deployment.lower()


def _request_id(given: str | None) -> str:
    """Reserved for the server's tracing: a value that is not a GUID is overridden (documented, request tracing)."""
    return given if given and _GUID.fullmatch(given) else str(uuid.uuid4())


def _with_clean_client_id(headers: Headers) -> Headers:
    """The client's own tracing id: at most 40 letters, digits, hyphens, underscores (documented, request tracing)."""
    return tuple(
        (name, _NOT_IN_CLIENT_ID.sub(b"", value)[:40] if name.lower() == _CLIENT_ID.encode() else value)
        for name, value in headers
    )
