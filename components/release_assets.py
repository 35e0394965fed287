"""What deployments are made of, as Azure ML assets: model, code and environment versions.

An asset is named after the digest of its content, so it never changes once it exists. The digest is the version of an
environment; of a model and of code it is in the name, and the version is "1", as azure-ai-ml does for anonymous ones:
the version of a model must be a positive whole number (reported by users of the service: Azure/azureml-examples#2725,
Azure/MachineLearningNotebooks#289; not run). Local content lies where the release lock says; nothing is uploaded here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from assessment.declaration import DIGEST_DIGITS, DeploymentDeclaration
from components.placement import WorkspacePlacement
from models.spec import AssetKind, AssetReference, EnvironmentSpec, LocalAsset

__all__ = ["ReleaseAssets", "ReleaseAssetsArgs"]

ONLY_VERSION = "1"
"""The version of an asset that is named by its content."""

_NAME_AND_VERSION = re.compile(r"(?:azureml:)?(?P<name>[^:/@]+):(?P<version>[^:/@]+)")
"""`azureml:<name>:<version>`: an asset of the workspace itself. Everything else that az ml takes is an id already."""


@dataclass(frozen=True, kw_only=True)
class ReleaseAssetsArgs:
    """Inputs of `ReleaseAssets`."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace."""
    asset_name: str
    """*Required.* What the names of the assets begin with."""
    deployments: Sequence[DeploymentDeclaration]
    """*Required.* Whose assets to declare; what two of them share is declared once."""


class ReleaseAssets(pulumi.ComponentResource):
    """The assets of one endpoint's deployments."""

    def __init__(self, name: str, args: ReleaseAssetsArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ReleaseAssets", name, {}, opts)
        self._name = name
        self._args = args
        self._ids: dict[str, pulumi.Output[str]] = {}
        published = {digest: uri for deployment in args.deployments for digest, uri in deployment.published.items()}
        for deployment in args.deployments:
            for asset in (deployment.spec.model, deployment.spec.code, deployment.spec.environment):
                if isinstance(asset, LocalAsset | EnvironmentSpec) and asset.digest not in self._ids:
                    self._ids[asset.digest] = self._declare(asset, published)
        self.register_outputs({})

    def id_of(self, kind: str, asset: LocalAsset | EnvironmentSpec | AssetReference | None) -> pulumi.Input[str] | None:
        """Return the id that a deployment refers to; `kind` is the asset's collection: models, codes, environments."""
        if asset is None:
            return None
        if isinstance(asset, LocalAsset | EnvironmentSpec):
            return self._ids[asset.digest]
        named = _NAME_AND_VERSION.fullmatch(asset.reference)
        if named is None:
            return asset.reference
        workspace_id = self._args.placement.names.workspace_id
        return f"{workspace_id}/{kind}/{named['name']}/versions/{named['version']}"

    def name_of(self, asset: LocalAsset | EnvironmentSpec | AssetReference | None) -> str | None:
        """Return the name of an asset, which is known before it exists: `<name>:<version>` or the reference."""
        if isinstance(asset, LocalAsset | EnvironmentSpec):
            return "{name}:{version}".format(**self._name_and_version(asset))
        return asset.reference if asset else None

    def _name_and_version(self, asset: LocalAsset | EnvironmentSpec) -> dict[str, str]:
        base, digest = self._args.asset_name, asset.digest[:DIGEST_DIGITS]
        if isinstance(asset, EnvironmentSpec):
            return {"name": base, "version": digest}
        return {"name": f"{base}-{digest}", "version": ONLY_VERSION}

    def _declare(self, asset: LocalAsset | EnvironmentSpec, published: Mapping[str, str]) -> pulumi.Output[str]:
        digest, tags = asset.digest[:DIGEST_DIGITS], self._args.placement.tags
        at = {
            **self._name_and_version(asset),
            "workspace_name": self._args.placement.workspace_name,
            "resource_group_name": self._args.placement.workspace_group_name,
            "opts": pulumi.ResourceOptions(parent=self),
        }
        # The logical name has the digest too: new content is a new resource, and the old one is deleted only after the
        # deployment that used it.
        version: ml.EnvironmentVersion | ml.ModelVersion | ml.CodeVersion
        if isinstance(asset, EnvironmentSpec):
            version = ml.EnvironmentVersion(
                f"{self._name}-environment-{digest}",
                properties=ml.EnvironmentVersionPropertiesArgs(
                    image=asset.image,
                    conda_file=asset.conda_file,
                    inference_config=dict(asset.inference_config) if asset.inference_config else None,
                    os_type=ml.OperatingSystemType.LINUX,
                    tags=tags,
                ),
                **at,
            )
        elif asset.kind is AssetKind.MODEL:
            version = ml.ModelVersion(
                f"{self._name}-{digest}-model",
                properties=ml.ModelVersionPropertiesArgs(
                    model_uri=published[asset.digest], model_type=asset.asset_type, tags=tags
                ),
                **at,
            )
        else:
            version = ml.CodeVersion(
                f"{self._name}-{digest}-code",
                properties=ml.CodeVersionPropertiesArgs(code_uri=published[asset.digest], tags=tags),
                **at,
            )
        version_id: pulumi.Output[str] = version.id
        return version_id
