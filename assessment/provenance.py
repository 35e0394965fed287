"""Where the release of a deployment comes from: its pin and the proofs in the checkout, as plain values."""

from __future__ import annotations

from pathlib import Path

from endpoint_state import Provenance
from models.proof import stacks_with_proof
from stack_config import DeploymentSettings

__all__ = ["provenance_of"]


def provenance_of(folder: Path, deployment: DeploymentSettings) -> Provenance:
    """Return the provenance of a deployment; `folder` is its model's, `models/<model>` in the project.

    Proofs that cannot be read are no error here: a way back must not depend on them.
    """
    pin, reason = deployment.release, deployment.allow_unproven
    if pin is None:
        return Provenance(allow_unproven=reason)
    stacks, problem = stacks_with_proof(folder.parent.parent, folder.name, pin)
    return Provenance(pin=pin, proven_in=stacks, problem=problem, allow_unproven=reason)
