"""A control plane for tests of the plugin: keeps what it is given, and does what a test tells it for a path."""

import base64
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

HEADER = "secret-header"


@dataclass
class Seen:
    """One request that arrived."""

    method: str
    path: str
    api_version: str
    body: Any
    authorization: str


@dataclass
class Reply:
    """One answer."""

    status: int
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


def token(audience: str) -> str:
    claims = {"appid": "client", "oid": "object", "tid": "tenant", "aud": audience}
    return "h." + base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode() + ".s"


class FakeArm:
    """Answers on a port of the loopback address until it is closed."""

    def __init__(self) -> None:
        self.resources: dict[str, Any] = {}
        self.seen: list[Seen] = []
        self.scripts: dict[tuple[str, str], list[Reply]] = {}
        self.on_put: Callable[[Any], Any] = lambda body: body
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def _serve(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                content = self.rfile.read(length)
                reply = fake.answer(self.command, self.path, json.loads(content) if content else None, self.headers)
                payload = b"" if reply.body is None else json.dumps(reply.body).encode()
                self.send_response(reply.status)
                for name, value in {**reply.headers, "Content-Length": str(len(payload))}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(payload)

            do_GET = do_PUT = do_DELETE = do_POST = _serve

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def environment(self) -> dict[str, str]:
        """What `sluice local env` would export."""
        return {
            "SLUICE_LOCAL_ARM": self.url,
            "IDENTITY_ENDPOINT": f"{self.url}/msi/token",
            "IDENTITY_HEADER": HEADER,
            "ARM_SUBSCRIPTION_ID": "sub",
        }

    def script(self, method: str, path: str, *replies: Reply) -> None:
        """The next answers for a path; the last one stays."""
        self.scripts[method, path.lower()] = list(replies)

    def requests(self, method: str) -> list[Seen]:
        """The requests of one kind, tokens aside."""
        return [seen for seen in self.seen if seen.method == method and seen.path != "/msi/token"]

    def answer(self, method: str, target: str, body: Any, headers: Any) -> Reply:
        url = urlsplit(target)
        query = parse_qs(url.query)
        key = url.path.lower()
        version = query.get("api-version", [""])[0]
        self.seen.append(Seen(method, url.path, version, body, headers.get("Authorization", "")))
        if key == "/msi/token":
            known = headers.get("X-IDENTITY-HEADER") == HEADER
            return (
                Reply(200, {"access_token": token(query["resource"][0]), "expires_on": "9999999999"})
                if known
                else Reply(401)
            )
        scripted = self.scripts.get((method, key))
        if scripted:
            return scripted.pop(0) if len(scripted) > 1 else scripted[0]
        if method == "PUT":
            created = key not in self.resources
            self.resources[key] = {"id": url.path, "name": url.path.rsplit("/", 1)[1], **self.on_put(body)}
            return Reply(201 if created else 200, self.resources[key])
        if method == "GET" and key in self.resources:
            return Reply(200, self.resources[key])
        if method == "DELETE":
            return Reply(200 if self.resources.pop(key, None) else 204)
        return Reply(
            404, {"error": {"code": "ResourceNotFound", "message": f"The Resource '{url.path}' was not found."}}
        )
