"""What a team without Sluice runs with azure-ai-ml: get the endpoint, set its traffic, send it back."""

import sys

from azure.ai.ml import MLClient
from azure.identity import DefaultAzureCredential


def main() -> None:
    """`set_traffic.py ENDPOINT_ID blue=90 green=10`"""
    part = sys.argv[1].split("/")
    client = MLClient(DefaultAzureCredential(), part[2], part[4], part[8])
    endpoint = client.online_endpoints.get(part[10])
    endpoint.traffic = {name: int(weight) for name, weight in (pair.split("=") for pair in sys.argv[2:])}
    client.online_endpoints.begin_create_or_update(endpoint).result()


if __name__ == "__main__":
    main()
