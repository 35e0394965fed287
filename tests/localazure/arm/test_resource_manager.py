"""What Resource Manager asks of every request: who may ask, what must be in it, how ids, parents and errors behave."""

import pytest

from localazure import identity
from tests.localazure.arm.conftest import GROUP, IDENTITY, STORAGE, SUBSCRIPTION, WORKSPACE


def test_a_request_without_credentials_is_refused(arm):
    answer = arm.get(GROUP, headers={})
    assert (answer.status, answer.code) == (401, "AuthenticationFailed")


def test_the_api_version_is_required_and_must_look_like_one(arm):
    assert arm.get(GROUP, version=None).code == "MissingApiVersionParameter"
    assert arm.get(f"{GROUP}?api-version=latest").code == "InvalidApiVersionParameter"
    assert arm.get(f"{IDENTITY}?api-version=2023-07-31-PREVIEW").code == "ResourceGroupNotFound"


def test_ids_are_compared_without_case_and_shown_as_created(arm):
    arm.make_group()
    arm.put(IDENTITY.replace("uai1", "MyIdentity"), {"location": "westeurope"})
    answer = arm.get(IDENTITY.replace("uai1", "MYIDENTITY").replace("resourceGroups/rg1", "RESOURCEGROUPS/RG1"))
    assert answer.status == 200
    assert answer.body["id"] == IDENTITY.replace("uai1", "MyIdentity")
    assert answer.body["type"] == "Microsoft.ManagedIdentity/userAssignedIdentities"


def test_a_second_put_answers_200_and_keeps_what_the_service_made(arm):
    arm.make_group()
    first = arm.put(IDENTITY, {"location": "westeurope"})
    second = arm.put(IDENTITY, {"location": "West Europe", "tags": {"a": "b"}})
    assert (first.status, second.status) == (201, 200)
    assert second.properties["principalId"] == first.properties["principalId"]
    assert second.body["tags"] == {"a": "b"}


def test_what_is_missing_is_404_for_the_first_missing_thing(arm):
    missing_group = arm.get(STORAGE)
    arm.make_group()
    missing = arm.get(STORAGE)
    missing_parent = arm.get(f"{WORKSPACE}/onlineEndpoints/ep1")
    assert [answer.status for answer in (missing_group, missing, missing_parent)] == [404, 404, 404]
    assert [a.code for a in (missing_group, missing, missing_parent)] == [
        "ResourceGroupNotFound",
        "ResourceNotFound",
        "ParentResourceNotFound",
    ]
    assert missing.error["message"] == (
        "The Resource 'Microsoft.Storage/storageAccounts/stacc1' under resource group 'rg1' was not found. "
        "For more details please go to https://aka.ms/ARMResourceNotFoundFix"
    )
    assert missing.headers["x-ms-failure-cause"] == "gateway"


def test_a_child_needs_its_parent(arm):
    arm.make_group()
    body = {"location": "westeurope", "properties": {"authMode": "Key"}}
    assert arm.put(f"{WORKSPACE}/onlineEndpoints/ep1", body).code == "ParentResourceNotFound"
    assert arm.get(f"{WORKSPACE}/onlineEndpoints").code == "ResourceNotFound"


def test_a_hub_is_another_subscription_with_groups_of_its_own(arm):
    hub = GROUP.replace(identity.SUBSCRIPTION_ID, identity.HUB_SUBSCRIPTION_ID)
    assert arm.put(hub, {"location": "westeurope"}).status == 201
    assert arm.get(GROUP).code == "ResourceGroupNotFound"
    arm.make_group()
    for group in (hub, GROUP):
        listed = arm.get(group.rpartition("/")[0]).body["value"]
        assert [one["id"] for one in listed] == [group]
        assert arm.get(group.partition("/resourceGroups")[0]).body["id"] == group.partition("/resourceGroups")[0]
    shown = [one["subscriptionId"] for one in arm.get("/subscriptions").body["value"]]
    assert shown == [identity.SUBSCRIPTION_ID, identity.HUB_SUBSCRIPTION_ID]


def test_a_subscription_of_another_tenant_refuses_this_tenants_tokens(arm):
    path = GROUP.replace(identity.SUBSCRIPTION_ID, identity.FOREIGN_SUBSCRIPTION_ID)
    for refused in (arm.get(path), arm.put(path, {"location": "westeurope"})):
        assert (refused.status, refused.code) == (401, "InvalidAuthenticationTokenTenant")
        assert (
            f"must match the tenant 'https://sts.windows.net/{identity.FOREIGN_TENANT_ID}/'" in refused.error["message"]
        )


def test_another_subscription_does_not_exist(arm):
    path = GROUP.replace(identity.SUBSCRIPTION_ID, "11111111-1111-4111-8111-111111111111")
    assert (arm.get(path).status, arm.get(path).code) == (404, "SubscriptionNotFound")


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("PUT", f"{GROUP}/providers/Microsoft.Sql/servers/s1"),
        ("GET", f"{GROUP}/providers/Microsoft.Sql/servers"),
        ("GET", f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/quotas"),
        ("POST", f"{STORAGE}/failover"),
        ("PATCH", f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet1/subnets/a"),
    ],
)
def test_what_is_not_emulated_is_refused_as_such(arm, method, path):
    arm.make_group()
    answer = arm.request(method, path, {})
    assert (answer.status, answer.code) == (501, "NotEmulated")


@pytest.mark.parametrize(
    "body", [b"{", b"[1]", b'"x"', b"\xff\xfe", b'{"a": NaN}', b"[" * 100_000, b'{"properties": 1}']
)
def test_a_body_that_is_not_a_json_object_is_refused(arm, body):
    answer = arm.request("PUT", GROUP, body)
    assert (answer.status, answer.code) == (400, "InvalidRequestContent")


@pytest.mark.parametrize("name", ["..", "a%2F..%2Fb", "a%00b", "x" * 261, "%3Cscript%3E"])
def test_a_path_that_is_no_resource_id_is_refused(arm, name):
    answer = arm.get(f"{SUBSCRIPTION}/resourceGroups/rg1/providers/Microsoft.Storage/storageAccounts/{name}")
    assert answer.status in (400, 501)


@pytest.mark.proves("*", refuses=["location"])
def test_a_location_is_required_and_cannot_change(arm):
    assert arm.put(GROUP, {}).code == "LocationRequired"
    arm.make_group()
    arm.put(IDENTITY, {"location": "westeurope"})
    answer = arm.put(IDENTITY, {"location": "eastus"})
    assert (answer.status, answer.code) == (409, "InvalidResourceLocation")
    assert arm.put(GROUP, {"location": "eastus"}).code == "InvalidResourceGroupLocation"


def test_deleting_a_group_takes_all_in_it_along(arm):
    arm.make_serving_endpoint()
    answer = arm.delete(GROUP)
    assert answer.status == 202
    assert "Location" in answer.headers
    assert "Azure-AsyncOperation" not in answer.headers
    assert arm.get(GROUP).status == 404
    assert arm.plane.store.count_resources() == 0
    assert arm.scoring.deployed == {}
    assert arm.scoring.routing == {}


def test_deleting_what_is_not_there_answers_204(arm):
    arm.make_group()
    assert arm.delete(STORAGE).status == 204


def test_lists_show_one_group_one_subscription_and_children(arm):
    arm.make_serving_endpoint()
    accounts = "providers/Microsoft.Storage/storageAccounts"
    assert [a["name"] for a in arm.get(f"{GROUP}/{accounts}").body["value"]] == ["stacc1"]
    assert [a["name"] for a in arm.get(f"{SUBSCRIPTION}/{accounts}").body["value"]] == ["stacc1"]
    assert arm.get(f"{SUBSCRIPTION}/resourceGroups/other/{accounts}").code == "ResourceGroupNotFound"
    names = [item["name"] for item in arm.get(f"{GROUP}/resources").body["value"]]
    children = ["ws1/fraud-dev", "ws1/fraud-dev/blue", "ws1/fraud-dev/green"]
    assert names == ["stacc1", "kv1", "ai1", "acr1", "ws1", *children]
    assert [group["name"] for group in arm.get(f"{SUBSCRIPTION}/resourcegroups").body["value"]] == ["rg1"]


def test_keys_never_appear_in_a_resource(arm):
    arm.make_serving_endpoint()
    endpoint = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
    keys = arm.post(f"{endpoint}/listKeys").body
    account_keys = [key["value"] for key in arm.post(f"{STORAGE}/listKeys").body["keys"]]
    shown = arm.get(endpoint).text + arm.get(STORAGE).text + arm.get(f"{WORKSPACE}/onlineEndpoints").text
    assert all(key not in shown for key in [*keys.values(), *account_keys])


def test_every_behaviour_belongs_to_a_served_type():
    from localazure.arm.namespaces import BEHAVIOURS, EXTRA_SHAPES
    from localazure.catalog import RESOURCE_TYPES

    served = {kind.arm.lower() for kind in RESOURCE_TYPES} | {shape.arm.lower() for shape in EXTRA_SHAPES}
    assert set(BEHAVIOURS) <= served


def test_what_the_service_makes_cannot_be_put(arm):
    arm.make_workspace()
    path = f"{WORKSPACE}/onlineEndpoints/e/deployments/d/skus/default"
    assert arm.put(path, {"properties": {}}).code == "NotEmulated"
    assert arm.delete(path).code == "NotEmulated"
