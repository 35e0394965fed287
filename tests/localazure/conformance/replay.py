"""Replays one recording against a running local Azure, over HTTP, as its client did.

What the recording takes for given (assets, computes, an endpoint that a fragment starts from) is made first, from what
the recording itself shows of it. Operations are held by a fault on command, so that "still running" answers can be
compared too, and let go when the recording goes on.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from localazure import identity
from tests.localazure.conformance.compare import Alphabet, Difference, compare
from tests.localazure.existing_versions import ML_VERSION, existing_version
from tests.waiting import wait_until

GROUP = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
PROVIDERS = f"{GROUP}/providers"
WORKSPACE = f"{PROVIDERS}/Microsoft.MachineLearningServices/workspaces/ws1"
PLACEHOLDERS = {"{workspace}": WORKSPACE, "{sub}": identity.SUBSCRIPTION_ID, "{rg}": "rg1", "{ws}": "ws1"}
_ASSET = re.compile(r"\{workspace\}/(models|codes|environments|data)/[^/\"]+/versions/[^/\"]+")
_COMPUTE = re.compile(r"\{workspace\}/computes/[^/\"]+")
_RUNNING = ("Creating", "Updating", "Deleting")
_OPERATION = re.compile(r"/(\w+Operations?(Status|Results)|operation(Statuses|Results))/")


@dataclass
class Step:
    """One request of a recording and how our answer differs."""

    number: int
    what: str
    status: int
    """As recorded."""
    differences: list[Difference] = field(default_factory=list)


class Replay:
    """One recording and the local Azure it is replayed against."""

    def __init__(self, azure: Any, exchanges: list[dict[str, Any]], say: Callable[[Any], None]) -> None:
        self._azure = azure
        self._exchanges = exchanges
        self._answer_of_model = say
        self._alphabet = Alphabet(PLACEHOLDERS, azure.https)
        self._urls: dict[str, str] = {}
        """Operation URLs of the recording (without query) and ours."""
        self._made: set[str] = set()
        self._version = next((x["request"]["api_version"] for x in exchanges if x["request"]["api_version"]), "")
        self._location = self._find_location()

    def run(self) -> Iterator[Step]:
        self._prepare_platform()
        self._prepare_assets()
        self._prepare_given()
        self._hold()
        for number, exchange in enumerate(self._exchanges):
            yield self._step(number, exchange)
        self._release()

    # One request

    def _step(self, number: int, exchange: dict[str, Any]) -> Step:
        request, recorded = exchange["request"], exchange["response"]
        step = Step(number, f"{request['method']} {request['path']}", recorded["status"])
        if recorded["status"] >= 500:
            step.differences = [Difference("status", recorded["status"], "(not sent: a failure before the service)")]
            return step
        self._make_named_deployments(request)
        if not self._shows_running(request, recorded):
            self._release()
            self._hold()
        status, headers, body = self._send(exchange)
        for name in ("Azure-AsyncOperation", "Location"):
            url = recorded["headers"].get(name, "")
            if _OPERATION.search(url) and headers.get(name):
                self._urls[_path_of(url)] = headers[name]
        if request["method"] == "PUT":
            self._made.add(request["path"].lower())
        step.differences = compare(self._alphabet, recorded, status, headers, body)
        return step

    def _shows_running(self, request: dict[str, Any], recorded: dict[str, Any]) -> bool:
        body = recorded["body"] if isinstance(recorded["body"], dict) else {}
        if _OPERATION.search(request["path"]):
            return body.get("status") in ("Updating", "InProgress", "Running")
        shown = body.get("properties") or {}
        return request["method"] == "GET" and isinstance(shown, dict) and shown.get("provisioningState") in _RUNNING

    def _send(self, exchange: dict[str, Any]) -> tuple[int, dict[str, str], Any]:
        request = exchange["request"]
        if _OPERATION.search(request["path"]):
            url = self._urls.get(_path_of(f"{request['path']}?{request.get('query') or ''}"))
            if url is None:
                return 0, {}, f"no earlier answer gave {request['path']}"
            answer = self._azure.call("GET", url)
        elif request.get("plane") == "scoring":
            answer = self._send_to_model(exchange)
        else:
            given = [f"api-version={request['api_version']}"] if request["api_version"] else []
            query = "&".join([*given, *([request["query"]] if request.get("query") else [])])
            url = f"{self._azure.https}{self._alphabet.fill(request['path'])}?{query}"
            # The region's own host is no part of Resource Manager and looks at the token.
            token = self._azure.token("https://ml.azure.com") if request.get("plane") == "regional" else "x"
            headers = {"Authorization": f"Bearer {token}"}
            answer = self._azure.call(request["method"], url, self._alphabet.fill(request["body"]), headers)
        text = answer.text
        return answer.status_code, dict(answer.headers), json.loads(text) if text else None

    def _send_to_model(self, exchange: dict[str, Any]) -> Any:
        request = exchange["request"]
        path = "jobs" if request["path"] == "/jobs" else "score"
        headers = dict(request.get("headers") or {})
        if path == "jobs":
            token = self._azure.token("https://ml.azure.com")
        else:
            self._answer_of_model(exchange["response"]["body"])
            answer = self._azure.call(
                "POST", f"{self._azure.https}{WORKSPACE}/onlineEndpoints/ep1/token{self._query()}"
            )
            token = answer.json()["accessToken"]
        headers["Authorization"] = f"Bearer {token}"
        return self._azure.call("POST", f"{self._azure.https}/endpoints/ep1/{path}", request["body"], headers)

    # Holding operations

    def _hold(self) -> None:
        self._azure.control("POST", "faults", {"kind": "operation-never-ends"})

    def _release(self) -> None:
        self._azure.control("DELETE", "faults")
        self._wait()

    def _wait(self) -> None:
        wait_until(lambda: not self._azure.control("GET", "status").json()["operations"], "operations do not end")

    # What the recording takes for given

    def _find_location(self) -> str:
        for exchange in self._exchanges:
            for body in (exchange["request"]["body"], exchange["response"]["body"]):
                if isinstance(body, dict) and isinstance(body.get("location"), str):
                    return body["location"]
        for exchange in self._exchanges:
            if match := re.search(r"/locations/(\w+)/", json.dumps(exchange)):
                return match[1]
        return "eastus"

    def _query(self) -> str:
        return f"?api-version={self._version or '2024-04-01'}"

    def _put(self, path: str, body: dict[str, Any], version: str = "") -> None:
        query = f"?api-version={version or existing_version(path, self._version or ML_VERSION)}"
        untracked = {} if "/versions/" in path else {"location": self._location}
        answer = self._azure.call("PUT", self._azure.https + path, untracked | body, query=query)
        if answer.status_code not in (200, 201, 202):
            raise RuntimeError(f"preparing {path}: {answer.text}")
        self._wait()

    def _prepare_platform(self) -> None:
        vault = {"tenantId": identity.TENANT_ID, "sku": {"family": "A", "name": "standard"}}
        references = {
            "storageAccount": f"{PROVIDERS}/Microsoft.Storage/storageAccounts/storage",
            "keyVault": f"{PROVIDERS}/Microsoft.KeyVault/vaults/vault",
            "applicationInsights": f"{PROVIDERS}/Microsoft.Insights/components/insights",
            "containerRegistry": f"{PROVIDERS}/Microsoft.ContainerRegistry/registries/registry",
        }
        self._put(GROUP, {})
        self._put(references["storageAccount"], {"sku": {"name": "Standard_LRS"}, "kind": "StorageV2"})
        self._put(references["keyVault"], {"properties": vault})
        self._put(references["applicationInsights"], {"kind": "web", "properties": {}})
        self._put(references["containerRegistry"], {"sku": {"name": "Premium"}})
        self._put(WORKSPACE, {"identity": {"type": "SystemAssigned"}, "properties": references}, "2024-04-01")

    def _upload(self, path: str, text: str) -> None:
        headers = {"x-ms-version": "2023-11-03", "x-ms-blob-type": "BlockBlob"}
        answer = self._azure.call("PUT", f"{self._azure.https}/storage/{path}", text, headers)
        if answer.status_code != 201:
            raise RuntimeError(f"uploading {path}: {answer.text}")

    def _prepare_files(self) -> None:
        """Files behind the assets: some code, and for MLflow models the file that their flavours come from."""
        self._azure.call(
            "PUT", f"{self._azure.https}/storage/given?restype=container", headers={"x-ms-version": "2023-11-03"}
        )
        self._upload("given/Online/score.py", "")
        self._upload("given/Online/model", "")
        datastore = f"{self._azure.https}{WORKSPACE}/datastores/workspaceblobstore{self._query()}"
        container = self._azure.call("GET", datastore).json()["properties"]["containerName"]
        for exchange in self._exchanges:
            sent = (exchange["request"]["body"] or {}).get("properties") or {}
            if "/datastores/workspaceblobstore/paths/" in str(sent.get("modelUri")):
                path = sent["modelUri"].partition("/paths/")[2]
                flavors = exchange["response"]["body"]["properties"].get("flavors") or {}
                document = {"flavors": {name: flavor["data"] for name, flavor in flavors.items()}}
                self._upload(f"{container}/{path}/MLmodel", json.dumps(document))

    def _prepare_assets(self) -> None:
        self._prepare_files()
        sent = json.dumps([exchange["request"]["body"] for exchange in self._exchanges])
        shown = json.dumps([exchange["response"]["body"] for exchange in self._exchanges])
        own = {x["request"]["path"] for x in self._exchanges if x["request"]["method"] == "PUT"}
        for path in sorted({match[0] for match in _ASSET.finditer(sent + shown)} - own):
            kind = path.split("/")[1]
            uri = f"{self._azure.https}/storage/given/Online"
            properties = {
                "models": {"modelUri": f"{uri}/model"},
                "codes": {"codeUri": uri},
                "environments": {"image": "mcr.microsoft.com/base"},
                "data": {"dataUri": uri},
            }[kind]
            if not self._is_shown(path):
                self._put(self._alphabet.fill(path), {"properties": properties})
        kubernetes = '"Kubernetes"' in sent
        for path in sorted({match[0] for match in _COMPUTE.finditer(sent)} - own):
            kind = "Kubernetes" if kubernetes else "AmlCompute"
            inner = {"computeType": kind, "properties": {} if kubernetes else {"vmSize": "Standard_DS3_v2"}}
            self._put(self._alphabet.fill(path), {"properties": inner})

    def _is_shown(self, path: str) -> bool:
        return any(body.get("id") == path for body, _ in self._given())

    def _given(self) -> Iterator[tuple[dict[str, Any], str]]:
        """Resources that the recording reads before it makes them, and the api-version it reads them with."""
        made: set[str] = set()
        for exchange in self._exchanges:
            request, response = exchange["request"], exchange["response"]
            if request["method"] == "PUT":
                made.add(request["path"].lower())
            body = response["body"]
            if request["method"] != "GET" or response["status"] != 200 or not isinstance(body, dict):
                continue
            for item in body.get("value") or [body] if isinstance(body.get("value", []), list) else []:
                path = str(item.get("id", "")) if isinstance(item, dict) else ""
                if path.startswith("{workspace}/") and path.lower() not in made:
                    made.add(path.lower())
                    yield item, request["api_version"]

    def _prepare_given(self) -> None:
        first = self._exchanges[0]["request"]
        child = first["path"].partition("/onlineEndpoints/ep1/")[2]
        if child and first["method"] in ("GET", "POST") and self._exchanges[0]["response"]["status"] < 300:
            uses_token = any(x["request"]["path"].endswith("/token") for x in self._exchanges)
            properties = {"authMode": "AMLToken" if uses_token else "Key"}
            body = {"identity": {"type": "SystemAssigned"}, "properties": properties}
            self._put(f"{WORKSPACE}/onlineEndpoints/ep1", body)
        for item, version in self._given():
            body = {
                key: value
                for key, value in item.items()
                if key in ("location", "tags", "identity", "sku", "properties")
            }
            self._put(self._alphabet.fill(item["id"]), self._alphabet.fill(body), version)

    def _make_named_deployments(self, request: dict[str, Any]) -> None:
        """Deployments that an update names, now or later, and whose own calls were left out of the recording."""
        if request["method"] != "PUT" or request["path"].lower() not in self._made:
            return
        puts = [x["request"] for x in self._exchanges if x["request"]["method"] == "PUT"]
        own = {put["path"].lower() for put in puts} | self._made
        for put in puts:
            sent = (put["body"] or {}).get("properties") or {}
            names = [*(sent.get("traffic") or {}), (sent.get("defaults") or {}).get("deploymentName")]
            for name in filter(None, names):
                path = f"{request['path']}/deployments/{name}"
                if put["path"] == request["path"] and path.lower() not in own:
                    self._release()
                    self._put(self._alphabet.fill(path), {"properties": {"endpointComputeType": "Managed"}})
                    self._made.add(path.lower())
                    own.add(path.lower())
                    self._hold()


def _path_of(url: str) -> str:
    """Path of a URL, and of its query what tells the two URLs of a workspace's operation apart."""
    path, _, query = re.sub(r"^https://[^/]+", "", url).partition("?")
    kind = re.search(r"(?:^|&)type=(\w+)", query)
    return f"{path}?{kind[1]}" if kind else path
