"""A git server's REST API on loopback: answers from a table, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class RestServer:
    """`answers` maps "METHOD /path?query" to a list of (status, headers, value); the last one stays."""

    url: str = ""
    answers: dict[str, list[tuple[int, dict[str, str], Any]]] = field(default_factory=dict)
    asked: list[tuple[str, Any]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)

    def says(self, request: str, value: Any = None, *, status: int = 200, **headers: str) -> None:
        self.answers.setdefault(request, []).append((status, headers, value))


@contextmanager
def rest_server() -> Iterator[RestServer]:
    """Run a server until the block ends."""
    told = RestServer()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            data = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            told.tokens.add(self.headers.get("Authorization") or "")
            request = f"{self.command} {self.path}"
            told.asked.append((request, json.loads(data) if data else None))
            given = told.answers.get(request)
            if given is None:
                status, headers, value = 404, {}, {"message": f"Not Found: {request}"}
            else:
                status, headers, value = given[0] if len(given) == 1 else given.pop(0)
            text = value.encode() if isinstance(value, str) else b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            for name, said in headers.items():
                self.send_header(name, said)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = answer

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
