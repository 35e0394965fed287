"""Loads models/<model>/ with azure-ai-ml's own loaders, and catches what they silently alter or let through.

`load_model` is what the Pulumi program and the command line use. It reads files only: it neither uploads nor asks Azure.
"""

from collections.abc import Iterable
from pathlib import Path

from models.spec import (
    AssetKind,
    AssetReference,
    AutoscaleSpec,
    DeploymentSpec,
    EndpointSpec,
    EnvironmentSpec,
    IdentitySpec,
    LocalAsset,
    Model,
    ModelError,
    Problem,
    release_digest,
)

__all__ = [
    "AssetKind",
    "AssetReference",
    "AutoscaleSpec",
    "DeploymentSpec",
    "EndpointSpec",
    "EnvironmentSpec",
    "IdentitySpec",
    "LocalAsset",
    "Model",
    "ModelError",
    "Problem",
    "load_model",
    "release_digest",
]


def load_model(folder: Path, deployments: Iterable[str]) -> Model:
    """Return the model of a folder with the deployments named; raise ModelError with everything that is wrong."""
    raise NotImplementedError
