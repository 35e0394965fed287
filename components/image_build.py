"""The small cluster on which a private workspace builds images; it runs only while an image is built.

It lives in the workspace's managed network, and acts as an identity of its own with no more rights than building needs:
anyone who may submit a job to a cluster can act as the cluster. Training and batch compute are not declared here.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from components.identity import Identity, IdentityArgs
from components.placement import AssociatedResources, WorkspacePlacement
from components.role_assignment import grants
from roles import Holder, Place
from skus import IMAGE_BUILD_SIZE

__all__ = ["ImageBuildCluster", "ImageBuildClusterArgs"]

IDLE_BEFORE_SCALE_DOWN = "PT5M"
"""ISO 8601: two images built one after the other share a node."""


@dataclass(frozen=True, kw_only=True)
class ImageBuildClusterArgs:
    """Inputs of an `ImageBuildCluster`."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace that builds images."""
    associated: AssociatedResources
    """*Required.* The registry that images are pushed to, and the account that holds what they are built from."""


class ImageBuildCluster(pulumi.ComponentResource):
    """A cluster of zero or one node, without a public address."""

    def __init__(self, name: str, args: ImageBuildClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ImageBuildCluster", name, {}, opts)
        names = args.placement.names
        identity = Identity(
            name,
            IdentityArgs(
                placement=args.placement,
                identity_name=names.compute_identity,
                grants=grants(
                    Holder.COMPUTE,
                    {Place.REGISTRY: args.associated.registry, Place.STORAGE: args.associated.storage},
                ),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        ml.Compute(
            f"{name}-cluster",
            compute_name=names.image_build_compute,
            workspace_name=args.placement.workspace_name,
            resource_group_name=args.placement.workspace_group_name,
            location=args.placement.location,
            identity=ml.ManagedServiceIdentityArgs(
                type=ml.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[identity.id]
            ),
            properties=ml.AmlComputeArgs(
                compute_type="AmlCompute",
                description="Builds the images of deployments",
                disable_local_auth=True,
                properties=ml.AmlComputePropertiesArgs(
                    os_type=ml.OsType.LINUX,
                    vm_size=IMAGE_BUILD_SIZE,
                    vm_priority=ml.VmPriority.DEDICATED,
                    enable_node_public_ip=False,
                    remote_login_port_public_access=ml.RemoteLoginPortPublicAccess.DISABLED,
                    scale_settings=ml.ScaleSettingsArgs(
                        min_node_count=0, max_node_count=1, node_idle_time_before_scale_down=IDLE_BEFORE_SCALE_DOWN
                    ),
                ),
            ),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[identity],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="60m"),
            ),
        )
        self.register_outputs({})
