"""Hostile requests to Resource Manager and the blob service: always an answer that clients understand, never a failure.

Bounded and repeatable: the examples are the same in every run. Field names are those that the sources read, so that
junk reaches the code that looks at it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import localazure.arm
import localazure.storage

pytestmark = pytest.mark.integration

SOURCES = [
    path for module in (localazure.arm, localazure.storage) for path in Path(next(iter(module.__path__))).rglob("*.py")
]
FIELDS = sorted({name for path in SOURCES for name in re.findall(r'(?:get\(|\[)"([a-zA-Z]{2,40})"', path.read_text())})
GROUP = "/subscriptions/00000000-0000-4000-8000-000000000001/resourceGroups/rg1"
MACHINE_LEARNING = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
HERE = {"location": "westeurope"}
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from([0, -1, 1, 50, 101, 2**31, 2**63, 10**40, 1e308, -1e-300, 33.5, 100.0]),
    st.sampled_from(["", "x", "PT5S", "P", "../..", "a/b", "\U0001f600", "%00", "blue", "Managed", "Key", "Succeeded"]),
    st.sampled_from(
        [MACHINE_LEARNING, f"{MACHINE_LEARNING}/onlineEndpoints/ep1", "azureml:", "azureml://datastores/x/paths/y"]
    ),
    st.text(max_size=12),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(FIELDS), inner, max_size=4),
    max_leaves=8,
)
names = st.sampled_from(
    ["a1", "ws1", "blue", "ep1", "stacc1", "box", "1", "A" * 64, "x.y", "a@b", "ä", ".", "..", " ", "a:b", ""]
)
methods = st.sampled_from(["GET", "PUT", "PUT", "PUT", "PATCH", "POST", "DELETE", "HEAD", "OPTIONS"])


def assert_understood(answer: Any, method: str) -> None:
    assert answer.status < 500 or answer.status == 501, answer.content
    if method == "HEAD":
        return
    assert answer.status != 501 or b"NotEmulated" in answer.content or b"NotImplemented" in answer.content
    if answer.content and "json" in answer.headers.get("Content-Type", ""):
        json.loads(answer.content, parse_constant=pytest.fail)
    if answer.status >= 400:
        assert answer.content


@pytest.fixture(scope="module")
def types(target: Any) -> list[str]:
    return sorted(target.server._plane.types())  # what there is, not what a test remembers


@settings(settings.get_profile("fuzz"))
@given(data=st.data(), method=methods, body=st.dictionaries(st.sampled_from(FIELDS), values, max_size=6))
def test_any_type_with_any_body(quiet: Any, types: list[str], data: Any, method: str, body: dict[str, Any]) -> None:
    kind = data.draw(st.sampled_from(types))
    namespace, *segments = kind.split("/")
    path = f"{GROUP}/providers/{namespace}"
    for segment in segments:
        path += f"/{segment}/{quote(data.draw(names), safe='')}"
    if data.draw(st.booleans()):
        body = HERE | {"properties": body, "identity": body.get("identity"), "sku": body.get("sku")}
    if method == "POST":
        path += "/" + data.draw(st.sampled_from(["listKeys", "getLogs", "regenerateKeys", "token", "x", "listSecrets"]))
    assert_understood(quiet.arm(method, path, body), method)


def mutated(valid: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """A valid body in which one or two values at any depth are junk."""
    paths = [list(path) for path in _paths(valid)]

    @st.composite
    def build(draw: Any) -> dict[str, Any]:
        body = json.loads(json.dumps(valid))
        for path in draw(st.lists(st.sampled_from(paths), min_size=1, max_size=2)):
            place = body
            for step in path[:-1]:
                place = place.get(step) if isinstance(place, dict) else None
            if isinstance(place, dict):
                place[path[-1]] = draw(values)
        return dict(body)

    return build()


def _paths(value: dict[str, Any], before: tuple[str, ...] = ()) -> Any:
    for name, inner in value.items():
        yield (*before, name)
        if isinstance(inner, dict):
            yield from _paths(inner, (*before, name))


ENDPOINT = HERE | {
    "tags": {"a": "b"},
    "identity": {"type": "UserAssigned", "userAssignedIdentities": {}},
    "properties": {
        "authMode": "Key",
        "traffic": {"blue": 100},
        "mirrorTraffic": {"green": 10},
        "publicNetworkAccess": "Enabled",
        "properties": {"a": "b"},
        "keys": {"primaryKey": "a", "secondaryKey": "b"},
        "description": "x",
    },
}
PROBE = {"initialDelay": "PT1S", "period": "PT1S", "timeout": "PT1S", "failureThreshold": 1, "successThreshold": 1}
DEPLOYMENT = HERE | {
    "sku": {"name": "Default", "capacity": 1, "tier": "x"},
    "properties": {
        "endpointComputeType": "Managed",
        "instanceType": "Standard_DS3_v2",
        "environmentId": f"{MACHINE_LEARNING}/environments/e/versions/1",
        "model": f"{MACHINE_LEARNING}/models/m/versions/1",
        "codeConfiguration": {"codeId": f"{MACHINE_LEARNING}/codes/c/versions/1", "scoringScript": "score.py"},
        "environmentVariables": {"A": "b"},
        "requestSettings": {"requestTimeout": "PT5S", "maxConcurrentRequestsPerInstance": 1, "maxQueueWait": "PT1S"},
        "livenessProbe": PROBE,
        "readinessProbe": PROBE,
        "scaleSettings": {"scaleType": "Default"},
        "dataCollector": {"collections": {"a": {"samplingRate": 1}}},
        "appInsightsEnabled": False,
        "properties": {},
    },
}
VERSIONS = {
    "models": {
        "properties": {"modelUri": "azureml://datastores/workspaceblobstore/paths/x", "modelType": "custom_model"}
    },
    "codes": {"properties": {"codeUri": "https://localhost/stacc1/box/code", "isAnonymous": True}},
    "environments": {"properties": {"condaFile": "dependencies: []", "image": "i", "build": {"contextUri": "u"}}},
    "data": {"properties": {"dataUri": "azureml://datastores/workspaceblobstore/paths/x", "dataType": "uri_file"}},
}
RULE = {
    "metricTrigger": {
        "metricName": "CpuUtilizationPercentage",
        "metricResourceUri": f"{MACHINE_LEARNING}/onlineEndpoints/ep1",
        "threshold": 70,
        "timeGrain": "PT1M",
        "timeWindow": "PT5M",
        "operator": "GreaterThan",
        "statistic": "Average",
        "timeAggregation": "Average",
    },
    "scaleAction": {"direction": "Increase", "type": "ChangeCount", "value": "1", "cooldown": "PT5M"},
}
AUTOSCALE = HERE | {
    "properties": {
        "enabled": True,
        "targetResourceUri": f"{MACHINE_LEARNING}/onlineEndpoints/ep1/deployments/blue",
        "profiles": [{"name": "p", "capacity": {"minimum": "1", "maximum": "3", "default": "1"}, "rules": [RULE]}],
    }
}
STORAGE = HERE | {
    "sku": {"name": "Standard_LRS"},
    "kind": "StorageV2",
    "properties": {"publicNetworkAccess": "Enabled", "networkAcls": {"defaultAction": "Deny", "bypass": "None"}},
}
ROLE = {"properties": {"principalId": "x", "roleDefinitionId": f"{GROUP}/roleDefinitions/x", "scope": GROUP}}
NETWORK = HERE | {
    "properties": {
        "addressSpace": {"addressPrefixes": ["10.0.0.0/16"]},
        "subnets": [{"name": "s", "properties": {"addressPrefix": "10.0.0.0/24"}}],
    }
}
LINK = HERE | {
    "properties": {
        "subnet": {"id": GROUP},
        "privateLinkServiceConnections": [
            {"name": "c", "properties": {"privateLinkServiceId": MACHINE_LEARNING, "groupIds": ["amlworkspace"]}}
        ],
    }
}
COMPUTE = HERE | {
    "properties": {"computeType": "AmlCompute", "properties": {"vmSize": "STANDARD_DS3_V2", "scaleSettings": {}}}
}
WORKSPACE = HERE | {
    "identity": {"type": "SystemAssigned"},
    "properties": {
        "storageAccount": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stacc1",
        "keyVault": f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv1",
        "applicationInsights": f"{GROUP}/providers/Microsoft.Insights/components/ai1",
        "managedNetwork": {
            "isolationMode": "AllowInternetOutbound",
            "outboundRules": {"r": {"type": "FQDN", "destination": "x"}},
        },
        "provisionNetworkNow": True,
    },
}
PROVIDERS = f"{GROUP}/providers"
BODIES: dict[str, dict[str, Any]] = {
    f"{MACHINE_LEARNING}/onlineEndpoints/ep1": ENDPOINT,
    f"{MACHINE_LEARNING}/onlineEndpoints/ep1/deployments/blue": DEPLOYMENT,
    f"{MACHINE_LEARNING}/onlineEndpoints/ep1/deployments/green": DEPLOYMENT,
    f"{MACHINE_LEARNING}/computes/c1": COMPUTE,
    f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/ws2": WORKSPACE,
    f"{PROVIDERS}/Microsoft.Insights/autoscaleSettings/a1": AUTOSCALE,
    f"{PROVIDERS}/Microsoft.Storage/storageAccounts/stacc2": STORAGE,
    f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/00000000-0000-4000-8000-000000000009": ROLE,
    f"{PROVIDERS}/Microsoft.Network/virtualNetworks/v1": NETWORK,
    f"{PROVIDERS}/Microsoft.Network/privateEndpoints/pe1": LINK,
    **{f"{MACHINE_LEARNING}/{kind}/a1/versions/1": body for kind, body in VERSIONS.items()},
}


@pytest.fixture(scope="module")
def assets(target: Any) -> None:
    """What a deployment names; the environment cannot be built here, so that no process is started."""
    for path, properties in {
        f"{MACHINE_LEARNING}/environments/e/versions/1": {"image": "i"},
        f"{MACHINE_LEARNING}/codes/c/versions/1": VERSIONS["codes"]["properties"],
        f"{MACHINE_LEARNING}/models/m/versions/1": VERSIONS["models"]["properties"],
    }.items():
        target.arm("DELETE", path)  # what other tests made by chance: its files could not be changed
        assert target.arm("PUT", path, {"properties": properties}).status in (200, 201)


@settings(settings.get_profile("fuzz"))
@given(data=st.data(), method=st.sampled_from(["PUT", "PUT", "PUT", "PATCH", "DELETE", "GET"]))
def test_valid_bodies_with_junk_in_them(quiet: Any, assets: None, data: Any, method: str) -> None:
    path = data.draw(st.sampled_from(sorted(BODIES)))
    if not data.draw(st.sampled_from([True, True, False])):
        quiet.arm("PUT", path, BODIES[path])
    body = BODIES[path]
    if method == "PATCH":  # of a few fields: what a type cannot change is refused before anything is looked at
        names = data.draw(st.sets(st.sampled_from(sorted(body)), min_size=1, max_size=2))
        body = {name: body[name] for name in names}
    assert_understood(quiet.arm(method, path, data.draw(mutated(body))), method)


@settings(settings.get_profile("fuzz"))
@given(raw=st.binary(max_size=60), kind=st.sampled_from(["application/json", "text/plain", "multipart/form-data", "x"]))
@example(raw=b'{"a":' * 5000, kind="application/json")
@example(raw=b"[" * 100_000, kind="application/json")
@example(raw=b'{"location": 1e999}', kind="application/json")
@example(raw=b'{"location": -Infinity}', kind="application/json")
@example(raw=b'{"tags": {"a": "\\ud800"}}', kind="application/json")
@example(raw=b'{"tags": {"a": "\\u0000"}}', kind="application/json")
@example(raw=b'{"location": ' + b"9" * 5000 + b"}", kind="application/json")
@example(raw=b"\xef\xbb\xbf{}", kind="application/json")
@example(raw=b"\xff\xfe", kind="application/json")
def test_bodies_that_are_no_json(quiet: Any, raw: bytes, kind: str) -> None:
    for method, path in (("PUT", f"{GROUP}2"), ("POST", f"{MACHINE_LEARNING}/onlineEndpoints/ep1/getLogs")):
        assert_understood(quiet.arm(method, path, raw, Content_Type=kind), method)
    for path in ("/common/oauth2/v2.0/token", "/_local/faults", "/batch"):
        answer = quiet.request("POST", path, raw, Content_Type=kind)
        assert answer.status < 500 or answer.status == 501


@settings(settings.get_profile("fuzz"))
@given(
    segments=st.lists(
        st.one_of(names, st.text(max_size=8), st.sampled_from(["providers", "subscriptions"])), max_size=9
    ),
    query=st.text(max_size=20),
    method=methods,
)
@example(segments=["..", "..", "etc", "passwd"], query="api-version=2024-04-01", method="GET")
@example(segments=["a" * 300], query="api-version=2024-04-01", method="PUT")
@example(segments=["providers"] * 9, query="api-version=2024-04-01", method="PUT")
def test_any_path(quiet: Any, segments: list[str], query: str, method: str) -> None:
    escaped = "/".join(quote(segment, safe="", errors="surrogatepass") for segment in segments)
    asked = quote(query, safe="=&", errors="surrogatepass")
    for start in ("/", f"{GROUP}/", f"{MACHINE_LEARNING}/", "/stacc1/box/"):
        body = b"" if method in ("PUT", "POST") else None
        assert_understood(quiet.request(method, f"{start}{escaped}?{asked}", body), method)


BLOB = {"x-ms-version": "2021-12-02", "x-ms-blob-type": "BlockBlob"}


@settings(settings.get_profile("fuzz"))
@given(
    name=st.text(max_size=10),
    method=st.sampled_from(["GET", "PUT", "HEAD", "DELETE"]),
    component=st.sampled_from(["", "block", "blocklist", "metadata", "properties", "list", "x"]),
    value=st.text(st.characters(codec="latin-1", exclude_categories=["Cc"]), max_size=12),
    header=st.sampled_from(
        ["Range", "x-ms-range", "If-Match", "If-Modified-Since", "Content-MD5", "x-ms-meta-a", "x-ms-version"]
    ),
    body=st.binary(max_size=40),
)
@example("a", "GET", "", "bytes=99999999999999999999-", "Range", b"")
@example("a", "GET", "", "bytes=5-2", "Range", b"")
@example("a", "PUT", "blocklist", "x", "If-Match", b"<!DOCTYPE a [<!ENTITY b 'c'>]><BlockList>&b;</BlockList>")
def test_blobs(quiet: Any, name: str, method: str, component: str, value: str, header: str, body: bytes) -> None:
    quiet.request("PUT", "/stacc1/box?restype=container", b"", **BLOB)
    quiet.request("PUT", "/stacc1/box/a", b"0123456789", **BLOB)
    path = f"/stacc1/box/{quote(name, safe='', errors='surrogatepass')}?comp={component}&blockid={quote(value)}"
    sent = body if method == "PUT" else None
    assert_understood(quiet.request(method, path, sent, **BLOB | {header: value.strip()}), method)
