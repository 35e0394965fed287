"""Everything outside of a rollout, as the controller uses it."""

from __future__ import annotations

from dataclasses import dataclass

from rollout.ports import (
    Azure,
    Capacity,
    Change,
    Clock,
    InstanceChange,
    Metrics,
    Probes,
    Repository,
    StackFile,
)


@dataclass(frozen=True, kw_only=True)
class World:
    """Everything outside: Azure, metrics, files, git, engine, time."""

    azure: Azure
    metrics: Metrics
    probes: Probes
    capacity: Capacity
    stack_file: StackFile
    repository: Repository
    change: Change
    instances: InstanceChange
    clock: Clock
