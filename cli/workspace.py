"""Where an endpoint is in Azure, and azure-ai-ml's client for its workspace.

An endpoint is named by its key in the stack file (or its Azure name) and found through the stack's outputs, or named
outright with --resource-group and --workspace, which needs no Pulumi. It only opens the client; it sends no request.
"""

import argparse
import os
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cli.errors import UnavailableError, UsageError
from cli.project import add_stack_argument, engine_for

if TYPE_CHECKING:
    from azure.ai.ml import MLClient

_ENDPOINT_ID = re.compile(
    r"/subscriptions/([^/]+)/resourceGroups/([^/]+)/providers/Microsoft\.MachineLearningServices"
    r"/workspaces/([^/]+)/onlineEndpoints/([^/]+)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class EndpointAddress:
    """An online endpoint's place in Azure."""

    subscription_id: str
    resource_group: str
    workspace: str
    name: str


def add_endpoint_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ENDPOINT and the ways to say where it is."""
    parser.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file, or name in Azure")
    add_stack_argument(parser)
    parser.add_argument("--resource-group", help="with --workspace: look there, without Pulumi")
    parser.add_argument("--workspace")
    parser.add_argument("--subscription", help="default: AZURE_SUBSCRIPTION_ID")


def find_endpoint(options: argparse.Namespace) -> EndpointAddress:
    """The endpoint that the command line names."""
    if options.resource_group or options.workspace:
        subscription = options.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID")
        if not (options.resource_group and options.workspace and subscription):
            raise UsageError(
                "--resource-group and --workspace go together, with --subscription or AZURE_SUBSCRIPTION_ID."
            )
        return EndpointAddress(subscription, options.resource_group, options.workspace, options.endpoint)
    engine = engine_for(options)
    return address_in(engine.outputs().get("endpoints") or {}, options.endpoint, engine.stack)


def address_in(endpoints: dict[str, Any], wanted: str, stack: str) -> EndpointAddress:
    """The endpoint with this key or Azure name among a stack's outputs."""
    addresses = {}
    for key, facts in endpoints.items():
        found = _ENDPOINT_ID.match(str((facts or {}).get("id") or ""))
        if found:
            addresses[key] = EndpointAddress(*found.groups())
    for key, address in addresses.items():
        if wanted in (key, address.name):
            return address
    known = ", ".join(sorted(addresses)) or "none"
    raise UsageError(
        f"stack {stack} has no deployed endpoint {wanted!r}; it has: {known}. Check the name, or run `pulumi up` first."
    )


def ml_client(address: EndpointAddress) -> "MLClient":
    """azure-ai-ml's client for the workspace, with the caller's login."""
    try:
        from azure.ai.ml import MLClient  # 1.4 s
        from azure.identity import DefaultAzureCredential
    except (
        Exception
    ) as error:  # a cloud that cannot be resolved makes the import itself fail, with a private error type
        if "cloud environment" not in str(error):
            raise
        raise UnavailableError(f"{error} ARM_CLOUD_METADATA_URL does not answer: is that Azure running?") from error
    client = MLClient(DefaultAzureCredential(), address.subscription_id, address.resource_group, address.workspace)
    metadata_url = os.environ.get("ARM_CLOUD_METADATA_URL", "")
    # The library falls back to the public cloud, with only a log line, when the named one does not describe itself.
    if metadata_url and str(client._base_url).rstrip("/") not in metadata_url:
        raise UnavailableError(
            f"azure-ai-ml would talk to {client._base_url}, not to the cloud of {metadata_url}: that does not answer. "
            "Nothing was sent."
        )
    return client
