"""The clusters of batch jobs. What runs on them is submitted by people and pipelines; no job is declared here."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from components.aml_compute import ClusterArgs, declare_cluster
from components.identity import Identity
from components.placement import WorkspacePlacement
from compute_config import BatchSettings

__all__ = ["BatchCompute", "BatchComputeArgs"]


@dataclass(frozen=True, kw_only=True)
class BatchComputeArgs:
    """Inputs of a `BatchCompute`."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace."""
    settings: BatchSettings
    """*Required.* The clusters."""
    identity: Identity
    """*Required.* What jobs act as, with the roles of batch."""
    public_addresses: bool = False
    """*Optional.* Whether nodes have public addresses; they have none by default."""


class BatchCompute(pulumi.ComponentResource):
    """A cluster of each kind that is declared."""

    def __init__(self, name: str, args: BatchComputeArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:BatchCompute", name, {}, opts)
        for kind, settings in args.settings.clusters().items():
            cluster = ClusterArgs(
                placement=args.placement,
                compute_name=args.placement.names.batch_compute(kind),
                description=f"Runs batch jobs ({kind.upper()})",
                settings=settings,
                identity=args.identity,
                public_addresses=args.public_addresses,
            )
            declare_cluster(f"{name}-{kind}-cluster", cluster, parent=self)
        self.register_outputs({})
