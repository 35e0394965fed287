"""The adapters of `rollout.ports` for one rollout: which client, which engine, which repository, which clock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from project import project_name, project_root
from rollout.change.engine_lock import PatientEngine
from rollout.change.instance_change import InstanceChange
from rollout.change.punctual import PunctualChange, PunctualInstanceChange
from rollout.change.tools import Tools, endpoint_urn
from rollout.change.weight_change import WeightChange
from rollout.people.actor import actor_of, actor_of_way_back
from rollout.record.journal import Journal
from rollout.session.site import Site
from rollout.sources.capacity import Bounds, DeclaredCapacity
from rollout.sources.metrics import AzureMetrics
from rollout.sources.verify import DirectProbes
from rollout.tick.controller import Controller
from rollout.tick.world import World

if TYPE_CHECKING:
    from rollout.ports import Repository
    from stack_config import DeploymentSettings


def controller_of(site: Site, journal: Journal, *, until: int | None = None) -> Controller:
    """The controller of one rollout; no change but a way back begins after `until` (seconds since 1970)."""
    root, clock = project_root(), site.session.clock
    back = journal.state.back is not None
    tools = _tools(site, site.repository(journal.chain.path, way_back=back), way_back=back)
    change, instances = WeightChange(tools), InstanceChange(tools)
    world = World(
        azure=site.azure,
        metrics=AzureMetrics(site.monitor, root, clock.sleep),
        probes=DirectProbes(site.azure.arm, site.address, root / "models" / site.key, clock.now),
        capacity=capacity_of(site),
        stack_file=site.declared,
        repository=tools.repository,
        change=change if until is None else PunctualChange(change, clock, until),
        instances=instances if until is None else PunctualInstanceChange(instances, clock, until),
        clock=clock,
    )
    return Controller(journal, world, site.owner)


def capacity_of(site: Site) -> DeclaredCapacity:
    """The instances of the endpoint's colours."""
    declared = site.settings.endpoints[site.key].deployments if site.is_declared else {}  # a way back needs no capacity
    return DeclaredCapacity(
        stack=site.stack,
        key=site.key,
        bounds={name: _bounds(chosen) for name, chosen in declared.items()},
        monitor=site.monitor,
        stack_file=site.declared,
        autoscale=site.autoscale,
        now=site.session.clock.now,
    )


def _bounds(chosen: DeploymentSettings) -> Bounds:
    scale = chosen.autoscale
    if scale is None:
        return Bounds(most=chosen.instances or 1)
    return Bounds(most=scale.max, requests_per_instance=scale.requests_per_instance)


def _tools(site: Site, repository: Repository, *, way_back: bool) -> Tools:
    root, session = project_root(), site.session
    return Tools(
        endpoint_name=site.endpoint_name,
        engine=patient_engine(site),
        locks=site.locks,
        azure=site.azure,
        autoscale=site.autoscale,
        stack_file=site.declared,
        repository=repository,
        clock=session.clock,
        actor=(actor_of_way_back if way_back else actor_of)(os.environ, root),
        say=session.say,
    )


def patient_engine(site: Site) -> PatientEngine:
    """The engine, limited to the endpoint."""
    urn = endpoint_urn(project_name(project_root()), site.stack, site.key)
    return PatientEngine(site.engine, site.locks, site.session.clock, urn, site.session.say)
