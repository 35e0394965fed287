"""Warnings about declarations that are allowed but will cause trouble later.

Pure: it refuses nothing and reads nothing. What is refused is in `stack_problems.py` and `endpoint.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date

from models.advice import references
from models.references import is_public_registry, registry_of
from models.spec import DeploymentSpec, Model
from skus import sku_warning
from stack_config import Settings

__all__ = ["registries_of", "stack_warnings"]

MAX_NAMED = 3
"""Deployments that one line names; the others are counted."""


def stack_warnings(settings: Settings, models: Mapping[str, Model], today: date) -> Iterator[str]:
    """Yield warnings about the declared deployments; `models` are by key of `sluice:endpoints`."""
    sizes: dict[str, list[str]] = {}
    registries: dict[str, list[str]] = {}
    for key, model in models.items():
        for name, spec in model.deployments.items():
            size = settings.endpoints[key].deployments[name].sku or spec.instance_type
            if model.endpoint.compute is None and (warning := sku_warning(size, today)):
                sizes.setdefault(warning, []).append(f"{key}/{name}")
            for registry in registries_of(spec):
                own_identity = model.endpoint.identity is None
                if warning := _registry_warning(settings, registry, own_identity=own_identity):
                    registries.setdefault(warning, []).append(f"{key}/{name}")
    for warning, places in [*sizes.items(), *registries.items()]:
        more = f" and {len(places) - MAX_NAMED} more" if len(places) > MAX_NAMED else ""
        yield f"{', '.join(places[:MAX_NAMED])}{more}: {warning}"


def registries_of(spec: DeploymentSpec) -> list[str]:
    """Return the names of the Azure ML registries that a deployment takes assets from, without Microsoft's own."""
    found = (registry_of(reference) for reference in references(spec))
    by_name = {registry.lower(): registry for registry in found if registry and not is_public_registry(registry)}
    return sorted(by_name.values())


def _registry_warning(settings: Settings, registry: str, *, own_identity: bool) -> str | None:
    if not own_identity:
        return (
            f"takes assets from the registry {registry} with the identity of endpoint.yml, which needs the role "
            "AzureML Registry User there. Ask the owner of the registry to assign it."
        )
    if settings.existing.registry_id(registry) is not None:
        return None
    return (
        f"takes assets from the registry {registry}, where this program assigns no role to the endpoint's identity: "
        f"the deployment fails unless the identity may read there. Add sluice:existing.ml_registries: {{{registry}: "
        f"<ARM id>}} to Pulumi.{settings.stack}.yaml, and the identity gets the role AzureML Registry User."
    )
