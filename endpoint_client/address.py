"""Where an endpoint is in Azure: found by its key in the stack file, by its Azure name, or by explicit options.

The names of a stack's endpoints are computed, as the program does, so that an endpoint is found even after a failed
update that left no outputs. --resource-group and --workspace need neither Pulumi nor a stack file. This module asks
Azure only when something is not found, to list what exists.
"""

import re
import shlex
from dataclasses import dataclass
from typing import Any

from command_errors import UsageError
from resource_manager.client import ArmClient

MACHINE_LEARNING_API = "2024-04-01"


@dataclass(frozen=True)
class EndpointAddress:
    """The address of an online endpoint in Azure, and how the user named it."""

    subscription_id: str
    resource_group: str
    workspace: str
    name: str
    word: str = ""
    """What the user wrote for the endpoint: its key or its name."""
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


def check_name(word: str, what: str) -> None:
    """Check a name: only letters, digits and dashes, because anything else would change the path or a header."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9-]{0,63}", word):
        raise UsageError(f"{word!r} is not a valid name of {what}: use letters, digits and dashes. Check the spelling.")


def endpoint_of(stack: str, wanted: str) -> EndpointAddress:
    """Return the stack's endpoint with this key; if no key matches, the word is a name in Azure."""
    from stacks.names import read_names

    settings, names = read_names(stack)
    declared = settings.endpoints.get(wanted)
    name = names.endpoint(wanted, declared.name) if declared is not None else wanted
    flags = f"--stack {shlex.quote(stack)}"
    return EndpointAddress(names.subscription_id, names.workspace_group, names.workspace, name, wanted, flags)


def require_endpoint(arm: ArmClient, address: EndpointAddress) -> dict[str, Any]:
    """Return the endpoint from Azure. Raises UsageError with the endpoints that exist."""
    endpoint = arm.get(address.id, MACHINE_LEARNING_API)
    if endpoint is None:
        raise UsageError(
            f"endpoint {address.name} does not exist in workspace {address.workspace}"
            f"{_instead(arm, address.workspace_id, 'onlineEndpoints', 'endpoints')}. "
            "Check the name, or run `pulumi up` first."
        )
    return endpoint


def missing_deployment(arm: ArmClient, address: EndpointAddress, deployment: str) -> UsageError:
    """Return the error for a deployment that does not exist, with the deployments that do."""
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
