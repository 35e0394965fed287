"""Hostile bodies, queries and conditions at every type that clients make, and at the data plane of batch endpoints.

Beside `test_fuzz_arm`: each type starts from the least body that it takes, so that junk gets past the first check.
"""

from __future__ import annotations

import copy
import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from localazure import identity
from tests.localazure.arm.least_bodies import (
    CLUSTER,
    ENDPOINT,
    GROUP,
    HERE,
    ISOLATED,
    LEAST,
    PARENTS,
    REFERENCES,
    SYSTEM,
    WORKSPACE,
)
from tests.localazure.existing_versions import existing_version
from tests.localazure.security.test_fuzz_arm import FIELDS, assert_understood, mutated, values

pytestmark = pytest.mark.integration

BATCH = f"{WORKSPACE}/batchEndpoints/weekly"
BATCH_DEPLOYMENT = HERE | {
    "properties": {
        "codeConfiguration": {"codeId": f"{WORKSPACE}/codes/fuzzed/versions/1", "scoringScript": "score.py"},
        "environmentId": f"{WORKSPACE}/environments/fuzzed/versions/1",
        "environmentVariables": {"A": "b"},
        "model": {"referenceType": "Id", "assetId": f"{WORKSPACE}/models/fuzzed/versions/1"},
        "compute": f"{WORKSPACE}/computes/c1",
        "errorThreshold": -1,
        "retrySettings": {"maxRetries": 1, "timeout": "PT30S"},
        "miniBatchSize": 10,
        "loggingLevel": "Info",
        "maxConcurrencyPerInstance": 1,
        "outputAction": "AppendRow",
        "outputFileName": "predictions.csv",
        "resources": {"instanceCount": 1, "instanceType": "x", "properties": {}},
        "properties": {},
        "description": "x",
    }
}
RICHER: dict[str, dict[str, Any]] = {
    f"{BATCH}/deployments/first": BATCH_DEPLOYMENT,
    f"{WORKSPACE}/datastores/rich": {
        "properties": {
            "datastoreType": "AzureBlob",
            "accountName": "stacc1",
            "containerName": "box",
            "isDefault": False,
            "tags": {"a": "b"},
            "credentials": {"credentialsType": "AccountKey", "secrets": {"secretsType": "AccountKey", "key": "Zm9v"}},
        }
    },
    f"{ISOLATED}/outboundRules/tag": {
        "properties": {
            "type": "ServiceTag",
            "category": "UserDefined",
            "destination": {"serviceTag": "a", "protocol": "TCP", "portRanges": "1", "addressPrefixes": ["10.0.0.0/8"]},
        }
    },
    f"{ISOLATED}/outboundRules/link": {
        "properties": {
            "type": "PrivateEndpoint",
            "destination": {"serviceResourceId": GROUP, "subresourceTarget": "blob", "sparkEnabled": True},
            "fqdns": ["a"],
        }
    },
}
BODIES = {path: body for path, body in LEAST.values()} | RICHER
ACTIONS = (
    *("listSecrets", "diagnose", "listKeys", "resyncKeys", "provisionManagedNetwork", "listNotebookKeys", "cancel"),
    *("regenerateKey", "listAccountSas", "checkNameAvailability", "listNodes", "start", "stop", "nothing"),
)
WORDS = (
    *("name eq 'a'", "resourceType eq 'Microsoft.Network/virtualNetworks'", "tagName eq 'a' and tagValue eq 'b'"),
    *(
        "substringof('a', name)",
        "atScope()",
        "principalId eq ''",
        "name ne ''''",
        "name eq 'a' or",
        "'" * 50,
        "(" * 500,
    ),
    *("name eq '" + "a" * 3000 + "'", " " * 2000 + "x", "0", "1", "-1", "1" * 400, "1e3", "٣", "\x00", "%", "true"),
)
NAMES = ("$filter", "$top", "$skiptoken", "$skip", "$expand", "isDefault", "$orderby", "type", "count", "listViewType")


@pytest.fixture(scope="module")
def prepared(target: Any) -> None:
    """What the resources hang on; nothing here can start a process."""
    cluster = f"{WORKSPACE}/computes/c1"
    network = {"managedNetwork": {"isolationMode": "AllowOnlyApprovedOutbound"}}
    first: list[tuple[str, dict[str, Any]]] = [
        (ENDPOINT, HERE | {"properties": {"authMode": "Key"}}),
        (cluster, HERE | {"properties": CLUSTER}),
        (ISOLATED, HERE | SYSTEM | {"properties": REFERENCES | network}),
        (f"{WORKSPACE}/environments/fuzzed/versions/1", {"properties": {"image": "i"}}),
        (f"{WORKSPACE}/codes/fuzzed/versions/1", {"properties": {"codeUri": "https://localhost/stacc1/box/code"}}),
        (f"{WORKSPACE}/models/fuzzed/versions/1", {"properties": {"modelUri": "azureml://datastores/x/paths/y"}}),
    ]
    for arm_type in PARENTS:
        path, body = LEAST[arm_type]
        first.append((path.removesuffix("2") + "1" if path.endswith("2") else path.replace("nightly", "weekly"), body))
    for path, body in first:
        assert target.arm("PUT", path, body).status < 300, path
    target.request("PUT", "/stacc1/box?restype=container", b"", x_ms_version="2021-12-02")


@settings(settings.get_profile("fuzz"))
@given(
    data=st.data(),
    method=st.sampled_from(["PUT", "PUT", "PATCH", "PATCH", "DELETE", "GET", "POST"]),
    query=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS) | st.text(max_size=12), max_size=2),
    condition=st.dictionaries(
        st.sampled_from(["If-Match", "If-None-Match"]),
        st.sampled_from(["*", '"x"', 'W/"x"', "", ",", "x" * 500]),
        max_size=1,
    ),
)
def test_every_type_from_its_least_body(
    quiet: Any, prepared: None, data: Any, method: str, query: dict[str, str], condition: dict[str, str]
) -> None:
    path = data.draw(st.sampled_from(sorted(BODIES)))
    body = BODIES[path]
    if not data.draw(st.sampled_from([True, True, False])):
        quiet.arm("PUT", path, body)
    junk = data.draw(mutated(body) if body else st.dictionaries(st.sampled_from(FIELDS), values, max_size=3))
    if method == "PATCH":
        asked = data.draw(st.sets(st.sampled_from(sorted(junk)), min_size=1, max_size=2)) if junk else set()
        junk = {name: junk[name] for name in asked} | data.draw(
            st.fixed_dictionaries({}, optional={"tags": values, "properties": values, "sku": values})
        )
    if method == "POST":
        path, junk = f"{path}/{data.draw(st.sampled_from(ACTIONS))}", data.draw(values)
    if method == "GET" and data.draw(st.booleans()):
        path = path.rpartition("/")[0]
    if path in (WORKSPACE, GROUP):
        return
    text = "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in query.items())
    target = f"{path}?api-version={existing_version(path)}&{text}"
    assert_understood(quiet.request(method, target, None if method in ("GET", "DELETE") else junk, **condition), method)


@settings(settings.get_profile("fuzz"))
@given(
    data=st.data(),
    place=st.sampled_from(
        [
            "/subscriptions",
            "/providers",
            "/tenants",
            GROUP.rpartition("/")[0],
            f"{GROUP}/resources",
            f"{GROUP}/providers",
        ]
    ),
    query=st.dictionaries(st.sampled_from(NAMES), st.sampled_from(WORDS) | st.text(max_size=30), max_size=3),
)
def test_lists_with_any_query(quiet: Any, prepared: None, data: Any, place: str, query: dict[str, str]) -> None:
    text = "&".join(f"{name}={quote(value, safe='', errors='surrogatepass')}" for name, value in query.items())
    assert_understood(quiet.request("GET", f"{place}?api-version={existing_version(place)}&{text}"), "GET")


INVOKE = {
    "properties": {
        "inputData": {"a": {"jobInputType": "UriFolder", "uri": "azureml://datastores/workspaceblobstore/paths/x"}},
        "outputData": {"o": {"jobOutputType": "UriFile", "uri": "azureml://datastores/workspaceblobstore/paths/y"}},
        "outputDataset": {"datastoreId": f"{WORKSPACE}/datastores/workspaceblobstore", "path": "x"},
        "compute": {"instanceCount": 1, "isLocal": False},
        "miniBatchSize": 1,
        "errorThreshold": 1,
        "outputFileName": "x.csv",
        "properties": {"experimentName": "x"},
    }
}
URIS = st.sampled_from(
    [
        "azureml://datastores/workspaceblobstore/paths/../../../../../../etc/passwd",
        "azureml://datastores/workspaceblobstore/paths//etc/passwd",
        "azureml://datastores/../paths/x",
        "azureml://subscriptions/x/resourcegroups/y/workspaces/../datastores/workspaceblobstore/paths/x",
        "file:///etc/passwd",
        "/etc/passwd",
        "https://localhost/stacc1/../../etc/passwd",
        "x" * 5000,
        "azureml://datastores/workspaceblobstore/paths/" + "a/" * 600,
    ]
)


@settings(settings.get_profile("fuzz"))
@given(data=st.data(), deployed=mutated(BATCH_DEPLOYMENT), again=st.booleans(), invoke=mutated(INVOKE), uri=URIS)
def test_batch_jobs_of_any_deployment(
    quiet: Any, prepared: None, data: Any, deployed: Any, again: bool, invoke: Any, uri: str
) -> None:
    token = identity.caller_token(
        "https://ml.azure.com", "x", quiet.server._plane.token_secret, quiet.server._plane.clock()
    )
    if again:
        quiet.arm("PUT", f"{BATCH}/deployments/first", deployed)
    sent = copy.deepcopy(invoke)
    if data.draw(st.booleans()) and isinstance(sent.get("properties"), dict):
        sent["properties"]["inputData"] = {"a": {"uri": uri}}
    headers = {"Authorization": f"Bearer {token}", "azureml-model-deployment": "first"}
    answer = quiet.request("POST", "/endpoints/weekly/jobs", json.dumps(sent).encode(), **headers)
    assert_understood(answer, "POST")
    if data.draw(st.integers(0, 24)):
        return  # the lists grow with every example
    for path in (f"/mferp/managementfrontend{BATCH}/jobs", f"/mferp/managementfrontend{BATCH}/deployments/first/jobs"):
        assert_understood(quiet.request("GET", path, **headers), "GET")
    assert_understood(quiet.arm("GET", f"{WORKSPACE}/jobs"), "GET")


@settings(settings.get_profile("fuzz"))
@given(raw=st.binary(max_size=40))
@pytest.mark.parametrize(
    "known", [b"[" * 100_000, b'{"properties": {"a": NaN}}', b'{"properties": {"a": "\\ud800"}}', b""]
)
def test_invocations_that_are_no_json(quiet: Any, prepared: None, raw: bytes, known: bytes) -> None:
    plane = quiet.server._plane
    token = identity.caller_token("https://ml.azure.com", "x", plane.token_secret, plane.clock())
    quiet.arm("PUT", f"{BATCH}/deployments/first", BATCH_DEPLOYMENT)
    for content in (raw, known):
        headers = {"Authorization": f"Bearer {token}", "azureml-model-deployment": "first"}
        assert_understood(quiet.request("POST", "/endpoints/weekly/jobs", content, **headers), "POST")
