"""The exchange with a model server, byte by byte."""

from __future__ import annotations

import asyncio
import tempfile

import pytest

from localazure.scoring import upstream
from tests import virtual_time
from tests.waiting import HANGS


def exchange(
    *pieces: bytes, deadline: float = HANGS, close: bool = True
) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
    """What a server that answers with `pieces` is understood as."""

    async def main():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.005)  # the next piece comes later
            if not close:
                await asyncio.sleep(deadline + 0.05)
            writer.close()

        with tempfile.TemporaryDirectory() as folder:
            server = await asyncio.start_unix_server(serve, f"{folder}/s")
            try:
                end = asyncio.get_running_loop().time() + deadline
                reply = await upstream.send(f"{folder}/s", b"GET / HTTP/1.1\r\n\r\n", deadline=end)
                body = b"".join([chunk async for chunk in reply.chunks()])
                reply.close()
                return reply.status, reply.headers, body
            finally:
                server.close()
                await server.wait_closed()
                await asyncio.sleep(0.01 if close else deadline + 0.1)

    return virtual_time.run(main())


def test_a_counted_body():
    status, headers, body = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A:  b \r\n\r\nhello")
    assert (status, body) == (200, b"hello")
    assert (b"X-A", b"b") in headers


def test_head_and_body_in_any_pieces():
    answer = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"
    assert exchange(*(answer[i : i + 1] for i in range(len(answer))))[2] == b"hello"


def test_a_body_until_close():
    assert exchange(b"HTTP/1.0 200 OK\r\n\r\nhel", b"lo")[2] == b"hello"


def test_a_chunked_body_in_any_pieces():
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nTrailer: 1\r\n\r\n"
    assert exchange(answer)[2] == b"hello"
    assert exchange(*(answer[i : i + 1] for i in range(len(answer))))[2] == b"hello"


def test_trailers_are_no_headers():
    head, tail = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", b"0\r\nSet-Cookie: a=b\r\n\r\n"
    for pieces in ([head + tail], [head, tail]):
        status, headers, body = exchange(*pieces)
        assert (status, [name for name, _ in headers], body) == (200, [b"Transfer-Encoding"], b"hel")


@pytest.mark.parametrize("status", [b"204 No Content", b"304 Not Modified"])
def test_a_body_where_there_is_none_is_not_read(status):
    answer = b"HTTP/1.1 " + status + b"\r\nContent-Length: 5\r\n\r\nhello"
    for pieces in ([answer], [answer[i : i + 1] for i in range(len(answer))]):
        assert exchange(*pieces)[2] == b""


def test_a_reader_that_is_slow_gets_the_whole_answer():
    size = 5 << 20

    async def main():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
            for _ in range(size >> 16):
                writer.write(b"10000\r\n" + b"x" * 65536 + b"\r\n")
                await writer.drain()
            writer.write(b"0\r\n\r\n")
            writer.close()

        with tempfile.TemporaryDirectory() as folder:
            server = await asyncio.start_unix_server(serve, f"{folder}/s")
            end = asyncio.get_running_loop().time() + HANGS
            reply = await upstream.send(f"{folder}/s", b"GET / HTTP/1.1\r\n\r\n", deadline=end)
            received, most = 0, 0
            async for chunk in reply.chunks():
                received, most = received + len(chunk), max(most, len(chunk))
                await asyncio.sleep(0.01)
            reply.close()
            server.close()
            return received, most

    received, most = virtual_time.run(main())
    assert received == size
    assert most < 2 << 20  # it does not pile up


def test_a_server_that_resets_amid_the_body_is_an_error():
    async def main():
        async def serve(reader, writer):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.0 200 OK\r\n\r\nhel")
            await writer.drain()
            await asyncio.sleep(0.01)
            await reader.read(1)  # the client sent more than was read: closing now resets
            writer.transport.abort()

        with tempfile.TemporaryDirectory() as folder:
            server = await asyncio.start_unix_server(serve, f"{folder}/s")
            end = asyncio.get_running_loop().time() + HANGS
            request = b"POST / HTTP/1.1\r\n\r\n" + b"y" * 300_000
            try:
                reply = await upstream.send(f"{folder}/s", request, deadline=end)
                return b"".join([chunk async for chunk in reply.chunks()])
            finally:
                server.close()

    with pytest.raises(upstream.UpstreamError):
        virtual_time.run(main())


def test_bytes_after_the_body_are_not_part_of_it():
    assert exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhiHTTP/1.1 500 X\r\n\r\n")[2] == b"hi"


def test_an_interim_answer_is_passed_over():
    assert exchange(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")[0] == 204


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
        b"HTTP/1.1 200 OK\r\na name: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\x01\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nA: x\ry\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\nhel",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-3\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
        b"HTTP/1.1 200 OK\r\nA: " + b"x" * 70_000,
    ],
)
def test_what_is_not_a_whole_answer_is_an_error(answer):
    with pytest.raises(upstream.UpstreamError) as caught:
        exchange(answer)
    assert caught.value.sent


def test_a_silent_server_is_given_up_at_the_deadline():
    with pytest.raises(upstream.UpstreamTimeout):
        exchange(deadline=0.1, close=False)


def test_a_server_that_stops_amid_the_body_is_given_up_at_the_deadline():
    with pytest.raises(upstream.UpstreamTimeout):
        exchange(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n", deadline=0.1, close=False)


def test_no_server_means_that_nothing_was_sent():
    async def main():
        await upstream.send("/nonexistent.sock", b"", deadline=asyncio.get_running_loop().time() + HANGS)

    with pytest.raises(upstream.UpstreamError) as caught:
        virtual_time.run(main())
    assert not caught.value.sent
