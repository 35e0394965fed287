"""One HTTP exchange with a model server over its unix socket.

Made for this one peer: a connection per request (gunicorn's sync worker closes it anyway), no redirects, no cookies,
no decompression. A general client costs about as much time as the whole router may add. The response body is handed
on as it arrives, with back-pressure.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from localazure.scoring.framing import HEAD_LIMIT, Body, body_of, parse_head

_BUFFER_LIMIT = 512 * 1024
"""A body that is announced as no longer than this is waited for; others are handed on as they arrive."""


class UpstreamError(Exception):
    """The model server gave no (whole) answer; `sent` tells whether it may have seen the request."""

    def __init__(self, message: str, *, sent: bool) -> None:
        super().__init__(message)
        self.sent = sent


class UpstreamTimeout(UpstreamError):
    """The time of the request is over."""


class Reply:
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
        """The body, when all of it is already there."""
        return self._exchange.taken() if self._exchange.ended else None

    async def chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; raises `UpstreamError` when it breaks off."""
        while True:
            chunk = self._exchange.taken()
            if chunk:
                yield chunk
            elif self._exchange.ended:
                return
            else:
                await self._exchange.more()

    def close(self) -> None:
        """Give the connection up, finished or not."""
        self._exchange.close()


async def send(path: str, request: bytes, *, deadline: float) -> Reply:
    """Send one serialised request; returns when the answer's head is there, and its body too if that is short.

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
    return Reply(status, headers, length, exchange)


_Head = tuple[int, list[tuple[bytes, bytes]], int | None]


class _Exchange(asyncio.Protocol):
    def __init__(self, loop: asyncio.AbstractEventLoop, request: bytes, deadline: float) -> None:
        self.head: asyncio.Future[_Head] = loop.create_future()
        self.ended = False
        self._loop = loop
        self._request = request
        self._buffer = bytearray()
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._paused = False
        self._body: Body | None = None
        self._answer: _Head | None = None
        self._failure: UpstreamError | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._timer = loop.call_at(deadline, self._expire)

    # What the reader of the reply uses.

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

    # What the transport calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if self._body is not None:
            self._feed(data)
            return
        self._buffer += data
        while self._body is None:
            end = self._buffer.find(b"\r\n\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    self._fail(UpstreamError(f"the model server's headers exceed {HEAD_LIMIT} bytes", sent=True))
                return
            head, rest = bytes(self._buffer[:end]), bytes(self._buffer[end + 4 :])
            self._buffer.clear()
            try:
                status, headers = parse_head(head)
                if status < 200:  # an interim answer; the real one follows
                    self._buffer += rest
                    continue
                self._body = body_of(status, headers)
            except ValueError as exc:
                self._fail(UpstreamError(f"the model server's answer is not HTTP: {exc}", sent=True))
                return
            self._answer = (status, headers, self._body.length)
            self._feed(rest)
            if self._body.length is None or self._body.length > _BUFFER_LIMIT:
                self._answered()

    def eof_received(self) -> None:
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        if self._body is not None and not self.ended and exc is None and self._body.until_close:
            self._end()
        elif not self.ended:
            self._fail(UpstreamError(f"the model server broke the connection ({exc or 'closed early'})", sent=True))

    def _feed(self, data: bytes) -> None:
        assert self._body is not None
        if self.ended:
            return
        try:
            chunk, done = self._body.feed(data)
        except ValueError as exc:
            self._fail(UpstreamError(f"the model server's body is not HTTP: {exc}", sent=True))
            return
        if chunk:
            self._chunks.append(chunk)
            self._buffered += len(chunk)
        if done:
            self._end()
        elif self._buffered > _BUFFER_LIMIT and not self._paused and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        self._wake()

    def _end(self) -> None:
        self.ended = True
        self._timer.cancel()
        self._answered()
        if self._transport is not None:
            self._transport.close()
        self._wake()

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
            self.head.exception()  # seen: nobody may be left to await it
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(failure)

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)
