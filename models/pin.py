"""A pinned colour: the deployment that a release document describes, and the document of a deployment.

To load one needs neither azure-ai-ml nor the files of model and code.
"""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path, PurePath

from models.content import file_digest, list_files
from models.release_document import PARTS, Environment, FileEntry, Part, Place, ReleaseDocument, read_in
from models.spec import (
    AssetKind,
    AssetReference,
    AutoscaleSpec,
    DeploymentSpec,
    EnvironmentSpec,
    LocalAsset,
    content_of,
    digest_of,
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


def document_of(deployment: DeploymentSpec, folder: Path, commit: str) -> ReleaseDocument:
    """Return the document of a deployment whose files are on this machine; `folder` is the model's, made absolute.

    `commit` is the one whose tree has these bytes. Raises ContentError for a file that cannot be read.
    """
    settings = content_of(deployment)
    assets = {asset.kind.value: asset for asset in (deployment.model, deployment.code) if isinstance(asset, LocalAsset)}
    inline = deployment.environment if isinstance(deployment.environment, EnvironmentSpec) else None
    return ReleaseDocument(
        model=folder.name,
        content=digest_of(settings),
        settings=settings,
        conda=inline.conda_file if inline else None,
        files=tuple(
            FileEntry(path=relative, size=file.stat().st_size, sha256=file_digest(file), part=part)
            for part in PARTS
            if part in assets
            for relative, file in list_files(assets[part].path)
        ),
        commit=commit,
        places={
            part: Place(
                name=assets[part].name,
                path=PurePath(os.path.relpath(assets[part].path, folder)).as_posix(),
                is_file=assets[part].is_file,
            )
            for part in PARTS
            if part in assets
        },
        environment=Environment(image=inline.image, name=inline.name, inference_config=inline.inference_config)
        if inline
        else None,
        defaults={
            # What the content covers is not written twice; empty values are in here.
            "body": {key: value for key, value in deployment.body.items() if key not in settings["body"]},
            "instance_type": deployment.instance_type,
            "instance_count": deployment.instance_count,
            "autoscale": asdict(deployment.autoscale) if deployment.autoscale else None,
            "tags": dict(deployment.tags),
        },
    )


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
        is_file=place.is_file,
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
