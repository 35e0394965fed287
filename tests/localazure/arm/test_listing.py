"""Lists and writes of Resource Manager: pages, filters, HEAD, conditions, PATCH, ids in any case."""

from __future__ import annotations

import pytest

from localazure.arm.listing import page, read_filter, resource_filter
from localazure.errors import BadRequest, NotEmulated
from tests.localazure.arm.conftest import GROUP, LOCATION, PROVIDERS, SUBSCRIPTION

IDENTITIES = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities"
NETWORK = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/vnet1"
NAMES = ("name", "location", "resourcetype", "resourcegroup", "tagname", "tagvalue")


@pytest.fixture
def group(arm):
    arm.make_group()
    return arm


def matches(text, **body):
    return resource_filter(text, NAMES)({"id": f"{GROUP}/x", "tags": {}, **body})


def test_a_filter_compares_without_case():
    assert matches("name eq 'One'", name="ONE")
    assert not matches("name ne 'One'", name="ONE")
    assert matches("resourceType eq 'a/b' and location eq 'x'", type="A/B", location="X")
    assert matches("name eq 'b' or name eq 'a' and location eq 'x'", name="b", location="y")
    assert matches("resourceGroup eq 'RG1'")
    assert matches("substringof('g', resourceGroup)")
    assert matches("name eq 'it''s'", name="it's")
    assert matches("  ", name="anything")


def test_tags_are_compared_as_pairs():
    tags = {"team": "ml", "cost": "7"}
    assert matches("tagName eq 'Team' and tagValue eq 'ML'", tags=tags)
    assert not matches("tagName eq 'team' and tagValue eq '7'", tags=tags)
    assert matches("tagValue eq '7'", tags=tags)
    assert not matches("tagName eq 'other'", tags=tags)


@pytest.mark.parametrize(
    "text",
    [
        "name gt 'a'",
        "name eq a",
        "(name eq 'a')",
        "name eq 'a' xor name eq 'b'",
        "name eq 'a' and",
        "name eq 'a",
        "plan/name eq 'a'",
        "substringof('a', location)",
        "tagName ne 'a'",
        "identity eq 'a'",
        "startswith(name, 'a')",
    ],
)
def test_a_filter_that_is_not_understood_is_not_ignored(text):
    with pytest.raises(NotEmulated):
        resource_filter(text, NAMES)


def test_a_function_keeps_its_argument():
    ((term,),) = read_filter("assignedTo('X')")
    assert (term.name, term.operator, term.value) == ("assignedto", "call", "x")


def test_pages_follow_each_other():
    url = "https://localhost:1/list"
    first = page([1, 2, 3], {"api-version": "v", "$top": "2"}, url)
    assert first == {"value": [1, 2], "nextLink": f"{url}?api-version=v&$top=2&$skiptoken=2"}
    assert page([1, 2, 3], {"$top": "2", "$skiptoken": "2"}, url) == {"value": [3]}
    assert page([1, 2, 3], {"$top": "3"}, url) == {"value": [1, 2, 3]}
    assert page([1], {"$skiptoken": "7"}, url) == {"value": []}
    assert page([1, 2], {"count": "1", "$skip": "1"}, url, size="count") == {"value": [2]}


@pytest.mark.parametrize(
    "query", [{"$top": "0"}, {"$top": "-1"}, {"$top": "x"}, {"$skiptoken": "²"}, {"$top": "9" * 99}]
)
def test_a_page_that_cannot_be_is_refused(query):
    with pytest.raises(BadRequest):
        page([1, 2], query, "https://localhost:1/list")


def test_a_list_is_read_page_by_page(group):
    for name in ("a", "b", "c"):
        group.put(f"{IDENTITIES}/{name}", {"location": LOCATION})
    first = group.get(f"{IDENTITIES}?$top=2").body
    assert [item["name"] for item in first["value"]] == ["a", "b"]
    second = group.get(first["nextLink"].removeprefix("https://localhost:1")).body
    assert [item["name"] for item in second["value"]] == ["c"]
    assert "nextLink" not in second


def test_head_tells_what_exists_without_a_body(group):
    group.put(f"{IDENTITIES}/a", {"location": LOCATION})
    for path, status in ((GROUP, 204), (f"{IDENTITIES}/a", 204), (f"{IDENTITIES}/b", 404), (f"{GROUP}x", 404)):
        assert group.request("HEAD", path).status == status


def test_paths_are_read_in_any_case_and_with_double_slashes(group):
    group.put(f"{IDENTITIES}/a", {"location": LOCATION})
    upper = f"{IDENTITIES}/a".upper()
    assert group.get(upper).body["id"] == f"{IDENTITIES}/a"
    assert [item["name"] for item in group.get(IDENTITIES.upper()).body["value"]] == ["a"]
    assert group.get(f"{PROVIDERS}/Microsoft.ManagedIdentity//userAssignedIdentities/a").status == 200
    assert group.get(f"{IDENTITIES}/a/").status == 200
    assert [item["name"] for item in group.get(f"{GROUP}/RESOURCES").body["value"]] == ["a"]


@pytest.mark.parametrize(
    "path", ["/subscriptions", SUBSCRIPTION, "/tenants", "/providers", f"{SUBSCRIPTION}/providers"]
)
def test_what_belongs_to_no_resource_can_only_be_read(arm, path):
    assert arm.get(path).status == 200
    assert arm.get(path, version=None).code == "MissingApiVersionParameter"
    for method in ("PUT", "DELETE", "POST", "PATCH"):
        assert (arm.request(method, path, {}).status, arm.request(method, path, {}).code) == (501, "NotEmulated")


def test_a_resource_needs_a_group(arm):
    path = f"{SUBSCRIPTION}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/a"
    assert arm.put(path, {"location": LOCATION}).code == "NotEmulated"
    assert arm.get(path).code == "NotEmulated"


def send(arm, method, path, body=None, **headers):
    return arm.request(method, path, body, headers={"Authorization": "Bearer x", **headers})


def test_conditions_protect_what_has_an_etag(group):
    body = {"location": LOCATION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}
    assert send(group, "PUT", NETWORK, body, **{"If-Match": "*"}).code == "PreconditionFailed"
    assert send(group, "PUT", NETWORK, body, **{"If-None-Match": "*"}).status == 201
    group.settle()
    etag = group.get(NETWORK).body["etag"]
    assert send(group, "PUT", NETWORK, body, **{"If-None-Match": "*"}).status == 412
    assert send(group, "PATCH", NETWORK, {"tags": {"a": "b"}}, **{"If-Match": 'W/"other"'}).status == 412
    assert send(group, "PATCH", NETWORK, {"tags": {"a": "b"}}, **{"If-Match": etag}).status == 200
    assert send(group, "DELETE", NETWORK, **{"If-Match": etag}).status == 412  # the PATCH changed it
    assert send(group, "PUT", NETWORK, body, **{"If-None-Match": etag}).code == "NotEmulated"


def test_a_condition_on_what_has_no_etag_is_not_ignored(group):
    group.put(f"{IDENTITIES}/a", {"location": LOCATION})
    answer = send(group, "PUT", f"{IDENTITIES}/a", {"location": LOCATION}, **{"If-Match": "x"})
    assert (answer.status, answer.code) == (501, "NotEmulated")


def test_a_patch_replaces_what_it_names_and_keeps_the_rest(group):
    group.put(f"{IDENTITIES}/a", {"location": LOCATION, "tags": {"one": "1"}})
    before = group.get(f"{IDENTITIES}/a").body
    answer = group.request("PATCH", f"{IDENTITIES}/a", {"tags": {"two": "2"}})
    assert answer.body == before | {"tags": {"two": "2"}, "systemData": answer.body["systemData"]}
    assert group.get(f"{IDENTITIES}/a").body == answer.body
    assert group.request("PATCH", f"{IDENTITIES}/b", {"tags": {}}).code == "ResourceNotFound"
    assert group.request("PATCH", f"{IDENTITIES}/a", {"properties": {"x": 1}}).code == "NotEmulated"
    assert group.request("PATCH", f"{IDENTITIES}/a", {"tags": 3}).code == "InvalidRequestContent"
    assert group.request("PATCH", f"{IDENTITIES}/a", {"location": "eastus"}).code == "InvalidResourceLocation"
    assert group.get(f"{IDENTITIES}/a").body == answer.body


def test_a_patch_follows_the_rules_of_the_put(group):
    account = f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc1"
    group.put(account, {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
    closed = group.request("PATCH", account, {"properties": {"publicNetworkAccess": "Disabled"}})
    assert (closed.properties["publicNetworkAccess"], closed.properties["accessTier"]) == ("Disabled", "Hot")
    assert group.request("PATCH", account, {"sku": {}}).code == "InvalidRequestContent"
    assert group.request("PATCH", account, {"properties": {"networkAcls": 3}}).code == "InvalidRequestContent"
    assert group.request("PATCH", account, {"properties": {"networkAcls": {"defaultAction": []}}}).status == 400
    group.put(NETWORK, {"location": LOCATION, "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}})
    subnet = f"{NETWORK}/subnets/a"
    group.put(subnet, {"properties": {"addressPrefix": "10.0.0.0/24"}})
    tagged = group.request("PATCH", NETWORK, {"tags": {"a": "b"}})
    assert [item["id"] for item in tagged.properties["subnets"]] == [subnet]
    assert group.request("PATCH", subnet, {"properties": {}}).code == "NotEmulated"
