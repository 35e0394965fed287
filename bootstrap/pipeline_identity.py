"""An identity of a pipeline, and whose ID tokens prove to be it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import managedidentity

from bootstrap.environment import GITHUB_ISSUER, FederatedSubject
from naming import short_hash

__all__ = ["PipelineIdentity", "PipelineIdentityArgs"]

AUDIENCE = "api://AzureADTokenExchange"


@dataclass(frozen=True, kw_only=True)
class PipelineIdentityArgs:
    """Inputs of a `PipelineIdentity`."""

    resource_group_name: pulumi.Input[str]
    """*Required.* Its group, which is not the stack's."""
    identity_name: str
    """*Required.* Azure name."""
    location: str
    """*Required.* Azure region."""
    tags: dict[str, str]
    """*Required.* Its tags."""
    subjects: Sequence[FederatedSubject]
    """*Required.* Whose ID tokens it accepts, at most 20."""


class PipelineIdentity(pulumi.ComponentResource):
    """A user-assigned identity with its federated credentials, which are written one after another."""

    client_id: pulumi.Output[str]
    """What a pipeline names when it asks for a token."""
    principal_id: pulumi.Output[str]
    """Object id that roles are assigned to."""

    def __init__(self, name: str, args: PipelineIdentityArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:PipelineIdentity", name, {}, opts)
        identity = managedidentity.UserAssignedIdentity(
            f"{name}-identity",
            resource_name_=args.identity_name,
            resource_group_name=args.resource_group_name,
            location=args.location,
            tags=args.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        latest: list[pulumi.Resource] = []
        for one in args.subjects:
            # Named after what it accepts, so that another order or a further subject replaces none.
            kind = "github" if one.issuer == GITHUB_ISSUER else "devops"
            credential = managedidentity.FederatedIdentityCredential(
                f"{name}-{kind}-{short_hash(f'{one.issuer} {one.subject}')}",
                federated_identity_credential_resource_name=f"{kind}-{short_hash(f'{one.issuer} {one.subject}')}",
                resource_name_=identity.name,
                resource_group_name=args.resource_group_name,
                issuer=one.issuer,
                subject=one.subject,
                audiences=[AUDIENCE],
                # Azure refuses a write to an identity while it writes another credential of it.
                opts=pulumi.ResourceOptions(parent=self, depends_on=latest),
            )
            latest = [credential]
        self.client_id = identity.client_id
        self.principal_id = identity.principal_id
        self.register_outputs({"clientId": self.client_id, "principalId": self.principal_id})
