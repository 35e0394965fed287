"""azure-mgmt-* clients of what surrounds the workspace: storage, vaults, registries, identities, logs."""

from __future__ import annotations

import pytest
import requests

from localazure import identity
from tests.localazure.arm.management import (
    GROUP,
    LOCATION,
    NOT_EMULATED,
    PROVIDERS,
    SUBSCRIPTION,
    TAGS,
    done,
    ids,
    live_through,
    refused,
)
from tests.waiting import HANGS

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def storage(management):
    from azure.mgmt.storage import StorageManagementClient

    return management.client(StorageManagementClient)


@pytest.mark.proves("storageAccounts", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_storage_accounts(storage):
    accounts = storage.storage_accounts
    here = (GROUP, "mgmtaccount")
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": {"a": "b"}}
    created = live_through(
        create=lambda body: accounts.begin_create(*here, body),
        get=lambda: accounts.get_properties(*here),
        update=lambda: accounts.update(*here, {"tags": TAGS}),
        delete=lambda: accounts.delete(*here),
        lists=[accounts.list, lambda: accounts.list_by_resource_group(GROUP)],
        body=body,
    )
    assert (created.sku.name, created.sku.tier, created.kind) == ("Standard_LRS", "Standard", "StorageV2")
    assert created.provisioning_state == "Succeeded"
    assert created.primary_endpoints.blob.endswith("/mgmtaccount/")
    assert created.creation_time.year >= 2024


def test_a_storage_account_changes_by_patch_field_by_field(storage):
    accounts = storage.storage_accounts
    here = (GROUP, "patchaccount")
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "tags": {"a": "b"}}
    before = done(accounts.begin_create(*here, body | {"properties": {"allowBlobPublicAccess": False}}))
    changed = accounts.update(*here, {"properties": {"publicNetworkAccess": "Disabled"}})
    assert (changed.public_network_access, changed.allow_blob_public_access) == ("Disabled", False)
    assert (changed.tags, changed.creation_time) == ({"a": "b"}, before.creation_time)
    assert accounts.update(*here, {"sku": {"name": "Standard_ZRS"}}).sku.name == "Standard_ZRS"


@pytest.mark.proves("storageAccounts", drives=["listKeys", "regenerateKey"], client="azure-mgmt")
def test_keys_of_a_storage_account(storage):
    accounts = storage.storage_accounts
    here = (GROUP, "keysaccount")
    done(accounts.begin_create(*here, {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}))
    first, second = accounts.list_keys(*here).keys_property
    assert (first.key_name, first.permissions) == ("key1", "FULL")
    renewed = accounts.regenerate_key(*here, {"keyName": "key1"}).keys_property
    assert renewed[0].value != first.value
    assert renewed[1].value == second.value
    assert renewed[0].creation_time > first.creation_time
    assert renewed[1].creation_time == second.creation_time
    assert [key.value for key in accounts.list_keys(*here).keys_property] == [key.value for key in renewed]
    assert refused(lambda: accounts.regenerate_key(*here, {"keyName": "key9"}))[0] == 400


@pytest.mark.proves("storageAccounts", refuses=["name"], client="azure-mgmt")
def test_names_of_storage_accounts(storage):
    accounts = storage.storage_accounts
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}

    def ask(name):
        answer = accounts.check_name_availability({"name": name, "type": "Microsoft.Storage/storageAccounts"})
        return answer.name_available, answer.reason

    assert ask("namesaccount") == (True, None)
    done(accounts.begin_create(GROUP, "namesaccount", body))
    assert ask("namesaccount") == (False, "AlreadyExists")
    assert ask("Names-Account") == (False, "AccountNameInvalid")
    assert refused(lambda: accounts.begin_create("elsewhere", "namesaccount", body)) == (404, "ResourceGroupNotFound")
    assert refused(lambda: accounts.begin_create(GROUP, "x", body)) == (400, "AccountNameInvalid")


@pytest.mark.proves("containers", drives=["get", "list", "PUT", "DELETE"], refuses=["name"], client="azure-mgmt")
def test_containers_by_resource_manager_are_those_of_the_blob_service(storage, management):
    containers, account = storage.blob_containers, "boxaccount"
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    done(storage.storage_accounts.begin_create(GROUP, account, body))
    here = (GROUP, account, "state")
    url = f"{management.azure.https}/{account}/state"

    def blobs():
        headers = {"Authorization": "Bearer x", "x-ms-version": "2023-11-03"}
        query = {"restype": "container"}
        return requests.get(
            url, params=query, headers=headers, verify=management.azure.trust, timeout=HANGS
        ).status_code

    assert refused(lambda: containers.create(GROUP, account, "State", {})) == (400, "InvalidResourceName")
    assert containers.create(*here, {}).public_access == "None"
    assert containers.create(*here, {}).name == "state"
    assert (containers.get(*here).name, blobs()) == ("state", 200)
    assert [one.name for one in containers.list(GROUP, account)] == ["state"]
    containers.delete(*here)
    assert (refused(lambda: containers.get(*here))[0], blobs()) == (404, 404)


def test_what_storage_does_not_emulate_is_refused_as_such(storage):
    here = (GROUP, "mgmtaccount")
    assert refused(lambda: storage.file_shares.list(*here)) == NOT_EMULATED
    assert refused(lambda: storage.usages.list_by_location(LOCATION)) == NOT_EMULATED
    assert refused(lambda: storage.skus.list()) == NOT_EMULATED


@pytest.mark.proves("KeyVault/vaults", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_key_vaults(management):
    from azure.mgmt.keyvault import KeyVaultManagementClient

    vaults = management.client(KeyVaultManagementClient).vaults
    here = (GROUP, "mgmtvault")
    sku = {"family": "A", "name": "standard"}
    created = live_through(
        create=lambda body: vaults.begin_create_or_update(*here, body),
        get=lambda: vaults.get(*here),
        update=lambda: vaults.update(*here, {"tags": TAGS}),
        delete=lambda: vaults.delete(*here),
        lists=[vaults.list_by_subscription, lambda: vaults.list_by_resource_group(GROUP), vaults.list],
        body={"location": LOCATION, "properties": {"tenantId": identity.TENANT_ID, "sku": sku}},
    )
    shown = created.properties
    assert (shown.tenant_id, shown.sku.name, shown.sku.family) == (identity.TENANT_ID, "standard", "A")
    assert shown.vault_uri == "https://mgmtvault.vault.localhost/"
    assert (shown.enable_soft_delete, shown.soft_delete_retention_in_days) == (True, 90)
    assert refused(lambda: vaults.check_name_availability({"name": "x", "type": created.type})) == NOT_EMULATED


@pytest.mark.proves("KeyVault/vaults", refuses=["name"], client="azure-mgmt")
@pytest.mark.proves("locations/deletedVaults", drives=["get", "purge"], client="azure-mgmt")
@pytest.mark.proves("KeyVault/deletedVaults", drives=["list"], client="azure-mgmt")
def test_a_deleted_vault_keeps_its_name_until_it_is_purged(management):
    from azure.mgmt.keyvault import KeyVaultManagementClient

    vaults = management.client(KeyVaultManagementClient).vaults
    here = (GROUP, "keptvault")
    properties = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    body = {"location": LOCATION, "tags": {"a": "b"}, "properties": properties}
    made = done(vaults.begin_create_or_update(*here, body))
    vaults.delete(*here)
    assert refused(lambda: vaults.begin_create_or_update(*here, body)) == (409, "ConflictError")
    kept = vaults.get_deleted("keptvault", LOCATION)
    assert (kept.properties.vault_id, kept.properties.tags) == (made.id, {"a": "b"})
    assert (kept.properties.scheduled_purge_date - kept.properties.deletion_date).days == 90
    assert kept.id in ids(vaults.list_deleted())
    done(vaults.begin_purge_deleted("keptvault", LOCATION))
    assert refused(lambda: vaults.get_deleted("keptvault", LOCATION)) == (404, "DeletedVaultNotFound")
    assert done(vaults.begin_create_or_update(*here, body)).id == made.id


@pytest.mark.proves("keys", drives=["get", "list", "PUT"], refuses=["properties.kty"], client="azure-mgmt")
def test_a_key_is_made_once_and_not_changed(management):
    from azure.mgmt.keyvault import KeyVaultManagementClient

    client = management.client(KeyVaultManagementClient)
    vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    done(client.vaults.begin_create_or_update(GROUP, "keysvault", {"location": LOCATION, "properties": vault}))
    here = (GROUP, "keysvault", "pulumi")
    assert refused(lambda: client.keys.create_if_not_exist(*here, {"properties": {"kty": "oct"}})) == (
        400,
        "BadRequest",
    )
    first = client.keys.create_if_not_exist(*here, {"properties": {"kty": "RSA", "keySize": 3072}})
    assert first.key_uri == "https://keysvault.vault.localhost/keys/pulumi"
    again = client.keys.create_if_not_exist(*here, {"properties": {"kty": "RSA", "keySize": 4096}})
    assert (again.key_size, again.key_uri_with_version) == (3072, first.key_uri_with_version)
    assert client.keys.get(*here).kty == "RSA"
    assert [one.name for one in client.keys.list(GROUP, "keysvault")] == ["pulumi"]


@pytest.mark.proves("vaults", refuses=["properties.enablePurgeProtection"], client="azure-mgmt")
def test_a_vault_keeps_its_rules_in_a_patch(management):
    from azure.mgmt.keyvault import KeyVaultManagementClient

    vaults = management.client(KeyVaultManagementClient).vaults
    here = (GROUP, "patchvault")
    properties = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    done(vaults.begin_create_or_update(*here, {"location": LOCATION, "properties": properties}))
    assert vaults.update(*here, {"properties": {"enablePurgeProtection": True}}).properties.enable_purge_protection
    assert refused(lambda: vaults.update(*here, {"properties": {"enablePurgeProtection": False}}))[0] == 400
    assert vaults.get(*here).properties.sku.name == "standard"


def test_lists_come_in_pages_of_the_size_that_is_asked_for(management):
    from azure.mgmt.keyvault import KeyVaultManagementClient

    vaults = management.client(KeyVaultManagementClient).vaults
    properties = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
    made = [f"paged{number}" for number in range(5)]
    for name in made:
        done(vaults.begin_create_or_update(GROUP, name, {"location": LOCATION, "properties": properties}))
    pages = [[vault.name for vault in page] for page in vaults.list_by_resource_group(GROUP, top=2).by_page()]
    names = [name for page in pages for name in page]
    assert {len(page) for page in pages[:-1]} == {2}
    assert [name for name in names if name.startswith("paged")] == made
    assert len(names) == len(set(names))


@pytest.mark.proves("registries", refuses=["sku.name"], client="azure-mgmt")
@pytest.mark.proves(
    "ContainerRegistry/registries", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt"
)
def test_container_registries(management):
    from azure.mgmt.containerregistry import ContainerRegistryManagementClient

    registries = management.client(ContainerRegistryManagementClient).registries
    here = (GROUP, "mgmtregistry")
    created = live_through(
        create=lambda body: registries.begin_create(*here, body),
        get=lambda: registries.get(*here),
        update=lambda: registries.begin_update(*here, {"tags": TAGS}),
        delete=lambda: registries.begin_delete(*here),
        lists=[registries.list, lambda: registries.list_by_resource_group(GROUP)],
        body={"location": LOCATION, "sku": {"name": "Premium"}},
    )
    assert (created.sku.name, created.sku.tier) == ("Premium", "Premium")
    assert (created.login_server, created.admin_user_enabled) == ("mgmtregistry.azurecr.localhost", False)
    assert (created.provisioning_state, created.public_network_access) == ("Succeeded", "Enabled")
    assert created.creation_date.year >= 2024
    done(registries.begin_create(*here, {"location": LOCATION, "sku": {"name": "Premium"}}))
    assert done(registries.begin_update(*here, {"properties": {"adminUserEnabled": True}})).admin_user_enabled
    assert refused(lambda: registries.begin_update(*here, {"sku": {"name": "Huge"}})) == (400, "InvalidSku")
    assert refused(lambda: registries.list_credentials(*here)) == NOT_EMULATED
    assert refused(lambda: registries.list_usages(*here)) == NOT_EMULATED


@pytest.mark.proves("userAssignedIdentities", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_user_assigned_identities(management):
    from azure.mgmt.msi import ManagedServiceIdentityClient

    identities = management.client(ManagedServiceIdentityClient).user_assigned_identities
    here = (GROUP, "mgmtidentity")
    created = live_through(
        create=lambda body: identities.create_or_update(*here, body),
        get=lambda: identities.get(*here),
        update=lambda: identities.update(*here, {"location": LOCATION, "tags": TAGS}),
        delete=lambda: identities.delete(*here),
        lists=[identities.list_by_subscription, lambda: identities.list_by_resource_group(GROUP)],
        body={"location": LOCATION, "tags": {"a": "b"}},
    )
    assert created.tenant_id == identity.TENANT_ID
    assert created.principal_id != created.client_id
    before = identities.create_or_update(*here, {"location": LOCATION}).system_data
    after = identities.update(*here, {"tags": TAGS}).system_data
    assert (before.created_by_type, before.created_at) == ("User", after.created_at)
    assert after.last_modified_at > before.last_modified_at


@pytest.mark.proves(
    "OperationalInsights/workspaces", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt"
)
def test_log_analytics_workspaces(management):
    from azure.mgmt.loganalytics import LogAnalyticsManagementClient

    client = management.client(LogAnalyticsManagementClient)
    workspaces = client.workspaces
    here = (GROUP, "mgmtlogs")
    created = live_through(
        create=lambda body: workspaces.begin_create_or_update(*here, body),
        get=lambda: workspaces.get(*here),
        update=lambda: workspaces.update(*here, {"tags": TAGS}),
        delete=lambda: workspaces.begin_delete(*here),
        lists=[workspaces.list, lambda: workspaces.list_by_resource_group(GROUP)],
        body={"location": LOCATION, "properties": {"retentionInDays": 31}},
    )
    assert (created.provisioning_state, created.retention_in_days) == ("Succeeded", 31)
    assert (created.sku.name, created.public_network_access_for_query) == ("PerGB2018", "Enabled")
    assert created.customer_id
    assert refused(lambda: client.tables.list_by_workspace(*here)) == NOT_EMULATED
    assert refused(lambda: client.shared_keys.get_shared_keys(*here)) in (NOT_EMULATED, (404, "ResourceNotFound"))


@pytest.mark.proves("OperationalInsights/workspaces", honours=["name"], refuses=["name"], client="azure-mgmt")
@pytest.mark.proves("deletedWorkspaces", drives=["list"], client="azure-mgmt")
def test_a_deleted_log_analytics_workspace_comes_back(management):
    from azure.mgmt.loganalytics import LogAnalyticsManagementClient

    client = management.client(LogAnalyticsManagementClient)
    workspaces, kept = client.workspaces, client.deleted_workspaces
    here = (GROUP, "keptlogs")
    body = {"location": LOCATION, "properties": {}}
    made = done(workspaces.begin_create_or_update(*here, body))
    done(workspaces.begin_delete(*here))
    assert made.customer_id in [one.customer_id for one in kept.list_by_resource_group(GROUP)]
    elsewhere = body | {"location": "northeurope"}
    assert refused(lambda: workspaces.begin_create_or_update(*here, elsewhere)) == (409, "Conflict")
    assert done(workspaces.begin_create_or_update(*here, body)).customer_id == made.customer_id
    done(workspaces.begin_delete(*here, force=True))
    assert "keptlogs" not in [one.name for one in kept.list()]
    assert done(workspaces.begin_create_or_update(*here, elsewhere)).customer_id != made.customer_id


@pytest.mark.proves("Insights/components", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_application_insights_components(management):
    from azure.mgmt.applicationinsights import ApplicationInsightsManagementClient

    components = management.client(ApplicationInsightsManagementClient).components
    here = (GROUP, "mgmtinsights")
    created = live_through(
        create=lambda body: components.create_or_update(*here, body),
        get=lambda: components.get(*here),
        update=lambda: components.update_tags(*here, {"tags": TAGS}),
        delete=lambda: components.delete(*here),
        lists=[components.list, lambda: components.list_by_resource_group(GROUP)],
        body={"location": LOCATION, "kind": "web", "properties": {"Application_Type": "web"}},
    )
    assert (created.kind, created.application_type, created.provisioning_state) == ("web", "web", "Succeeded")
    assert created.connection_string.startswith(f"InstrumentationKey={created.instrumentation_key};")
    assert (created.name_properties_name, created.application_id) == ("mgmtinsights", "mgmtinsights")
    assert created.app_id != created.instrumentation_key


@pytest.mark.proves("roleAssignments", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("roleDefinitions", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
def test_role_assignments_and_role_names(management):
    from azure.mgmt.authorization import AuthorizationManagementClient

    client = management.client(AuthorizationManagementClient)
    assignments, scope = client.role_assignments, f"{PROVIDERS}/Microsoft.Storage/storageAccounts/rolesaccount"
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    assert management.azure.request("PUT", scope, body).ok
    (role,) = client.role_definitions.list(scope, filter="roleName eq 'Storage Blob Data Reader'")
    assert role.name == "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
    assert (role.role_name, role.role_type) == ("Storage Blob Data Reader", "BuiltInRole")
    assert client.role_definitions.get(SUBSCRIPTION, role.name).id == role.id
    tenant_wide = client.role_definitions.get_by_id(f"/providers/Microsoft.Authorization/roleDefinitions/{role.name}")
    assert tenant_wide.role_name == role.role_name
    assert len(list(client.role_definitions.list(SUBSCRIPTION))) > 5

    principal, name = "00000000-0000-4000-8000-00000000abcd", "00000000-0000-4000-8000-000000001234"
    below = live_through(
        create=lambda body: assignments.create(scope, name, body),
        get=lambda: assignments.get(scope, name),
        delete=lambda: assignments.delete(scope, name),
        lists=[
            lambda: assignments.list_for_scope(scope),
            lambda: assignments.list_for_scope(scope, filter=f"principalId eq '{principal}'"),
            assignments.list_for_subscription,
            lambda: assignments.list_for_resource_group(GROUP),
            lambda: assignments.list_for_resource(GROUP, "Microsoft.Storage", "storageAccounts", "rolesaccount"),
        ],
        body={"properties": {"principalId": principal, "roleDefinitionId": role.id}},
    )
    assert (below.scope, below.principal_id, below.role_definition_id) == (scope, principal, role.id)
    assert (below.principal_type, below.created_by) == ("ServicePrincipal", identity.CALLER_OBJECT_ID)
    assignments.create_by_id(below.id, {"properties": {"principalId": principal, "roleDefinitionId": role.id}})
    assert below.id not in ids(assignments.list_for_resource_group(GROUP, filter="atScope()"))
    assert below.id in ids(assignments.list_for_scope(scope, filter="atScope()"))
    assert below.id not in ids(assignments.list_for_scope(scope, filter="principalId eq 'another'"))
    assert refused(lambda: assignments.list_for_scope(scope, filter="scope gt 'x'")) == NOT_EMULATED
    assert assignments.delete_by_id(below.id).id == below.id
    definitions = client.role_definitions
    actions = [{"actions": ["Microsoft.Authorization/locks/*"], "notActions": []}]
    sent = {"properties": {"roleName": "Locks", "assignableScopes": [SUBSCRIPTION], "permissions": actions}}
    assert refused(lambda: definitions.get(SUBSCRIPTION, name)) == (404, "RoleDefinitionDoesNotExist")
    custom = definitions.create_or_update(SUBSCRIPTION, name, sent)
    assert [one.id for one in definitions.list(SUBSCRIPTION, filter="roleName eq 'Locks'")] == [custom.id]
    assert definitions.get(SUBSCRIPTION, name).role_name == "Locks"
    assert definitions.delete(SUBSCRIPTION, name).id == custom.id
    assert [*definitions.list(SUBSCRIPTION, filter="type eq 'CustomRole'")] == []
    assert (custom.role_name, custom.role_type) == ("Locks", "CustomRole")
    assert custom.permissions[0].actions == ["Microsoft.Authorization/locks/*"]
