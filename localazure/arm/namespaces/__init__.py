"""One module per Azure namespace: the behaviour of a type beyond storage.

A type of the catalog without a module here is only stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from localazure.arm.behaviour import Behaviour
from localazure.arm.namespaces import (
    authorization,
    container_registry,
    insights,
    key_vault,
    machine_learning,
    managed_identity,
    metrics,
    monitor_scopes,
    network,
    network_connections,
    operational_insights,
    private_endpoints,
    resources,
    storage,
    template_deployments,
)
from localazure.arm.resource_body import Shape
from localazure.catalog import RESOURCE_TYPES

if TYPE_CHECKING:
    from localazure.arm.control_plane import ControlPlane

_MODULES = (
    authorization,
    container_registry,
    insights,
    key_vault,
    machine_learning,
    managed_identity,
    metrics,
    monitor_scopes,
    network,
    network_connections,
    operational_insights,
    private_endpoints,
    resources,
    storage,
    template_deployments,
)

BEHAVIOURS: dict[str, type[Behaviour]] = {
    arm_type.lower(): behaviour for module in _MODULES for arm_type, behaviour in module.BEHAVIOURS.items()
}

# Types that clients of the service use and the program never declares, so the catalog does not hold them.
EXTRA_SHAPES: tuple[Shape, ...] = (
    *authorization.EXTRA_SHAPES,
    *machine_learning.EXTRA_SHAPES,
    *metrics.EXTRA_SHAPES,
    *key_vault.EXTRA_SHAPES,
    *operational_insights.EXTRA_SHAPES,
    *template_deployments.EXTRA_SHAPES,
)

__all__ = ["BEHAVIOURS", "EXTRA_SHAPES", "every_behaviour"]


def every_behaviour(plane: ControlPlane) -> Iterator[Behaviour]:
    """One behaviour per resource type, for one control plane."""
    shapes = [Shape(kind.arm, kind.operation, kind.deletion) for kind in RESOURCE_TYPES]
    for shape in (*shapes, *EXTRA_SHAPES):
        yield BEHAVIOURS.get(shape.arm.lower(), Behaviour)(plane, shape)
