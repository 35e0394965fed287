"""A loopback issuer of ID tokens: answers as GitHub's and as Azure DevOps' do, and signs with a key of its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

AUDIENCE = "api://AzureADTokenExchange"
ISSUER = "https://token.actions.githubusercontent.com"
"""What its tokens name as their issuer: that of GitHub, where nothing is asked."""
SUBJECT = "repo:octo/models:environment:prod"
REQUEST_TOKEN = "request-token"
CONNECTION = "00000000-0000-4000-8000-0000000000aa"


class IdTokenIssuer:
    """Run as a context; `answers` holds answers to give first: a status, or text of an answer with status 200."""

    def __init__(self, *, subject: str = SUBJECT, seconds: float = 300, clock: Callable[[], float] = time.time) -> None:
        self.subject = subject
        self.seconds = seconds
        self.clock = clock
        self.answers: list[int | str] = []
        self.asked: list[tuple[str, str, dict[str, str]]] = []
        self.issued: list[str] = []
        self._key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> IdTokenIssuer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def public_key(self) -> rsa.RSAPublicKey:
        """The key by which its tokens are checked."""
        return self._key.public_key()

    def write_public_key(self, file: Path) -> Path:
        """Write that key as PEM."""
        encoding, kind = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        file.write_bytes(self.public_key.public_bytes(encoding, kind))
        return file

    def github(self) -> dict[str, str]:
        """The variables of a GitHub job with `id-token: write`."""
        return {
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/github?api-version=2.0",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": REQUEST_TOKEN,
        }

    def azure_devops(self) -> dict[str, str]:
        """The variables of a step of a service connection in Azure Pipelines."""
        return {
            "SYSTEM_OIDCREQUESTURI": f"{self.url}/devops/oidctoken",
            "SYSTEM_ACCESSTOKEN": REQUEST_TOKEN,
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": CONNECTION,
        }

    def mint(self, audience: str = AUDIENCE, **claims: Any) -> str:
        """A signed token; `claims` replace its own, and None removes one."""
        now = int(self.clock())
        own = {"iss": ISSUER, "sub": self.subject, "aud": audience, "iat": now, "nbf": now, "jti": len(self.issued)}
        whole = own | {"exp": int(now + self.seconds)} | claims
        token = jwt.encode({key: value for key, value in whole.items() if value is not None}, self._key, "RS256")
        self.issued.append(token)
        return token

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer("value")

            def do_POST(self) -> None:
                self._answer("oidcToken")

            def _answer(self, field: str) -> None:
                issuer.asked.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}))
                audience = parse_qs(urlsplit(self.path).query).get("audience", [AUDIENCE])[0]
                given = issuer.answers.pop(0) if issuer.answers else json.dumps({field: issuer.mint(audience)})
                if self.headers["Authorization"] != f"Bearer {REQUEST_TOKEN}":
                    given = 401
                self.send_response(given if isinstance(given, int) else 200)
                self.end_headers()
                self.wfile.write(given.encode() if isinstance(given, str) else b"no")

            def log_message(self, format: str, *args: object) -> None:
                """Print nothing."""

        return Handler
