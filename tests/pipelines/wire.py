"""The HTTP side of the git server: git's own protocol by `git http-backend`, the REST APIs, ID tokens."""

from __future__ import annotations

import base64
import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from tests.pipelines import azure_rest, github_rest
from tests.pipelines.server import Server, Token

GIT = re.compile(r"(/info/refs|/git-upload-pack|/git-receive-pack)$")
Answer = tuple[int, Any, dict[str, str]]


@contextmanager
def serve(server: Server) -> Iterator[Server]:
    """Answer on a loopback port until the block ends."""

    class Bound(Handler):
        hosted = server

    listener = ThreadingHTTPServer(("127.0.0.1", 0), Bound)
    listener.daemon_threads = True
    server.url = f"http://127.0.0.1:{listener.server_port}"
    thread = threading.Thread(target=listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    hosted: Server
    protocol_version = "HTTP/1.1"

    def answer(self) -> None:
        asked = urlsplit(self.path)
        token, body = self._token(), self._body()
        if self.hosted.hold(self.command, asked.path):
            self.close_connection = True
            return
        if (found := GIT.search(asked.path)) is not None:
            self._git(found[1], asked.query, token, body)
            return
        self.hosted.requests.append(f"{self.command} {asked.path}")
        query = {name: values[0] for name, values in parse_qs(asked.query).items()}
        status, value, headers = self._value(unquote(asked.path), query, body, token)
        data = b"" if value is None else json.dumps(value).encode()
        self._send(status, {"Content-Type": "application/json", **headers}, data)

    do_GET = do_POST = do_PATCH = do_PUT = answer

    def _value(self, path: str, query: dict[str, str], body: bytes, token: Token | None) -> Answer:
        if token is None:
            return 401, {"message": "Bad credentials"}, {}
        if path == "/oidc":
            subject = query.get("subject") or query["serviceConnectionId"]
            assert self.hosted.id_token is not None
            made = self.hosted.id_token(subject, query.get("audience", "api://AzureADTokenExchange"))
            return 200, {"value": made, "oidcToken": made}, {}
        given = json.loads(body) if body else {}
        rest = github_rest if self.hosted.system == "github" else azure_rest
        found: Answer = rest.answer(self.hosted, self.command, path, query, given, token)
        return found

    def _git(self, service: str, query: str, token: Token | None, body: bytes) -> None:
        pushing = "receive-pack" in service or "receive-pack" in query
        if token is None:
            self._send(401, {"WWW-Authenticate": 'Basic realm="git"'}, b"")
            return
        if not token.may("contents", "write" if pushing else "read"):
            self._send(403, {}, b"Permission to the repository denied")
            return
        variables = {
            **os.environ,
            "GIT_PROJECT_ROOT": str(self.hosted.origin),
            "GIT_HTTP_EXPORT_ALL": "1",
            "PATH_INFO": service,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
            "REMOTE_USER": token.account,
            "SYSTEM_NAME": self.hosted.system,
        }
        done = subprocess.run(["git", "http-backend"], input=body, env=variables, capture_output=True)
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        self._send(int(headers.pop("Status", "200").split()[0]), headers, data)

    def _token(self) -> Token | None:
        kind, _, value = (self.headers.get("Authorization") or "").partition(" ")
        if kind.lower() == "basic":
            value = base64.b64decode(value).decode().partition(":")[2]
        return self.hosted.tokens.get(value)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline().strip() or b"0", 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _send(self, status: int, headers: dict[str, str], data: bytes) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Nothing."""
