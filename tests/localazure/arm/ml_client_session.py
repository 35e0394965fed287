"""What a user's script does with MLClient, unmodified. Runs in a process of its own; prints what it saw as JSON.

Arguments: subscription, resource group, workspace, id of a user-assigned identity, folder with a scoring script.
"""

import json
import sys
import time
import warnings

warnings.simplefilter("ignore")

from azure.ai.ml import MLClient  # noqa: E402  # azure-ai-ml warns while it is imported
from azure.ai.ml.entities import (  # noqa: E402  # likewise
    CodeConfiguration,
    Environment,
    IdentityConfiguration,
    ManagedIdentityConfiguration,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
)
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError  # noqa: E402  # likewise
from azure.identity import DefaultAzureCredential  # noqa: E402  # likewise


def main() -> None:
    subscription, group, workspace, user_assigned, code = sys.argv[1:]
    client = MLClient(DefaultAzureCredential(), subscription, group, workspace)
    endpoints, deployments = client.online_endpoints, client.online_deployments
    seen = {"location": client.workspaces.get(workspace).location}

    started = time.monotonic()
    identity = IdentityConfiguration(
        type="user_assigned",
        user_assigned_identities=[ManagedIdentityConfiguration(resource_id=user_assigned)],
    )
    endpoint = ManagedOnlineEndpoint(name="fraud-dev", auth_mode="key", tags={"a": "b"}, identity=identity)
    created = endpoints.begin_create_or_update(endpoint).result()
    seen["create_seconds"] = time.monotonic() - started
    seen["created"] = [created.provisioning_state.value, created.scoring_uri]
    seen["keys"] = [bool(endpoints.get_keys("fraud-dev").primary_key), len(list(endpoints.list()))]

    model = client.models.create_or_update(
        Model(name="fraud", version="1", path="azureml://datastores/workspaceblobstore/paths/sluice/fraud/model.txt")
    )
    environment = client.environments.create_or_update(
        Environment(name="fraud", version="1", image="mcr/base", conda_file={"dependencies": ["python=3.11"]})
    )
    for colour in ("blue", "green"):
        deployment = ManagedOnlineDeployment(
            name=colour,
            endpoint_name="fraud-dev",
            model=model.id,
            environment=environment.id,
            code_configuration=CodeConfiguration(code=code, scoring_script="score.py"),
            instance_type="Standard_DS3_v2",
            instance_count=1,
        )
        seen[colour] = deployments.begin_create_or_update(deployment).result().provisioning_state.value

    for traffic in ({"blue": 100}, {"blue": 90, "green": 10}):
        endpoint = endpoints.get("fraud-dev")
        endpoint.traffic = traffic
        seen["traffic"] = endpoints.begin_create_or_update(endpoint).result().traffic
    seen["tags"] = endpoints.get("fraud-dev").tags
    seen["logs"] = deployments.get_logs("blue", "fraud-dev", lines=5)

    before = endpoints.get_keys("fraud-dev").primary_key
    endpoints.begin_regenerate_keys("fraud-dev").result()
    seen["renewed"] = endpoints.get_keys("fraud-dev").primary_key != before
    try:
        endpoint = endpoints.get("fraud-dev")
        endpoint.traffic = {"blue": 95}
        endpoints.begin_create_or_update(endpoint).result()
    except HttpResponseError as error:
        seen["bad_traffic"] = [error.status_code, error.error.code]
    try:
        deployments.begin_delete("blue", "fraud-dev").result()
    except HttpResponseError as error:
        seen["delete_under_traffic"] = error.error.code
    seen["blue_afterwards"] = deployments.get("blue", "fraud-dev").provisioning_state.value
    endpoints.begin_delete("fraud-dev").result()
    try:
        endpoints.get("fraud-dev")
    except ResourceNotFoundError as error:
        seen["gone"] = error.error.code
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
