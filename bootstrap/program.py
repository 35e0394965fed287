"""All that one environment needs before its stack's first update, in two groups.

The stack's group has nothing of it but role assignments. State, secrets key and identities are in a group of their own,
on which no pipeline has a right except on the container and on the key.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization, resources

from bootstrap.assignment import assign, assign_all
from bootstrap.environment import Environment
from bootstrap.pipeline_identity import PipelineIdentity, PipelineIdentityArgs
from bootstrap.rights import grant_condition, places_outside
from bootstrap.state_store import StateStore, StateStoreArgs
from naming import Names, guid_of
from roles import Holder, Place

__all__ = ["declare"]

LOCKS = "Microsoft.Authorization/locks/*"


@dataclass(frozen=True)
class _Around:
    """What the parts of one environment share."""

    environment: Environment
    subscription_id: str
    tags: dict[str, str]
    group_id: pulumi.Output[str]


def declare(environment: Environment, *, subscription_id: str, tenant_id: str) -> None:
    """Declare everything, and export what pipelines and stack file need."""
    names = Names(team=environment.team, stack=environment.environment, subscription_id=subscription_id)
    own = Names(team=environment.team, stack=f"{environment.environment}-bootstrap", subscription_id=subscription_id)
    tags = {
        **environment.tags,
        "sluice:team": environment.team,
        "sluice:environment": environment.environment,
    }
    group = _group("group", names.resource_group, environment, tags)
    around = _Around(environment, subscription_id, tags, group.id)
    store_group = _group("bootstrap-group", own.resource_group, environment, tags)
    store = StateStore(
        "state",
        StateStoreArgs(
            resource_group_name=store_group.name,
            account_name=own.storage_account,
            vault_name=own.key_vault,
            location=environment.location,
            tenant_id=tenant_id,
            tags=tags,
            protect=environment.protect,
        ),
    )
    preview = _identity(around, Holder.PREVIEW, names.base, store_group, store)
    deploy = _identity(around, Holder.DEPLOY, names.base, store_group, store)
    _grant_locks(around, names.base, deploy)
    pulumi.export("resource_group", group.id)
    pulumi.export("backend", store.backend_url)
    pulumi.export("secrets_provider", store.secrets_provider)
    pulumi.export("preview_client_id", preview.client_id)
    pulumi.export("deploy_client_id", deploy.client_id)
    pulumi.export("tenant_id", tenant_id)
    pulumi.export("subscription_id", subscription_id)


def _group(name: str, group_name: str, environment: Environment, tags: dict[str, str]) -> resources.ResourceGroup:
    return resources.ResourceGroup(
        name,
        resource_group_name=group_name,
        location=environment.location,
        tags=tags,
        opts=pulumi.ResourceOptions(protect=environment.protect),
    )


def _identity(
    around: _Around, holder: Holder, base: str, group: resources.ResourceGroup, store: StateStore
) -> PipelineIdentity:
    job = "preview" if holder is Holder.PREVIEW else "deploy"
    identity = PipelineIdentity(
        job,
        PipelineIdentityArgs(
            resource_group_name=group.name,
            identity_name=f"id-{base}-{job}",
            location=around.environment.location,
            tags=around.tags,
            subjects=around.environment.subjects("preview" if job == "preview" else "deploy"),
        ),
    )
    assign_all(
        holder,
        {
            Place.GROUP: {"": around.group_id},
            Place.STATE: {"": store.container_id},
            Place.SECRETS_KEY: {"": store.key_id},
            **places_outside(around.environment.outside),
        },
        names=(around.subscription_id, f"id-{base}-{job}"),
        principal_id=identity.principal_id,
        condition=grant_condition(around.environment.groups),
        parent=identity,
    )
    return identity


def _grant_locks(around: _Around, base: str, deploy: PipelineIdentity) -> None:
    """Contributor may not write locks, and the built-in roles that may can do much more."""
    above = f"/subscriptions/{around.subscription_id}"
    role = authorization.RoleDefinition(
        "locks",
        role_definition_id=guid_of(f"{above}/{base}/locks"),
        role_name=f"Sluice locks of {base}",
        description="Write and delete the locks of one resource group",
        scope=above,
        role_type="CustomRole",
        permissions=[authorization.PermissionArgs(actions=[LOCKS], not_actions=[])],
        assignable_scopes=[around.group_id],
    )
    assign(
        f"id-{base}-deploy-locks",
        role_id=role.id,
        role="locks",
        scope=around.group_id,
        name_of=(above, f"id-{base}-deploy", "locks"),
        principal_id=deploy.principal_id,
        condition=None,
        parent=deploy,
    )
