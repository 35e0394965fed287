"""azure-mgmt-resource: groups, generic lists and ids, providers, subscriptions, template deployments."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

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

pytestmark = pytest.mark.integration

IDENTITIES = "Microsoft.ManagedIdentity/userAssignedIdentities"


@pytest.fixture(scope="module")
def client(management):
    from azure.mgmt.resource.resources import ResourceManagementClient

    return management.client(ResourceManagementClient)


def make_identities(client, group, names, **tags):
    """User-assigned identities, the cheapest of resources, each with a tag of its own name."""
    client.resource_groups.create_or_update(group, {"location": LOCATION})
    for name in names:
        path = f"{SUBSCRIPTION}/resourceGroups/{group}/providers/{IDENTITIES}/{name}"
        body = {"location": LOCATION, "tags": {"name": name} | tags}
        done(client.resources.begin_create_or_update_by_id(path, body, api_version="2023-01-31"))


@pytest.mark.proves("resourceGroups", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_resource_groups(client):
    groups = client.resource_groups
    assert not groups.check_existence("fresh")
    with pytest.raises(Exception, match="ResourceGroupNotFound"):
        groups.get("fresh")
    created = groups.create_or_update("fresh", {"location": "West Europe", "tags": {"a": "b"}})
    assert (created.location, created.properties.provisioning_state) == (LOCATION, "Succeeded")
    assert created.type == "Microsoft.Resources/resourceGroups"
    assert groups.check_existence("FRESH")
    assert groups.get("Fresh").id == f"{SUBSCRIPTION}/resourceGroups/fresh"
    assert "fresh" in [group.name for group in groups.list()]
    assert groups.update("fresh", {"tags": TAGS}).tags == TAGS
    assert groups.get("fresh").location == LOCATION
    assert [group.name for group in groups.list(filter="tagName eq 'patched' and tagValue eq 'yes'")] == ["fresh"]
    assert refused(lambda: groups.create_or_update("fresh", {"location": "eastus"})) == (
        409,
        "InvalidResourceGroupLocation",
    )
    assert refused(lambda: groups.begin_export_template("fresh", {"resources": ["*"]})) == NOT_EMULATED
    done(groups.begin_delete("fresh"))
    assert not groups.check_existence("fresh")


def test_groups_come_in_pages(client):
    for number in range(3):
        client.resource_groups.create_or_update(f"paged{number}", {"location": LOCATION})
    pages = [list(page) for page in client.resource_groups.list(top=1).by_page()]
    assert [len(page) for page in pages] == [1] * len(pages)
    assert len(pages) == len(list(client.resource_groups.list()))


def test_resources_by_id_and_by_parts(client):
    path = f"{PROVIDERS}/{IDENTITIES}/byid"
    version = {"api_version": "2023-01-31"}
    resources = client.resources
    live_through(
        create=lambda body: resources.begin_create_or_update_by_id(path, body, **version),
        get=lambda: resources.get_by_id(path, **version),
        update=lambda: resources.begin_update_by_id(path, {"tags": TAGS}, **version),
        delete=lambda: resources.begin_delete_by_id(path, **version),
        lists=[resources.list, lambda: resources.list_by_resource_group(GROUP)],
        body={"location": LOCATION, "tags": {"a": "b"}},
    )
    parts = (GROUP, "Microsoft.ManagedIdentity", "", "userAssignedIdentities", "byparts")
    assert not resources.check_existence(*parts, **version)
    done(resources.begin_create_or_update(*parts, {"location": LOCATION}, **version))
    assert resources.check_existence(*parts, **version)
    assert resources.check_existence_by_id(path.replace("byid", "BYPARTS"), **version)
    assert resources.get(*parts, **version).properties["tenantId"] == identity.TENANT_ID
    done(resources.begin_delete(*parts, **version))
    assert not resources.check_existence(*parts, **version)


def test_lists_of_all_kinds_of_resources_are_filtered(client):
    make_identities(client, "filtered", ["one", "two"], team="ml")
    account = f"{SUBSCRIPTION}/resourceGroups/filtered/providers/Microsoft.Storage/storageAccounts/filteredaccount"
    body = {"location": "eastus", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"}
    done(client.resources.begin_create_or_update_by_id(account, body, api_version="2024-01-01"))

    def names(text, **more):
        return [item.name for item in client.resources.list_by_resource_group("filtered", filter=text, **more)]

    assert names(None) == ["one", "two", "filteredaccount"]
    assert names(f"resourceType eq '{IDENTITIES.upper()}'") == ["one", "two"]
    assert names("resourceType ne 'Microsoft.Storage/storageAccounts' and name eq 'two'") == ["two"]
    assert names("location eq 'eastus' or name eq 'one'") == ["one", "filteredaccount"]
    assert names("substringof('account', name)") == ["filteredaccount"]
    assert names("tagName eq 'team' and tagValue eq 'ml'") == ["one", "two"]
    assert names("tagName eq 'name' and tagValue eq 'one'") == ["one"]
    assert [len(page) for page in map(list, client.resources.list(filter="tagName eq 'team'", top=1).by_page())] == [
        1,
        1,
    ]
    assert refused(lambda: client.resources.list(filter="plan/publisher eq 'x'")) == NOT_EMULATED
    assert refused(lambda: client.resources.list_by_resource_group("missing")) == (404, "ResourceGroupNotFound")
    (shown,) = client.resources.list(filter="name eq 'filteredaccount'", expand="provisioningState")
    assert (shown.provisioning_state, shown.sku.name, shown.kind) == ("Succeeded", "Standard_LRS", "StorageV2")
    assert shown.id == account
    # What az asks for in every `az resource list`.
    (shown,) = client.resources.list(
        filter="name eq 'filteredaccount'", expand="createdTime,changedTime,provisioningState"
    )
    assert shown.provisioning_state == "Succeeded"
    assert shown.created_time
    assert shown.changed_time >= shown.created_time
    assert refused(lambda: client.resources.list(expand="properties")) == NOT_EMULATED


def test_children_with_a_location_are_listed_with_their_parents_name(client, management):
    zone = f"{PROVIDERS}/Microsoft.Network/privateDnsZones/listed.test"
    network = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/listed"
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    resources, version = client.resources, {"api_version": "2024-06-01"}
    done(resources.begin_create_or_update_by_id(zone, {"location": "global"}, **version))
    body = {"location": LOCATION, "properties": space}
    done(resources.begin_create_or_update_by_id(network, body, api_version="2024-05-01"))
    link = {"location": "global", "properties": {"virtualNetwork": {"id": network}}}
    done(resources.begin_create_or_update_by_id(f"{zone}/virtualNetworkLinks/link", link, **version))
    kind = "Microsoft.Network/privateDnsZones/virtualNetworkLinks"
    assert [item.name for item in resources.list(filter=f"resourceType eq '{kind}'")] == ["listed.test/link"]


def test_providers_list_their_types(client, management):
    providers = client.providers
    shown = providers.get("microsoft.machinelearningservices")
    assert (shown.namespace, shown.registration_state) == ("Microsoft.MachineLearningServices", "Registered")
    types = {kind.resource_type: kind.api_versions for kind in shown.resource_types}
    assert types["workspaces/onlineEndpoints/deployments"] == ["2025-12-01"]
    assert {provider.namespace for provider in providers.list()} >= {"Microsoft.Network", "Microsoft.Storage"}
    assert [p.namespace for p in providers.list()] == [p.namespace for p in providers.list_at_tenant_scope()]
    assert providers.get_at_tenant_scope("Microsoft.Storage").namespace == "Microsoft.Storage"
    assert providers.register("Microsoft.Insights").registration_state == "Registered"
    assert refused(lambda: providers.get("Microsoft.Sql")) == NOT_EMULATED


def test_a_provider_that_was_unregistered_is_registered_again(client):
    providers = client.providers
    assert providers.unregister("Microsoft.Cdn").registration_state == "NotRegistered"
    assert {one.registration_state for one in providers.list() if one.namespace == "Microsoft.Cdn"} == {"NotRegistered"}
    assert providers.get("microsoft.cdn").registration_state == "NotRegistered"
    assert providers.register("Microsoft.Cdn").registration_state == "Registered"
    assert {one.registration_state for one in providers.list()} == {"Registered"}
    assert refused(lambda: providers.unregister("Microsoft.Sql")) == NOT_EMULATED


def test_what_resource_manager_does_not_emulate_is_refused_as_such(client):
    assert refused(client.tags.list) == NOT_EMULATED
    assert refused(lambda: client.tags.get_at_scope(SUBSCRIPTION)) == NOT_EMULATED
    move = {"resources": [f"{PROVIDERS}/{IDENTITIES}/x"], "targetResourceGroup": f"{SUBSCRIPTION}/resourceGroups/y"}
    assert refused(lambda: client.resources.begin_move_resources(GROUP, move)) == NOT_EMULATED
    unknown = f"{PROVIDERS}/Microsoft.Sql/servers/s"
    assert refused(lambda: client.resources.get_by_id(unknown, api_version="2023-08-01")) == NOT_EMULATED
    assert refused(lambda: client.resources.check_existence_by_id(unknown, api_version="2023-08-01")) == (501, "")


def test_subscriptions(management):
    from azure.mgmt.resource.subscriptions import SubscriptionClient

    client = SubscriptionClient(management._credential, base_url=management.azure.https)
    with client:
        shown, hub = client.subscriptions.list()
        assert (hub.subscription_id, hub.tenant_id) == (identity.HUB_SUBSCRIPTION_ID, identity.TENANT_ID)
        assert (shown.subscription_id, shown.state) == (identity.SUBSCRIPTION_ID, "Enabled")
        assert shown.id == SUBSCRIPTION
        assert client.subscriptions.get(identity.SUBSCRIPTION_ID).display_name == "Local Azure"
        assert [tenant.tenant_id for tenant in client.tenants.list()] == [identity.TENANT_ID]
        other = "00000000-0000-4000-8000-00000000ffff"
        assert refused(lambda: client.subscriptions.get(other)) == (404, "SubscriptionNotFound")
        regions = {one.name: one.display_name for one in client.subscriptions.list_locations(identity.SUBSCRIPTION_ID)}
        assert regions["westeurope"] == "West Europe"


@pytest.mark.proves("Resources/deployments", drives=["get", "list", "PUT"], client="azure-mgmt")
def test_other_template_deployments_are_refused_as_not_emulated(management):
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient

    deployments = management.client(DeploymentsMgmtClient).deployments
    template = {"$schema": "x", "contentVersion": "1.0.0.0", "resources": []}
    body = {"properties": {"mode": "Incremental", "template": template, "parameters": {}}}
    assert refused(lambda: deployments.begin_create_or_update(GROUP, "d1", body)) == NOT_EMULATED
    assert not deployments.check_existence(GROUP, "d1")
    assert refused(lambda: deployments.get(GROUP, "d1")) == (404, "ResourceNotFound")
    assert ids(deployments.list_by_resource_group(GROUP)) == []
    assert refused(lambda: deployments.begin_validate(GROUP, "d1", body)) == NOT_EMULATED
    assert refused(lambda: deployments.begin_create_or_update_at_subscription_scope("d1", body)) == NOT_EMULATED


def workspace_template():
    """The template by which azure-ai-ml creates a workspace, from its package, and values for what it must be told."""
    import azure.core

    # By its place: importing azure.ai.ml takes seconds.
    folder = Path(azure.core.__file__).parents[1] / "ai" / "ml" / "_arm_deployments" / "arm_templates"
    template = json.loads((folder / "workspace_base.json").read_text())
    names = ("storageAccountName", "keyVaultName", "applicationInsightsName", "logAnalyticsName")
    values = {"workspaceName": "bytemplate", "location": LOCATION, **dict.fromkeys(names, "bytemplate")}
    parameters = {name: {"value": value} for name, value in values.items()}
    return {"properties": {"mode": "Incremental", "template": template, "parameters": parameters}}


@pytest.mark.proves("Microsoft.Resources/deployments", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("deployments/operations", drives=["list"], client="azure-mgmt")
def test_the_template_of_a_workspace_is_deployed(management, client):
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient

    deployer = management.client(DeploymentsMgmtClient)
    deployments, here = deployer.deployments, (GROUP, "workspace-by-template")
    made = deployments.begin_create_or_update(*here, workspace_template()).result()
    assert (made.properties.provisioning_state, made.properties.mode) == ("Succeeded", "Incremental")
    assert deployments.check_existence(*here)
    assert made.id in ids(deployments.list_by_resource_group(GROUP))
    workspace = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/bytemplate"
    assert workspace in ids(made.properties.output_resources)
    operations = list(deployer.deployment_operations.list(*here))
    assert workspace in [operation.properties.target_resource.id for operation in operations]
    assert {operation.properties.provisioning_state for operation in operations} == {"Succeeded"}
    done(deployments.begin_delete(*here))
    assert not deployments.check_existence(*here)
    assert client.resources.check_existence_by_id(workspace, api_version="2024-04-01")
    done(deployments.begin_delete(*here))
