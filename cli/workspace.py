"""Where an endpoint is in Azure: named by its key in the stack file, by its Azure name, or outright.

A stack's endpoints are found by computing their names, as the program does, so that one is found after an update that
failed, too, when the stack has no outputs. --resource-group and --workspace need neither Pulumi nor a stack file.
Nothing is asked of Azure until something is not found: then what there is, is listed.
"""

import argparse
import os
import re
import shlex
from dataclasses import dataclass
from typing import Any

from cli.arguments import add_stack_argument
from cli.arm import ArmClient
from command_errors import UsageError
from project import stack_name

MACHINE_LEARNING_API = "2024-04-01"


@dataclass(frozen=True)
class EndpointAddress:
    """An online endpoint's place in Azure, and how a person names it to `sluice`."""

    subscription_id: str
    resource_group: str
    workspace: str
    name: str
    word: str = ""
    """What the person wrote for the endpoint: its key or its name."""
    flags: str = ""
    """The options that lead to the stack or the workspace."""

    @property
    def workspace_id(self) -> str:
        """ARM id of the workspace."""
        return (
            f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
            f"/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace}"
        )

    @property
    def id(self) -> str:
        """ARM id of the endpoint."""
        return f"{self.workspace_id}/onlineEndpoints/{self.name}"

    def logs_command(self, deployment: str | None) -> str:
        """The command that prints a deployment's logs."""
        parts = ["sluice deployment-logs", self.word or self.name, deployment or "DEPLOYMENT", self.flags]
        return " ".join(part for part in parts if part)


def add_endpoint_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ENDPOINT and the ways to say where it is."""
    parser.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file, or name in Azure")
    add_stack_argument(parser)
    parser.add_argument("--resource-group", help="with --workspace: look there, without a stack")
    parser.add_argument("--workspace")
    parser.add_argument("--subscription", help="default: AZURE_SUBSCRIPTION_ID")


def check_name(word: str, what: str) -> None:
    """Azure ML's names are letters, digits and dashes; anything else would be another path or header."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", word):
        raise UsageError(f"{word!r} is not a valid name of {what}: use letters, digits and dashes. Check the spelling.")


def find_endpoint(options: argparse.Namespace) -> EndpointAddress:
    """The endpoint that the command line names; whether it exists is not asked."""
    check_name(options.endpoint, "an endpoint")
    if options.resource_group or options.workspace:
        subscription = options.subscription or os.environ.get("AZURE_SUBSCRIPTION_ID")
        if not (options.resource_group and options.workspace and subscription):
            raise UsageError(
                "give --resource-group and --workspace together, and the subscription with --subscription or "
                "AZURE_SUBSCRIPTION_ID."
            )
        place = (subscription, options.resource_group, options.workspace)
        flags = zip(("--subscription", "--resource-group", "--workspace"), place, strict=True)
        given = " ".join(f"{flag} {shlex.quote(value)}" for flag, value in flags)
        return EndpointAddress(*place, options.endpoint, options.endpoint, given)
    return endpoint_of(stack_name(options.stack), options.endpoint)


def endpoint_of(stack: str, wanted: str) -> EndpointAddress:
    """The stack's endpoint with this key; a word that is no key is a name in Azure."""
    from cli.stack_names import read_names

    settings, names = read_names(stack)
    declared = settings.endpoints.get(wanted)
    name = names.endpoint(wanted, declared.name) if declared is not None else wanted
    flags = f"--stack {shlex.quote(stack)}"
    return EndpointAddress(names.subscription_id, names.resource_group, names.workspace, name, wanted, flags)


def require_endpoint(arm: ArmClient, address: EndpointAddress) -> dict[str, Any]:
    """The endpoint as Azure has it. Raises UsageError with the endpoints that there are."""
    endpoint = arm.get(address.id, MACHINE_LEARNING_API)
    if endpoint is None:
        raise UsageError(
            f"endpoint {address.name} does not exist in workspace {address.workspace}"
            f"{_instead(arm, address.workspace_id, 'onlineEndpoints', 'endpoints')}. "
            "Check the name, or run `pulumi up` first."
        )
    return endpoint


def missing_deployment(arm: ArmClient, address: EndpointAddress, deployment: str) -> UsageError:
    """The error for a deployment that Azure does not know, with what there is in its place."""
    require_endpoint(arm, address)
    there = _instead(arm, address.id, "deployments", "deployments")
    return UsageError(
        f"deployment {deployment} of endpoint {address.name} does not exist{there}. Check the name in the stack file, "
        "or run `pulumi up` first."
    )


def _instead(arm: ArmClient, parent_id: str, collection: str, noun: str) -> str:
    listed = arm.get(f"{parent_id}/{collection}", MACHINE_LEARNING_API)
    if listed is None:
        return ", which does not exist either" if noun == "endpoints" else ""
    entries = listed.get("value")
    names = [
        str(entry.get("name"))
        for entry in (entries if isinstance(entries, list) else ())
        if isinstance(entry, dict) and entry.get("name")
    ]
    return f"; its {noun} are: {', '.join(sorted(names)) or 'none'}"
