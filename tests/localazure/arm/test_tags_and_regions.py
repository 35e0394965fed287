"""Tags and regions within Azure's limits, and the tags that Azure DNS drops."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import GROUP, IDENTITY, LOCATION, PROVIDERS, STORAGE, WORKSPACE

ZONE = f"{PROVIDERS}/Microsoft.Network/privateDnsZones/privatelink.example.org"
NETWORK = f"{PROVIDERS}/Microsoft.Network/virtualNetworks/vnet1"
FIFTY = {f"t{number}": "x" for number in range(50)}


@pytest.fixture
def group(arm):
    arm.make_group()
    return arm


@pytest.mark.proves("*", refuses=["tags"])
@pytest.mark.parametrize("path", [f"{GROUP}x", IDENTITY])
@pytest.mark.parametrize(
    ("tags", "code", "said"),
    [
        (FIFTY | {"one": "more"}, "InvalidTags", "Requested tag count - '51'. Maximum number of tags allowed - '50'."),
        ({"n" * 513: "x"}, "InvalidTagName", "Maximum allowed length for tag name - '512' characters."),
        ({" ": "x"}, "InvalidTagName", "must be non-null"),
        ({"a/b": "x", "c?": "x"}, "InvalidTagNameCharacters", "'a/b, c?' have reserved characters '<,>,%,&,\\,?,/'"),
        ({"a": "v" * 257}, "InvalidTagValueLength", "Maximum allowed length for tag value - '256' characters."),
    ],
)
def test_tags_beyond_the_limits_are_refused(group, path, tags, code, said):
    answer = group.put(path, {"location": LOCATION, "tags": tags})
    assert (answer.status, answer.code) == (400, code)
    assert said in answer.error["message"]
    assert group.get(path).status == 404
    assert group.put(path, {"location": LOCATION, "tags": FIFTY}).status in (200, 201)
    patched = group.request("PATCH", path, {"tags": tags})
    assert (patched.status, patched.code) == (400, code)
    assert group.get(path).body["tags"] == FIFTY


def test_at_the_limits_tags_are_kept(group):
    tags = {"n" * 512: "v" * 256, "sluice:team": "", "näme": None}
    assert group.put(IDENTITY, {"location": LOCATION, "tags": tags}).body["tags"] == tags


@pytest.mark.proves("*", refuses=["tags"])
def test_names_of_tags_of_a_storage_account_are_shorter(group):
    body = {"location": LOCATION, "sku": {"name": "Standard_LRS"}}
    assert "'128' characters" in group.put(STORAGE, body | {"tags": {"n" * 129: "x"}}).error["message"]
    assert group.put(STORAGE, body | {"tags": {"n" * 128: "x"}}).status == 200


def test_tags_in_a_workspace_have_the_same_limits(arm):
    arm.make_workspace()
    sent = {"location": LOCATION, "tags": FIFTY | {"one": "more"}, "properties": {"authMode": "Key"}}
    assert arm.put(f"{WORKSPACE}/onlineEndpoints/ep1", sent).code == "InvalidTags"


@pytest.mark.proves("privateDnsZones", honours=["tags"])
@pytest.mark.proves("privateDnsZones/virtualNetworkLinks", honours=["tags"])
def test_private_dns_drops_tags_with_special_names_without_a_word(group):
    tags = {"sluice:team": "a", "cost center": "b", "sluice-team": "c", "Env_1.x": "d", "(x)": "e"}
    kept = {"sluice-team": "c", "Env_1.x": "d"}
    space = {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}
    assert group.put(NETWORK, {"location": LOCATION, "tags": tags, "properties": space}).body["tags"] == tags
    link = {"location": "global", "properties": {"virtualNetwork": {"id": NETWORK}}}
    for path, body in ((ZONE, {"location": "global"}), (f"{ZONE}/virtualNetworkLinks/l1", link)):
        assert group.put(path, body | {"tags": tags}).status == 201
        assert group.get(path).body["tags"] == kept
        assert group.request("PATCH", path, {"tags": {"a:b": "x"}}).status == 200
        assert group.get(path).body["tags"] == {}


@pytest.mark.proves("*", refuses=["location"])
def test_a_word_is_no_region(group):
    for path, code, text in (
        (
            f"{GROUP}x",
            "LocationNotAvailableForResourceGroup",
            "resource group. List of available regions is '",
        ),
        (IDENTITY, "LocationNotAvailableForResourceType", "resource type 'Microsoft.ManagedIdentity/userAssigned"),
    ):
        answer = group.put(path, {"location": "atlantis"})
        assert (answer.status, answer.code) == (400, code)
        assert f"The provided location 'atlantis' is not available for {text}" in answer.error["message"]
        assert group.get(path).status == 404
        assert group.put(path, {"location": "West Europe"}).body["location"] == "westeurope"


def test_a_group_cannot_be_in_every_region(group):
    refused = group.put(f"{GROUP}x", {"location": "Brazil Southeast"})
    assert (refused.status, refused.code) == (400, "LocationNotAvailableForResourceGroup")
    assert group.put(IDENTITY, {"location": "Brazil Southeast"}).status == 201


@pytest.mark.proves("*", refuses=["location"])
def test_zones_are_global_and_only_zones(group):
    here = group.put(ZONE, {"location": LOCATION})
    assert (here.status, here.code) == (400, "LocationNotAvailableForResourceType")
    assert here.error["message"].endswith("List of available regions for the resource type is 'global'.")
    assert group.put(f"{GROUP}x", {"location": "global"}).code == "LocationNotAvailableForResourceGroup"
    assert group.put(ZONE, {"location": "Global"}).body["location"] == "global"
