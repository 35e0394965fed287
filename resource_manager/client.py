"""Reads from Azure Resource Manager with the caller's login, at the address that the environment gives.

It sends GET, and those POSTs that only read (keys, logs), so it changes nothing outside of Pulumi. The address comes
from ARM_CLOUD_METADATA_URL (where any cloud describes itself), else from ARM_ENVIRONMENT, else it is the public cloud.
If a request fails, a `CommandError` states the request, the answer and the fix.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

from command_errors import CommandError, UnavailableError, UsageError
from credentials.login import azure_credential, login_fix

if TYPE_CHECKING:
    from azure.core.credentials import AccessToken, TokenCredential

ATTEMPTS = 4
TIMEOUT_SECONDS = 30
LONGEST_WAIT_SECONDS = 30.0
RENEWED_BEFORE_SECONDS = 300
"""A token is asked for again so long before it ends: a rollout takes longer than a token lasts."""
REPEATED = frozenset({429, 500, 502, 503, 504})
# Names as azure-native and azurerm spell them.
CLOUDS = {
    "public": "https://management.azure.com",
    "usgovernment": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}
CHECK_NETWORK = "Check the network; for a local Azure, check that it runs (`sluice local status`)."


class ArmClient:
    """A client that only reads from Resource Manager."""

    def __init__(self, credential: TokenCredential | None = None) -> None:
        self._given_credential = credential
        self._access_tokens: dict[str, AccessToken] = {}

    @cached_property
    def base_url(self) -> str:
        """Address of Resource Manager, without a slash at the end."""
        metadata_url = os.environ.get("ARM_CLOUD_METADATA_URL")
        if metadata_url:
            return _resource_manager_in(self._open(metadata_url, {})[1], metadata_url)
        name = os.environ.get("ARM_ENVIRONMENT", "public")
        if name not in CLOUDS:
            raise UsageError(f"ARM_ENVIRONMENT is {name!r}; it can be {', '.join(CLOUDS)}. Set ARM_CLOUD_METADATA_URL.")
        return CLOUDS[name]

    @property
    def token(self) -> str:
        """The caller's token for Resource Manager."""
        return self.token_for(self.base_url)

    def token_for(self, audience: str) -> str:
        """Return the caller's token for another service, by the service's address."""
        return self.access_token(audience).token

    def access_token(self, audience: str) -> AccessToken:
        """Return the caller's token for a service with the time of its end; it is asked for again before it ends."""
        known = self._access_tokens.get(audience)
        if known is None or known.expires_on - time.time() < RENEWED_BEFORE_SECONDS:
            known = self._access_tokens[audience] = self._login(audience)
        return known

    @cached_property
    def _credential(self) -> TokenCredential:
        return self._given_credential or azure_credential()

    def _login(self, audience: str) -> AccessToken:
        from azure.core.exceptions import AzureError

        # The library logs every failed attempt at length; the error below has the relevant part.
        logging.getLogger("azure.identity").addHandler(logging.NullHandler())
        logging.getLogger("azure.identity").propagate = False
        try:
            return self._credential.get_token(f"{audience}/.default")
        except (AzureError, OSError, ValueError) as error:  # a login helper may print anything
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            fix = login_fix(os.environ, said)
            raise UnavailableError(f"no login for {audience}: {said.rstrip('.')}. {fix}") from error

    def get(self, resource_id: str, api_version: str, query: Mapping[str, str] | None = None) -> dict[str, Any] | None:
        """Return the resource, or None if it does not exist; anything else is an error."""
        return self._ask("GET", resource_id, api_version, query=query)

    def post(self, path: str, api_version: str, body: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
        """Return what Azure returns only for POST: keys, tokens, logs; None if the resource does not exist."""
        return self._ask("POST", path, api_version, b"" if body is None else json.dumps(body).encode())

    def _ask(
        self,
        method: str,
        path: str,
        api_version: str,
        data: bytes | None = None,
        query: Mapping[str, str] | None = None,
    ) -> dict[str, Any] | None:
        url = f"{self.base_url}{quote(path)}?{urlencode({'api-version': api_version, **(query or {})})}"
        headers = {"Authorization": f"Bearer {self.token}"}
        if data:
            headers["Content-Type"] = "application/json"
        status, text = self._open(url, headers, method, data)
        if status == 404:
            return None
        if status != 200:
            raise explain_refusal(status, text, f"{method} {path}")
        return _object(text, f"{method} {path}")

    def get_all(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        """Return everything in a list, page by page; nothing if its parent does not exist."""
        found: list[dict[str, Any]] = []
        page = self.get(path, api_version, query)
        while page is not None:
            entries = page.get("value")
            found += [entry for entry in (entries if isinstance(entries, list) else ()) if isinstance(entry, dict)]
            link = page.get("nextLink")
            page = self._page(link, path) if isinstance(link, str) and link else None
        return found

    def _page(self, link: str, path: str) -> dict[str, Any]:
        if not link.startswith(f"{self.base_url}/"):  # the token must not go to another host
            raise UnavailableError(
                f"Azure's list of {path} continues at {link}, outside of {self.base_url}. Your token is not sent "
                "there. Try again."
            )
        status, text = self._open(link, {"Authorization": f"Bearer {self.token}"})
        if status != 200:
            raise explain_refusal(status, text, f"GET {link}")
        return _object(text, f"GET {link}")

    def _open(
        self, url: str, headers: dict[str, str], method: str = "GET", data: bytes | None = None
    ) -> tuple[int, str]:
        """Status and body."""
        return self._exchange(url, headers, method, data)[:2]

    def _exchange(
        self, url: str, headers: dict[str, str], method: str = "GET", data: bytes | None = None
    ) -> tuple[int, str, dict[str, str]]:
        """Return status, body and headers with lower-case names.

        If the server is unreachable or fails, the request is repeated before the server counts as unavailable.
        """
        asked = f"{method} {url.split('?')[0]}"
        try:
            request = urllib.request.Request(
                url, data, headers={"Accept": "application/json", **headers}, method=method
            )
        except ValueError as error:
            raise UsageError(f"{url!r} is not an address: check ARM_CLOUD_METADATA_URL.") from error
        context = trust()
        problem = ""
        for attempt in range(1, ATTEMPTS + 1):
            wait = 0.2 * 3**attempt
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
                    given = {name.lower(): value for name, value in answer.headers.items()}
                    return answer.status, answer.read().decode(errors="replace"), given
            except urllib.error.HTTPError as error:
                status, text, after = _refused(error)
                if status not in REPEATED:
                    return status, text, {}
                problem, wait = f"{status} {_message(text)}".strip().rstrip("."), max(wait, after)
            except (OSError, http.client.HTTPException, ValueError) as error:
                problem = _reason(error)
            if attempt < ATTEMPTS:
                time.sleep(wait)
        raise UnavailableError(f"Azure does not answer: {asked}: {problem}. {CHECK_NETWORK}")


def trust() -> ssl.SSLContext:
    """Return the certificates that the environment names, else the system's."""
    named = os.environ.get("SSL_CERT_FILE")
    try:
        return _context(named)
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"the certificates in {named}, which SSL_CERT_FILE names, cannot be read: {_reason(error)}. In a shell of "
            'a local Azure run `sluice local start`, then `eval "$(sluice local env)"`; elsewhere unset SSL_CERT_FILE '
            "or correct it."
        ) from error


@lru_cache
def _context(file: str | None) -> ssl.SSLContext:
    """Read the certificates once: reading takes 30 to 70 ms, which is more than most requests."""
    return ssl.create_default_context(cafile=file)


def explain_refusal(status: int, text: str, asked: str) -> CommandError:
    """Return the error for an unsuccessful answer: the request, the answer and the fix."""
    kind = UnavailableError if status >= 500 and status != 501 else CommandError
    return kind(f"Azure answered {status} to {asked}: {_message(text).rstrip('.')}. {_hint(status)}")


def _hint(status: int) -> str:
    """Return the fix for a refusal, given its status."""
    return {
        401: "Log in again with `az login`.",
        403: "Ask an owner of the subscription for the role that allows it.",
        409: "If another operation is in progress there, wait until it finishes, then try again.",
        501: "See localazure/COVERAGE.md for what the local Azure does.",
        507: "Free space on the disk of the local Azure's home.",
    }.get(status, "Check the names in the command and in the stack file; `sluice doctor` checks the set-up.")


def _refused(error: urllib.error.HTTPError) -> tuple[int, str, float]:
    """Return status, body, and the seconds that the server asks to wait, at most `LONGEST_WAIT_SECONDS`."""
    with error:
        try:
            text = error.read().decode(errors="replace")
        except (OSError, http.client.HTTPException):  # the connection broke, but the status is known
            text = ""
        after = str(error.headers.get("Retry-After") or "")
    return error.code, text, min(float(after), LONGEST_WAIT_SECONDS) if after.isdecimal() else 0.0


def _reason(error: Exception) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "strerror", None) or error
    return " ".join(str(reason).split()).rstrip(".") or type(error).__name__


def _resource_manager_in(text: str, metadata_url: str) -> str:
    try:
        document = json.loads(text)
        clouds = document if isinstance(document, list) else [document]
        wanted = os.environ.get("AZUREML_CURRENT_CLOUD")
        found = next((cloud for cloud in clouds if cloud.get("name") == wanted), clouds[0])
        address = found["resourceManager"]
        if not isinstance(address, str):
            raise TypeError
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, RecursionError) as error:
        raise UnavailableError(
            f"{metadata_url} does not describe a cloud: its answer has no resourceManager. "
            'Check ARM_CLOUD_METADATA_URL; for a local Azure run `eval "$(sluice local env)"`.'
        ) from error
    return address.rstrip("/")


def _object(text: str, asked: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise UnavailableError(
            f"Azure's answer to {asked} is not a JSON object: {_cut(text)!r}. A proxy or a sign-in page may have "
            "answered in its place: check the network, then try again."
        )
    return found


def _message(body: str) -> str:
    """Return code, message and details of an error of Resource Manager; else the start of the answer."""
    try:
        error = json.loads(body)["error"]
        details = [str(detail["message"]) for detail in error.get("details") or [] if detail.get("message")]
        return " ".join([f"{error['code']}: {error['message']}", *details])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return _cut(body)


def _cut(text: str) -> str:
    return " ".join(text.split())[:200]
