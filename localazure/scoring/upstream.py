"""One HTTP exchange with a model server over its unix socket.

Written for this one peer: a connection per request (gunicorn's sync worker closes it anyway), no redirects, no cookies,
no decompression. Node's parser reads the answer (httptools, strict); a complete client library costs half of the
latency that the router may add (docs/adr/0007). The response body is forwarded as it arrives, with back-pressure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

HEAD_LIMIT = 64 * 1024
"""Bytes of status line and headers, of interim answers too."""
_BUFFER_LIMIT = 512 * 1024
"""A body with a Content-Length up to this is read first; other bodies are forwarded as they arrive."""


class UpstreamError(Exception):
    """The model server gave no complete answer; `sent` states whether it may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamTimeout(UpstreamError):
    """The request timed out."""


class ModelReply:
    """Status and headers of an answer; the body comes from `read_all` or `chunks`, once."""

    def __init__(
        self, status: int, headers: list[tuple[bytes, bytes]], length: int | None, exchange: _Exchange
    ) -> None:
        self.status = status
        self.headers = headers
        self.length = length
        """Of the body, where the server announced it."""
        self._exchange = exchange

    @property
    def whole_body(self) -> bytes | None:
        """The body, when all of it has already arrived."""
        return self._exchange.taken() if self._exchange.ended else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises `UpstreamError` when it ends early."""
        while True:
            chunk = self._exchange.taken()
            if chunk:
                yield chunk
            elif self._exchange.ended:
                return
            else:
                await self._exchange.more()

    def close(self) -> None:
        """Close the connection, finished or not."""
        self._exchange.close()


async def send(path: str, request: bytes, *, deadline: float) -> ModelReply:
    """Send one serialised request; returns when the answer's headers have arrived, and a short body as well.

    `deadline` is in loop time and holds for the body as well.
    """
    loop = asyncio.get_running_loop()
    try:
        _, exchange = await loop.create_unix_connection(lambda: _Exchange(loop, request, deadline), path)
    except OSError as exc:
        raise UpstreamError(f"cannot connect to the model server: {exc}", sent=False) from exc
    try:
        status, headers, length = await exchange.head
    except BaseException:
        exchange.close()
        raise
    return ModelReply(status, headers, length, exchange)


Headers = list[tuple[bytes, bytes]]


class _Exchange(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes, deadline: float) -> None:
        self.head: asyncio.Future[tuple[int, Headers, int | None]] = loop.create_future()
        self.ended = False
        self._loop = loop
        self._request = request
        self._parser = HttpResponseParser(self)
        self._read = 0
        self._headers: Headers = []
        self._answer: tuple[int, Headers, int | None] | None = None
        self._until_close = False
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._failure: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer = loop.call_at(deadline, self._expire)

    # For the reader of the reply.

    def taken(self) -> bytes:
        if not self._chunks:
            return b""
        data = self._chunks[0] if len(self._chunks) == 1 else b"".join(self._chunks)
        self._chunks.clear()
        self._buffered = 0
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._transport.resume_reading()
        return data

    async def more(self) -> None:
        if self._failure is not None:
            raise self._failure
        self._waiter = self._loop.create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def close(self) -> None:
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        if self.head.done() and not self.head.cancelled():
            self.head.exception()  # marks it as seen
        else:
            self.head.cancel()

    # Called by the transport.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # The transports of other event loops do not inherit from asyncio.Transport.
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._answer is None:
            self._read += len(data)
        try:
            self._parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as exc:
            self._fail(UpstreamError(f"the model server's answer is not HTTP: {exc}", sent=True))
        if self._answer is None and self._read > HEAD_LIMIT:
            self._fail(UpstreamError(f"the model server's headers exceed {HEAD_LIMIT} bytes", sent=True))
        if self._buffered > _BUFFER_LIMIT and not self.ended and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def connection_lost(self, exc: Exception | None) -> None:
        if exc is None and self._until_close and not self.ended:
            self._end()
            self._wake()
        elif not self.ended:
            self._fail(UpstreamError(f"the model server broke the connection ({exc or 'closed early'})", sent=True))

    # Called by the parser.

    def on_message_begin(self) -> None:
        self._headers = []

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._answer is None:  # later ones are trailers, which are ignored
            self._headers.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._answer is not None or status < 200:  # bytes after the answer, or an interim answer before the real one
            return
        lengths = [value for name, value in self._headers if name.lower() == b"content-length"]
        codings = [value.lower() for name, value in self._headers if name.lower() == b"transfer-encoding"]
        if codings not in ([], [b"chunked"]):
            self._fail(UpstreamError(f"the model server's answer has transfer encoding {codings!r}", sent=True))
            return
        self._until_close = not lengths and not codings
        length = int(lengths[0]) if lengths else None
        self._answer = (status, self._headers, length)
        if length is None or length > _BUFFER_LIMIT:
            self._answered()

    def on_body(self, body: bytes) -> None:
        if not self.ended:
            self._chunks.append(body)
            self._buffered += len(body)

    def on_message_complete(self) -> None:
        if self._answer is not None:
            self._end()

    def _end(self) -> None:
        if self.ended or self._failure is not None:
            return
        self.ended = True
        self._timer.cancel()
        self._answered()
        if self._transport is not None:
            self._transport.close()

    def _answered(self) -> None:
        if self._answer is not None and not self.head.done():
            self.head.set_result(self._answer)

    def _expire(self) -> None:
        self._fail(UpstreamTimeout("no answer in time", sent=True))

    def _fail(self, failure: UpstreamError) -> None:
        if self._failure is not None or self.ended:
            return
        self._failure = failure
        self._timer.cancel()
        if self._transport is not None:
            self._transport.abort()
        if not self.head.done():
            self.head.set_exception(failure)
            self.head.exception()  # mark it as seen: no task may await it any more
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
