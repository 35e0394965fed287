"""Private link scopes of Azure Monitor: what they may lead to, and what leads to them."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import GROUP, LOCATION, PROVIDERS
from tests.localazure.arm.least_bodies import OPEN
from tests.localazure.arm.test_private_endpoints import NETWORKS, SPACE

INSIGHTS = f"{PROVIDERS}/Microsoft.Insights/components/ai1"
LOGS = f"{PROVIDERS}/Microsoft.OperationalInsights/workspaces/log1"
SCOPES = f"{PROVIDERS}/Microsoft.Insights/privateLinkScopes"
SCOPE = f"{SCOPES}/ampls1"
SCOPED = f"{SCOPE}/scopedResources"
BODY = {"location": "global", "properties": OPEN}


@pytest.fixture
def scope(arm):
    arm.make_group()
    for path in (INSIGHTS, LOGS):
        assert arm.put(path, {"location": LOCATION, "properties": {}}).status in (200, 201)
    assert arm.put(SCOPE, BODY).status == 200
    return arm


def link(target):
    return {"properties": {"linkedResourceId": target}}


@pytest.mark.proves(
    "Insights/privateLinkScopes",
    refuses=[
        "properties.accessModeSettings.ingestionAccessMode",
        "properties.accessModeSettings.queryAccessMode",
    ],
)
@pytest.mark.parametrize("field", ["ingestionAccessMode", "queryAccessMode"])
@pytest.mark.parametrize("mode", [None, "Closed", 5])
def test_a_scope_says_who_may_pass_it(scope, field, mode):
    settings = OPEN["accessModeSettings"] | {field: mode}
    refused = scope.put(f"{SCOPES}/other", BODY | {"properties": {"accessModeSettings": settings}})
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert scope.get(f"{SCOPES}/other").status == 404


@pytest.mark.proves("privateLinkScopes/scopedResources", honours=["properties.linkedResourceId"])
@pytest.mark.proves("Insights/components", refuses=["name"])
@pytest.mark.proves("OperationalInsights/workspaces", refuses=["name"])
def test_what_is_in_a_scope_shows_it_and_cannot_be_deleted(scope):
    fields = {INSIGHTS: ("PrivateLinkScopedResources", "ScopeId"), LOGS: ("privateLinkScopedResources", "scopeId")}
    for name, target in (("ai", INSIGHTS), ("log", LOGS)):
        assert scope.put(f"{SCOPED}/{name}", link(target)).status == 201
        field, scope_id = fields[target]
        assert [one[scope_id] for one in scope.get(target).properties[field]] == [SCOPE]
        refused = scope.delete(target)
        assert (refused.status, refused.code) == (409, "Conflict")
        assert f"Remove {SCOPED}/{name} first." in refused.error["message"]
        assert scope.delete(f"{SCOPED}/{name}").status == 202
        assert field not in scope.get(target).properties
        assert scope.delete(target).status in (200, 202)
        assert scope.get(target).status == 404


@pytest.mark.proves("privateLinkScopes/scopedResources", refuses=["properties.linkedResourceId"])
@pytest.mark.parametrize("target", [None, 5, GROUP, f"{PROVIDERS}/Microsoft.Insights/components/absent", SCOPE])
def test_a_scope_leads_to_nothing_but_telemetry_that_exists(scope, target):
    refused = scope.put(f"{SCOPED}/x", link(target))
    assert refused.status == 400
    assert scope.get(f"{SCOPED}/x").status == 404


@pytest.mark.proves("privateLinkScopes/scopedResources", refuses=["properties.linkedResourceId"])
def test_a_resource_is_in_five_scopes_at_most(scope):
    for number in range(1, 7):
        scope.put(f"{SCOPES}/ampls{number}", BODY)
        answer = scope.put(f"{SCOPES}/ampls{number}/scopedResources/ai", link(INSIGHTS))
        assert answer.status == (201 if number < 6 else 400)
    assert scope.put(f"{SCOPED}/ai", link(INSIGHTS)).status == 200, "the same again"


@pytest.mark.proves("privateLinkScopes/scopedResources", refuses=["properties.linkedResourceId"])
def test_a_scope_takes_one_change_at_a_time(scope):
    assert scope.request("PUT", f"{SCOPED}/ai", link(INSIGHTS)).status == 201
    for refused in (scope.request("PUT", f"{SCOPED}/log", link(LOGS)), scope.request("DELETE", f"{SCOPED}/ai")):
        assert refused.status == 409
    scope.settle()
    assert scope.put(f"{SCOPED}/log", link(LOGS)).status == 201


def endpoint(subnet, target):
    connection = {"name": "m", "properties": {"privateLinkServiceId": target, "groupIds": ["azuremonitor"]}}
    return {
        "location": LOCATION,
        "properties": {"subnet": {"id": subnet}, "privateLinkServiceConnections": [connection]},
    }


@pytest.mark.proves("Network/privateEndpoints", refuses=["properties.privateLinkServiceConnections"])
def test_a_network_has_one_scope_and_a_scope_ten_endpoints(scope):
    scope.put(f"{SCOPES}/other", BODY)
    for name in ("vnet1", "vnet2"):
        scope.put(f"{NETWORKS}/virtualNetworks/{name}", {"location": LOCATION, "properties": SPACE})
        body = {"properties": {"addressPrefix": "10.0.0.0/20"}}
        scope.put(f"{NETWORKS}/virtualNetworks/{name}/subnets/endpoints", body)
    here, there = (f"{NETWORKS}/virtualNetworks/{name}/subnets/endpoints" for name in ("vnet1", "vnet2"))
    assert scope.put(f"{NETWORKS}/privateEndpoints/m1", endpoint(here, SCOPE)).status == 201
    second = scope.put(f"{NETWORKS}/privateEndpoints/x", endpoint(here, f"{SCOPES}/other"))
    assert (second.status, second.code) == (400, "BadRequest")
    assert scope.put(f"{NETWORKS}/privateEndpoints/x", endpoint(there, f"{SCOPES}/other")).status == 201
    for number in range(2, 11):
        assert scope.put(f"{NETWORKS}/privateEndpoints/m{number}", endpoint(here, SCOPE)).status == 201
    assert scope.put(f"{NETWORKS}/privateEndpoints/m11", endpoint(here, SCOPE)).status == 400


@pytest.mark.proves("Network/privateEndpoints", honours=["properties.customDnsConfigs"])
def test_the_endpoint_of_a_scope_shows_the_names_of_what_is_in_it(scope):
    scope.put(f"{SCOPED}/log", link(LOGS))
    scope.put(f"{NETWORKS}/virtualNetworks/vnet1", {"location": LOCATION, "properties": SPACE})
    subnet = f"{NETWORKS}/virtualNetworks/vnet1/subnets/endpoints"
    scope.put(subnet, {"properties": {"addressPrefix": "10.0.0.0/27"}})
    shown = scope.put(f"{NETWORKS}/privateEndpoints/m", endpoint(subnet, SCOPE)).properties["customDnsConfigs"]
    names = [one["fqdn"] for one in shown]
    guid = scope.get(LOGS).properties["customerId"]
    assert {"api.monitor.azure.com", f"{guid}.oms.opinsights.azure.com"} <= set(names)
    addresses = [one["ipAddresses"] for one in shown]
    assert len(addresses) == len({address for (address,) in addresses}) >= 11, "documented: at least 11"
