"""azure-identity with only the environment of the local Azure: scopes, caching, expiry, asynchronous classes."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time

import pytest

from localazure import identity
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

MANAGEMENT = "https://management.azure.com/.default"


def claims_of(token):
    payload = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))


@pytest.mark.parametrize("kind", ["DefaultAzureCredential", "ManagedIdentityCredential"])
@pytest.mark.parametrize("scope", [MANAGEMENT, "https://storage.azure.com/.default", "https://ml.azure.com/.default"])
def test_a_token_is_for_the_scope_that_is_asked_for(shared_azure, kind, scope):
    import azure.identity

    with getattr(azure.identity, kind)() as credential:
        token = credential.get_token(scope)
        info = credential.get_token_info(scope)
    claims = claims_of(token.token)
    assert claims["aud"] == scope.removesuffix("/.default")
    assert (claims["oid"], claims["tid"]) == (identity.CALLER_OBJECT_ID, identity.TENANT_ID)
    assert claims["exp"] == pytest.approx(token.expires_on, abs=2)
    assert token.expires_on == pytest.approx(time.time() + identity.TOKEN_SECONDS, abs=60)
    assert (info.token, info.token_type) == (token.token, "Bearer")


def test_a_token_is_kept_until_it_is_about_to_expire(shared_azure):
    from azure.identity import DefaultAzureCredential

    with DefaultAzureCredential() as credential:
        shared_azure.shift_clock(100 - identity.TOKEN_SECONDS)
        dying = credential.get_token(MANAGEMENT)
        shared_azure.shift_clock(0)
        fresh = credential.get_token(MANAGEMENT)
        kept = credential.get_token(MANAGEMENT)
    assert dying.expires_on < time.time() + 200
    assert fresh.expires_on > time.time() + identity.TOKEN_SECONDS - 200
    assert kept.token == fresh.token


def test_a_client_secret_with_the_authority_named(shared_azure):
    from azure.identity import ClientSecretCredential

    with ClientSecretCredential(
        identity.TENANT_ID, "a-client", "a-secret", authority=shared_azure.https, disable_instance_discovery=True
    ) as credential:
        token = credential.get_token(MANAGEMENT)
    assert claims_of(token.token)["aud"] == "https://management.azure.com"
    assert token.expires_on > time.time() + 3600


ASYNC_SESSION = """
import asyncio, sys
from azure.identity.aio import DefaultAzureCredential, ManagedIdentityCredential
from azure.mgmt.msi.aio import ManagedServiceIdentityClient
from azure.mgmt.network.aio import NetworkManagementClient

async def main(url, subscription):
    async with DefaultAzureCredential() as credential, ManagedIdentityCredential() as other:
        scope = "https://ml.azure.com/.default"
        tokens = {(await one.get_token(scope)).token.count(".") for one in (credential, other)}
        async with ManagedServiceIdentityClient(credential, subscription, base_url=url) as client:
            made = await client.user_assigned_identities.create_or_update("rg1", "u1", {"location": "westeurope"})
            names = [item.name async for item in client.user_assigned_identities.list_by_subscription()]
        async with NetworkManagementClient(credential, subscription, base_url=url) as client:
            body = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
            network = await (await client.virtual_networks.begin_create_or_update("rg1", "n1", body)).result()
            await (await client.virtual_networks.begin_delete("rg1", "n1")).result()
    print(tokens, made.name, names, network.provisioning_state.value)

asyncio.run(main(*sys.argv[1:]))
"""


def test_the_asynchronous_classes(shared_azure):
    group = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
    assert shared_azure.request("PUT", group, {"location": "westeurope"}).ok
    command = [sys.executable, "-c", ASYNC_SESSION, shared_azure.https, identity.SUBSCRIPTION_ID]
    done = subprocess.run(
        command, env=shared_azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == "{2} u1 ['u1'] Succeeded"
