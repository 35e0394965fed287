"""HTTPS to the local control plane: requests, tokens, retries, long-running operations.

Keep-alive connections, one per thread. Follows azure-native's client_azcore.go and azcore's pollers: what is retried,
how a long operation is followed, which status ends it. A local extension: `Retry-After` may be a fraction of a second.
"""

import http.client
import json
import ssl
import threading
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from localazure.provider.errors import CancelledError, PluginError, RefusedError, UnreachableError, arm_error
from localazure.provider.login import Login, login_of

PUT_POLL_SECONDS = 10.0
DELETE_POLL_SECONDS = 30.0
"""Seconds between two polls of an operation whose answers carry no `Retry-After`."""
RETRY_SECONDS = (20.0, 60.0, 120.0)
"""Seconds before a request is repeated; an answer's `Retry-After` takes precedence."""
OPERATION_SECONDS = 2 * 3600.0
"""The maximum duration of an operation in seconds, unless the resource sets `custom_timeouts`."""
_SOCKET_SECONDS = 300.0
_RETRIED = (408, 429, 500, 502, 503, 504)
_REPEATED_CONFLICTS = (
    "AnotherOperationInProgress",
    "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",  # pulumi/pulumi-azure-native#4421
)
_DEFAULT_TOKEN_SECONDS = 300.0

Json = dict[str, Any]


@dataclass(frozen=True)
class Answer:
    """One HTTP answer."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Json:
        """The body as an object; empty if it has none."""
        try:
            value = json.loads(self.body) if self.body else None
        except ValueError:
            return {}
        return value if isinstance(value, dict) else {}

    def retry_after(self, default: float) -> float:
        """Seconds to wait, as requested by the service."""
        for name, unit in (("retry-after", 1.0), ("x-ms-retry-after-ms", 0.001)):
            try:
                return max(0.0, float(self.headers.get(name, "")) * unit)
            except ValueError:
                continue
        return default

    def error_code(self) -> str:
        """The code of an error answer."""
        return arm_error(self.status, self.body).code


@dataclass(frozen=True)
class Surroundings:
    """The address of the local Azure and of its identity endpoint; from the environment (`sluice local env`)."""

    base_url: str
    ca_file: str | None
    identity_endpoint: str
    login: Login

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Self:
        """Read the settings from the shell's environment."""
        names = ("SLUICE_LOCAL_ARM", "IDENTITY_ENDPOINT", "IDENTITY_HEADER")
        missing = [name for name in names if not environment.get(name)]
        if missing:
            raise UnreachableError(
                f"this azure-native plugin is the local Azure's stand-in, but {', '.join(missing)} is not set, so it "
                'does not know where the local Azure is. Run `sluice local start` and `eval "$(sluice local env)"` in '
                "this shell, or unset PULUMI_HOME to use the real azure-native."
            )
        base, endpoint = environment[names[0]].rstrip("/"), environment[names[1]]
        return cls(base, environment.get("SSL_CERT_FILE") or None, endpoint, login_of(environment, base))


class ArmClient:
    """Talks to the control plane for every thread of the plugin."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._context: ssl.SSLContext | None = None
        self._connections = threading.local()
        self._opened: list[http.client.HTTPConnection] = []
        self._token_lock = threading.Lock()
        self._tokens: dict[str, tuple[str, float]] = {}
        self._cancelled = threading.Event()

    def cancel(self) -> None:
        """Ends every wait of this client, now and later, with `CancelledError`."""
        self._cancelled.set()

    def close(self) -> None:
        """Closes the connections of every thread; none may be in use."""
        for connection in self._opened:
            connection.close()

    def token(self, audience: str | None = None) -> str:
        """A bearer token of the caller."""
        audience = audience or f"{self._surroundings.base_url}/"
        with self._token_lock:
            token, expires = self._tokens.get(audience, ("", 0.0))
            if expires > time.time() + 60:
                return token
            method, url, payload, headers = self._surroundings.login.request(audience)
            answer = self._send(method, url, payload, headers)
            if answer.status != 200:
                raise self._login_error(answer)
            token = str(answer.json["access_token"])
            lasting = float(answer.json.get("expires_in", _DEFAULT_TOKEN_SECONDS))
            expires = float(answer.json.get("expires_on", time.time() + lasting))
            self._tokens[audience] = (token, expires)
            return token

    @staticmethod
    def _login_error(answer: Answer) -> PluginError:
        """The refusal of a token: Entra's text, or ARM's form of an error."""
        said = answer.json.get("error_description")
        return PluginError(f"no login: {said}") if isinstance(said, str) else arm_error(answer.status, answer.body)

    def get(self, path: str, api_version: str) -> Json:
        """Read the resource at a path."""
        answer = self._request("GET", path, api_version)
        if answer.status != 200:
            raise arm_error(answer.status, answer.body)
        return answer.json

    def find(self, path: str, api_version: str) -> Answer:
        """The answer to a GET, with any status."""
        return self._request("GET", path, api_version)

    def post(self, path: str, api_version: str, body: Json) -> Any:
        """The result of an action."""
        answer = self._request("POST", path, api_version, body)
        if answer.status not in (200, 201):
            raise arm_error(answer.status, answer.body)
        return json.loads(answer.body) if answer.body else {}

    def put(self, path: str, api_version: str, body: Json) -> Answer:
        """Sends a body; pass the answer to `follow` to wait for the operation that it may start."""
        answer = self._request("PUT", path, api_version, body)
        if answer.status not in (200, 201, 202):
            raise arm_error(answer.status, answer.body)
        return answer

    def follow_put(self, answer: Answer, path: str, api_version: str, timeout: float) -> None:
        """Waits until the operation that a PUT started has succeeded."""
        self._follow(answer, path, api_version, PUT_POLL_SECONDS, timeout)

    def delete(self, path: str, api_version: str, timeout: float, *, asynchronous: bool) -> None:
        """Deletes a resource and waits until it is gone; a missing resource counts as deleted."""
        answer = self._request("DELETE", path, api_version)
        if answer.status == 404:
            return
        if answer.status not in (200, 202, 204):
            raise arm_error(answer.status, answer.body)
        try:
            if asynchronous:
                self._follow(answer, None, api_version, DELETE_POLL_SECONDS, timeout)
        except RefusedError as error:
            if error.status != 404:
                raise

    def _follow(self, answer: Answer, path: str | None, api_version: str, pause: float, timeout: float) -> None:
        """azcore's choice of a poller: `Azure-AsyncOperation`, else `Location`, else the provisioning state."""
        deadline = time.monotonic() + timeout
        status_url, location = answer.headers.get("azure-asyncoperation"), answer.headers.get("location")
        url = status_url or (location if answer.status == 202 else None) or path
        done = url is None or (url == path and self._resource_settled(answer))
        # The first poll is immediate: the first answers of the local ARM name whole seconds, because azure-core wants
        # them.
        polled = False
        while not done:
            if time.monotonic() > deadline:
                raise PluginError(f"operation timed out after {timeout:.0f} s")
            if polled:
                self._wait(answer.retry_after(pause))
            assert url is not None  # otherwise it was already complete
            polled = True
            answer = self._request("GET", url, api_version if "api-version=" not in url else None)
            if answer.status >= 400:
                raise arm_error(answer.status, answer.body)
            if status_url:
                done = self._operation_ended(answer)
            else:
                done = answer.status != 202 and self._resource_settled(answer)

    @staticmethod
    def _operation_ended(answer: Answer) -> bool:
        state = str(answer.json.get("status", "")).lower()
        if state in ("failed", "canceled", "cancelled"):
            raise arm_error(answer.status, answer.body)
        return state == "succeeded"

    @staticmethod
    def _resource_settled(answer: Answer) -> bool:
        properties = answer.json.get("properties")
        state = properties.get("provisioningState") if isinstance(properties, dict) else None
        if not isinstance(state, str) or answer.status == 204:
            return True
        if state.lower() in ("failed", "canceled", "cancelled"):
            raise arm_error(answer.status, answer.body)
        return state.lower() == "succeeded"

    def _wait(self, seconds: float) -> None:
        if self._cancelled.wait(seconds):
            raise CancelledError("context canceled")

    def _request(self, method: str, path: str, api_version: str | None, body: Json | None = None) -> Answer:
        if api_version is not None:
            path += ("&" if "?" in path else "?") + urllib.parse.urlencode({"api-version": api_version})
        headers = {"Accept": "application/json", "Authorization": f"Bearer {self.token()}"}
        payload = None
        if body is not None:
            payload = json.dumps(body).encode()
            headers["Content-Type"] = "application/json; charset=utf-8"
        for delay in (*RETRY_SECONDS, None):
            answer = self._send(method, path, payload, headers)
            conflict = answer.status == 409 and answer.error_code() in _REPEATED_CONFLICTS
            if delay is None or not (answer.status in _RETRIED or conflict):
                return answer
            self._wait(answer.retry_after(delay))
        raise AssertionError("the last attempt returns")

    def _send(self, method: str, url: str, payload: bytes | None, headers: Mapping[str, str]) -> Answer:
        """One exchange; if the server has closed the connection, it is reopened once."""
        target = urllib.parse.urlsplit(url)
        path = urllib.parse.quote(target.path, safe="/%:@!$&'()*+,;=~") + (f"?{target.query}" if target.query else "")
        # Requests carry tokens: send them only to the two known addresses, never to a host that an answer names.
        is_identity = url.startswith(self._surroundings.identity_endpoint + "?")
        base = self._surroundings.identity_endpoint if is_identity else self._surroundings.base_url
        for attempt in (1, 2):
            connection, is_new = self._connection(base)
            try:
                connection.request(method, path, body=payload, headers=dict(headers))
                response = connection.getresponse()
                content = response.read()
                return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, content)
            except (http.client.HTTPException, OSError) as error:
                self._kept().pop(base, None)
                connection.close()
                if is_new or attempt == 2:
                    raise self._unreachable(base, error) from error
        raise AssertionError("the second attempt returns or raises")

    def _kept(self) -> dict[str, http.client.HTTPConnection]:
        """This thread's open connections."""
        kept: dict[str, http.client.HTTPConnection] = self._connections.__dict__.setdefault("kept", {})
        return kept

    def _connection(self, url: str) -> tuple[http.client.HTTPConnection, bool]:
        kept = self._kept()
        if url in kept:
            return kept[url], False
        base = urllib.parse.urlsplit(url)
        host, port = base.hostname or "localhost", base.port
        if base.scheme == "http":
            connection = http.client.HTTPConnection(host, port, timeout=_SOCKET_SECONDS)
        else:
            if self._context is None:
                self._context = ssl.create_default_context(cafile=self._surroundings.ca_file)
            connection = http.client.HTTPSConnection(host, port, timeout=_SOCKET_SECONDS, context=self._context)
        kept[url] = connection
        self._opened.append(connection)
        return connection, True

    def _unreachable(self, url: str, error: Exception) -> UnreachableError:
        if isinstance(error, ssl.SSLCertVerificationError):
            fix = 'SSL_CERT_FILE must name a file that holds the local CA: `eval "$(sluice local env)"`.'
        else:
            fix = "Run `sluice local start` (or `sluice local status`, `sluice local logs`)."
        return UnreachableError(f"the local Azure at {url} does not answer: {error or type(error).__name__}. {fix}")
