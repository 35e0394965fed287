"""A team deploys an MLflow model without a scoring script and an environment. Prints what it saw as JSON.

Runs in a folder with the MLflow model `model/`; the workspace exists.
"""

import json

import requests
from azure.ai.ml.constants import AssetTypes
from azure.ai.ml.entities import ManagedOnlineDeployment, ManagedOnlineEndpoint, Model, OnlineRequestSettings
from workspace import ml

NAME = "mlflow-of-users"


def main():
    ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=NAME)).result()
    blue = ManagedOnlineDeployment(
        name="blue",
        endpoint_name=NAME,
        model=Model(path="model", type=AssetTypes.MLFLOW_MODEL),
        request_settings=OnlineRequestSettings(request_timeout_ms=30_000),
        instance_type="Standard_F4s_v2",
        instance_count=1,
    )
    ml.online_deployments.begin_create_or_update(blue).result()
    endpoint = ml.online_endpoints.get(NAME)
    endpoint.traffic = {"blue": 100}
    endpoint = ml.online_endpoints.begin_create_or_update(endpoint).result()
    key = {"Authorization": f"Bearer {ml.online_endpoints.get_keys(NAME).primary_key}"}

    def ask(body):
        answer = requests.post(endpoint.scoring_uri, json=body, headers=key, timeout=180)
        return [answer.status_code, answer.json(), answer.headers.get("ms-azureml-model-error-statuscode")]

    table = {"columns": ["a", "b"], "index": [0, 1], "data": [[1.0, 2.0], [3.0, 4.0]]}
    seen = {"table": ask({"input_data": table}), "without_input_data": ask({"data": [[1, 2]]})}
    seen["missing_column"] = ask({"input_data": {"columns": ["a"], "index": [0], "data": [[1.0]]}})
    swagger = requests.get(endpoint.openapi_uri, headers=key, timeout=180).json()
    seen["described"] = swagger["definitions"]["ServiceInput"]["example"]["input_data"]["columns"]
    ml.online_endpoints.begin_delete(NAME).result()
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
