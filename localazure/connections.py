"""Connections of the HTTP servers: ends those of clients that send no request in time, and all others at the stop.

The HTTP library waits without limit for the headers of a first request, so a client that sends a byte now and then
would keep a connection open for ever. `localazure.requests` handles slow bodies.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
from collections.abc import Iterable
from typing import Any, cast

from aiohttp import HttpVersion11, web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.http_writer import StreamWriter

HEAD_SECONDS = 10.0
"""Seconds for the TLS handshake and the headers of the first request."""
IDLE_SECONDS = 75.0
"""Seconds until the headers of the next request on a connection; clients close idle ones earlier."""


def server_log() -> logging.Logger:
    """Filters requests that are not HTTP from the HTTP library's log.

    The library would log the lines that it could not parse, which may include an Authorization header.
    """
    logger = logging.getLogger("localazure.http")
    logger.filters[:] = [_is_ours]
    return logger


def _is_ours(record: logging.LogRecord) -> bool:
    return not (record.exc_info and isinstance(record.exc_info[1], HttpProcessingError))


def with_expectations(routes: Iterable[web.RouteDef]) -> list[web.RouteDef]:
    """The same routes, with an answer to `Expect` that does not repeat the client's value: it may be invalid text."""
    return [web.route(one.method, one.path, one.handler, **one.kwargs, expect_handler=_expect) for one in routes]


async def _expect(request: web.Request) -> None:
    if request.version != HttpVersion11:
        return
    if request.headers.get("Expect", "").lower() != "100-continue":
        raise web.HTTPExpectationFailed(text="The only supported value of Expect is 100-continue.")
    writer = request.writer
    assert isinstance(writer, StreamWriter)
    await writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    writer.output_size = 0  # the answer itself has not started


class Connections:
    """Accepts connections for a web server and tracks the open ones."""

    def __init__(self, server: web.Server) -> None:
        self._server = server
        self._listening: list[asyncio.Server] = []
        self._silent: dict[int, asyncio.TimerHandle] = {}
        self._left: list[asyncio.BaseTransport] = []
        """The connections that were open at the beginning of the stop."""

    async def listen(self, bound: socket.socket, context: ssl.SSLContext | None = None) -> None:
        """Accept on a socket that is already bound."""
        timeout = HEAD_SECONDS if context is not None else None
        loop = asyncio.get_running_loop()
        server = await loop.create_server(self._accept, sock=bound, ssl=context, ssl_handshake_timeout=timeout)
        self._listening.append(server)

    def heard(self, request: web.Request) -> None:
        """Record that a request arrived on its connection."""
        timer = self._silent.pop(id(request.protocol), None)
        if timer is not None:
            timer.cancel()

    def stop_listening(self) -> None:
        """Stop accepting connections."""
        for server in self._listening:
            server.close()
        for timer in self._silent.values():
            timer.cancel()
        self._left = [one.transport for one in self._server.connections if one.transport is not None]

    async def drop(self) -> None:
        """End connections that wait for their client's TLS close notification, which an idle client never sends."""
        for transport in self._left:
            cast(asyncio.Transport, transport).abort()
        for _ in range(3):
            await asyncio.sleep(0)

    def _accept(self) -> asyncio.BaseProtocol:
        protocol = self._server()
        # The timer references the protocol, so its id stays unique as long as it is a key here.
        timer = asyncio.get_running_loop().call_later(HEAD_SECONDS, self._end_silent, protocol)
        self._silent[id(protocol)] = timer
        return protocol

    def _end_silent(self, protocol: Any) -> None:
        self._silent.pop(id(protocol), None)
        if protocol.transport is not None:
            protocol.transport.abort()
