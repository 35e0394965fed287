"""A team rolls a second version out: create, try it, mirror, 90/10, everything, remove. Prints what it saw as JSON.

Runs in a folder with `blue/`, `green/` (a scoring script each), `weights.txt` and `conda.yml`.
"""

import json
import time

import requests
from azure.ai.ml.entities import (
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    OnlineRequestSettings,
    Workspace,
)
from azure.core.exceptions import HttpResponseError
from azure.mgmt.monitor import MonitorManagementClient
from azure.mgmt.resource.resources import ResourceManagementClient
from workspace import ARM, SUBSCRIPTION, credential, ml

NAME = "rollout-of-users"


def deployment(colour):
    return ManagedOnlineDeployment(
        name=colour,
        endpoint_name=NAME,
        model=Model(path="weights.txt"),
        environment=Environment(conda_file="conda.yml", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"),
        code_configuration=CodeConfiguration(code=colour, scoring_script="score.py"),
        environment_variables={"GREETING": "hello"},
        request_settings=OnlineRequestSettings(request_timeout_ms=20_000, max_concurrent_requests_per_instance=8),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )


def weigh(**changes):
    endpoint = ml.online_endpoints.get(NAME)
    for field, value in changes.items():
        setattr(endpoint, field, value)
    return ml.online_endpoints.begin_create_or_update(endpoint).result().traffic


def autoscale(target, location):
    """As Microsoft's page on autoscale has it, with a rule out and a rule in."""
    rule = {
        "metricTrigger": {
            "metricName": "CpuUtilizationPercentage",
            "metricResourceUri": target,
            "timeGrain": "PT1M",
            "statistic": "Average",
            "timeWindow": "PT5M",
            "timeAggregation": "Last",
        }
    }
    rules = []
    for operator, threshold, direction, value in (
        ("GreaterThan", 70, "Increase", "2"),
        ("LessThan", 30, "Decrease", "1"),
    ):
        action = {"type": "ChangeCount", "direction": direction, "value": value, "cooldown": "PT1H"}
        trigger = rule["metricTrigger"] | {"operator": operator, "threshold": threshold}
        rules.append({"metricTrigger": trigger, "scaleAction": action})
    capacity = {"minimum": "1", "maximum": "3", "default": "1"}
    profile = {"name": "my-scale-settings", "capacity": capacity, "rules": rules}
    properties = {"targetResourceUri": target, "enabled": True, "profiles": [profile]}
    return {"location": location, "properties": properties}


def main():
    seen = {}
    groups = ResourceManagementClient(credential, SUBSCRIPTION, **ARM)
    groups.resource_groups.create_or_update("team", {"location": "westeurope"})
    workspace = ml.workspaces.begin_create(Workspace(name="playground", location="westeurope")).result()
    images = [Environment(name="made", image=f"acme.io/model:{tag}") for tag in (1, 2, 2)]
    seen["environments"] = [ml.environments.create_or_update(image).version for image in images]
    ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=NAME, auth_mode="key")).result()
    ml.online_deployments.begin_create_or_update(deployment("blue")).result()
    uri = ml.online_endpoints.get(NAME).scoring_uri

    def ask(body=None, **headers):
        keys = ml.online_endpoints.get_keys(NAME)
        sent = {"Authorization": f"Bearer {keys.primary_key}"} | {n.replace("_", "-"): v for n, v in headers.items()}
        return requests.post(uri, json=body or {}, headers=sent, timeout=180)

    before = ask()
    seen["before_traffic"] = [before.status_code, before.text]
    seen["traffic"] = weigh(traffic={"blue": 100})
    answer = ask()
    seen["first"] = [answer.status_code, answer.json(), answer.headers["azureml-model-deployment"]]

    read = ml.online_deployments.get("blue", NAME)
    read.instance_count = 2
    seen["scaled"] = ml.online_deployments.begin_create_or_update(read).result().instance_count

    ml.online_deployments.begin_create_or_update(deployment("green")).result()
    seen["direct"] = ask(azureml_model_deployment="green").json()
    weigh(mirror_traffic={"green": 50})
    seen["mirrored_answers"] = sorted({ask().json()["colour"] for _ in range(10)})
    weigh(mirror_traffic={"green": 0})
    seen["ninety"] = weigh(traffic={"blue": 90, "green": 10})
    seen["colours"] = sorted({ask().json()["colour"] for _ in range(300)})

    monitor = MonitorManagementClient(credential, SUBSCRIPTION, **ARM)
    green = ml.online_deployments.get("green", NAME)
    monitor.autoscale_settings.create_or_update("team", "scale-green", autoscale(green.id, workspace.location))
    setting = monitor.autoscale_settings.get("team", "scale-green")
    seen["autoscale"] = [setting.profiles[0].capacity.maximum, len(setting.profiles[0].rules)]
    monitor.autoscale_settings.delete("team", "scale-green")

    old = ml.online_endpoints.get_keys(NAME)
    ml.online_endpoints.begin_regenerate_keys(NAME, key_type="secondary").result()
    new = ml.online_endpoints.get_keys(NAME)
    seen["rotated"] = [old.primary_key == new.primary_key, old.secondary_key == new.secondary_key]

    weigh(traffic={"blue": 0, "green": 100})
    try:
        ml.online_deployments.begin_delete("green", NAME).result()
    except HttpResponseError as error:
        seen["delete_live"] = error.error.code
    ml.online_deployments.begin_delete("blue", NAME).result()
    seen["left"] = [one.name for one in ml.online_deployments.list(NAME)]
    logs = ml.online_deployments.get_logs("green", NAME, lines=200)
    seen["logs"] = {word: word in logs for word in ("printed in init", "warned in run", "POST /score")}
    ml.online_endpoints.begin_delete(NAME).result()
    deadline = time.monotonic() + 180
    while ask_after_deletion(uri) != 404 and time.monotonic() < deadline:
        time.sleep(0.1)
    seen["after"] = ask_after_deletion(uri)
    print("SEEN " + json.dumps(seen))


def ask_after_deletion(uri):
    return requests.post(uri, json={}, headers={"Authorization": "Bearer x"}, timeout=180).status_code


if __name__ == "__main__":
    main()
