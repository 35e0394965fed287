"""Clients that speak broken, ambiguous or very slow HTTP, pages of other sites, and the one address."""

from __future__ import annotations

import gzip
import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from localazure import connections, requests
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration

GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg2?api-version=2024-03-01"
COMMON = "Host: localhost\r\nAuthorization: Bearer x\r\nConnection: close\r\n"


def head(method: str, path: str, *lines: str, common: str = COMMON) -> bytes:
    return f"{method} {path} HTTP/1.1\r\n{common}{''.join(line + chr(13) + chr(10) for line in lines)}\r\n".encode(
        "latin-1"
    )


def status(received: bytes) -> int:
    return int(received.split(b" ", 2)[1])


@pytest.mark.parametrize(
    ("lines", "body"),
    [
        (["Content-Length: 2", "Content-Length: 5"], b"{}xxx"),
        (["Content-Length: 5", "Transfer-Encoding: chunked"], b"0\r\n\r\nX"),
        (["Transfer-Encoding: chunked", "Transfer-Encoding: identity"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked, chunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: xchunked"], b"0\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"-1\r\n\r\n"),
        (["Transfer-Encoding: chunked"], b"2\r\n{}X\r\n0\r\n\r\n"),
        (["Content-Length: +2"], b"{}"),
        (["Content-Length: -2"], b"{}"),
        (["Content-Length: 0x2"], b"{}"),
        (["Content-Length: 99999999999999999999999"], b"{}"),
        (["X-A : b"], b""),
        (["X-A: b", " folded"], b""),
        (["X-A: b\x00c"], b""),
        (["Host: evil.example"], b""),
        (["X-A: " + "a" * 9000], b""),
        ([f"X-{number}: a" for number in range(300)], b""),
    ],
)
def test_ambiguous_and_broken_requests_are_refused(quiet: Any, lines: list[str], body: bytes) -> None:
    received = quiet.send(head("PUT", GROUP, *lines) + body + b"GET /_local/health HTTP/1.1\r\nHost: localhost\r\n\r\n")
    assert status(received) == 400
    assert received.count(b"HTTP/1.") == 1, "nothing that follows is taken for a request"


@pytest.mark.parametrize(
    "data",
    [
        b"GET / HTTP/1.1\nHost: localhost\n\n",
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET /subscriptions/\xff HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
    ],
)
def test_what_is_not_http_is_refused(quiet: Any, data: bytes) -> None:
    assert status(quiet.send(data)) == 400


def test_unreadable_lines_are_not_logged(quiet: Any) -> None:
    quiet.send(b"GET / HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer secret-in-a-broken-line\x00\r\n\r\n")
    assert not [text for text in quiet.recorder.text if "secret-in-a-broken-line" in text]


@pytest.mark.parametrize("encoding", ["gzip", "br", "x"])
def test_bodies_are_not_unpacked(quiet: Any, encoding: str) -> None:
    """Unpacked, the first would create a group, and the second would fill the memory."""
    for body in (b'{"location": "westeurope"}', b" " * (64 << 20)):
        answer = quiet.request("PUT", GROUP, gzip.compress(body), Content_Encoding=encoding)
        assert answer.status == 400


def test_a_body_that_is_too_large_is_refused_with_its_own_code(quiet: Any) -> None:
    answer = quiet.request("PUT", GROUP, b" " * (5 << 20))
    assert (answer.status, answer.json["error"]["code"]) == (413, "RequestContentTooLarge")


def test_slow_clients_are_ended_and_hold_nobody_up(quiet: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.3)
    monkeypatch.setattr(requests, "BODY_SECONDS", 0.3)
    assert quiet.send(b"GET / HTTP/1.1\r\nHost: local") in (b"", b"<ConnectionResetError>")
    assert quiet.send(b"") in (b"", b"<ConnectionResetError>")
    with socket.create_connection(("127.0.0.1", quiet.port), timeout=HANGS) as client:
        client.sendall(head("PUT", GROUP, "Content-Length: 10") + b"{")
        assert status(client.recv(65536)) == 408
    assert quiet.request("PUT", GROUP, {"location": "westeurope"}).status in (200, 201)


def test_a_client_that_goes_away_leaves_no_trace(quiet: Any) -> None:
    for _ in range(5):
        quiet.send(head("PUT", GROUP, "Content-Length: 10") + b"{", seconds=0.05)
    # Once the server answers a later request, it has seen that they are gone.
    assert all(quiet.is_alive() for _ in range(3))


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example", "localhost@evil", "localhost:evil", "[::1]", "0"]
)
def test_other_names_are_not_answered(quiet: Any, host: str) -> None:
    for path in ("/", "/_local/status", "/_local/faults", GROUP, "/endpoints/a/score"):
        received = quiet.send(head("GET", path, common=f"Host: {host}\r\nConnection: close\r\n"))
        assert status(received) in (400, 421), path


@pytest.mark.parametrize(("path", "wanted"), [("/_local/status", 421), ("/_local/health", 421), (GROUP, 404)])
def test_names_below_localhost_reach_azure_but_not_the_controls(quiet: Any, path: str, wanted: int) -> None:
    assert status(quiet.send(head("GET", path, common="Host: acc.blob.localhost\r\nConnection: close\r\n"))) == wanted


def test_pages_of_other_sites_do_not_reach_the_controls(quiet: Any) -> None:
    own = f"http://localhost:{quiet.port}"
    assert quiet.request("GET", "/_local/status", Origin=own).status == 200
    for origin in ("http://evil.example", "http://localhost:1", "null"):
        assert quiet.request("GET", "/_local/status", Origin=origin).status == 403
        assert quiet.request("POST", "/_local/shutdown", b"", Origin=origin).status == 403
    for method, path in (("POST", "/_local/shutdown"), ("POST", "/_local/faults"), ("DELETE", "/_local/faults")):
        answer = quiet.request(method, path, b"", Content_Type="text/plain")
        assert answer.status == 403, "a form of another page has no token"
        assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    assert quiet.request("OPTIONS", "/_local/faults").status >= 400


@pytest.mark.parametrize(
    "path",
    [
        "/stacc1/box/..%2f..%2f..%2fazure.db",
        "/stacc1/box/%2e%2e/%2e%2e/azure.db",
        "/stacc1/..%2f..%2fcontrol.token/x",
        "/stacc1/.uploads/x",
        "/..%2f/box/x",
        "/stacc1/box/a%5c..%5cb",
        "/stacc1/box/a%00b",
        "/stacc1/box//etc/passwd",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_blob_names_stay_in_their_folder(quiet: Any, path: str, method: str) -> None:
    quiet.request("PUT", "/stacc1/box?restype=container", b"", x_ms_version="2021-12-02")
    before = sorted(str(file) for file in quiet.home.rglob("*") if file.is_file() and "azure.db" not in file.name)
    answer = quiet.request(method, path, b"x" if method == "PUT" else None, x_ms_blob_type="BlockBlob")
    assert 400 <= answer.status < 600
    assert answer.status != 500
    after = sorted(str(file) for file in quiet.home.rglob("*") if file.is_file() and "azure.db" not in file.name)
    assert after == before


@pytest.mark.parametrize("uri", ["../../..", "a/../../../../../x", "/etc", "..", "%2e%2e/x", "a//b", "\\..\\x"])
def test_asset_uris_stay_in_the_blob_folder(quiet: Any, uri: str) -> None:
    group = GROUP.partition("?")[0].replace("rg2", "rg1")
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
    code, environment, endpoint = (
        f"{workspace}/{path}"
        for path in ("codes/hostile/versions/1", "environments/e/versions/1", "onlineEndpoints/hostile")
    )
    quiet.arm("PUT", endpoint, {"location": "westeurope", "properties": {"authMode": "Key"}})
    quiet.arm("PUT", environment, {"properties": {"image": "i"}})
    quiet.arm("PUT", code, {"properties": {"codeUri": f"https://localhost:{quiet.port - 1}/stacc1/box/{uri}"}})
    properties = {
        "endpointComputeType": "Managed",
        "instanceType": "Standard_DS3_v2",
        "environmentId": environment,
        "codeConfiguration": {"codeId": code, "scoringScript": "../../../../../etc/passwd"},
    }
    answer = quiet.arm("PUT", f"{endpoint}/deployments/blue", {"location": "westeurope", "properties": properties})
    assert answer.status in (201, 400, 404, 409), answer.content
    if answer.status == 201:
        path = answer.headers["Azure-AsyncOperation"].partition("/subscriptions/")[2]
        wait_until(lambda: quiet.request("GET", f"/subscriptions/{path}").json["status"] != "Updating")
        operation = quiet.request("GET", f"/subscriptions/{path}").json
        assert operation["status"] == "Failed"
        assert operation["error"]["code"] != "InternalServerError"
    quiet.arm("DELETE", f"{endpoint}/deployments/blue")
    wait_until(lambda: quiet.arm("GET", f"{endpoint}/deployments/blue").status == 404)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])
def test_another_address_is_refused_with_the_reason(tmp_path: Path, host: str) -> None:
    command = [sys.executable, "-m", "localazure", "--home", str(tmp_path / "home"), "--host", host]
    done = subprocess.run(command, capture_output=True, text=True, timeout=HANGS)
    assert done.returncode == 1
    assert "127.0.0.1 only" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "home").exists()


def test_health_is_json(quiet: Any) -> None:
    assert json.loads(quiet.request("GET", "/_local/health").content)["status"] == "ok"
