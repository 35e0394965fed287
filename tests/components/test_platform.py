"""The platform: its resource tree, its secure defaults, and the additions of a private stack."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

import pytest

from assessment.data_protection import DataProtection, KeyUse
from assessment.existing import ExistingResources
from assessment.placement import Placement
from components.container_registry import ContainerRegistryArgs
from components.key_vault import KeyVaultArgs
from components.online_endpoint import OnlineEndpointArgs
from components.platform import Platform, PlatformArgs
from components.storage import StorageArgs
from compute_config import ComputeSettings
from identity_config import Access, CustomerKey
from network_config import Isolation, Network, NetworkSettings, OutboundRule
from network_plan import FIRST_PLAN, NetworkPlan, plan_network
from ownership import SUBSCRIPTION_TAG
from roles import Role
from stack_config import Redundancy
from tests.assessment import existing_ids as ids
from tests.components.conftest import placement_of
from tests.components.engine import SUBSCRIPTION_ID, TENANT_ID, Deployment, FakeAzure, deploy
from tests.components.golden import assert_golden

IDENTITY = "UserAssignedIdentity"


PUBLIC = NetworkPlan(is_public=True)
PRIVATE = plan_network(NetworkSettings(mode=Network.PRIVATE, address_space="10.1.0.0/22"), None)


def platform(
    azure: FakeAzure, placement: Placement, *, public: bool, network: NetworkPlan = PRIVATE, **changes: Any
) -> Deployment:
    args = PlatformArgs(
        **{
            "placement": placement,
            "network": PUBLIC if public else network,
            "protect": not public,
            "protect_vault": not public,
            "group_tags": {"sluice:endpoint:fraud-dev": "fraud"},
            "record_tags": {"sluice:network": "public" if public else "private"},
            **changes,
        }
    )
    return deploy(lambda: Platform("platform", args), azure)


@pytest.fixture(scope="module")
def public() -> Deployment:
    placement = placement_of("dev")
    return platform(FakeAzure(placement.names), placement, public=True)


@pytest.fixture(scope="module")
def private() -> Deployment:
    placement = placement_of("dev")
    return platform(FakeAzure(placement.names), placement, public=False)


def test_a_public_platform_is_this_tree(public: Deployment) -> None:
    assert_golden("platform-public", public.tree())


def test_a_private_platform_is_this_tree(private: Deployment) -> None:
    assert_golden("platform-private", private.tree())


def test_a_private_platform_of_an_earlier_version_keeps_its_tree() -> None:
    placement = placement_of("dev")
    azure = FakeAzure(placement.names)
    assert_golden("platform-private-first", platform(azure, placement, public=False, network=FIRST_PLAN).tree())


def test_nothing_is_declared_for_what_was_given() -> None:
    placement = placement_of("dev", given_group_id=ids.GROUP)
    assert_golden("platform-bring-your-own", given_platform(placement).tree())


def test_nothing_that_was_given_is_locked_or_tagged() -> None:
    deployment = given_platform(placement_of("dev", given_group_id=ids.GROUP), lock=True)
    assert deployment.of_type("ManagementLockByScope") == []
    declared = " ".join(str(one.inputs.get("tags") and one.id) for one in deployment.registrations)
    assert not any(name in declared for name in ("hub-logs", "hubregistry", "hub-vault", "hubstorage"))


def test_the_workspace_and_the_roles_use_what_was_given() -> None:
    deployment = given_platform(placement_of("dev", given_group_id=ids.GROUP))
    workspace = deployment.one("Workspace", "platform-ml-workspace").inputs
    assert workspace["resourceGroupName"] == "landing"
    assert workspace["storageAccount"] == ids.STORAGE
    assert workspace["keyVault"].lower() == ids.VAULT.lower()
    assert workspace["containerRegistry"] == ids.REGISTRY
    scopes = {one.name: one.inputs["scope"] for one in deployment.of_type("RoleAssignment")}
    assert scopes["platform-ml-storage-blob-data"] == ids.STORAGE
    assert scopes["platform-ml-vault-administrator"] == ids.VAULT
    # The managed network connects to each of the three, and the role on the stack's group does not reach them.
    approved = {scope for name, scope in scopes.items() if "-connection-approver-" in name}
    assert approved == {ids.STORAGE, ids.VAULT, ids.REGISTRY}
    assert deployment.one("Component").inputs["workspaceResourceId"] == ids.LOG_ANALYTICS


def test_a_given_identity_gets_no_roles_from_the_stack_and_is_what_the_workspace_acts_as() -> None:
    existing = ExistingResources(workspace_identity=ids.IDENTITY)
    placement = placement_of("dev")
    deployment = platform(FakeAzure(placement.names), placement, public=False, existing=existing)
    workspace = deployment.one("Workspace", "platform-ml-workspace").inputs
    assert workspace["primaryUserAssignedIdentity"] == ids.IDENTITY
    assert workspace["identity"]["userAssignedIdentities"] == [ids.IDENTITY]
    assert {one.name for one in deployment.of_type("RoleAssignment")} == {
        "platform-image-build-push-images",
        "platform-image-build-write-blobs",
    }


def test_a_given_workspace_needs_a_group_for_identities_and_logs_and_nothing_else() -> None:
    existing = ExistingResources(
        workspace=ids.WORKSPACE,
        registry=ids.REGISTRY,
        vault=ids.VAULT,
        storage=ids.STORAGE,
        application_insights=ids.INSIGHTS,
    )
    placement = placement_of("dev", given_workspace_id=ids.WORKSPACE)
    deployment = platform(FakeAzure(placement.names), placement, public=False, existing=existing)
    assert_golden("platform-bring-your-own-workspace", deployment.tree())


def given_platform(placement: Placement, **changes: Any) -> Deployment:
    existing = ExistingResources(
        resource_group=ids.GROUP,
        log_analytics=ids.LOG_ANALYTICS,
        registry=ids.REGISTRY,
        vault=ids.VAULT,
        storage=ids.STORAGE,
    )
    return platform(FakeAzure(placement.names), placement, public=False, existing=existing)


HUB = "/subscriptions/hub/resourceGroups/rg-hub/providers"
MOST = plan_network(
    NetworkSettings.model_validate_json(
        json.dumps(
            {
                "mode": "private",
                "address_space": "10.1.0.0/22",
                "nat": True,
                "peer_with": [f"{HUB}/Microsoft.Network/virtualNetworks/vnet-{name}" for name in ("hub", "onprem")],
                "monitor_scope": "own",
                "firewall_sku": "Basic",
                "outbound": {
                    "scores": {"fqdn": "*.example.org"},
                    "front": {"service_tag": "AzureFrontDoor.FirstParty"},
                    "data": {"resource": f"{HUB}/Microsoft.Storage/storageAccounts/data", "subresource": "blob"},
                },
            }
        )
    ),
    None,
)


def test_a_private_platform_with_every_key_is_this_tree() -> None:
    placement = placement_of("dev")
    most = platform(FakeAzure(placement.names), placement, public=False, network=MOST)
    assert_golden("platform-private-max", most.tree())
    first, second = most.of_type("PrivateLinkScopedResource")
    assert first.urn in second.depends_on or second.urn in first.depends_on, "one after another"
    assert most.one("PrivateLinkScope").inputs["accessModeSettings"] == {
        "ingestionAccessMode": "Open",
        "queryAccessMode": "Open",
    }
    assert most.one("PrivateLinkScope").inputs["location"] == "global"
    zones = most.one("PrivateDnsZoneGroup", "platform-access-monitor-dns").inputs["privateDnsZoneConfigs"]
    assert [one["name"] for one in zones] == [
        "privatelink-monitor-azure-com",
        "privatelink-oms-opinsights-azure-com",
        "privatelink-ods-opinsights-azure-com",
        "privatelink-agentsvc-azure-automation-net",
        "privatelink-blob-core-windows-net",
    ]


def test_a_private_platform_in_a_hub_is_this_tree() -> None:
    """Zones, a private link scope and a subnet of others: nothing of the kind is created."""
    placement = placement_of("dev")
    zones = {one: f"{HUB}/Microsoft.Network/privateDnsZones/{one}" for one in PRIVATE.zones}
    scope = f"{HUB}/microsoft.insights/privateLinkScopes/ampls-hub"
    given = f"{HUB}/Microsoft.Network/virtualNetworks/vnet-hub/subnets/ml"
    keys = {"mode": "private", "dns": zones, "monitor_scope": scope}
    plan = plan_network(NetworkSettings.model_validate_json(json.dumps(keys)), None, subnet_id=given)
    deployment = platform(FakeAzure(placement.names), placement, public=False, network=plan)
    assert_golden("platform-private-hub", deployment.tree())
    endpoint = deployment.one("PrivateEndpoint", "platform-access-workspace")
    assert endpoint.inputs["subnet"]["id"] == given
    linked = deployment.one("PrivateLinkScopedResource", "platform-monitor-logs").inputs
    assert (linked["scopeName"], linked["resourceGroupName"]) == ("ampls-hub", "rg-hub")


def test_zones_of_its_own_are_linked_with_a_given_network() -> None:
    placement = placement_of("dev")
    given = f"{HUB}/Microsoft.Network/virtualNetworks/vnet-hub/subnets/ml"
    plan = plan_network(NetworkSettings(mode=Network.PRIVATE), None, subnet_id=given)
    links = platform(FakeAzure(placement.names), placement, public=False, network=plan).of_type("VirtualNetworkLink")
    networks = {link.inputs["virtualNetwork"]["id"] for link in links}
    assert networks == {f"{HUB}/Microsoft.Network/virtualNetworks/vnet-hub"}


def test_a_platform_is_protected_by_default() -> None:
    placement = placement_of("dev")
    args = PlatformArgs(placement=placement, network=PRIVATE, protect_vault=True)
    assert args.protect is True


@pytest.mark.parametrize("args", [ContainerRegistryArgs, KeyVaultArgs, OnlineEndpointArgs, StorageArgs])
def test_each_component_is_closed_by_default(args: Any) -> None:
    (access,) = (field for field in fields(args) if field.name == "enable_public_access")
    assert access.default is False


@pytest.mark.parametrize("which", ["public", "private"])
def test_storage_takes_no_keys_no_anonymous_readers_and_no_old_tls(which: str, request: pytest.FixtureRequest) -> None:
    account = request.getfixturevalue(which).one("StorageAccount").inputs
    assert account["allowSharedKeyAccess"] is False
    assert account["allowBlobPublicAccess"] is False
    assert account["allowCrossTenantReplication"] is False
    assert account["enableHttpsTrafficOnly"] is True
    assert account["minimumTlsVersion"] == "TLS1_2"


@pytest.mark.parametrize("which", ["public", "private"])
def test_the_vault_is_opened_by_roles_and_lets_azure_services_in(which: str, request: pytest.FixtureRequest) -> None:
    vault = request.getfixturevalue(which).one("Vault").inputs["properties"]
    assert vault["enableRbacAuthorization"] is True
    assert vault["enableSoftDelete"] is True
    assert vault["tenantId"] == TENANT_ID
    assert vault["networkAcls"]["bypass"] == "AzureServices"
    assert "accessPolicies" not in vault


@pytest.mark.parametrize("which", ["public", "private"])
def test_the_registry_has_no_admin_and_no_anonymous_pull(which: str, request: pytest.FixtureRequest) -> None:
    registry = request.getfixturevalue(which).one("Registry").inputs
    assert registry["adminUserEnabled"] is False
    assert registry["anonymousPullEnabled"] is False


@pytest.mark.parametrize("which", ["public", "private"])
def test_the_workspace_uses_identities_for_its_datastores(which: str, request: pytest.FixtureRequest) -> None:
    deployment = request.getfixturevalue(which)
    workspace = deployment.one("Workspace", "platform-ml-workspace").inputs
    assert workspace["systemDatastoresAuthMode"] == "Identity"
    assert workspace["identity"]["type"] == "UserAssigned"
    identity = deployment.one("UserAssignedIdentity", "platform-ml-identity").id
    assert workspace["primaryUserAssignedIdentity"] == identity
    assert workspace["v1LegacyMode"] is False


def test_insights_keep_their_data_in_log_analytics(public: Deployment) -> None:
    insights = public.one("Component").inputs
    assert insights["ingestionMode"] == "LogAnalytics"
    assert insights["workspaceResourceId"] == public.one("Workspace", "platform-monitoring-logs").id


def test_what_lets_telemetry_in_is_a_secret_in_the_state(public: Deployment) -> None:
    assert set(public.one("Component").secret_outputs) == {"connectionString", "instrumentationKey"}


def test_a_private_platform_has_no_public_access_anywhere(private: Deployment) -> None:
    assert private.one("StorageAccount").inputs["publicNetworkAccess"] == "Disabled"
    assert private.one("StorageAccount").inputs["networkRuleSet"]["defaultAction"] == "Deny"
    assert private.one("Vault").inputs["properties"]["publicNetworkAccess"] == "Disabled"
    assert private.one("Vault").inputs["properties"]["networkAcls"]["defaultAction"] == "Deny"
    assert private.one("Registry").inputs["publicNetworkAccess"] == "Disabled"
    assert private.one("Workspace", "platform-ml-workspace").inputs["publicNetworkAccess"] == "Disabled"


def test_only_a_private_registry_is_premium(public: Deployment, private: Deployment) -> None:
    assert public.one("Registry").inputs["sku"] == {"name": "Standard"}
    assert private.one("Registry").inputs["sku"] == {"name": "Premium"}


def test_a_private_workspace_has_a_managed_network_that_is_provisioned_at_once(private: Deployment) -> None:
    workspace = private.one("Workspace", "platform-ml-workspace").inputs
    assert workspace["managedNetwork"]["isolationMode"] == "AllowOnlyApprovedOutbound"
    assert workspace["provisionNetworkNow"] is True


def test_a_public_workspace_asks_for_no_network(public: Deployment) -> None:
    workspace = public.one("Workspace", "platform-ml-workspace").inputs
    assert workspace.keys().isdisjoint({"managedNetwork", "provisionNetworkNow", "imageBuildCompute"})


def test_what_azure_makes_of_the_managed_network_is_ignored(public: Deployment, private: Deployment) -> None:
    closed, opened = (one.one("Workspace", "platform-ml-workspace") for one in (private, public))
    assert closed.ignore_changes == ("managedNetwork.status", "managedNetwork.outboundRules")
    assert opened.ignore_changes == ("managedNetwork",)


def test_images_are_built_on_a_cluster_without_public_addresses_that_is_made_after_the_private_endpoints(
    private: Deployment,
) -> None:
    cluster = private.one("Compute")
    assert (
        cluster.inputs["computeName"] == private.one("Workspace", "platform-ml-workspace").inputs["imageBuildCompute"]
    )
    properties = cluster.inputs["properties"]["properties"]
    assert properties["enableNodePublicIp"] is False
    assert properties["scaleSettings"]["minNodeCount"] == 0
    component = private.one("ImageBuildCluster")
    assert private.one("PrivateEndpoint", "platform-access-workspace").urn in component.depends_on


@pytest.mark.parametrize(
    ("purpose", "groups", "zones"),
    [
        ("workspace", ["amlworkspace"], ["privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"]),
        ("vault", ["vault"], ["privatelink.vaultcore.azure.net"]),
        ("registry", ["registry"], ["privatelink.azurecr.io"]),
        ("storage-blob", ["blob"], ["privatelink.blob.core.windows.net"]),
        ("storage-file", ["file"], ["privatelink.file.core.windows.net"]),
    ],
)
def test_a_private_endpoint_fills_its_zones(
    private: Deployment, purpose: str, groups: list[str], zones: list[str]
) -> None:
    endpoint = private.one("PrivateEndpoint", f"platform-access-{purpose}").inputs
    (connection,) = endpoint["privateLinkServiceConnections"]
    assert connection["groupIds"] == groups
    group = private.one("PrivateDnsZoneGroup", f"platform-access-{purpose}-dns").inputs
    ids = {zone.id: zone.inputs["privateZoneName"] for zone in private.of_type("PrivateZone")}
    assert [ids[config["privateDnsZoneId"]] for config in group["privateDnsZoneConfigs"]] == zones


def test_every_zone_answers_in_the_network(private: Deployment) -> None:
    linked = {link.inputs["privateZoneName"] for link in private.of_type("VirtualNetworkLink")}
    assert linked == {zone.inputs["privateZoneName"] for zone in private.of_type("PrivateZone")}
    assert len(linked) == 6


def test_the_subnet_of_private_endpoints_lets_in_only_the_network(private: Deployment) -> None:
    rules = private.one("NetworkSecurityGroup", "platform-access-endpoints-rules").inputs["securityRules"]
    allowed = [rule for rule in rules if rule["access"] == "Allow"]
    assert {rule["sourceAddressPrefix"] for rule in allowed} == {"VirtualNetwork"}
    assert {(rule["direction"], rule["priority"]) for rule in rules if rule["access"] == "Deny"} == {
        ("Inbound", 4096),
        ("Outbound", 4096),
    }


def test_the_workspace_may_read_the_storage_endpoints_and_approve_connections(private: Deployment) -> None:
    roles = {one.name: one.inputs["roleDefinitionId"].rsplit("/", 1)[-1] for one in private.of_type("RoleAssignment")}
    assert roles["platform-access-storage-blob-reader"] == "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    assert roles["platform-access-storage-file-reader"] == "acdd72a7-3385-48ef-bd42-f606fba81ae7"
    assert roles["platform-ml-connection-approver"] == "b556d68e-0be0-4f35-a333-ad7ee1ce17ea"


def test_the_workspace_is_made_after_its_rights(private: Deployment) -> None:
    own = "principal-of-platform-ml-identity"
    before = ("platform-ml-contributor", "platform-access-")  # these apply to resources that come after the workspace
    grants = [one for one in private.of_type("RoleAssignment") if one.inputs["principalId"] == own]
    needed = {one.urn for one in grants if not one.name.startswith(before)}
    assert len(needed) == 8
    assert needed <= private.one("Workspace", "platform-ml-workspace").depends_on


@pytest.mark.parametrize(
    ("protect", "vault", "protected"),
    [
        (False, False, set()),
        (True, False, {"platform-group", "platform-stack", "platform-ml-workspace"}),
        (True, True, {"platform-group", "platform-stack", "platform-ml-workspace", "platform-vault-vault"}),
    ],
)
def test_group_and_workspace_are_protected_and_the_vault_where_that_is_asked_for(
    azure: FakeAzure, placement: Placement, protect: bool, vault: bool, protected: set[str]
) -> None:
    deployment = platform(azure, placement, public=True, protect=protect, protect_vault=vault)
    assert {one.name for one in deployment.registrations if one.protect} == protected


def test_purge_protection_and_long_retention_are_for_protected_vaults_only(
    public: Deployment, private: Deployment
) -> None:
    assert private.one("Vault").inputs["properties"]["enablePurgeProtection"] is True
    assert private.one("Vault").inputs["properties"]["softDeleteRetentionInDays"] == 90
    # Azure refuses false.
    assert "enablePurgeProtection" not in public.one("Vault").inputs["properties"]


@pytest.mark.parametrize(("kind", "name"), [("ResourceGroup", "platform-group"), (IDENTITY, "platform-stack")])
def test_another_subscription_replaces_what_is_protected_instead_of_updating_what_lies_in_the_first(
    public: Deployment, kind: str, name: str
) -> None:
    guard = public.one(kind, name)
    assert guard.inputs["tags"][SUBSCRIPTION_TAG] == SUBSCRIPTION_ID
    assert guard.replace_on_changes == (f'tags["{SUBSCRIPTION_TAG}"]',)
    assert guard.delete_before_replace


def test_the_tags_of_the_stacks_identity_record_what_is_declared(private: Deployment) -> None:
    identity = private.one(IDENTITY, "platform-stack")
    assert identity.inputs["resourceName"] == "id-payments-dev-stack"
    assert identity.inputs["tags"]["sluice:network"] == "private"
    assert private.one("ResourceGroup").inputs["tags"].keys() == {
        "sluice:team",
        "sluice:stack",
        "sluice:subscription",
        "sluice:endpoint:fraud-dev",
    }


@pytest.mark.parametrize("which", ["public", "private"])
def test_everything_but_the_group_comes_after_the_stacks_identity(which: str, request: pytest.FixtureRequest) -> None:
    deployment = request.getfixturevalue(which)
    identity = deployment.one(IDENTITY, "platform-stack")
    assert deployment.one("ResourceGroup").urn in identity.depends_on
    for one in deployment.registrations:
        if one.type.startswith("azure-native:") and one.name not in ("platform-group", "platform-stack"):
            assert identity.urn in one.depends_on, one.name


def test_no_resource_acts_as_the_stacks_identity(private: Deployment) -> None:
    principal = "principal-of-platform-stack"
    assert principal not in {one.inputs["principalId"] for one in private.of_type("RoleAssignment")}


TAGLESS = {"RoleAssignment", "Subnet", "PrivateDnsZoneGroup", "BlobServiceProperties"}
IN_DNS = {"PrivateZone", "VirtualNetworkLink"}


def test_every_resource_that_can_carry_tags_names_its_owner(private: Deployment) -> None:
    for one in private.registrations:
        kind = one.type.rsplit(":", 1)[-1]
        if one.type.startswith("azure-native:") and kind not in TAGLESS | IN_DNS:
            assert one.inputs["tags"]["sluice:team"] == "payments", one.name
            assert one.inputs["tags"]["sluice:stack"] == "dev", one.name


def test_zones_and_their_links_name_their_owner_with_keys_that_azure_dns_keeps(private: Deployment) -> None:
    """Azure DNS silently drops keys with a colon, and `sluice recover` could not tell who owns a zone."""
    for kind in IN_DNS:
        for one in private.of_type(kind):
            assert one.inputs["tags"] == {"sluice-team": "payments", "sluice-stack": "dev"}, one.name


def test_private_endpoints_are_made_one_after_another(private: Deployment) -> None:
    """A storage account refuses a second private endpoint while it connects the first."""
    endpoints = {one.urn: one for one in private.of_type("PrivateEndpoint")}
    waits_for = {urn: one.depends_on & endpoints.keys() for urn, one in endpoints.items()}
    assert sorted(len(found) for found in waits_for.values()) == [0, 1, 1, 1, 1]
    assert len({next(iter(found)) for found in waits_for.values() if found}) == 4, "two wait for the same one"


def test_the_build_cluster_acts_as_an_identity_that_may_push_images_and_write_blobs_and_nothing_else(
    private: Deployment,
) -> None:
    """Everyone who may submit a job to a cluster can act as the cluster."""
    own = private.one("UserAssignedIdentity", "platform-image-build-identity")
    assert own.inputs["resourceName"] == "id-payments-dev-compute"
    assert private.one("Compute").inputs["identity"]["userAssignedIdentities"] == [own.id]
    principal = f"principal-of-{own.name}"
    rights = {
        (one.inputs["roleDefinitionId"].rsplit("/", 1)[-1], one.inputs["scope"])
        for one in private.of_type("RoleAssignment")
        if one.inputs["principalId"] == principal
    }
    assert rights == {
        ("8311e382-0749-4cb8-b61a-304f252e45ec", private.one("Registry").id),
        ("ba92f5b4-2d11-453d-a403-e96b0029c9fe", private.one("StorageAccount").id),
    }


@pytest.mark.parametrize("which", ["public", "private"])
def test_what_is_deleted_from_storage_can_be_brought_back_for_two_weeks(
    which: str, request: pytest.FixtureRequest
) -> None:
    deployment = request.getfixturevalue(which)
    blobs = deployment.one("BlobServiceProperties")
    assert blobs.inputs["blobServicesName"] == "default"
    assert blobs.inputs["isVersioningEnabled"] is True
    assert blobs.inputs["deleteRetentionPolicy"] == {"enabled": True, "days": 14}
    assert blobs.inputs["containerDeleteRetentionPolicy"] == {"enabled": True, "days": 14}
    assert blobs.deleted_with == deployment.one("StorageAccount").urn


def test_the_rule_by_which_the_studio_reads_blobs_is_kept(public: Deployment) -> None:
    (rule,) = public.one("BlobServiceProperties").inputs["cors"]["corsRules"]
    assert rule == {
        "allowedOrigins": [
            "https://mlworkspace.azure.ai",
            "https://ml.azure.com",
            "https://*.ml.azure.com",
            "https://ai.azure.com",
            "https://*.ai.azure.com",
        ],
        "allowedMethods": ["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"],
        "allowedHeaders": ["*"],
        "exposedHeaders": ["*"],
        "maxAgeInSeconds": 1800,
    }


@pytest.mark.parametrize(("redundancy", "sku"), [(Redundancy.LRS, "Standard_LRS"), (Redundancy.ZRS, "Standard_ZRS")])
def test_the_stack_file_chooses_the_redundancy_of_storage(
    azure: FakeAzure, placement: Placement, redundancy: Redundancy, sku: str
) -> None:
    deployment = platform(azure, placement, public=True, storage_redundancy=redundancy)
    assert deployment.one("StorageAccount").inputs["sku"] == {"name": sku}


def test_what_has_no_location_of_its_own_is_in_the_stacks_region(private: Deployment) -> None:
    locations = {one.inputs["location"] for one in private.registrations if "location" in one.inputs}
    assert locations == {"westeurope", "global"}


ELSEWHERE = "/subscriptions/00000000-0000-4000-8000-00000000abcd/resourceGroups/data/providers"
SHARED = f"{ELSEWHERE}/Microsoft.Storage/storageAccounts/shared"
OWN = f"{ELSEWHERE.replace('/data/', '/RG-payments-dev/')}/Microsoft.Storage/storageAccounts/own"


def test_the_workspace_approves_connections_to_each_resource_of_a_rule_in_another_group_once(
    azure: FakeAzure, placement: Placement
) -> None:
    rules = {
        "blobs": OutboundRule(resource=SHARED, subresource="blob"),
        "files": OutboundRule(resource=SHARED.replace("/Microsoft.", "/microsoft."), subresource="file"),
        "ours": OutboundRule(resource=OWN, subresource="blob"),
        "packages": OutboundRule(fqdn="packages.example.org"),
    }
    network = plan_network(
        NetworkSettings(
            mode=Network.PRIVATE, address_space="10.1.0.0/22", outbound=rules, isolation=Isolation.APPROVED
        ),
        None,
    )
    deployment = platform(azure, placement, public=False, network=network)
    approver = f"roleDefinitions/{Role.NETWORK_CONNECTION_APPROVER}"
    grants = [one for one in deployment.of_type("RoleAssignment") if one.inputs["roleDefinitionId"].endswith(approver)]
    assert sorted(one.inputs["scope"].lower() for one in grants) == sorted(
        [SHARED.lower(), deployment.one("ResourceGroup").id.lower()]
    )
    needed = deployment.one("Workspace", "platform-ml-workspace").depends_on
    assert {one.urn for one in grants} <= needed, "the network is made with the workspace, and needs the right then"


def test_locks_are_on_log_analytics_and_the_vault_alone(public: Deployment) -> None:
    placement = placement_of("dev")
    locked = platform(FakeAzure(placement.names), placement, public=True, locks={"logs", "vault"})
    locks = locked.of_type("ManagementLockByScope")
    assert {lock.inputs["scope"] for lock in locks} == {
        locked.one("Vault").id,
        locked.one("Workspace", "platform-monitoring-logs").id,
    }
    assert {lock.inputs["level"] for lock in locks} == {"CanNotDelete"}
    assert public.of_type("ManagementLockByScope") == []


SCIENTISTS, EVERYBODY = "11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"


def test_groups_get_the_roles_of_their_key_and_no_others(azure: FakeAzure, placement: Placement) -> None:
    access = Access(scientists=(SCIENTISTS,), operators=(EVERYBODY.upper(),), readers=(SCIENTISTS, EVERYBODY))
    deployment = platform(azure, placement, public=True, access=access)
    given = [one.inputs for one in deployment.of_type("RoleAssignment") if one.inputs["principalType"] == "Group"]
    workspace, storage = deployment.one("Workspace", "platform-ml-workspace").id, deployment.one("StorageAccount").id
    group = deployment.one("ResourceGroup").id
    assert {(one["principalId"], one["roleDefinitionId"].rsplit("/", 1)[-1], one["scope"]) for one in given} == {
        (SCIENTISTS, Role.AZUREML_DATA_SCIENTIST, workspace),
        (SCIENTISTS, Role.STORAGE_BLOB_DATA_CONTRIBUTOR, storage),
        (EVERYBODY, Role.AZUREML_COMPUTE_OPERATOR, workspace),
        (SCIENTISTS, Role.READER, group),
        (EVERYBODY, Role.READER, group),
    }
    assert len({one["roleAssignmentName"] for one in given}) == 5


def test_a_further_group_changes_no_assignment_of_another(azure: FakeAzure, placement: Placement) -> None:
    def names(*groups: str) -> set[tuple[str, str]]:
        found = platform(azure, placement, public=True, access=Access(readers=groups)).of_type("RoleAssignment")
        return {(one.name, one.inputs["roleAssignmentName"]) for one in found}

    assert names(EVERYBODY) < names(SCIENTISTS, EVERYBODY)
    assert names() < names(EVERYBODY)


COMPUTE = ComputeSettings.model_validate(
    {
        "build": {"sku": "Standard_DS4_v2", "max_nodes": 2, "idle": "2m"},
        "batch": {
            "cpu": {"sku": "Standard_DS3_v2", "max_nodes": 8, "idle": "2h"},
            "gpu": {"sku": "Standard_NC4as_T4_v3"},
        },
    }
)
BATCH = ComputeSettings(batch=COMPUTE.batch)


def scale_of(deployment: Deployment, name: str) -> dict[str, Any]:
    properties = deployment.one("Compute", name).inputs["properties"]["properties"]
    return {"vmSize": properties["vmSize"], "public": properties["enableNodePublicIp"], **properties["scaleSettings"]}


def test_a_private_platform_with_all_clusters_is_this_tree() -> None:
    placement = placement_of("dev")
    network = PRIVATE.with_batch(placement.names.storage_account_id)
    deployment = platform(FakeAzure(placement.names), placement, public=False, network=network, compute=COMPUTE)
    assert_golden("platform-max", deployment.tree())
    build = {"vmSize": "Standard_DS4_v2", "public": False, "minNodeCount": 0, "maxNodeCount": 2}
    assert scale_of(deployment, "platform-image-build-cluster") == {**build, "nodeIdleTimeBeforeScaleDown": "PT2M"}
    cpu = {"vmSize": "Standard_DS3_v2", "public": False, "minNodeCount": 0, "maxNodeCount": 8}
    assert scale_of(deployment, "platform-batch-cpu-cluster") == {**cpu, "nodeIdleTimeBeforeScaleDown": "PT2H"}
    gpu = {"vmSize": "Standard_NC4as_T4_v3", "public": False, "minNodeCount": 0, "maxNodeCount": 1}
    assert scale_of(deployment, "platform-batch-gpu-cluster") == {**gpu, "nodeIdleTimeBeforeScaleDown": "PT5M"}
    rules = deployment.one("Workspace", "platform-ml-workspace").inputs["managedNetwork"]["outboundRules"]
    assert {name: rule["destination"]["subresourceTarget"] for name, rule in rules.items()} == {
        "batch-queue": "queue",
        "batch-table": "table",
    }


@pytest.mark.parametrize("public", [True, False])
def test_all_clusters_act_as_one_identity_which_gets_the_roles_of_batch(public: bool) -> None:
    placement = placement_of("dev")
    network = PRIVATE.with_batch(placement.names.storage_account_id)
    deployment = platform(FakeAzure(placement.names), placement, public=public, network=network, compute=BATCH)
    ids = {tuple(one.inputs["identity"]["userAssignedIdentities"]) for one in deployment.of_type("Compute")}
    assert len(ids) == 1
    prefix = "platform-compute" if public else "platform-image-build"
    made = deployment.one("UserAssignedIdentity", f"{prefix}-identity")
    assert made.inputs["resourceName"] == "id-payments-dev-compute"
    own = {one.name.removeprefix(f"{prefix}-") for one in deployment.of_type("RoleAssignment") if prefix in one.name}
    assert own == {"push-images", "write-blobs", "write-queues", "write-tables"}


def test_a_public_platform_has_batch_clusters_with_public_addresses_and_builds_in_its_registry() -> None:
    placement = placement_of("dev")
    deployment = platform(FakeAzure(placement.names), placement, public=True, compute=BATCH)
    names = {one.inputs["computeName"] for one in deployment.of_type("Compute")}
    assert names == {"batch-cpu", "batch-gpu"}
    assert scale_of(deployment, "platform-batch-cpu-cluster")["public"] is True
    assert {one.inputs["location"] for one in deployment.of_type("Compute")} == {"westeurope"}


KEYS = f"{ELSEWHERE}/Microsoft.KeyVault/vaults/keys"
KEY = CustomerKey(
    vault_id=KEYS,
    key_uri="https://keys.vault.azure.net/keys/ml",
    identity_id=f"{ELSEWHERE}/Microsoft.ManagedIdentity/userAssignedIdentities/encryption",
)


def test_a_workspace_with_a_customers_key_waits_until_its_identity_may_use_it(
    azure: FakeAzure, placement: Placement
) -> None:
    protection = DataProtection(encryption=KeyUse(key=KEY, principal_id="somebody"), hbi=True)
    deployment = platform(azure, placement, public=True, protection=protection)
    workspace = deployment.one("Workspace", "platform-ml-workspace")
    assert workspace.inputs["encryption"] == {
        "status": "Enabled",
        "identity": {"userAssignedIdentity": KEY.identity_id},
        "keyVaultProperties": {"keyIdentifier": KEY.key_uri, "keyVaultArmId": KEYS},
    }
    assert workspace.inputs["hbiWorkspace"] is True
    right = deployment.one("RoleAssignment", "platform-ml-use-key")
    assert (right.inputs["principalId"], right.inputs["scope"]) == ("somebody", KEYS)
    assert right.inputs["roleDefinitionId"].endswith(Role.KEY_VAULT_CRYPTO_SERVICE_ENCRYPTION_USER)
    assert right.urn in workspace.depends_on
    assert right.urn in deployment.one("UserAssignedIdentity", "platform-ml-identity").depends_on, "it gets the delay"


def test_a_workspace_without_a_customers_key_has_neither_field(public: Deployment) -> None:
    assert public.one("Workspace", "platform-ml-workspace").inputs.keys().isdisjoint({"encryption", "hbiWorkspace"})
