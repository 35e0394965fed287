"""Sends one request to an instance of the deployment that was chosen for it."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, replace

from aiohttp import web

from localazure.scoring import upstream
from localazure.scoring.dispatch import Backend, Dispatcher, NoInstance, Saturated
from localazure.scoring.replies import TIMEOUT, Refusal
from localazure.scoring.served import ServedRequest
from localazure.scoring.simulated import SimulatedBackend

# Requests are read whole before a model sees them, so that a slow caller cannot occupy a model's worker.
MAX_REQUEST_BYTES = 64 * 1024 * 1024
BODY_READ_SECONDS = 60.0

# Not forwarded: connection management (RFC 9110, 7.6.1), headers that the router sets itself, and the caller's key.
_NOT_TO_MODEL = frozenset(
    b"connection keep-alive proxy-connection te trailer transfer-encoding upgrade expect host content-length "
    b"authorization proxy-authorization x-request-id".split()
)


@dataclass
class Target:
    """A deployment as the router sees it."""

    endpoint: str
    deployment: str
    dispatcher: Dispatcher
    timeout_seconds: float


@dataclass
class Call:
    """One request with its complete body."""

    method: str
    path: str
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes
    request_id: str
    direct: bool
    started: float
    clock: float

    def copied(self) -> Call:
        """The same request with the current time as its start."""
        return replace(self, started=time.time(), clock=time.perf_counter())

    def serialise(self) -> bytes:
        """As HTTP/1.1 for the model server."""
        lines = [f"{self.method} {self.path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n".encode()]
        lines += [name + b": " + value + b"\r\n" for name, value in self.headers if name.lower() not in _NOT_TO_MODEL]
        lines.append(f"x-request-id: {self.request_id}\r\nContent-Length: {len(self.body)}\r\n\r\n".encode())
        return b"".join(lines) + self.body

    def served(
        self, target: Target, *, status: int, model_status: int | None, response_bytes: int, mirrored: bool = False
    ) -> ServedRequest:
        """The outcome of a call."""
        return ServedRequest(
            endpoint=target.endpoint,
            deployment=target.deployment,
            request_id=self.request_id,
            method=self.method,
            path=self.path,
            started=self.started,
            seconds=time.perf_counter() - self.clock,
            status=status,
            model_status=model_status,
            request_bytes=len(self.body),
            response_bytes=response_bytes,
            mirrored=mirrored,
            direct=self.direct,
            headers=self.headers,
        )


async def read_body(request: web.Request) -> bytes:
    """Read the whole body; raises `Refusal` when it is too large or arrives too slowly."""
    too_large = Refusal(413, f"The request is larger than {MAX_REQUEST_BYTES} bytes.")
    if (request.content_length or 0) > MAX_REQUEST_BYTES:
        raise too_large
    if not request.can_read_body:
        return b""
    if request.content.is_eof():  # a short body usually arrives together with its headers
        body = request.content.read_nowait()
        if len(body) > MAX_REQUEST_BYTES:
            raise too_large
        return body
    parts, size = [], 0
    try:
        async with asyncio.timeout(BODY_READ_SECONDS):
            while part := await request.content.readany():
                parts.append(part)
                size += len(part)
                if size > MAX_REQUEST_BYTES:
                    raise too_large
    except TimeoutError:
        raise Refusal(408, f"The request was not received within {BODY_READ_SECONDS:.0f} s.") from None
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def exchange(target: Target, call: Call, deadline: float) -> tuple[Backend, upstream.ModelReply]:
    """Send the call to an instance; the caller releases the backend. Raises `Refusal`.

    An instance that cannot be reached has not seen the request, so another instance may get it. An instance that closed
    the connection may have worked on the request, so it is not sent again.
    """
    dispatcher = target.dispatcher
    tried: list[Backend] = []
    while True:
        try:
            backend = await dispatcher.acquire(deadline, tried)
        except Saturated:
            raise Refusal(429, "", "too_many_pending_request") from None
        except NoInstance:
            raise _not_ready(target) from None
        except TimeoutError:
            raise Refusal(408, TIMEOUT) from None
        if isinstance(backend, SimulatedBackend):
            return backend, backend.answer(call.path)
        try:
            return backend, await upstream.send(backend.address, call.serialise(), deadline=deadline)
        except upstream.UpstreamTimeout:
            dispatcher.release(backend)
            raise Refusal(408, TIMEOUT) from None
        except upstream.UpstreamError as exc:
            dispatcher.release(backend)
            tried.append(backend)
            if exc.sent:
                raise Refusal(502, f"The model's server did not answer: {exc}.") from exc
            if all(known in tried for known in dispatcher.backends):
                raise _not_ready(target) from exc
        except BaseException:
            dispatcher.release(backend)
            raise


def _not_ready(target: Target) -> Refusal:
    return Refusal(503, f"No instance of deployment '{target.deployment}' is ready.", "model_not_ready")
