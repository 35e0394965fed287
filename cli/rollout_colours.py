"""The colours that a stack file declares, with the digests that the program gives them: `Session.colours_of`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from assessment.declaration import DIGEST_DIGITS
from assessment.provenance import provenance_of
from command_errors import UsageError
from models.errors import ModelError
from models.loader import load_model
from models.spec import content_digest, release_digest, with_variables
from project import project_root
from rollout.people.start_facts import Colour

if TYPE_CHECKING:
    from stack_config import DeploymentSettings


def declared_colours(key: str, chosen: Mapping[str, DeploymentSettings]) -> dict[str, Colour]:
    """Each colour of an endpoint. Raises UsageError for model files that cannot be read."""
    folder = project_root() / "models" / key
    try:
        loaded = load_model(folder, {name: one.release for name, one in chosen.items()})
    except ModelError as error:
        raise UsageError(str(error)) from error
    model = with_variables(loaded, {name: one.environment_variables for name, one in chosen.items()})
    return {
        name: Colour(
            release=release_digest(spec, chosen[name].sku)[:DIGEST_DIGITS],
            content=content_digest(spec),
            instances=_least_instances(chosen[name], spec.instance_count),
            idle_instances=scale.idle_instances if (scale := chosen[name].autoscale) else None,
            provenance=provenance_of(folder, chosen[name]),
        )
        for name, spec in model.deployments.items()
    }


def _least_instances(chosen: DeploymentSettings, of_the_file: int) -> int:
    return chosen.autoscale.min if chosen.autoscale else chosen.instances or of_the_file
