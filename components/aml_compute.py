"""One cluster of a workspace: from no node to a few, in the workspace's region, with an identity of its own.

A node takes no logins. In a private stack, nodes have no public address, which Azure ML allows only in a workspace
with a private endpoint or a managed network.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from components.identity import Identity
from components.placement import WorkspacePlacement
from compute_config import BuildSettings, ClusterSettings
from config_values import iso_duration

__all__ = ["ClusterArgs", "declare_cluster"]


@dataclass(frozen=True, kw_only=True)
class ClusterArgs:
    """What a cluster is made of."""

    placement: WorkspacePlacement
    """*Required.* Region and tags, and the workspace."""
    compute_name: str
    """*Required.* Azure name, unique in the workspace."""
    description: str
    """*Required.* What it is for."""
    settings: BuildSettings | ClusterSettings
    """*Required.* Size, and how many nodes for how long."""
    identity: Identity
    """*Required.* What its jobs act as."""
    public_addresses: bool = False
    """*Optional.* Whether nodes have public addresses; they have none by default."""


def declare_cluster(name: str, args: ClusterArgs, *, parent: pulumi.Resource) -> ml.Compute:
    """Declare it as a child of a component."""
    settings = args.settings
    return ml.Compute(
        name,
        compute_name=args.compute_name,
        workspace_name=args.placement.workspace_name,
        resource_group_name=args.placement.workspace_group_name,
        location=args.placement.location,
        identity=ml.ManagedServiceIdentityArgs(
            type=ml.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[args.identity.id]
        ),
        properties=ml.AmlComputeArgs(
            compute_type="AmlCompute",
            description=args.description,
            disable_local_auth=True,
            properties=ml.AmlComputePropertiesArgs(
                os_type=ml.OsType.LINUX,
                vm_size=settings.sku,
                vm_priority=ml.VmPriority.DEDICATED,
                enable_node_public_ip=args.public_addresses,
                remote_login_port_public_access=ml.RemoteLoginPortPublicAccess.DISABLED,
                scale_settings=ml.ScaleSettingsArgs(
                    min_node_count=0,
                    max_node_count=settings.max_nodes,
                    node_idle_time_before_scale_down=iso_duration(settings.idle),
                ),
            ),
        ),
        tags=args.placement.tags,
        opts=pulumi.ResourceOptions(
            parent=parent,
            depends_on=[args.identity],
            delete_before_replace=True,
            # Azure does not change the size of a cluster that exists.
            replace_on_changes=["properties.properties.vmSize"],
            custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
        ),
    )
