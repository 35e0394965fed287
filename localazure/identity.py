"""The local Azure's identity: subscription, tenant, caller; its tokens and its cloud metadata document.

Tokens are JWTs signed with a secret of the installation (HS256), so that they look right to clients that read them; the
control plane accepts any bearer token as the caller's, because everyone who reaches the loopback address may do
everything. Only tokens of workload identities have fewer rights (`callers.py`). There are no real accounts here. The
data plane does check keys and tokens.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from typing import Any

SUBSCRIPTION_ID = "00000000-0000-4000-8000-000000000001"
HUB_SUBSCRIPTION_ID = "00000000-0000-4000-8000-000000000011"
"""Another subscription of the same tenant, for what a stack shares with others: the zones and the network of a hub."""
FOREIGN_SUBSCRIPTION_ID = "00000000-0000-4000-8000-000000000021"
"""A subscription of another tenant, which refuses every token of this one."""
FOREIGN_TENANT_ID = "00000000-0000-4000-8000-000000000022"
TENANT_ID = "00000000-0000-4000-8000-000000000002"
CALLER_OBJECT_ID = "00000000-0000-4000-8000-000000000003"
CLIENT_ID = "00000000-0000-4000-8000-000000000004"
CALLER_NAME = "Local User"
CALLER_LOGIN = "user@local.azure"
CLOUD_NAME = "LocalAzure"
"""Value of AZUREML_CURRENT_CLOUD; must differ from the names of Microsoft's clouds."""
# Addresses of services that are not emulated. az looks up each by name and reports a corrupt configuration when one is
# missing, so all of them lead here, where the answer is 501 (names: ARM_METADATA_INDEX in cloud.py of azure-cli-core
# 2.91.0).
OTHER_ENDPOINTS = (
    *("activeDirectoryDataLake", "appInsightsResourceId", "appInsightsTelemetryChannelResourceId"),
    *("appServiceResourceId", "attestationResourceId", "azmirrorStorageAccountResourceId", "batch"),
    *("logAnalyticsResourceId", "media", "ossrdbmsResourceId", "sqlManagement", "synapseAnalyticsResourceId"),
    "vmImageAliasDoc",
)
OTHER_SUFFIXES = {
    "attestationEndpoint": "attest",
    "azureDataLakeAnalyticsCatalogAndJob": "azuredatalakeanalytics",
    "azureDataLakeStoreFileSystem": "azuredatalakestore",
    "mariadbServerEndpoint": "mariadb.database",
    "mhsmDns": "managedhsm",
    "mysqlServerEndpoint": "mysql.database",
    "postgresqlServerEndpoint": "postgres.database",
    "sqlServerHostname": "database",
    "storageSyncEndpointSuffix": "afs",
    "synapseAnalytics": "dev.azuresynapse",
}
TOKEN_SECONDS = 24 * 3600
WORKLOAD_TOKEN_SECONDS = 3600
"""An access token of a workload identity; Azure's lasts 60 to 90 minutes (documented)."""


def encode_token(claims: dict[str, Any], secret: str) -> str:
    """A signed JWT."""
    parts = [_encode({"alg": "HS256", "typ": "JWT", "kid": "local"}), _encode(claims)]
    signed = ".".join(parts).encode()
    return ".".join([*parts, _text(hmac.new(secret.encode(), signed, hashlib.sha256).digest())])


def decode_token(token: str, secret: str, now: float) -> dict[str, Any] | None:
    """The claims of a token that this secret signed and that has not expired, else None."""
    claims = read_token(token, secret)
    return claims if claims is not None and claims.get("exp", 0) > now else None


def read_token(token: str, secret: str) -> dict[str, Any] | None:
    """The claims of a token that this secret signed, expired or not, else None."""
    head, _, signature = token.rpartition(".")
    expected = _text(hmac.new(secret.encode(), head.encode(), hashlib.sha256).digest())
    if not hmac.compare_digest(signature.encode(), expected.encode()):
        return None
    try:
        claims = json.loads(_bytes(head.rpartition(".")[2]))
    except ValueError:
        return None
    return claims if isinstance(claims, dict) else None


def caller_token(audience: str, base_url: str, secret: str, now: float) -> str:
    """An access token of the one caller, with the claims that clients read."""
    own = {"appid": CLIENT_ID, "idtyp": "app", "ver": "1.0"}
    return encode_token(_claims(audience, f"{base_url}/{TENANT_ID}/", now) | own, secret)


def _claims(audience: str, issuer: str, now: float) -> dict[str, Any]:
    """The claims that all tokens of the caller share."""
    issued = int(now)
    return {
        "aud": audience,
        "iss": issuer,
        "iat": issued,
        "nbf": issued,
        "exp": issued + TOKEN_SECONDS,
        "oid": CALLER_OBJECT_ID,
        "sub": CALLER_OBJECT_ID,
        "tid": TENANT_ID,
    }


def managed_identity_answer(resource: str, base_url: str, secret: str, now: float) -> dict[str, Any]:
    """The answer of an App Service on IDENTITY_ENDPOINT."""
    return {
        "access_token": caller_token(resource, base_url, secret, now),
        "client_id": CLIENT_ID,
        "expires_on": str(int(now) + TOKEN_SECONDS),
        "resource": resource,
        "token_type": "Bearer",
    }


def token_answer(scope: str, base_url: str, secret: str, now: float) -> dict[str, Any]:
    """Microsoft Entra ID's answer to a client credentials request."""
    audience = scope.split(" ")[0].removesuffix("/.default")
    seconds = TOKEN_SECONDS - 1
    token = caller_token(audience, base_url, secret, now)
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}


def workload_answer(
    scope: str, client_id: str, object_id: str, base_url: str, secret: str, now: float
) -> dict[str, Any]:
    """Microsoft Entra ID's answer to a client assertion: a token of the identity that has the federated credential."""
    own = {"appid": client_id, "idtyp": "app", "ver": "1.0", "oid": object_id, "sub": object_id}
    claims = _claims(scope.split(" ")[0].removesuffix("/.default"), f"{base_url}/{TENANT_ID}/", now) | own
    claims["exp"] = int(now) + WORKLOAD_TOKEN_SECONDS
    seconds = WORKLOAD_TOKEN_SECONDS - 1
    token = encode_token(claims, secret)
    return {"token_type": "Bearer", "expires_in": seconds, "ext_expires_in": seconds, "access_token": token}


def user_answer(scope: str, client_id: str, base_url: str, secret: str, now: float) -> dict[str, Any]:
    """Microsoft Entra ID's answer when a user signs in: tokens and the user's identity."""
    own = {"name": CALLER_NAME, "preferred_username": CALLER_LOGIN, "ver": "2.0"}
    claims = _claims(client_id, f"{base_url}/{TENANT_ID}/v2.0", now) | own
    return token_answer(_resource_scope(scope), base_url, secret, now) | {
        "scope": scope,
        "id_token": encode_token(claims, secret),
        "refresh_token": encode_token({"sub": CALLER_OBJECT_ID, "iat": int(now)}, secret),
        "client_info": _encode({"uid": CALLER_OBJECT_ID, "utid": TENANT_ID}),
    }


def _resource_scope(scope: str) -> str:
    """The scope that names a resource; other scopes only define the content of the answer."""
    named = [part for part in scope.split() if part not in ("openid", "profile", "offline_access", "email")]
    return named[0] if named else scope


def device_code_answer(scope: str, base_url: str) -> dict[str, Any]:
    """Microsoft Entra ID's answer to `az login --use-device-code`. The code need not be entered anywhere."""
    return {
        "user_code": "LOCAL",
        "device_code": scope,
        "verification_uri": f"{base_url}/",
        "expires_in": 900,
        "interval": 1,
        "message": "The local Azure signs you in at once.",
    }


def instance_discovery(base_url: str, tenant: str) -> dict[str, Any]:
    """The answer when MSAL checks whether an authority is valid; this one is the only one."""
    host = base_url.removeprefix("https://")
    return {
        "tenant_discovery_endpoint": f"{base_url}/{tenant}/v2.0/.well-known/openid-configuration",
        "api-version": "1.1",
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }


def openid_configuration(base_url: str, tenant: str) -> dict[str, Any]:
    """The discovery document for MSAL."""
    base = f"{base_url}/{tenant}"
    return {
        "token_endpoint": f"{base}/oauth2/v2.0/token",
        "token_endpoint_auth_methods_supported": ["client_secret_post", "private_key_jwt"],
        "issuer": f"{base}/v2.0",
        "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
        "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        "tenant_region_scope": None,
    }


def cloud_metadata(base_url: str, api_version: str) -> Any:
    """The cloud metadata document: one object since api-version 2022-09-01, a list of clouds before.

    azure-ai-ml, azure-native, go-azure-sdk and az each read a part of it. `resourceManager` must not end in a slash.
    """
    host = base_url.removeprefix("https://")
    cloud = {
        **dict.fromkeys(OTHER_ENDPOINTS, base_url),
        "name": CLOUD_NAME,
        "portal": base_url,
        "gallery": f"{base_url}/",
        "graph": f"{base_url}/",
        "graphAudience": f"{base_url}/",
        "resourceManager": base_url,
        "microsoftGraphResourceId": f"{base_url}/",
        "authentication": {
            "loginEndpoint": f"{base_url}/",
            "audiences": [f"{base_url}/", base_url],
            "tenant": "common",
            "identityProvider": "AAD",
        },
        "suffixes": {
            **{name: f"{word}.{host}" for name, word in OTHER_SUFFIXES.items()},
            "storage": host,
            "keyVaultDns": "vault.localhost",
            "acrLoginServer": "azurecr.localhost",
        },
    }
    return cloud if api_version >= "2022-09-01" else [cloud]


def _encode(value: dict[str, Any]) -> str:
    return _text(json.dumps(value, separators=(",", ":")).encode())


def _text(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
