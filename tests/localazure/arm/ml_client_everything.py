"""What a team's scripts do with MLClient beyond online endpoints, unmodified. Prints what it saw as JSON.

Arguments: subscription, resource group, folder with `model/`, `code/` and `request.json`.
"""

import json
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

from azure.ai.ml import Input, MLClient  # noqa: E402  # azure-ai-ml warns while it is imported
from azure.ai.ml.entities import (  # noqa: E402  # likewise
    AmlCompute,
    BatchEndpoint,
    CodeConfiguration,
    Data,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
    Workspace,
)
from azure.core.exceptions import HttpResponseError  # noqa: E402  # likewise
from azure.identity import DefaultAzureCredential  # noqa: E402  # likewise

SEEN: dict[str, object] = {}


def workspaces(client: MLClient) -> None:
    made = client.workspaces.begin_create(Workspace(name="team", location="westeurope", tags={"a": "b"})).result()
    SEEN["workspace"] = [made.name, made.location, made.tags["a"]]
    changed = client.workspaces.begin_update(Workspace(name="team", description="changed", tags={"c": "d"})).result()
    SEEN["changed workspace"] = [changed.description, changed.tags["c"]]
    SEEN["workspaces"] = [item.name for item in client.workspaces.list()]
    SEEN["workspace keys"] = bool(client.workspaces.get_keys("team").user_storage_key)


def assets(client: MLClient, folder: Path) -> None:
    model = client.models.create_or_update(Model(name="local", version="1", path=str(folder / "model")))
    SEEN["model"] = [model.name, model.version, model.path.startswith("azureml://subscriptions/")]
    SEEN["latest model"] = client.models.get("local", label="latest").version
    data = client.data.create_or_update(
        Data(name="rows", version="1", path=str(folder / "request.json"), type="uri_file")
    )
    SEEN["data"] = [data.name, [item.version for item in client.data.list("rows")]]
    environment = Environment(name="conda", version="1", image="mcr/base", conda_file={"dependencies": ["python=3.11"]})
    SEEN["environment"] = client.environments.create_or_update(environment).version
    SEEN["models"] = [item.name for item in client.models.list()]
    SEEN["datastores"] = sorted(item.name for item in client.datastores.list())
    download = folder / "download"
    client.models.download("local", "1", download_path=str(download))
    SEEN["download"] = sorted(path.name for path in download.rglob("*") if path.is_file())


def online(client: MLClient, folder: Path) -> None:
    endpoints, deployments = client.online_endpoints, client.online_deployments
    endpoint = ManagedOnlineEndpoint(name="tokens", auth_mode="aml_token")
    endpoints.begin_create_or_update(endpoint).result()
    token = endpoints.get_keys("tokens")
    SEEN["token"] = [
        token.token_type,
        token.access_token.count("."),
        token.expiry_time_utc > token.refresh_after_time_utc,
    ]
    deployment = ManagedOnlineDeployment(
        name="inline",
        endpoint_name="tokens",
        model=Model(path=str(folder / "model")),
        environment=Environment(image="mcr/base", conda_file={"dependencies": ["python=3.11"]}),
        code_configuration=CodeConfiguration(code=str(folder / "code"), scoring_script="score.py"),
        instance_type="Standard_DS3_v2",
        instance_count=1,
    )
    made = deployments.begin_create_or_update(deployment).result()
    SEEN["inline deployment"] = made.provisioning_state.value
    SEEN["answer"] = endpoints.invoke("tokens", request_file=str(folder / "request.json"), deployment_name="inline")
    logs = [deployments.get_logs("inline", "tokens", lines=5, container_type=c) for c in (None, "storage-initializer")]
    SEEN["logs"] = [text.splitlines()[0] for text in logs]
    deployment.instance_count = 2
    SEEN["scaled"] = deployments.begin_create_or_update(deployment).result().instance_count
    deployments.begin_delete("inline", "tokens").result()
    SEEN["deployments"] = [item.name for item in deployments.list("tokens")]
    endpoints.begin_delete("tokens").result()
    for name, mode in (("rotated", "key"), ("entra", "aad_token")):
        endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=name, auth_mode=mode)).result()
    before = endpoints.get_keys("rotated")
    endpoints.begin_regenerate_keys("rotated", key_type="secondary").result()
    after = endpoints.get_keys("rotated")
    SEEN["rotated"] = [before.primary_key == after.primary_key, before.secondary_key == after.secondary_key]
    SEEN["entra"] = bool(endpoints.get_keys("entra").access_token)


def batch(client: MLClient) -> None:
    client.compute.begin_create_or_update(AmlCompute(name="cluster", size="Standard_DS3_v2", max_instances=2)).result()
    made = client.batch_endpoints.begin_create_or_update(BatchEndpoint(name="nightly", description="d")).result()
    SEEN["batch endpoint"] = [made.provisioning_state, made.scoring_uri.rsplit("/", 2)[1:]]
    deployment = ModelBatchDeployment(
        name="first",
        endpoint_name="nightly",
        model="azureml:local:1",
        compute="cluster",
        settings=ModelBatchDeploymentSettings(mini_batch_size=5),
    )
    SEEN["batch deployment"] = client.batch_deployments.begin_create_or_update(deployment).result().provisioning_state
    endpoint = client.batch_endpoints.get("nightly")
    endpoint.defaults.deployment_name = "first"
    SEEN["default"] = client.batch_endpoints.begin_create_or_update(endpoint).result().defaults.deployment_name
    rows = Input(type="uri_folder", path="https://example.org/rows")
    job = client.batch_endpoints.invoke("nightly", input=rows)
    SEEN["job"] = job.name.startswith("batchjob-")
    SEEN["jobs"] = [[item.name == job.name for item in client.batch_endpoints.list_jobs("nightly")]]
    SEEN["jobs"] += [[item.name == job.name for item in client.batch_deployments.list_jobs("nightly", name="first")]]
    SEEN["workspace job"] = client.jobs.get(job.name).status in ("Preparing", "Running", "Failed")
    SEEN["job list"] = [item.name == job.name for item in client.jobs.list()]
    client.batch_deployments.begin_delete("first", "nightly").result()
    client.batch_endpoints.begin_delete("nightly").result()
    SEEN["batch endpoints"] = [item.name for item in client.batch_endpoints.list()]


def main() -> None:
    subscription, group, folder = sys.argv[1:]
    credential = DefaultAzureCredential()
    workspaces(MLClient(credential, subscription, group))
    client = MLClient(credential, subscription, group, "team")
    assets(client, Path(folder))
    batch(client)  # first: the client sends the deployment's name of an online invoke along with every later invoke
    online(client, Path(folder))
    try:
        MLClient(credential, subscription, registry_name="azureml").models.get("m", version="1")
    except HttpResponseError as error:
        SEEN["registry"] = [error.status_code, error.error.code if error.error else ""]
    client.workspaces.begin_delete("team", delete_dependent_resources=False).result()
    SEEN["in the end"] = [item.name for item in client.workspaces.list()]
    print("SEEN " + json.dumps(SEEN))


if __name__ == "__main__":
    main()
