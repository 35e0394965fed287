"""A lock in Azure that refuses the deletion of a resource, even to an owner of the subscription.

Only a resource below which nothing is ever removed can have one. Locks are inherited: on a resource group, workspace,
storage account or registry, one would refuse the removal of a colour, of an autoscale setting or of an endpoint's role.
Those rely on the engine's protection and on Azure's soft delete and versions.
"""

from __future__ import annotations

import pulumi
from pulumi_azure_native import authorization

__all__ = ["lock_against_deletion"]

NOTES = "Set by sluice:locks. `sluice remove` deletes this lock before it deletes the stack."


def lock_against_deletion(
    name: str, resource: pulumi.CustomResource, *, parent: pulumi.Resource
) -> authorization.ManagementLockByScope:
    """Lock a resource; `name` begins the logical name of the lock."""
    return authorization.ManagementLockByScope(
        f"{name}-lock",
        lock_name="sluice",
        level=authorization.LockLevel.CAN_NOT_DELETE,
        notes=NOTES,
        scope=resource.id,
        opts=pulumi.ResourceOptions(parent=parent),
    )
