"""A workspace with SLUICE_BENCH_ENDPOINTS endpoints, each with two deployments and weights; nothing is read from Azure.

Endpoints get their weights as the service wants it: only after their deployments exist, by the same declaration in a
second update (SLUICE_BENCH_WEIGHT).
"""

import os

import pulumi
from pulumi_azure_native import (
    applicationinsights,
    keyvault,
    machinelearningservices,
    resources,
    storage,
)

count = int(os.environ["SLUICE_BENCH_ENDPOINTS"])
weight = int(os.environ.get("SLUICE_BENCH_WEIGHT", "0"))
here = {"location": "westeurope"}
# The environment brings its own server: a deployment without code needs one that says so.
route = {"path": "/", "port": 8080}
inference = {"liveness_route": route, "readiness_route": route, "scoring_route": route}

group = resources.ResourceGroup("bench", resource_group_name="bench", **here)
inside = {"resource_group_name": group.name, **here}
account = storage.StorageAccount(
    "account", account_name="benchaccount", kind="StorageV2", sku={"name": "Standard_LRS"}, **inside
)
vault = keyvault.Vault(
    "vault",
    vault_name="bench",
    properties={
        "tenant_id": "00000000-0000-4000-8000-000000000002",
        "sku": {"family": "A", "name": "standard"},
        "enable_rbac_authorization": True,
    },
    **inside,
)
insights = applicationinsights.Component(
    "insights",
    resource_name_="bench",
    kind="web",
    application_type="web",
    ingestion_mode="ApplicationInsights",
    **inside,
)
workspace = machinelearningservices.Workspace(
    "workspace",
    workspace_name="bench",
    identity={"type": "SystemAssigned"},
    storage_account=account.id,
    key_vault=vault.id,
    application_insights=insights.id,
    **inside,
)
under = {"resource_group_name": group.name, "workspace_name": workspace.name}
environment = machinelearningservices.EnvironmentVersion(
    "environment",
    name="bench",
    version="1",
    properties={"image": "bench", "inference_config": inference},
    **under,
)
for number in range(count):
    name = f"bench-{number:03}"
    endpoint = machinelearningservices.OnlineEndpoint(
        name,
        endpoint_name=name,
        identity={"type": "SystemAssigned"},
        properties={
            "auth_mode": "Key",
            "traffic": {"blue": weight, "green": 100 - weight} if weight else {},
        },
        **under,
        **here,
    )
    before: list[pulumi.Resource] = []
    for colour in ("blue", "green"):
        deployment = machinelearningservices.OnlineDeployment(
            f"{name}-{colour}",
            deployment_name=colour,
            endpoint_name=endpoint.name,
            properties={
                "endpointComputeType": "Managed",
                "instanceType": "Standard_DS3_v2",
                "environmentId": environment.id,
            },
            sku={"name": "Default", "capacity": 1},
            # One operation at a time on an endpoint.
            opts=pulumi.ResourceOptions(parent=endpoint, depends_on=before),
            **under,
            **here,
        )
        before = [deployment]
