"""A customer's key: what is read, what is refused, and that it cannot change while the stack exists."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from assessment.data_protection import DataProtection, read_data_protection
from assessment.live import Caller
from network_plan import plan_network
from platform_record import PlatformRecord, refused_changes
from settings import Settings, SettingsError, parse_settings
from tests.components.engine import SUBSCRIPTION_ID, TENANT_ID, FakeAzure, deploy

CALLER = Caller(subscription_id=SUBSCRIPTION_ID, tenant_id=TENANT_ID, object_id="o")
SHARED = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/shared/providers"
KEY = {
    "vault_id": f"{SHARED}/Microsoft.KeyVault/vaults/keys",
    "key_uri": "https://keys.vault.azure.net/keys/ml",
    "identity_id": f"{SHARED}/Microsoft.ManagedIdentity/userAssignedIdentities/encryption",
}
GOOD = {"enableRbacAuthorization": True, "enablePurgeProtection": True}


def settings(**keys: Any) -> Settings:
    raw = {"team": "payments", "network": "public", "location": "westeurope", **keys}
    return parse_settings(raw, stack="dev", today=date(2026, 11, 28))


def read(azure: FakeAzure, **keys: Any) -> tuple[DataProtection, list[str]]:
    found: list[tuple[DataProtection, list[str]]] = []

    def program() -> None:
        protection, problems = read_data_protection(settings(**keys), CALLER)
        found.append((protection, [str(problem) for problem in problems]))

    deploy(program, azure)
    return found[0]


@pytest.fixture
def shared(azure: FakeAzure) -> FakeAzure:
    azure.add("getVault", "keys", {"properties": GOOD})
    azure.add("getUserAssignedIdentity", "encryption", {"principalId": "somebody"})
    return azure


def test_the_identity_of_a_key_is_read_for_its_role(shared: FakeAzure) -> None:
    protection, problems = read(shared, customer_key=KEY, hbi=True)
    assert problems == []
    assert protection.encryption is not None
    assert (protection.encryption.principal_id, protection.hbi) == ("somebody", True)


def test_without_a_key_nothing_is_read(azure: FakeAzure) -> None:
    assert read(azure) == (DataProtection(), [])
    assert azure.reads == []


def test_a_vault_that_could_lose_the_key_or_knows_no_roles_is_refused_in_one_error(shared: FakeAzure) -> None:
    shared.add("getVault", "keys", {"properties": {}})
    _, problems = read(shared, customer_key=KEY)
    assert len(problems) == 2
    assert "must be opened by Azure roles" in problems[0]
    assert f"az keyvault update --ids {KEY['vault_id']} --enable-purge-protection true" in problems[1]


def test_what_does_not_exist_is_refused_with_its_key(azure: FakeAzure) -> None:
    _, problems = read(azure, customer_key=KEY)
    assert [problem.split(" ")[0] for problem in problems] == [
        "sluice:customer_key.vault_id",
        "sluice:customer_key.identity_id",
    ]
    assert all("must name a resource that exists, got /subscriptions/" in problem for problem in problems)


def test_another_subscription_is_refused_before_anything_is_read(azure: FakeAzure) -> None:
    elsewhere = {name: one.replace(SUBSCRIPTION_ID, "other") for name, one in KEY.items()}
    _, problems = read(azure, customer_key=elsewhere)
    assert len(problems) == 2
    assert azure.reads == []


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (
            {"key_uri": "https://other.vault.azure.net/keys/ml"},
            "must be a key of the vault in vault_id, keys, got",
        ),
        ({"key_uri": "ml"}, "must be the address of a key, such as https://<vault>.vault.azure.net/keys/<name>, got"),
        ({"identity_id": KEY["vault_id"]}, "sluice:customer_key.identity_id must be"),
        ({"colour": "red"}, "sluice:customer_key.colour is not a known key"),
    ],
)
def test_a_key_is_named_with_its_vault_and_identity(change: dict[str, str], text: str) -> None:
    with pytest.raises(SettingsError) as refusal:
        settings(customer_key={**KEY, **change})
    assert text in str(refusal.value)


def record(**keys: Any) -> PlatformRecord:
    chosen = settings(**keys)
    now = PlatformRecord.of(chosen, plan_network(chosen.network, None), ())
    return PlatformRecord.from_tags(now.tags())


@pytest.mark.parametrize(
    ("before", "now", "names"),
    [
        ({}, {"customer_key": KEY}, ["sluice:customer_key.key_uri", "sluice:customer_key.identity_id"]),
        ({"customer_key": KEY}, {}, ["sluice:customer_key.key_uri", "sluice:customer_key.identity_id"]),
        (
            {"customer_key": KEY},
            {"customer_key": {**KEY, "key_uri": f"{KEY['key_uri']}2"}},
            ["sluice:customer_key.key_uri"],
        ),
        ({}, {"hbi": True}, ["sluice:hbi"]),
        ({"hbi": True}, {}, ["sluice:hbi"]),
        ({"hbi": True, "customer_key": KEY}, {"hbi": True, "customer_key": KEY}, []),
        ({"hbi": True}, {"generation": 2}, []),
    ],
)
def test_what_a_workspace_was_created_with_stays_until_the_next_generation(
    before: dict[str, Any], now: dict[str, Any], names: list[str]
) -> None:
    problems = list(refused_changes(record(**before), record(**now), stack="dev"))
    assert [problem.where for problem in problems] == names
    assert all("then set sluice:generation: 2" in problem.fix for problem in problems)


def test_a_stack_of_an_earlier_version_gets_no_further_tag() -> None:
    assert not [tag for tag in record().tags() if "key" in tag or "hbi" in tag]
