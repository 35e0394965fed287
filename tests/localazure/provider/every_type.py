"""A Pulumi program that declares every resource type of the catalog; the engine's tests run it as `__main__.py`."""

from __future__ import annotations

import base64
import uuid

import pulumi
from pulumi_azure_native import (
    applicationinsights,
    authorization,
    containerregistry,
    keyvault,
    machinelearningservices,
    managedidentity,
    monitor,
    network,
    operationalinsights,
    privatedns,
    resources,
    storage,
)

config = pulumi.Config()
weights = config.get_object("traffic") or {}
caller = authorization.get_client_config()
tags = {"sluice:team": "payments", "a.b": "c"}

group = resources.ResourceGroup("group", resource_group_name="rg-every", tags=tags)
parent = {"resource_group_name": group.name}

# --- what a workspace needs
logs = operationalinsights.Workspace(
    "logs",
    workspace_name="log-every",
    sku=operationalinsights.WorkspaceSkuArgs(name="PerGB2018"),
    retention_in_days=30,
    **parent,
)
insights = applicationinsights.Component(
    "insights",
    resource_name_="appi-every",
    kind="web",
    application_type="web",
    ingestion_mode="LogAnalytics",
    workspace_resource_id=logs.id,
    **parent,
)
account = storage.StorageAccount(
    "account",
    account_name="steverysluice",
    kind="StorageV2",
    sku=storage.SkuArgs(name="Standard_LRS"),
    allow_shared_key_access=False,
    minimum_tls_version="TLS1_2",
    network_rule_set=storage.NetworkRuleSetArgs(default_action="Allow", bypass="AzureServices"),
    tags=tags,
    **parent,
)
storage.BlobServiceProperties(
    "blobs",
    account_name=account.name,
    blob_services_name="default",
    is_versioning_enabled=True,
    delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=14),
    # What Azure ML writes there; without it a refresh would find it.
    cors=storage.CorsRulesArgs(
        cors_rules=[
            storage.CorsRuleArgs(
                allowed_origins=[
                    "https://mlworkspace.azure.ai",
                    "https://ml.azure.com",
                    "https://*.ml.azure.com",
                    "https://ai.azure.com",
                    "https://*.ai.azure.com",
                ],
                allowed_methods=["GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH"],
                allowed_headers=["*"],
                exposed_headers=["*"],
                max_age_in_seconds=1800,
            )
        ]
    ),
    **parent,
)
vault = keyvault.Vault(
    "vault",
    vault_name="kv-every-sluice",
    properties=keyvault.VaultPropertiesArgs(
        tenant_id=caller.tenant_id,
        sku=keyvault.SkuArgs(family="A", name="standard"),
        enable_rbac_authorization=True,
    ),
    **parent,
)
registry = containerregistry.Registry(
    "registry",
    registry_name="crevery",
    sku=containerregistry.SkuArgs(name="Premium"),
    admin_user_enabled=False,
    **parent,
)
identity = managedidentity.UserAssignedIdentity("identity", resource_name_="id-every", **parent)
for branch in ("main", "release"):  # at once, which Azure refuses and the provider repeats
    managedidentity.FederatedIdentityCredential(
        f"federated-{branch}",
        federated_identity_credential_resource_name=f"github-{branch}",
        resource_name_=identity.name,
        issuer="https://token.actions.githubusercontent.com",
        subject=f"repo:octo/models:ref:refs/heads/{branch}",
        audiences=["api://AzureADTokenExchange"],
        **parent,
    )
storage.BlobContainer(
    "container", container_name="state", account_name=account.name, public_access=storage.PublicAccess.NONE, **parent
)
keyvault.Key(
    "key",
    key_name="secrets",
    vault_name=vault.name,
    properties=keyvault.KeyPropertiesArgs(kty=keyvault.JsonWebKeyType.RSA, key_size=3072),
    opts=pulumi.ResourceOptions(deleted_with=vault),
    **parent,
)
locks = authorization.RoleDefinition(
    "locks",
    role_definition_id=str(uuid.uuid5(uuid.NAMESPACE_URL, "locks")),
    role_name="Locks",
    scope=f"/subscriptions/{caller.subscription_id}",
    assignable_scopes=[group.id],
    permissions=[authorization.PermissionArgs(actions=["Microsoft.Authorization/locks/*"])],
)
authorization.ManagementLockByScope(
    "lock", lock_name="kept", scope=logs.id, level=authorization.LockLevel.CAN_NOT_DELETE, notes="Kept"
)
pull = f"/subscriptions/{caller.subscription_id}/providers/Microsoft.Authorization/roleDefinitions"
for role, name, scope in (
    ("7f951dda-4ed3-4680-a7ca-43fe172d538d", "pull", registry.id),
    ("2a2b9908-6ea1-4ae2-8e65-a410df84e7d1", "read", account.id),
):
    authorization.RoleAssignment(
        f"role-{name}",
        role_assignment_name=str(uuid.uuid5(uuid.NAMESPACE_URL, name)),
        principal_id=identity.principal_id,
        principal_type="ServicePrincipal",
        role_definition_id=f"{pull}/{role}",
        scope=scope,
    )

# --- the network
rules = network.NetworkSecurityGroup(
    "rules",
    network_security_group_name="nsg-every",
    security_rules=[
        network.SecurityRuleArgs(
            name="deny-all",
            priority=4096,
            direction="Inbound",
            access="Deny",
            protocol="*",
            source_address_prefix="*",
            source_port_range="*",
            destination_address_prefix="*",
            destination_port_range="*",
        )
    ],
    **parent,
)
vnet = network.VirtualNetwork(
    "vnet",
    virtual_network_name="vnet-every",
    address_space=network.AddressSpaceArgs(address_prefixes=["10.0.0.0/16"]),
    tags=tags,
    **parent,
)
address = network.PublicIPAddress(
    "address",
    public_ip_address_name="pip-every",
    sku=network.PublicIPAddressSkuArgs(name="Standard"),
    public_ip_allocation_method="Static",
    tags=tags,
    **parent,
)
gateway = network.NatGateway(
    "gateway",
    nat_gateway_name="ng-every",
    sku=network.NatGatewaySkuArgs(name="Standard"),
    public_ip_addresses=[network.SubResourceArgs(id=address.id)],
    tags=tags,
    **parent,
)
hub = network.VirtualNetwork(
    "hub",
    virtual_network_name="vnet-hub",
    address_space=network.AddressSpaceArgs(address_prefixes=["10.200.0.0/16"]),
    **parent,
)
network.VirtualNetworkPeering(
    "peering",
    virtual_network_peering_name="to-hub",
    virtual_network_name=vnet.name,
    remote_virtual_network=network.SubResourceArgs(id=hub.id),
    allow_forwarded_traffic=True,
    **parent,
)
subnet = network.Subnet(
    "subnet",
    subnet_name="snet-endpoints",
    virtual_network_name=vnet.name,
    address_prefix="10.0.1.0/24",
    default_outbound_access=False,
    nat_gateway=network.SubResourceArgs(id=gateway.id),
    network_security_group=network.NetworkSecurityGroupArgs(id=rules.id),
    private_endpoint_network_policies="Disabled",
    **parent,
)
zone = privatedns.PrivateZone("zone", private_zone_name="privatelink.api.azureml.ms", location="global", **parent)
privatedns.VirtualNetworkLink(
    "link",
    virtual_network_link_name="link-every",
    private_zone_name=zone.name,
    location="global",
    registration_enabled=False,
    virtual_network=privatedns.SubResourceArgs(id=vnet.id),
    **parent,
)

# --- machine learning
user_assigned = machinelearningservices.ManagedServiceIdentityArgs(
    type="UserAssigned", user_assigned_identities=[identity.id]
)
workspace = machinelearningservices.Workspace(
    "workspace",
    workspace_name="mlw-every",
    storage_account=account.id,
    key_vault=vault.id,
    application_insights=insights.id,
    container_registry=registry.id,
    identity=machinelearningservices.ManagedServiceIdentityArgs(type="SystemAssigned"),
    public_network_access="Enabled",
    managed_network=machinelearningservices.ManagedNetworkSettingsArgs(isolation_mode="AllowInternetOutbound"),
    provision_network_now=True,
    tags=tags,
    **parent,
)
endpoint_connection = network.PrivateEndpoint(
    "private-endpoint",
    private_endpoint_name="pe-every",
    subnet=network.SubnetArgs(id=subnet.id),
    private_link_service_connections=[
        network.PrivateLinkServiceConnectionArgs(
            name="workspace", private_link_service_id=workspace.id, group_ids=["amlworkspace"]
        )
    ],
    # Azure writes them, and removes them when the zone group takes over.
    opts=pulumi.ResourceOptions(ignore_changes=["customDnsConfigs"]),
    **parent,
)
scope = monitor.PrivateLinkScope(
    "private-link-scope",
    scope_name="ampls-every",
    location="global",
    access_mode_settings=monitor.AccessModeSettingsArgs(ingestion_access_mode="Open", query_access_mode="Open"),
    tags=tags,
    **parent,
)
monitor.PrivateLinkScopedResource(
    "scoped-resource", name="logs", scope_name=scope.name, linked_resource_id=logs.id, **parent
)
network.PrivateDnsZoneGroup(
    "zone-group",
    private_dns_zone_group_name="default",
    private_endpoint_name=endpoint_connection.name,
    private_dns_zone_configs=[network.PrivateDnsZoneConfigArgs(name="azureml", private_dns_zone_id=zone.id)],
    **parent,
)
inside = {**parent, "workspace_name": workspace.name}
machinelearningservices.Compute(
    "compute",
    compute_name="image-build",
    properties=machinelearningservices.AmlComputeArgs(
        compute_type="AmlCompute",
        properties=machinelearningservices.AmlComputePropertiesArgs(
            vm_size="Standard_DS3_v2",
            scale_settings=machinelearningservices.ScaleSettingsArgs(min_node_count=0, max_node_count=1),
        ),
    ),
    **inside,
)
blobs = account.primary_endpoints.apply(lambda endpoints: endpoints.blob if endpoints else "")
machinelearningservices.CodeVersion(
    "code",
    name="sluice-code",
    version="1",
    properties=machinelearningservices.CodeVersionPropertiesArgs(code_uri=pulumi.Output.concat(blobs, "code/1")),
    **inside,
)
ROUTE = machinelearningservices.RouteArgs(path="/", port=5001)
environment = machinelearningservices.EnvironmentVersion(
    "environment",
    name="sluice-environment",
    version="1",
    properties=machinelearningservices.EnvironmentVersionPropertiesArgs(
        image="mcr.microsoft.com/azureml/minimal",
        conda_file="dependencies:\n  - python=3.11\n",
        os_type="Linux",
        # A server of its own: the deployment below has no code.
        inference_config=machinelearningservices.InferenceContainerPropertiesArgs(
            liveness_route=ROUTE, readiness_route=ROUTE, scoring_route=ROUTE
        ),
    ),
    **inside,
)
machinelearningservices.ModelVersion(
    "model",
    name="fraud",
    version="1",
    properties=machinelearningservices.ModelVersionPropertiesArgs(
        model_type="custom_model",
        model_uri=pulumi.Output.concat(
            "azureml:/", workspace.id, "/datastores/workspaceblobstore/paths/sluice/fraud/1/model"
        ),
    ),
    **inside,
)
endpoint = machinelearningservices.OnlineEndpoint(
    "endpoint",
    endpoint_name="every-endpoint",
    kind="Managed",
    identity=user_assigned,
    properties=machinelearningservices.OnlineEndpointPropertiesArgs(
        auth_mode="Key", traffic=weights, public_network_access="Enabled"
    ),
    tags=tags,
    **inside,
)
blue = machinelearningservices.OnlineDeployment(
    "blue",
    deployment_name="blue",
    endpoint_name=endpoint.name,
    sku=machinelearningservices.SkuArgs(name="Default", capacity=1),
    properties=machinelearningservices.ManagedOnlineDeploymentArgs(
        endpoint_compute_type="Managed",
        instance_type="Standard_DS3_v2",
        # Neither model nor code: their files are not published here, and the deployment would rightly fail.
        environment_id=environment.id,
        scale_settings=machinelearningservices.DefaultScaleSettingsArgs(scale_type="Default"),
        environment_variables={"LEVEL": "info"},
    ),
    tags={"sluice:release": base64.b16encode(b"release").decode()},
    opts=pulumi.ResourceOptions(deleted_with=endpoint),
    **inside,
)
monitor.AutoscaleSetting(
    "autoscale",
    autoscale_setting_name="as-every",
    target_resource_uri=blue.id,
    enabled=True,
    profiles=[
        monitor.AutoscaleProfileArgs(
            name="default",
            capacity=monitor.ScaleCapacityArgs(minimum="1", maximum="3", default="1"),
            rules=[
                monitor.ScaleRuleArgs(
                    metric_trigger=monitor.MetricTriggerArgs(
                        metric_name="CpuUtilizationPercentage",
                        metric_resource_uri=blue.id,
                        time_grain="PT1M",
                        statistic="Average",
                        time_window="PT5M",
                        time_aggregation="Average",
                        operator="GreaterThan",
                        threshold=70,
                        dimensions=[
                            monitor.ScaleRuleMetricDimensionArgs(
                                dimension_name="deployment", operator="Equals", values=["blue"]
                            )
                        ],
                    ),
                    scale_action=monitor.ScaleActionArgs(
                        direction="Increase", type="ChangeCount", value="1", cooldown="PT5M"
                    ),
                )
            ],
        )
    ],
    **parent,
)
monitor.DiagnosticSetting(
    "diagnostics",
    name="ds-every",
    resource_uri=endpoint.id,
    workspace_id=logs.id,
    logs=[monitor.DiagnosticsLogSettingsArgs(category_group="allLogs", enabled=True)],
)

keys = machinelearningservices.list_online_endpoint_keys_output(endpoint_name=endpoint.name, **inside)
pulumi.export("key", pulumi.Output.secret(keys.primary_key))
pulumi.export("scoring_uri", endpoint.properties.scoring_uri)
pulumi.export("endpoint_id", endpoint.id)
pulumi.export("deployment_id", blue.id)
