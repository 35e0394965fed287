"""The quotas of a region: what its managed deployments take of each family, and the limits that are set."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import BLUE, GREEN, SUBSCRIPTION, WORKSPACE

USAGES = f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/{{}}/usages"


def family(arm, name: str, location: str = "westeurope") -> tuple[int, int]:
    """Cores in use, and the limit."""
    rows = {row["name"]["value"]: row for row in arm.get(USAGES.format(location)).body["value"]}
    return rows[name]["currentValue"], rows[name]["limit"]


@pytest.mark.proves("switches", honours=["--quota"])
def test_deployments_take_their_cores_with_the_reserve_in_their_region_only(arm_with):
    arm = arm_with(quota={"dsv2": 100})
    arm.make_serving_endpoint()
    arm.put_deployment(BLUE, capacity=3, instanceType="Standard_DS3_v2")
    arm.put_deployment(GREEN, capacity=1, instanceType="Standard_DS3_v2")
    assert family(arm, "standardDSv2Family") == (16 + 8, 100)
    assert family(arm, "standardDSv2Family", "northeurope") == (0, 100)
    assert family(arm, "standardESv3Family") == (0, -1)


def test_a_cluster_without_nodes_takes_none(arm_with):
    arm = arm_with(quota={"dsv2": 100})
    arm.make_serving_endpoint()
    before = family(arm, "standardDSv2Family")
    scale = {"minNodeCount": 0, "maxNodeCount": 8, "nodeIdleTimeBeforeScaleDown": "PT5M"}
    own = {"vmSize": "Standard_DS3_v2", "scaleSettings": scale}
    cluster = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": own}}
    assert arm.put(f"{WORKSPACE}/computes/cpu", cluster).status in (200, 201)
    arm.settle()
    assert family(arm, "standardDSv2Family") == before


def test_rows_have_the_names_that_azure_shows(arm):
    rows = {row["name"]["value"]: row for row in arm.get(USAGES.format("westeurope")).body["value"]}
    assert rows["standardDSv2Family"]["name"]["localizedValue"] == "Standard DSv2 Family Cluster Dedicated vCPUs"
    assert "dedicatedCores" in rows["standardDSv2Family"]["type"]


@pytest.mark.proves("computes", refuses=["properties.properties.vmSize"])
def test_the_size_of_a_cluster_stays(arm):
    arm.make_serving_endpoint()

    def put(size: str):
        own = {"vmSize": size, "scaleSettings": {"minNodeCount": 0, "maxNodeCount": 2}}
        body = {"location": "westeurope", "properties": {"computeType": "AmlCompute", "properties": own}}
        answer = arm.put(f"{WORKSPACE}/computes/cpu", body)
        arm.settle()
        return answer

    assert put("Standard_DS3_v2").status in (200, 201)
    assert put("standard_ds3_v2").status in (200, 201)
    refused = put("Standard_DS4_v2")
    assert refused.status == 400
    assert "cannot be changed" in refused.error["message"]
