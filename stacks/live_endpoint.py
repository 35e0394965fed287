"""An endpoint found in Azure by its stack and key, for a stack whose file cannot be read.

Every resource of a stack carries the stack's name as a tag, and an endpoint's default name begins with its key. With a
name of its own (`name:` in the stack file) it is found only where its workspace has no other endpoint.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from ownership import STACK_TAG

if TYPE_CHECKING:
    from resource_manager.client import ArmClient

MACHINE_LEARNING_API = "2024-04-01"


def find_endpoint_id(arm: ArmClient, subscription: str, stack: str, key: str) -> str:
    """Return the ARM id of the one endpoint that it must be. Raises UsageError with the candidates otherwise."""
    listed = arm.get_all(
        f"/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/workspaces", MACHINE_LEARNING_API
    )
    endpoints = [
        endpoint
        for workspace in listed
        if _is_of(workspace, stack)
        for endpoint in arm.get_all(f"{workspace['id']}/onlineEndpoints", MACHINE_LEARNING_API)
    ]
    found = [one for one in endpoints if str(one["name"]).startswith(f"{key}-") or one["name"] == key]
    if len(found or endpoints) == 1:
        return str((found or endpoints)[0]["id"])
    names = ", ".join(sorted(str(one["name"]) for one in endpoints)) or "none"
    raise UsageError(
        f"endpoint {key} of stack {stack} was not found in subscription {subscription} (endpoints of that stack: "
        f"{names}). Correct the stack file, or set ARM_SUBSCRIPTION_ID."
    )


def _is_of(resource: dict[str, Any], stack: str) -> bool:
    tags = resource.get("tags")
    return isinstance(tags, dict) and tags.get(STACK_TAG) == stack
