"""Reads from Azure Resource Manager with the caller's own login, wherever the environment says Azure is.

Only GET: nothing of this package changes Azure behind Pulumi's back. The address comes from ARM_CLOUD_METADATA_URL (any
cloud describes itself there), else from ARM_ENVIRONMENT, else it is the public cloud.
"""

import json
import logging
import os
import ssl
import time
import urllib.error
import urllib.request
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from cli.errors import CommandError, UnavailableError, UsageError

if TYPE_CHECKING:
    from azure.core.credentials import TokenCredential

ATTEMPTS = 4
TIMEOUT_SECONDS = 30
# Names as azure-native and azurerm spell them.
CLOUDS = {
    "public": "https://management.azure.com",
    "usgovernment": "https://management.usgovcloudapi.net",
    "china": "https://management.chinacloudapi.cn",
}


class ArmClient:
    """GET requests to Resource Manager."""

    def __init__(self, credential: "TokenCredential | None" = None) -> None:
        self._given_credential = credential

    @cached_property
    def base_url(self) -> str:
        """Address of Resource Manager, without a slash at the end."""
        metadata_url = os.environ.get("ARM_CLOUD_METADATA_URL")
        if metadata_url:
            document = json.loads(self._open(metadata_url, {})[1])
            clouds = document if isinstance(document, list) else [document]
            wanted = os.environ.get("AZUREML_CURRENT_CLOUD")
            found = next((cloud for cloud in clouds if cloud.get("name") == wanted), clouds[0])
            return str(found["resourceManager"]).rstrip("/")
        name = os.environ.get("ARM_ENVIRONMENT", "public")
        if name not in CLOUDS:
            raise UsageError(f"ARM_ENVIRONMENT is {name!r}; known are {', '.join(CLOUDS)}. Set ARM_CLOUD_METADATA_URL.")
        return CLOUDS[name]

    @cached_property
    def token(self) -> str:
        """A token of the caller for Resource Manager."""
        from azure.core.exceptions import ClientAuthenticationError
        from azure.identity import CredentialUnavailableError, DefaultAzureCredential

        # It logs every way that it tried and in vain, at length; the error below says what matters.
        logging.getLogger("azure.identity").addHandler(logging.NullHandler())
        logging.getLogger("azure.identity").propagate = False
        credential = self._given_credential or DefaultAzureCredential()
        try:
            return credential.get_token(f"{self.base_url}/.default").token
        except (ClientAuthenticationError, CredentialUnavailableError) as error:
            raise UnavailableError(
                f"no login for {self.base_url}: {str(error).splitlines()[0]} Run `az login`, or set AZURE_CLIENT_ID, "
                "AZURE_TENANT_ID and AZURE_CLIENT_SECRET."
            ) from error

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        """The resource, or None when it does not exist; anything else is an error."""
        url = f"{self.base_url}{quote(resource_id)}?api-version={api_version}"
        status, body = self._open(url, {"Authorization": f"Bearer {self.token}"})
        if status == 404:
            return None
        if status == 200:
            return dict(json.loads(body))
        raise CommandError(f"Azure answered {status} to GET {resource_id}: {_message(body)}")

    def _open(self, url: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body; an unreachable or failing server is asked again before it counts as unavailable."""
        request = urllib.request.Request(url, headers={"Accept": "application/json", **headers})
        context = ssl.create_default_context(cafile=os.environ.get("SSL_CERT_FILE"))
        for attempt in range(1, ATTEMPTS + 1):
            try:
                with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=context) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    body = error.read().decode(errors="replace")
                if error.code not in (429, 500, 502, 503, 504):
                    return error.code, body
                problem: Exception = error
            except OSError as error:
                problem = error
            if attempt < ATTEMPTS:
                time.sleep(0.2 * 3**attempt)
        reason = problem if isinstance(problem, urllib.error.HTTPError) else getattr(problem, "reason", problem)
        raise UnavailableError(
            f"Azure does not answer: GET {url.split('?')[0]}: {reason}. Check the network; of a local Azure, whether "
            "it runs (`sluice local status`)."
        ) from problem


def _message(body: str) -> str:
    try:
        error = json.loads(body)["error"]
        return f"{error['code']}: {error['message']}"
    except (ValueError, KeyError, TypeError):
        return body[:200]
