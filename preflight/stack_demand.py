"""What a stack file declares, as the demand of its worst moment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from assessment.instances import most_instances
from compute_config import BuildSettings
from models.spec import Model
from naming import Names
from network_config import Network
from preflight.demand import Demand, Machines
from stack_config import Settings


def declared_demand(settings: Settings, names: Names, models: Mapping[str, Model]) -> Demand:
    """Everything that a stack may have at once; `models` are its az ml files by the keys of its endpoints."""
    azure_names = {key: names.endpoint(key, endpoint.name) for key, endpoint in settings.endpoints.items()}
    return Demand(
        machines=(*_deployments(settings, azure_names, models), *_clusters(settings, names)),
        endpoints=frozenset(azure_names.values()),
        deployments={azure_names[key]: len(endpoint.deployments) for key, endpoint in settings.endpoints.items()},
    )


def _deployments(settings: Settings, azure_names: Mapping[str, str], models: Mapping[str, Model]) -> Iterator[Machines]:
    """The managed deployments: those on Kubernetes take none of Azure ML's quota."""
    for key, model in models.items():
        if model.endpoint.compute is not None:
            continue
        for name, spec in model.deployments.items():
            chosen = settings.endpoints[key].deployments[name]
            size, count = chosen.sku or spec.instance_type, most_instances(spec, chosen)
            yield Machines(what=f"{azure_names[key]}/{name}", size=size, count=count)


def _clusters(settings: Settings, names: Names) -> Iterator[Machines]:
    """The clusters with their most nodes; a private stack always has one that builds its images."""
    if settings.network.mode is Network.PRIVATE and settings.existing.workspace is None:
        build = settings.compute.build or BuildSettings()
        yield Machines(what=names.image_build_compute, size=build.sku, count=build.max_nodes, reserves=False)
    for kind, cluster in settings.compute.batch.clusters().items():
        yield Machines(what=names.batch_compute(kind), size=cluster.sku, count=cluster.max_nodes, reserves=False)
