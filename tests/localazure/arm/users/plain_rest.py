"""A team without a client library: HTTP requests as Microsoft's REST page has them. Prints what it saw as JSON.

Runs in a folder with `blue/`, `weights.txt` and `conda.yml`; the workspace exists.
"""

import json
import os
import time
from pathlib import Path

import requests

AZURE = os.environ["SLUICE_LOCAL_ARM"]
VERSION = "?api-version=2022-05-01"
GROUP = f"{AZURE}/subscriptions/{os.environ['AZURE_SUBSCRIPTION_ID']}/resourceGroups/team"
WORKSPACE = f"{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/playground"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/rest-of-users"


def token(resource):
    asked = {"api-version": "2019-08-01", "resource": resource}
    header = {"X-IDENTITY-HEADER": os.environ["IDENTITY_HEADER"]}
    return requests.get(os.environ["IDENTITY_ENDPOINT"], params=asked, headers=header, timeout=180).json()[
        "access_token"
    ]


ARM = {"Authorization": f"Bearer {token('https://management.azure.com/')}", "Content-Type": "application/json"}
STORAGE = {"Authorization": f"Bearer {token('https://storage.azure.com/')}", "x-ms-version": "2021-06-08"}


def put(url, body):
    """A PUT of text that a shell put together: line ends inside of strings are not escaped."""
    answer = requests.put(url + VERSION, data=body.encode(), headers=ARM, timeout=180)
    answer.raise_for_status()
    return answer.json()


def end_of(resource):
    """The state of the operation that a body names."""
    uri, deadline = resource["properties"]["properties"]["AzureAsyncOperationUri"], time.monotonic() + 200
    while time.monotonic() < deadline:
        operation = requests.get(uri, headers=ARM, timeout=180).json()
        if operation["status"] in ("Succeeded", "Failed"):
            return operation["status"]
        time.sleep(0.2)
    return "no end"


def upload(container, *files):
    for name, path in files:
        headers = STORAGE | {"x-ms-blob-type": "BlockBlob"}
        requests.put(
            f"{container}/{name}", data=Path(path).read_bytes(), headers=headers, timeout=180
        ).raise_for_status()


def main():
    stores = requests.get(f"{WORKSPACE}/datastores{VERSION}&isDefault=true", headers=ARM, timeout=180).json()["value"]
    store = stores[0]["properties"]
    container = f"{AZURE}/{store['accountName']}/{store['containerName']}"
    code = ((f"score/{name}", f"blue/{name}") for name in ("score.py", "colour.py"))
    upload(container, *code, ("model/weights.txt", "weights.txt"))
    put(f"{WORKSPACE}/codes/rest/versions/1", f'{{"properties": {{"codeUri": "{container}/score"}}}}')
    model = f"azureml://datastores/{stores[0]['name']}/paths/model/weights.txt"
    put(f"{WORKSPACE}/models/rest/versions/1", f'{{"properties": {{"modelUri": "{model}"}}}}')
    conda = Path("conda.yml").read_text()
    environment = (
        f'{{"properties": {{"condaFile": "{conda}", "image": "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"}}}}'
    )
    put(f"{WORKSPACE}/environments/rest/versions/1", environment)
    endpoint = {
        "identity": {"type": "systemAssigned"},
        "properties": {"authMode": "AMLToken"},
        "location": "westeurope",
    }
    seen = {"endpoint": end_of(put(ENDPOINT, json.dumps(endpoint)))}
    ids = {
        kind: f"{WORKSPACE.removeprefix(AZURE)}/{kind}/rest/versions/1" for kind in ("codes", "models", "environments")
    }
    properties = {
        "endpointComputeType": "Managed",
        "instanceType": "Standard_DS3_v2",
        "model": ids["models"],
        "codeConfiguration": {"codeId": ids["codes"], "scoringScript": "score.py"},
        "environmentId": ids["environments"],
        "environmentVariables": {"GREETING": "hello"},
    }
    blue = {"location": "westeurope", "sku": {"capacity": 1, "name": "default"}, "properties": properties}
    seen["deployment"] = end_of(put(f"{ENDPOINT}/deployments/blue", json.dumps(blue)))
    endpoint["properties"]["traffic"] = {"blue": 100}
    seen["traffic"] = end_of(put(ENDPOINT, json.dumps(endpoint)))
    uri = requests.get(ENDPOINT + VERSION, headers=ARM, timeout=180).json()["properties"]["scoringUri"]
    opens = requests.post(f"{ENDPOINT}/token{VERSION}", headers=ARM, timeout=180).json()["accessToken"]
    seen["answer"] = requests.post(uri, json={}, headers={"Authorization": f"Bearer {opens}"}, timeout=180).json()
    asked = requests.post(f"{ENDPOINT}/deployments/blue/getLogs{VERSION}", json={"tail": 100}, headers=ARM, timeout=180)
    seen["logged"] = "POST /score" in asked.json()["content"]
    seen["deleted"] = requests.delete(ENDPOINT + VERSION, headers=ARM, timeout=180).status_code
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
