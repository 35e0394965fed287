"""Loads a pinned colour: the deployment that a release document describes, whatever `<colour>.yml` says.

It needs neither azure-ai-ml nor the files of model and code.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from models.release_document import Environment, Part, ReleaseDocument, read_in
from models.spec import (
    AssetKind,
    AssetReference,
    AutoscaleSpec,
    DeploymentSpec,
    EnvironmentSpec,
    LocalAsset,
    content_of,
    with_release,
)


def pinned(folder: Path, name: str, digits: str) -> DeploymentSpec:
    """Return the deployment `name` of a model's folder as a release document describes it.

    `digits` are 16 to 64 hexadecimal digits of its content. Raises ReleaseError.
    """
    return deployment_of(read_in(folder, digits), folder, name)


def deployment_of(document: ReleaseDocument, folder: Path, name: str) -> DeploymentSpec:
    """Return the deployment `name` that a document describes; `folder` is the model's."""
    settings, defaults = document.settings, document.defaults
    autoscale = defaults.get("autoscale")
    return with_release(
        DeploymentSpec(
            name=name,
            body={**settings["body"], **defaults["body"]},
            instance_type=defaults["instance_type"],
            instance_count=defaults["instance_count"],
            tags=defaults["tags"],
            model=_asset(document, AssetKind.MODEL, folder),
            code=_asset(document, AssetKind.CODE, folder),
            scoring_script=settings["scoring_script"],
            environment=_environment(document),
            autoscale=AutoscaleSpec(**autoscale) if autoscale else None,
        )
    )


def settings_and_defaults(deployment: DeploymentSpec) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a document says about a deployment: the content, and the rest, which the stack may override."""
    settings = content_of(deployment)
    defaults = {
        "body": {key: value for key, value in deployment.body.items() if key not in settings["body"]},
        "instance_type": deployment.instance_type,
        "instance_count": deployment.instance_count,
        "autoscale": asdict(deployment.autoscale) if deployment.autoscale else None,
        "tags": dict(deployment.tags),
    }
    return settings, defaults


def environment_of(deployment: DeploymentSpec) -> tuple[Environment | None, str | None]:
    """Return a deployment's inline environment and its conda file, as a document has them."""
    spec = deployment.environment
    if not isinstance(spec, EnvironmentSpec):
        return None, None
    return Environment(image=spec.image, name=spec.name, inference_config=spec.inference_config), spec.conda_file


def _asset(document: ReleaseDocument, kind: AssetKind, folder: Path) -> LocalAsset | AssetReference | None:
    named = document.settings[kind.value]
    if named is None:
        return None
    if "reference" in named:
        return AssetReference(reference=named["reference"])
    part: Part = "model" if kind is AssetKind.MODEL else "code"
    place = document.places[part]
    return LocalAsset(
        kind=kind,
        path=(folder / place.path).resolve(),
        name=place.name,
        digest=named["content"],
        asset_type=named["type"],
        files=tuple(entry.path for entry in document.files_of(part)),
    )


def _environment(document: ReleaseDocument) -> EnvironmentSpec | AssetReference | None:
    named, environment = document.settings["environment"], document.environment
    if named is None:
        return None
    if environment is None:
        return AssetReference(reference=named["reference"])
    return EnvironmentSpec(
        image=environment.image,
        conda_file=document.conda,
        name=environment.name,
        inference_config=environment.inference_config,
        digest=named["content"],
    )
