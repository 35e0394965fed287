"""A user-assigned managed identity together with everything it may do.

User-assigned, because its rights must exist before what uses it: a managed network is provisioned, and an endpoint
reads its model, while they are being created. Azure grants nothing to such an identity by itself. Which
roles an identity gets is a row of `roles.py`.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, managedidentity

from components.placement import GroupPlacement
from components.role_assignment import Grant, assign

__all__ = ["Identity", "IdentityArgs"]

pause = asyncio.sleep


@dataclass(frozen=True, kw_only=True)
class IdentityArgs:
    """Inputs of an `Identity`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    identity_name: str
    """*Required.* Azure name."""
    grants: Sequence[Grant] = ()
    """*Optional.* What it may do before anything acts as it; nothing by default."""
    role_delay_seconds: float = 0
    """*Optional.* How long Azure needs to put the grants into effect; what uses the identity waits for it."""


class Identity(pulumi.ComponentResource):
    """A user-assigned identity with its role assignments; depend on it to wait until all of them exist."""

    id: pulumi.Output[str]
    """ARM id of the identity; what takes it as an input waits until the roles are in effect."""
    principal_id: pulumi.Output[str]
    """Object id that roles are assigned to."""
    client_id: pulumi.Output[str]
    """Application id that code asks for a token with."""

    def __init__(self, name: str, args: IdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Identity", name, {}, opts)
        self._args = args
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=args.identity_name,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.principal_id = identity.principal_id
        self.client_id = identity.client_id
        assignments = [self.grant(grant, prefix=name, parent=self) for grant in args.grants]
        self.id = identity.id
        if args.role_delay_seconds and not pulumi.runtime.is_dry_run():
            done = pulumi.Output.all(identity.id, *(assignment.id for assignment in assignments))
            self.id = done.apply(lambda ids: _wait(ids[0], args, self))
        self.register_outputs({"id": self.id, "principalId": self.principal_id})

    def grant(self, grant: Grant, *, prefix: str, parent: pulumi.Resource) -> authorization.RoleAssignment:
        """Assign a role; `prefix` begins the logical name of the assignment, which is a child of `parent`.

        What depends on the identity waits only for the grants that it was made with.
        """
        return assign(
            grant,
            names=self._args.placement.names,
            prefix=prefix,
            holder_name=self._args.identity_name,
            principal_id=self.principal_id,
            principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
            parent=parent,
        )


async def _wait(identity_id: str, args: IdentityArgs, identity: pulumi.Resource) -> str:
    """Azure accepts an assignment at once and acts on it minutes later (documented: usually within ten)."""
    pulumi.log.info(
        f"The roles of {args.identity_name} are assigned. Azure needs some minutes to put them into effect: waiting "
        f"{args.role_delay_seconds:.0f} s (sluice:limits.role_delay) before anything uses them.",
        identity,
    )
    await pause(args.role_delay_seconds)
    return identity_id
