"""Hostile callers and hostile models: whatever they say, the router answers, serves the next and logs no failure."""

from __future__ import annotations

import contextlib
import http.client
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from localazure.scoring.calls import Target
from localazure.scoring.dispatch import Backend, Dispatcher
from localazure.scoring.specification import EndpointRouting

pytestmark = pytest.mark.integration

GOOD = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
NAME = "fuzz"


class Model:
    """Answers every connection with the same bytes and closes it."""

    def __init__(self, path: Path) -> None:
        self.answer = GOOD
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        self._socket.listen(16)
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self._socket.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                client.settimeout(0.5)
                client.recv(65536)
                client.sendall(self.answer)

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture(scope="module")
def model(target: Any) -> Iterator[Model]:
    """A deployment whose model is the test's."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.sock"
        served = Model(path)
        dispatcher = Dispatcher(4, 1)
        dispatcher.add(Backend(str(path)))
        routing = EndpointRouting(endpoint=NAME, traffic={"blue": 100}, primary_key="key", secondary_key="other")
        router = target.server.scoring._router  # no ARM call can make a deployment without a process

        def attach() -> None:
            router.attach(Target(NAME, "blue", dispatcher, 10.0))
            router.route(routing)

        target._loop.call_soon_threadsafe(attach)
        yield served
        served.close()


def score(target: Any, body: bytes = b"{}", path: str = "/score", method: str = "POST", **headers: str) -> Any:
    return target.request(method, f"/endpoints/{NAME}{path}", body, **{"Authorization": "Bearer key"} | headers)


header_values = st.text(st.characters(min_codepoint=32, max_codepoint=255, exclude_characters="\x7f"), max_size=20)


@settings(settings.get_profile("fuzz"))
@given(
    body=st.binary(max_size=50),
    authorization=st.one_of(
        header_values, st.sampled_from(["Bearer key", "bearer  other ", "Bearer", "Basic x", "Bearer \xff"])
    ),
    name=st.sampled_from(
        ["azureml-model-deployment", "x-request-id", "Content-Type", "Content-Encoding", "Expect", "Cookie", "x-a"]
    ),
    value=header_values,
    path=st.sampled_from(
        [
            "/score",
            "/score?a=%ff",
            "/score?a=%0d%0ab",
            "/swagger.json",
            "/score/../x",
            "/%2e%2e/score",
            "/a",
            "/score%00",
        ]
    ),
    method=st.sampled_from(["POST", "GET", "OPTIONS", "PUT", "HEAD", "TRACE"]),
)
def test_callers(
    quiet: Any, model: Model, body: bytes, authorization: str, name: str, value: str, path: str, method: str
) -> None:
    model.answer = GOOD
    headers = {"Authorization": authorization.strip(), name: value.strip()}
    answer = quiet.request(method, f"/endpoints/{NAME}{path}", body, **headers)
    assert answer.status in (200, 401, 404, 405, 417), answer.content
    opened = authorization.strip() in ("Bearer key", "bearer  other")
    assert answer.status != 200 or opened
    assert score(quiet).status == 200


statuses = st.sampled_from([b"200 OK", b"500 x", b"204 No", b"304 x", b"100 Continue", b"999 x", b"-1", b"2000 x", b""])
lines = st.sampled_from(
    [
        b"Content-Length: 2",
        b"Content-Length: 5",
        b"Content-Length: -1",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"Transfer-Encoding: gzip",
        b"Connection: keep-alive",
        b"X-A: \xff\xfe",
        b"X-A: a\rb",
        b"X-A: a\x00b",
        b" folded: x",
        b"no colon",
        b": empty",
        b"Set-Cookie: a=b",
        b"x-request-id: \xc3\xa4",
        b"azureml-model-deployment: green",
        b"Date: x",
        b"X: " + b"a" * 70_000,
    ]
)
bodies = st.one_of(
    st.binary(max_size=30),
    st.sampled_from(
        [b"{}", b"2\r\n{}\r\n0\r\n\r\n", b"ffffffffff\r\n{}", b"-1\r\n", b"0x2\r\n{}", b"2\r\n{}\r\n0\r\nA: b\r\n\r\n"]
    ),
)


@settings(settings.get_profile("fuzz"))
@given(
    version=st.sampled_from([b"HTTP/1.1", b"HTTP/1.0", b"HTTP/9", b"x"]),
    status=statuses,
    head=st.lists(lines, max_size=4),
    body=bodies,
)
@example(version=b"", status=b"", head=[], body=b"")
@example(version=b"HTTP/1.1", status=b"200 OK", head=[b"Content-Length: 2"], body=b"{}GET / HTTP/1.1\r\n\r\n")
def test_models(quiet: Any, model: Model, version: bytes, status: bytes, head: list[bytes], body: bytes) -> None:
    model.answer = version + b" " + status + b"\r\n" + b"".join(line + b"\r\n" for line in head) + b"\r\n" + body
    # An answer that breaks off in its body breaks the caller's connection.
    with contextlib.suppress(http.client.HTTPException, OSError):
        answer = score(quiet)
        assert answer.status in (200, 424, 502, 408), answer.content
        assert answer.headers.get("azureml-model-deployment", "blue") == "blue"
    model.answer = GOOD
    following = score(quiet)
    assert (following.status, following.content) == (200, b"{}")
