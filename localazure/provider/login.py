"""How the stand-in logs in: as the shell's managed identity, or with a pipeline's token file, as azure-native does.

azure-native takes the SDK's chain when ARM_USE_DEFAULT_AZURE_CREDENTIAL is true, and the chain takes a token file
before the managed identity unless AZURE_TOKEN_CREDENTIALS says otherwise (read in azure-native 3.29, azidentity 1.14).
"""

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from localazure.provider.errors import PluginError

TokenRequest = tuple[str, str, bytes | None, Mapping[str, str]]
"""Method, URL, body, headers."""
_FILE_VARIABLES = ("AZURE_FEDERATED_TOKEN_FILE", "AZURE_CLIENT_ID", "AZURE_TENANT_ID")


class Login(Protocol):
    """Where tokens come from."""

    def request(self, audience: str) -> TokenRequest:
        """The request that is answered with a token for a service."""


@dataclass(frozen=True)
class ManagedIdentity:
    """The identity endpoint of the shell."""

    endpoint: str
    header: str

    def request(self, audience: str) -> TokenRequest:
        """The request of an App Service."""
        query = urllib.parse.urlencode({"api-version": "2019-08-01", "resource": audience})
        return "GET", f"{self.endpoint}?{query}", None, {"X-IDENTITY-HEADER": self.header}


@dataclass(frozen=True)
class TokenFile:
    """A file with an ID token, read again for every token: its writer replaces it before the token ends."""

    base_url: str
    file: Path
    client_id: str
    tenant: str

    def request(self, audience: str) -> TokenRequest:
        """The request of a client assertion. Raises PluginError if the file cannot be read."""
        try:
            assertion = self.file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise PluginError(f"AZURE_FEDERATED_TOKEN_FILE ({self.file}) cannot be read: {error.strerror}") from error
        form = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion,
            "scope": f"{audience.rstrip('/')}/.default",
        }
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        url = f"{self.base_url}/{self.tenant}/oauth2/v2.0/token"
        return "POST", url, urllib.parse.urlencode(form).encode(), headers


def login_of(environment: Mapping[str, str], base_url: str) -> Login:
    """The login that the environment names."""
    chosen = environment.get("AZURE_TOKEN_CREDENTIALS", "").lower()
    uses_chain = environment.get("ARM_USE_DEFAULT_AZURE_CREDENTIAL", "").lower() in ("1", "true")
    file, client_id, tenant = (environment.get(name, "") for name in _FILE_VARIABLES)
    if uses_chain and chosen in ("", "prod", "workloadidentitycredential") and file and client_id and tenant:
        return TokenFile(base_url, Path(file), client_id, tenant)
    return ManagedIdentity(environment["IDENTITY_ENDPOINT"], environment["IDENTITY_HEADER"])
