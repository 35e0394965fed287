"""What a deletion leaves behind: vaults and Log Analytics workspaces keep their names and can be recovered."""

from __future__ import annotations

import pytest

from localazure import identity
from localazure.arm.soft_delete import DAY_SECONDS
from tests.localazure.arm.conftest import GROUP, LOCATION, PROVIDERS, SUBSCRIPTION, VAULT

LOGS = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/log1"
VAULTS = f"{SUBSCRIPTION}/providers/Microsoft.KeyVault"
DELETED = f"{VAULTS}/locations/{LOCATION}/deletedVaults/kv1"
PROPERTIES = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}


def vault(location=LOCATION, **properties):
    return {"location": location, "tags": {"team": "a"}, "properties": PROPERTIES | properties}


@pytest.fixture
def group(arm):
    arm.make_group()
    return arm


@pytest.mark.proves("KeyVault/vaults", refuses=["name"], honours=["properties.softDeleteRetentionInDays"])
def test_a_deleted_vault_keeps_its_name_for_its_retention(group):
    group.put(VAULT, vault(softDeleteRetentionInDays=7))
    assert group.delete(VAULT).status == 200
    assert group.get(VAULT).status == 404
    assert group.get(f"{PROVIDERS}/Microsoft.KeyVault/vaults").body == {"value": []}
    taken = group.put(VAULT, vault())
    assert (taken.status, taken.code) == (409, "ConflictError")
    assert taken.error["message"] == (
        "A vault with the same name already exists in deleted state. You need to either recover or purge existing key "
        "vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more information on soft delete."
    )
    group.put(GROUP.replace("rg1", "rg2"), {"location": LOCATION})
    elsewhere = group.put(VAULT.replace("rg1", "rg2"), vault("northeurope"))
    assert (elsewhere.status, elsewhere.code) == (409, "ConflictError")
    group.now += 7 * DAY_SECONDS - 60
    assert group.put(VAULT, vault()).status == 409
    group.now += 60
    assert group.put(VAULT, vault()).status == 201
    assert group.get(f"{VAULTS}/deletedVaults").body == {"value": []}


@pytest.mark.proves("KeyVault/vaults", refuses=["name"])
def test_names_of_vaults_are_unique_in_all_groups(group):
    group.put(VAULT, vault())
    group.put(GROUP.replace("rg1", "rg2"), {"location": LOCATION})
    other = group.put(VAULT.replace("rg1", "rg2"), vault())
    assert (other.status, other.code) == (409, "VaultAlreadyExists")
    assert group.put(VAULT, vault()).status == 200


def test_deleted_vaults_are_listed_with_the_day_of_their_end(group):
    group.put(VAULT, vault(softDeleteRetentionInDays=7))
    group.delete(VAULT)
    (listed,) = group.get(f"{VAULTS}/deletedVaults").body["value"]
    assert listed == group.get(DELETED).body
    assert (listed["id"], listed["name"], listed["type"]) == (DELETED, "kv1", "Microsoft.KeyVault/deletedVaults")
    shown = listed["properties"]
    assert (shown["vaultId"], shown["location"], shown["tags"]) == (VAULT, LOCATION, {"team": "a"})
    assert (shown["deletionDate"][:10], shown["scheduledPurgeDate"][:10]) == ("2027-01-15", "2027-01-22")
    for missing in (DELETED.replace("kv1", "kv2"), DELETED.replace(LOCATION, "northeurope")):
        assert (group.get(missing).status, group.get(missing).code) == (404, "DeletedVaultNotFound")
        assert group.post(f"{missing}/purge").status == 404


def test_a_purge_frees_the_name(group):
    group.put(VAULT, vault())
    group.delete(VAULT)
    purge = group.post(f"{DELETED}/purge")
    assert (purge.status, purge.text) == (202, "")
    assert "Azure-AsyncOperation" not in purge.headers
    assert group.poll(purge, "Location").status == 200
    assert group.get(DELETED).status == 404
    assert group.put(VAULT, vault()).status == 201


@pytest.mark.proves("KeyVault/vaults", honours=["properties.enablePurgeProtection"])
def test_a_protected_vault_cannot_be_purged(group):
    group.put(VAULT, vault(enablePurgeProtection=True, softDeleteRetentionInDays=90))
    # A PUT that leaves both out takes neither away.
    group.put(VAULT, vault())
    group.delete(VAULT)
    assert group.get(DELETED).properties["purgeProtectionEnabled"] is True
    refused = group.post(f"{DELETED}/purge")
    assert (refused.status, refused.code) == (405, "MethodNotAllowed")
    assert refused.error["message"] == "Operation 'DeletedVaultPurge' is not allowed."
    group.now += 89 * DAY_SECONDS
    assert group.put(VAULT, vault()).code == "ConflictError"


@pytest.mark.proves("KeyVault/vaults", honours=["properties.createMode"], refuses=["properties.createMode"])
def test_a_deleted_vault_is_recovered_as_it_was(group):
    group.put(VAULT, vault(enableRbacAuthorization=True))
    group.delete(VAULT)
    again = vault(createMode="recover", enableRbacAuthorization=False)
    for other in (again | {"location": "northeurope"}, vault(createMode="default")):
        assert group.put(VAULT, other).status in (400, 409)
    recovered = group.put(VAULT, again)
    assert recovered.status == 200
    assert recovered.properties["enableRbacAuthorization"] is True
    assert "createMode" not in group.get(VAULT).properties
    assert group.get(f"{VAULTS}/deletedVaults").body == {"value": []}
    unknown = group.put(VAULT.replace("kv1", "kv2"), again)
    assert (unknown.status, unknown.code) == (400, "SoftDeletedVaultDoesNotExist")


@pytest.mark.proves(
    "KeyVault/vaults", refuses=["properties.enablePurgeProtection", "properties.softDeleteRetentionInDays"]
)
def test_what_a_vault_cannot_take_back(group):
    off = group.put(VAULT, vault(enablePurgeProtection=False))
    assert (off.status, off.code) == (400, "BadRequest")
    assert off.error["message"] == (
        'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a vault is an '
        "irreversible action."
    )
    assert group.put(VAULT, vault(softDeleteRetentionInDays=6)).status == 400
    group.put(VAULT, vault(softDeleteRetentionInDays=7))
    longer = group.put(VAULT, vault(softDeleteRetentionInDays=90))
    assert (longer.status, longer.code) == (400, "BadRequest")
    assert longer.error["message"] == (
        'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.'
    )
    assert group.put(VAULT, vault()).properties["softDeleteRetentionInDays"] == 7


@pytest.mark.proves("OperationalInsights/workspaces", honours=["name"])
def test_the_name_of_a_deleted_log_analytics_workspace_brings_the_old_one_back(group):
    made = group.put(LOGS, {"location": LOCATION, "tags": {"a": "b"}, "properties": {"retentionInDays": 60}})
    group.delete(LOGS)
    assert group.get(LOGS).status == 404
    for scope in (GROUP, SUBSCRIPTION):
        listed = group.get(f"{scope}/providers/Microsoft.OperationalInsights/deletedWorkspaces").body["value"]
        assert [one["properties"]["customerId"] for one in listed] == [made.properties["customerId"]]
    group.now += 14 * DAY_SECONDS - 60
    again = group.put(LOGS, {"location": LOCATION, "properties": {"sku": {"name": "PerGB2018"}}})
    assert again.status == 200
    shown = group.get(LOGS)
    assert shown.properties["customerId"] == made.properties["customerId"]
    assert (shown.properties["retentionInDays"], shown.body["tags"]) == (60, {"a": "b"})
    assert group.get(f"{GROUP}/providers/Microsoft.OperationalInsights/deletedWorkspaces").body == {"value": []}


@pytest.mark.proves("OperationalInsights/workspaces", refuses=["name"])
def test_another_region_is_refused_until_the_workspace_is_forgotten(group):
    made = group.put(LOGS, {"location": LOCATION, "properties": {}})
    group.delete(LOGS)
    moved = group.put(LOGS, {"location": "northeurope", "properties": {}})
    assert (moved.status, moved.code) == (409, "Conflict")
    assert moved.error["message"] == "The workspace name 'log1' is not unique"
    assert moved.error["target"] == "name"
    group.now += 14 * DAY_SECONDS
    moved = group.put(LOGS, {"location": "northeurope", "properties": {}})
    assert moved.status == 201
    assert moved.properties["customerId"] != made.properties["customerId"]


def test_a_forced_deletion_of_logs_keeps_nothing(group):
    made = group.put(LOGS, {"location": LOCATION, "properties": {}})
    group.delete(f"{LOGS}?force=true")
    assert group.get(f"{GROUP}/providers/Microsoft.OperationalInsights/deletedWorkspaces").body == {"value": []}
    again = group.put(LOGS, {"location": "northeurope", "properties": {}})
    assert again.status == 201
    assert again.properties["customerId"] != made.properties["customerId"]


def test_what_goes_with_its_group_is_kept_as_well_and_over_a_restart(group):
    logs = group.put(LOGS, {"location": LOCATION, "properties": {}})
    group.put(VAULT, vault())
    group.delete(GROUP)
    group.restart()
    group.make_group()
    assert group.put(VAULT, vault()).code == "ConflictError"
    assert group.put(LOGS, {"location": LOCATION}).properties["customerId"] == logs.properties["customerId"]
