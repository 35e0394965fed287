"""The safe rollout of Microsoft's guide, command by command, as the `ml` extension of az does it with azure-ai-ml.

The extension cannot be had from a package registry; its own part of each command is a few lines (read in its published
source, and run as a whole once): it loads the YAML with --set values as overrides, and writes weights as the command
line has them, as strings. Runs in a process of its own; prints what it saw as JSON.

Arguments: subscription, resource group, workspace, folder with the YAML files.
"""

import json
import sys
import warnings
from pathlib import Path
from typing import Any

warnings.simplefilter("ignore")

from azure.ai.ml import MLClient, load_online_deployment, load_online_endpoint  # noqa: E402  # azure-ai-ml warns
from azure.core.exceptions import HttpResponseError  # noqa: E402  # likewise
from azure.identity import DefaultAzureCredential  # noqa: E402  # likewise

NAME = "guide-endpoint"


def convert_str_to_dict(text: str) -> dict[str, str]:
    """As in the extension: `blue=90 green=10`."""
    return dict(pair.split("=", 1) for pair in text.split())


class AzMl:
    """`az ml online-endpoint` and `az ml online-deployment`."""

    def __init__(self, client: MLClient) -> None:
        self.client = client
        self.sent: list[Any] = []

    def create_endpoint(self, file: Path, name: str) -> Any:
        endpoint = load_online_endpoint(file, params_override=[{"name": name}])
        return self.client.online_endpoints.begin_create_or_update(endpoint).result()

    def update_endpoint(self, *, traffic: str | None = None, mirror_traffic: str | None = None) -> Any:
        endpoint = self.client.online_endpoints.get(NAME)
        if traffic is not None:
            endpoint.traffic = convert_str_to_dict(traffic)
        if mirror_traffic is not None:
            endpoint.mirror_traffic = convert_str_to_dict(mirror_traffic)
        # A second body, because reading a field of a body turns its strings into numbers.
        body = endpoint._to_rest_online_endpoint("westeurope").as_dict()["properties"]
        self.sent.append([body["traffic"], body["mirrorTraffic"]])
        return self.client.online_endpoints.begin_create_or_update(endpoint).result()

    def create_deployment(self, file: Path, name: str, *, all_traffic: bool = False) -> Any:
        deployment = load_online_deployment(file, params_override=[{"name": name}, {"endpoint_name": NAME}])
        made = self.client.online_deployments.begin_create_or_update(deployment).result()
        if all_traffic:
            endpoint = self.client.online_endpoints.get(NAME)
            endpoint.traffic = {name: 100}
            self.client.online_endpoints.begin_create_or_update(endpoint).result()
        return made

    def update_deployment(self, name: str, *, instance_count: int) -> Any:
        deployment = self.client.online_deployments.get(name, NAME)
        deployment.instance_count = instance_count
        return self.client.online_deployments.begin_create_or_update(deployment).result()

    def weights(self) -> list[dict[str, int]]:
        shown = self.client.online_endpoints.get(NAME)
        return [dict(shown.traffic), dict(shown.mirror_traffic)]


def main() -> None:
    subscription, group, workspace, folder = sys.argv[1:]
    files = Path(folder)
    az = AzMl(MLClient(DefaultAzureCredential(), subscription, group, workspace))
    endpoints, deployments = az.client.online_endpoints, az.client.online_deployments
    seen: dict[str, Any] = {}
    seen["create"] = az.create_endpoint(files / "endpoint.yml", NAME).provisioning_state.value
    seen["blue"] = az.create_deployment(files / "blue.yml", "blue", all_traffic=True).provisioning_state.value
    seen["all traffic"] = az.weights()
    seen["list"] = [one.name for one in endpoints.list()]
    seen["credentials"] = bool(endpoints.get_keys(NAME).primary_key)
    seen["logs"] = deployments.get_logs("blue", NAME, lines=3)
    seen["scaled"] = az.update_deployment("blue", instance_count=2).instance_count
    seen["green"] = az.create_deployment(files / "green.yml", "green").provisioning_state.value
    az.update_endpoint(mirror_traffic="green=10")
    seen["mirror"] = az.weights()
    az.update_endpoint(traffic="blue=90 green=10", mirror_traffic="green=0")
    seen["canary"] = az.weights()
    try:
        az.update_endpoint(traffic="blue=90 green=20")
    except HttpResponseError as error:
        seen["refused"] = error.status_code
    az.update_endpoint(traffic="blue=0 green=100")
    seen["all on green"] = az.weights()
    deployments.begin_delete("blue", NAME).result()
    seen["left"] = [one.name for one in deployments.list(NAME)]
    endpoints.begin_delete(NAME).result()
    seen["in the end"] = [one.name for one in endpoints.list()]
    seen["sent"] = az.sent
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
