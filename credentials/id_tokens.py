"""ID tokens of a pipeline's job: a new one each time, because they live 5 (GitHub) or 10 minutes (Azure DevOps).

GitHub: `GET $ACTIONS_ID_TOKEN_REQUEST_URL&audience=...` answers `{"value": ...}` (documented, "OpenID Connect
reference"; the job needs `permissions: id-token: write`). Azure DevOps: `POST $SYSTEM_OIDCREQUESTURI?api-version=7.1&
serviceConnectionId=...` answers `{"oidcToken": ...}` (read in azure-identity 1.27, `azure_pipelines.py`).
"""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from command_errors import UnavailableError, UsageError

AUDIENCES = {
    "public": "api://AzureADTokenExchange",
    "usgovernment": "api://AzureADTokenExchangeUSGov",
    "china": "api://AzureADTokenExchangeChina",
}
"""By ARM_ENVIRONMENT (documented, "Workload identity federation"; those of the other clouds are not verified)."""
ATTEMPTS = 4
TIMEOUT_SECONDS = 30
REPEATED = frozenset({429, 500, 502, 503, 504})


class IdTokens(Protocol):
    """Where the ID tokens of this job come from."""

    def fetch(self) -> str:
        """Return a new ID token. Raises UnavailableError without one."""


@dataclass(frozen=True)
class GitHubIdTokens:
    """ID tokens of a job of GitHub Actions."""

    url: str
    request_token: str
    audience: str
    sleep: Callable[[float], None] = time.sleep

    def fetch(self) -> str:
        """Return a new ID token, which lives 5 minutes. Raises UnavailableError without one."""
        joint = "&" if "?" in self.url else "?"
        url = f"{self.url}{joint}audience={urllib.parse.quote(self.audience, safe='')}"
        fix = (
            "Give the job `permissions: id-token: write`. GitHub's request token ends after about six hours: a job "
            "that takes longer cannot log in again."
        )
        return _ask("GitHub", "GET", url, self.request_token, "value", fix, self.sleep)


@dataclass(frozen=True)
class AzureDevOpsIdTokens:
    """ID tokens of a job of Azure Pipelines, for one service connection."""

    url: str
    access_token: str
    service_connection: str
    sleep: Callable[[float], None] = time.sleep

    def fetch(self) -> str:
        """Return a new ID token, which lives 10 minutes. Raises UnavailableError without one."""
        query = urllib.parse.urlencode({"api-version": "7.1", "serviceConnectionId": self.service_connection})
        fix = (
            "Map SYSTEM_ACCESSTOKEN: $(System.AccessToken) in the step's env, and permit this pipeline to use the "
            "service connection."
        )
        url = f"{self.url.rstrip('/')}?{query}"
        return _ask("Azure DevOps", "POST", url, self.access_token, "oidcToken", fix, self.sleep)


def id_tokens_of(environment: Mapping[str, str]) -> IdTokens | None:
    """Return the source of ID tokens that the environment names; None outside of a pipeline.

    Raises UsageError if a pipeline's environment is incomplete.
    """
    if url := environment.get("ACTIONS_ID_TOKEN_REQUEST_URL"):
        token = environment.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN")
        if not token:
            raise UsageError(
                "ACTIONS_ID_TOKEN_REQUEST_URL is set, but ACTIONS_ID_TOKEN_REQUEST_TOKEN is not. GitHub sets both for "
                "a job with `permissions: id-token: write`; do not overwrite either of them."
            )
        cloud = environment.get("ARM_ENVIRONMENT", "public")
        return GitHubIdTokens(url, token, AUDIENCES.get(cloud, AUDIENCES["public"]))
    if url := environment.get("SYSTEM_OIDCREQUESTURI"):
        token = environment.get("SYSTEM_ACCESSTOKEN")
        connection = environment.get("AZURESUBSCRIPTION_SERVICE_CONNECTION_ID")
        if token and connection:
            return AzureDevOpsIdTokens(url, token, connection)
        if connection:  # the step belongs to a service connection, so it is meant to log in
            raise UsageError(
                "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID is set, but SYSTEM_ACCESSTOKEN is not. Add "
                "`env: {SYSTEM_ACCESSTOKEN: $(System.AccessToken)}` to the step."
            )
    return None


def _ask(who: str, method: str, url: str, token: str, field: str, fix: str, sleep: Callable[[float], None]) -> str:
    """Return one field of the answer; an answer that may get better is asked for again."""
    headers = {
        "Authorization": f"Bearer {token}",
        "Accept": "application/json",
        "Content-Type": "application/json",
        "X-TFS-FedAuthRedirect": "Suppress",  # Azure DevOps else answers with a redirect to its sign-in page
    }
    data = b"" if method == "POST" else None
    problem = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            sleep(3.0**attempt)
        request = urllib.request.Request(url, data, headers=headers, method=method)
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                found = _field(answer.read(), field)
            if found is not None:
                return found
            problem = f"its answer has no {field}"
            break
        except urllib.error.HTTPError as error:
            with error:
                problem = f"it answered {error.code}"
                if error.code not in REPEATED:
                    break
        except (OSError, http.client.HTTPException) as error:
            problem = " ".join(str(getattr(error, "reason", None) or error).split()) or type(error).__name__
    host = urllib.parse.urlsplit(url).netloc
    raise UnavailableError(f"{who} gave no ID token ({host}: {problem}). {fix}")


def _field(raw: bytes, field: str) -> str | None:
    try:
        document: Any = json.loads(raw)
    except ValueError:
        return None
    found = document.get(field) if isinstance(document, dict) else None
    return found if isinstance(found, str) and found else None
