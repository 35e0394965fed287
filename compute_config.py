"""The models of `sluice:compute`: the cluster that builds images, and the clusters of batch jobs. Imports no Pulumi.

A cluster has between no node and `max_nodes`, and costs nothing without nodes. Rules that depend on other sections are
in `settings.py`.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from config_values import Section, WholeDuration, seconds_of

BUILD_SIZE = "Standard_DS3_v2"
"""The smallest size that Microsoft recommends for Azure ML."""
MAX_NODES = 100
"""Azure ML's limit for one cluster, unless Microsoft raises it (how-to-manage-quotas)."""
SHORTEST_IDLE, LONGEST_IDLE = 120, 7200


class Scaling(Section):
    """How many nodes a cluster has."""

    max_nodes: Annotated[int, Field(ge=1, le=MAX_NODES)] = 1
    """Most nodes; quota is needed for them."""
    idle: WholeDuration = "5m"
    """How long a node without work stays: 2m to 2h."""

    @field_validator("idle")
    @classmethod
    def _in_range(cls, value: str) -> str:
        if not SHORTEST_IDLE <= seconds_of(value) <= LONGEST_IDLE:
            raise PydanticCustomError("idle_outside", "must be 2m to 2h, got {value}", {"value": value})
        return value


class BuildSettings(Scaling):
    """The cluster that builds the images of a private stack."""

    sku: str = BUILD_SIZE
    """VM size."""


class ClusterSettings(Scaling):
    """A cluster for batch jobs."""

    sku: str
    """VM size. Another one recreates the cluster."""


class BatchSettings(Section):
    """Clusters for batch jobs, at most one of each kind."""

    cpu: ClusterSettings | None = None
    """Without GPUs; its name in Azure is batch-cpu."""
    gpu: ClusterSettings | None = None
    """With GPUs; its name in Azure is batch-gpu."""

    def clusters(self) -> dict[str, ClusterSettings]:
        """Those that are declared, by their kind."""
        both = {"cpu": self.cpu, "gpu": self.gpu}
        return {kind: cluster for kind, cluster in both.items() if cluster is not None}


class ComputeSettings(Section):
    """Clusters of the workspace."""

    build: BuildSettings | None = None
    """Builds the images of a private stack, whose registry cannot. Default: one node."""
    batch: BatchSettings = BatchSettings.model_construct()
    """For batch jobs; none by default."""

    @property
    def has_batch(self) -> bool:
        """Whether there is a cluster for batch jobs."""
        return bool(self.batch.clusters())
