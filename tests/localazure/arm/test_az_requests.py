"""What az sends to Resource Manager and to Microsoft Graph, as its 2.91.0 writes it on the wire."""

from urllib.parse import quote, quote_plus

import pytest

from localazure import identity
from localazure.arm.namespaces.machine_learning.online.traffic import read_weights
from tests.localazure.arm.conftest import BLUE, ENDPOINT, IDENTITY, LOCATION, STORAGE
from tests.localazure.platform_bodies import GROUP, SUBSCRIPTION
from tests.waiting import HANGS

EXPANDED = "$expand=createdTime%2CchangedTime%2CprovisioningState"
DEPLOYMENT = f"{GROUP}/providers/Microsoft.Resources/deployments/main"
READER = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/acdd72a7-3385-48ef-bd42-f606fba81ae7"


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic", "properties.mirrorTraffic"])
def test_weights_that_came_as_strings_of_digits_are_kept_as_numbers(arm):
    arm.make_serving_endpoint()
    body = arm.get(ENDPOINT).body
    body["properties"] |= {"traffic": {"blue": "60", "green": "040"}}
    answer = arm.put(ENDPOINT, body)
    assert answer.status == 201, answer.text
    assert arm.get(ENDPOINT).properties["traffic"] == {"blue": 60, "green": 40}
    assert arm.scoring.routing["fraud-dev"].traffic == {"blue": 60, "green": 40}
    body["properties"] |= {"traffic": {"blue": "100"}, "mirrorTraffic": {"green": "5"}}
    assert arm.put(ENDPOINT, body).status == 201
    assert arm.get(ENDPOINT).properties["mirrorTraffic"] == {"green": 5}


@pytest.mark.parametrize("value", ["", "101", "-1", "50.0", " 50", "5e1", "٥٠", "50%", "0x32", "9" * 5000, True, None])
def test_other_strings_are_no_percents(value):
    with pytest.raises(Exception, match="must be a whole percent from 0 to 100"):
        read_weights("traffic", {"blue": value})


@pytest.mark.parametrize("scope", [SUBSCRIPTION, GROUP])
def test_resources_are_listed_with_their_times(arm, scope):
    arm.make_workspace()
    listed = arm.get(f"{scope}/resources?{EXPANDED}")
    assert listed.status == 200, listed.text
    times = {item["name"]: (item["createdTime"], item["changedTime"]) for item in listed.body["value"]}
    assert {item["provisioningState"] for item in listed.body["value"]} == {"Succeeded"}
    assert all(created <= changed for created, changed in times.values())
    arm.put(STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
    name = STORAGE.rpartition("/")[2]
    (again,) = arm.get(f"{scope}/resources?{EXPANDED}&$filter=name eq '{name}'").body["value"]
    assert again["createdTime"] == times[name][0]
    assert again["changedTime"] > times[name][1]
    assert "createdTime" not in arm.get(f"{scope}/resources").body["value"][0]


def test_a_group_that_is_not_there_cannot_be_deleted_and_other_resources_can(arm):
    missing = arm.request("DELETE", f"{SUBSCRIPTION}/resourcegroups/nope")
    assert (missing.status, missing.code) == (404, "ResourceGroupNotFound")
    assert missing.error["message"] == "Resource group 'nope' could not be found."
    arm.put(GROUP, {"location": LOCATION})
    assert arm.request("DELETE", IDENTITY).status == 204
    assert arm.request("DELETE", GROUP).status == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [("PUT", DEPLOYMENT), ("POST", f"{DEPLOYMENT}/validate"), ("POST", f"{DEPLOYMENT}/whatIf")],
)
def test_a_template_with_comments_under_a_bare_key_is_read_and_the_way_out_is_named(arm, method, path):
    arm.put(GROUP, {"location": LOCATION})
    template = b"""{ // az sends the file exactly as it is
      "$schema": "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#",
      /* no parameters: yet */ "resources": [] }"""
    sent = b'{"properties": {"mode": "Incremental", "parameters": {}, template:' + template + b"}}"
    answer = arm.request(method, path, sent)
    assert (answer.status, answer.code) == (501, "NotEmulated"), answer.text
    assert "az ml workspace create" in answer.error["message"]


def test_comments_are_no_json_elsewhere(arm):
    answer = arm.request("PUT", GROUP, b'{location: "westeurope"} // comment')
    assert answer.code == "InvalidRequestContent"


@pytest.mark.proves("Insights/metrics", honours=["?timespan", "?metricnames"])
def test_metrics_are_listed_with_a_timespan_that_az_quoted_itself_and_without_a_name(arm):
    arm.make_serving_endpoint()
    span = quote(quote_plus("2027-01-15T08:00:00.386641/2027-01-15T08:30:00.386641"), safe="")
    query = f"timespan={span}&interval=PT5M"
    answer = arm.get(f"{ENDPOINT}/providers/microsoft.insights/metrics?metricnames=RequestsPerMinute&{query}")
    assert answer.status == 200, answer.text
    assert answer.body["timespan"] == "2027-01-15T08:00:00Z/2027-01-15T08:31:00Z"
    for resource, first in ((ENDPOINT, "ConnectionsActive"), (BLUE, "CpuMemoryUtilizationPercentage")):
        unnamed = arm.get(f"{resource}/providers/microsoft.insights/metrics?{query}")
        assert [metric["name"]["value"] for metric in unnamed.body["value"]] == [first], unnamed.text


def test_regions_are_listed(arm):
    regions = arm.get(f"{SUBSCRIPTION}/locations").body["value"]
    west = next(region for region in regions if region["name"] == "westeurope")
    assert (west["displayName"], west["regionalDisplayName"]) == ("West Europe", "(Europe) West Europe")
    assert west["id"] == f"{SUBSCRIPTION}/locations/westeurope"
    assert len({region["name"] for region in regions}) == len(regions) > 50
    assert arm.request("PUT", f"{SUBSCRIPTION}/locations", {}).code == "NotEmulated"


@pytest.fixture(scope="module")
def graph(shared_azure):
    """Microsoft Graph of a server that has a workspace, an endpoint and a shared identity."""
    for path, body in (
        (GROUP, {"location": LOCATION}),
        (IDENTITY, {"location": LOCATION}),
        (STORAGE, {"location": LOCATION, "sku": {"name": "Standard_LRS"}, "identity": {"type": "SystemAssigned"}}),
    ):
        assert shared_azure.request("PUT", path, body).status_code in (200, 201)
    return shared_azure


def test_a_client_id_leads_to_its_service_principal_and_back(graph):
    shown = graph.request("GET", IDENTITY).json()["properties"]
    where = f"servicePrincipalNames/any(c:c eq '{shown['clientId']}')"
    (found,) = graph.request("GET", f"/v1.0/servicePrincipals?$filter={quote(where)}").json()["value"]
    assert (found["id"], found["appId"]) == (shown["principalId"], shown["clientId"])
    assert found["displayName"] == IDENTITY.rpartition("/")[2]
    stub, *others = graph.request(
        "POST",
        "/v1.0/directoryObjects/getByIds",
        {"ids": [shown["principalId"], "00000000-0000-0000-0000-00000000dead"], "types": ["user", "servicePrincipal"]},
    ).json()["value"]
    assert others == []
    assert (stub["@odata.type"], stub["id"]) == ("#microsoft.graph.servicePrincipal", shown["principalId"])
    assert stub["servicePrincipalNames"] == [shown["clientId"]]
    assert graph.request("GET", f"/v1.0/servicePrincipals/{shown['principalId']}").json() == found


def test_every_identity_of_a_resource_and_the_caller_are_known_and_nobody_else(graph):
    own = graph.request("GET", STORAGE).json()["identity"]["principalId"]
    known = {one["id"]: one for one in graph.request("GET", "/v1.0/servicePrincipals").json()["value"]}
    assert own in known
    assert known[identity.CALLER_OBJECT_ID]["appId"] == identity.CLIENT_ID
    by_name = quote(f"displayName eq '{known[own]['displayName']}'")
    assert [
        one["id"] for one in graph.request("GET", f"/v1.0/servicePrincipals?$filter={by_name}").json()["value"]
    ] == [own]
    unknown = quote("servicePrincipalNames/any(c:c eq 'no-such-app')")
    assert graph.request("GET", f"/v1.0/servicePrincipals?$filter={unknown}").json()["value"] == []
    mail = quote("userPrincipalName eq 'someone@example.com'")
    assert graph.request("GET", f"/v1.0/users?$filter={mail}").json()["value"] == []
    missing = graph.request("GET", "/v1.0/servicePrincipals/no-such-app")
    assert (missing.status_code, missing.json()["error"]["code"]) == (404, "Request_ResourceNotFound")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/v1.0/servicePrincipals?$filter=tags/any()", None, 501),
        ("GET", "/v1.0/users?$filter=startswith(mail,'a')", None, 501),
        ("GET", "/v1.0/groups", None, 501),
        ("GET", "/v1.0/me", None, 501),
        ("POST", "/v1.0/servicePrincipals", {"appId": "x"}, 501),
        ("POST", "/v1.0/directoryObjects/getByIds", {"ids": "x"}, 400),
        ("POST", "/v1.0/directoryObjects/getByIds", ["x"], 400),
        ("POST", "/v1.0/directoryObjects/getByIds", {"ids": ["x"] * 1001}, 400),
    ],
)
def test_what_graph_does_not_have_here_is_refused_as_json(graph, method, path, body, status):
    answer = graph.request(method, path, body)
    assert answer.status_code == status
    assert answer.json()["error"]["message"]


def test_graph_wants_a_token(graph):
    import requests

    answer = requests.get(f"{graph.https}/v1.0/servicePrincipals", verify=graph.trust, timeout=HANGS)
    assert (answer.status_code, answer.json()["error"]["code"]) == (401, "InvalidAuthenticationToken")


def test_a_role_given_to_an_identity_as_az_resolves_it_is_given_to_its_principal(graph):
    """`az role assignment create --assignee CLIENT_ID`: Graph first, then the assignment with Graph's answer."""
    client_id = graph.request("GET", IDENTITY).json()["properties"]["clientId"]
    where = quote(f"servicePrincipalNames/any(c:c eq '{client_id}')")
    (principal,) = graph.request("GET", f"/v1.0/servicePrincipals?$filter={where}").json()["value"]
    path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{identity.TENANT_ID}"
    sent = {
        "properties": {"roleDefinitionId": READER, "principalId": principal["id"], "principalType": "ServicePrincipal"}
    }
    made = graph.request("PUT", path, sent, version="2022-04-01")
    assert made.status_code == 201, made.text
    assert (
        made.json()["properties"]["principalId"] == graph.request("GET", IDENTITY).json()["properties"]["principalId"]
    )
