"""Two people and a key rotation change an endpoint that is called all the time. Prints what happened as JSON.

Runs in a folder with `blue/`, `green/` and `conda.yml`; the workspace exists.
"""

import collections
import concurrent.futures
import json
import threading
import time
from pathlib import Path

import requests
from azure.ai.ml.entities import (
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    OnlineRequestSettings,
)
from azure.core.exceptions import HttpResponseError, ResourceExistsError
from workspace import ml

NAME = "load-of-users"
DIRECT = {"azureml-model-deployment": "green"}


def deploy(colour):
    one = ManagedOnlineDeployment(
        name=colour,
        endpoint_name=NAME,
        environment=Environment(conda_file="conda.yml", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"),
        code_configuration=CodeConfiguration(code=colour, scoring_script="score.py"),
        request_settings=OnlineRequestSettings(request_timeout_ms=180_000, max_concurrent_requests_per_instance=10),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    ml.online_deployments.begin_create_or_update(one).result()


def weigh(blue):
    endpoint = ml.online_endpoints.get(NAME)
    endpoint.traffic = {"blue": blue, "green": 100 - blue}
    ml.online_endpoints.begin_create_or_update(endpoint).result()


def change(weights):
    """What each change came to."""
    results = collections.Counter()
    for blue in weights:
        try:
            weigh(blue)
        except ResourceExistsError as error:
            results[error.error.code] += 1
        else:
            results["changed"] += 1
    return results


def refused(call):
    """The code with which a call is refused."""
    try:
        call()
    except HttpResponseError as error:
        return [error.status_code, error.error.code]
    return None


def main():
    ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=NAME)).result()
    for colour in ("blue", "green"):
        deploy(colour)
    weigh(100)
    uri, secondary = ml.online_endpoints.get(NAME).scoring_uri, ml.online_endpoints.get_keys(NAME).secondary_key
    headers = {"Authorization": f"Bearer {secondary}"}
    statuses, over = collections.Counter(), threading.Event()

    def call_all_the_time():
        with requests.Session() as session:
            while not over.is_set():
                statuses[session.post(uri, json={}, headers=headers, timeout=180).status_code] += 1

    with concurrent.futures.ThreadPoolExecutor() as pool:
        callers = [pool.submit(call_all_the_time) for _ in range(3)]
        people = [pool.submit(change, weights) for weights in ((90, 50, 10, 60, 100), (80, 20, 70, 0, 40))]
        changes = sum((person.result() for person in people), collections.Counter())
        for _ in range(3):
            ml.online_endpoints.begin_regenerate_keys(NAME, key_type="primary").result()
        over.set()
        for caller in callers:
            caller.result()
        seen = {"statuses": dict(statuses), "changes": dict(changes)}

        weigh(100)
        begun, gate = Path("begun").absolute(), Path("gate").absolute()
        held = {"begun": str(begun), "gate": str(gate)}
        slow = pool.submit(requests.post, uri, json=held, headers=headers | DIRECT, timeout=180)
        while not begun.exists():
            time.sleep(0.05)
        deletion = ml.online_deployments.begin_delete("green", NAME)
        seen["update_meanwhile"] = refused(lambda: weigh(90))
        seen["call_meanwhile"] = requests.post(uri, json={}, headers=headers | DIRECT, timeout=180).status_code
        gate.touch()
        answer = slow.result()
        seen["slow"] = [answer.status_code, answer.json()]
        deletion.result()
    seen["left"] = [one.name for one in ml.online_deployments.list(NAME)]
    ml.online_endpoints.begin_delete(NAME).result()
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
