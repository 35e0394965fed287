"""The small cluster on which a private workspace builds images; it runs only while an image is built.

It lives in the workspace's managed network, and acts as an identity of its own with no more rights than building needs:
anyone who may submit a job to a cluster can act as the cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aml_compute import ClusterArgs, declare_cluster
from components.identity import Identity, IdentityArgs
from components.placement import AssociatedResources, WorkspacePlacement
from components.role_assignment import grants
from compute_config import BuildSettings
from roles import Holder, Place, When

__all__ = ["ImageBuildCluster", "ImageBuildClusterArgs", "compute_identity"]


@dataclass(frozen=True, kw_only=True)
class ImageBuildClusterArgs:
    """Inputs of an `ImageBuildCluster`."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace that builds images."""
    associated: AssociatedResources
    """*Required.* The registry that images are pushed to, and the account that holds what they are built from."""
    settings: BuildSettings
    """*Required.* Size, and how many nodes for how long."""
    runs_batch: bool = False
    """*Optional.* Whether its identity is also that of batch clusters; it is not by default."""


class ImageBuildCluster(pulumi.ComponentResource):
    """A cluster without public addresses, and the identity of all clusters of the stack."""

    identity: Identity
    """What the stack's clusters act as."""

    def __init__(self, name: str, args: ImageBuildClusterArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ImageBuildCluster", name, {}, opts)
        self.identity = compute_identity(
            name, args.placement, args.associated, runs_batch=args.runs_batch, opts=pulumi.ResourceOptions(parent=self)
        )
        cluster = ClusterArgs(
            placement=args.placement,
            compute_name=args.placement.names.image_build_compute,
            description="Builds the images of deployments",
            settings=args.settings,
            identity=self.identity,
        )
        declare_cluster(f"{name}-cluster", cluster, parent=self)
        self.register_outputs({})


def compute_identity(
    name: str,
    placement: WorkspacePlacement,
    associated: AssociatedResources,
    *,
    runs_batch: bool,
    opts: pulumi.ResourceOptions,
) -> Identity:
    """The one identity of the stack's clusters."""
    places = {Place.REGISTRY: associated.registry, Place.STORAGE: associated.storage}
    granted = grants(Holder.COMPUTE, places, *([When.BATCH] if runs_batch else []))
    return Identity(
        name,
        IdentityArgs(placement=placement, identity_name=placement.names.compute_identity, grants=granted),
        opts=opts,
    )
