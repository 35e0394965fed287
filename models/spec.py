"""The content of a model's az ml files as plain frozen values: the seam between the loader and the Pulumi program.

This module uses neither Pulumi nor an Azure client, and opens no file. `content_digest` decides which of these values
are the same in every stack; `release_digest` adds what a stack may set differently but cannot change under traffic.
Values that only size or label a deployment (instances, autoscale, tags, description) belong to neither.
"""

import hashlib
import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from pathlib import Path
from typing import Any


class AssetKind(StrEnum):
    """What a local asset is in Azure ML; it decides which resource declares the asset."""

    MODEL = "model"
    CODE = "code"


@dataclass(frozen=True, kw_only=True)
class AssetReference:
    """An asset that is already registered."""

    reference: str  # as azure-ai-ml gives it: <name>:<version>, azureml://registries/... or an ARM id


@dataclass(frozen=True, kw_only=True)
class LocalAsset:
    """A file or folder of this repository, identified by its content; it must be published before it is declared."""

    kind: AssetKind
    path: Path  # absolute, on this machine; never part of a digest
    name: str  # last segment of the path: a model is mounted under it
    digest: str  # sha256 hex of relative paths and bytes (for a model, also of its name)
    asset_type: str  # for a model: custom_model | mlflow_model | triton_model; for code: "code"
    files: tuple[str, ...]  # relative POSIX paths, sorted; for a single file its own name
    is_file: bool = False  # a single file; False: a folder


@dataclass(frozen=True, kw_only=True)
class EnvironmentSpec:
    """An inline environment: an image and, on top of it, the content of a conda file."""

    image: str
    conda_file: str | None  # the file's content
    name: str | None  # as written inline; None = anonymous in az ml, so the program names it
    inference_config: Mapping[str, Any] | None  # ARM shape
    digest: str  # sha256 hex of image, conda file and inference config: the EnvironmentVersion's version


@dataclass(frozen=True, kw_only=True)
class AutoscaleSpec:
    """`scale_settings: target_utilization` of a managed deployment, which Azure Monitor autoscale applies."""

    min_instances: int
    max_instances: int
    target_cpu_percent: int


@dataclass(frozen=True, kw_only=True)
class IdentitySpec:
    """`identity` of endpoint.yml."""

    type: str  # "SystemAssigned" | "UserAssigned"
    resource_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class EndpointSpec:
    """endpoint.yml without weights, which belong to the stack."""

    auth_mode: str  # "Key" | "AMLToken" | "AADToken"
    description: str | None
    tags: Mapping[str, str]
    properties: Mapping[str, str]
    identity: IdentitySpec | None  # None: not in the file
    public_network_access: str | None  # "Enabled" | "Disabled" | None: not in the file
    compute: str | None  # set: a Kubernetes endpoint


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """<deployment>.yml: the body that azure-ai-ml would send, without its local assets."""

    name: str
    body: Mapping[
        str, Any
    ]  # ARM `properties`, camelCase, without model, codeConfiguration, environmentId, scaleSettings
    instance_type: str
    instance_count: int
    tags: Mapping[str, str]
    model: LocalAsset | AssetReference | None
    code: LocalAsset | AssetReference | None
    scoring_script: str | None
    environment: EnvironmentSpec | AssetReference | None
    autoscale: AutoscaleSpec | None
    environment_variables: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The stack's own values for variables that the body sets; they may be secrets."""
    release: str = field(default="", compare=False)  # release_digest of the file as written, 64 hex characters


@dataclass(frozen=True, kw_only=True)
class Model:
    """A folder of models/: one endpoint and the requested deployments."""

    name: str
    endpoint: EndpointSpec
    deployments: Mapping[str, DeploymentSpec]


NOT_PART_OF_A_RELEASE = frozenset({"description", "properties", "scaleSettings", "instanceType"})
SET_BY_THE_STACK = frozenset({"appInsightsEnabled", "egressPublicNetworkAccess"})
"""Parts of a release that say where it runs, not what it is."""
NOT_PART_OF_A_CONTENT = NOT_PART_OF_A_RELEASE | SET_BY_THE_STACK


def with_release(deployment: DeploymentSpec) -> DeploymentSpec:
    """Return the deployment with the digest of its own file."""
    return replace(deployment, release=release_digest(deployment))


def release_digest(deployment: DeploymentSpec, sku: str | None = None) -> str:
    """Return the digest of what serves: 64 hex characters, equal on every machine.

    `sku` is the stack's override of the instance type. The digest covers model, code, environment, SKU, environment
    variables, request settings, probes and every other setting that reaches the container; it does not cover
    instances, autoscale, tags and descriptions.
    """
    content = _content(deployment, body_of(deployment), NOT_PART_OF_A_RELEASE)
    return digest_of({"sku": (sku or deployment.instance_type).lower(), **content})


def content_digest(deployment: DeploymentSpec) -> str:
    """Return the digest of what serves, whatever the stack: 64 hex characters, equal in every stack and colour.

    It covers what `release_digest` covers, but not what stacks may set differently: VM size, Application Insights, the
    public network access of egress, and the stack's own values of environment variables.
    """
    return digest_of(content_of(deployment))


def content_of(deployment: DeploymentSpec) -> dict[str, Any]:
    """Return the JSON value of which `content_digest` is the digest; files are in it by the digests of their assets."""
    return _content(deployment, deployment.body, NOT_PART_OF_A_CONTENT)


def body_of(deployment: DeploymentSpec) -> dict[str, Any]:
    """Return the body with the stack's own values of environment variables."""
    if not deployment.environment_variables:
        return dict(deployment.body)
    variables = {**(deployment.body.get("environmentVariables") or {}), **deployment.environment_variables}
    return {**deployment.body, "environmentVariables": variables}


def with_variables(model: Model, variables: Mapping[str, Mapping[str, str]]) -> Model:
    """Return the model with a stack's own values of environment variables, by deployment.

    Names that a release does not set are left out: the program refuses them (`unknown_variables`).
    """
    deployments = {
        name: replace(
            spec,
            environment_variables={
                one: value for one, value in variables.get(name, {}).items() if not unknown_variables(spec, [one])
            },
        )
        for name, spec in model.deployments.items()
    }
    return replace(model, deployments=deployments)


def unknown_variables(deployment: DeploymentSpec, names: Iterable[str]) -> list[str]:
    """Return the names of environment variables that the release does not set, so that no stack may override them."""
    return sorted(set(names) - set(deployment.body.get("environmentVariables") or {}))


def _content(deployment: DeploymentSpec, body: Mapping[str, Any], without: Collection[str]) -> dict[str, Any]:
    # Empty values are left out: whether azure-ai-ml writes them depends on its version.
    return {
        "release": 1,  # raise when the meaning of the digests changes
        "body": {key: value for key, value in body.items() if key not in without and value},
        "model": _asset(deployment.model),
        "code": _asset(deployment.code),
        "scoring_script": deployment.scoring_script,
        "environment": _asset(deployment.environment),
    }


def asset_digest(kind: AssetKind, name: str, files: Mapping[str, str]) -> str:
    """Return the digest of a local asset: of the relative POSIX paths of its files and the sha256 of their bytes.

    A model's name is part of it: Azure mounts the model under it, and scoring scripts look for it there.
    """
    digest = hashlib.sha256(f"sluice {kind} 1\n{name if kind is AssetKind.MODEL else ''}\n".encode())
    for relative in sorted(files, key=lambda path: path.encode("utf-8", "surrogateescape")):
        path = relative.encode("utf-8")
        digest.update(b"%d:%s:%s\n" % (len(path), path, files[relative].encode("ascii")))
    return digest.hexdigest()


def environment_digest(image: str, conda: Any, inference_config: Mapping[str, Any] | None) -> str:
    """Return the digest of an inline environment; `conda` is the parsed conda file, because its layout means nothing.

    azure-ai-ml rewrites that file, and another version of it may format it differently.
    """
    return digest_of({"image": image, "conda": conda, "inference_config": inference_config})


def digest_of(value: Any) -> str:
    """Return the sha256 of a JSON value in one canonical form."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode("ascii")).hexdigest()


def _asset(asset: LocalAsset | AssetReference | EnvironmentSpec | None) -> Any:
    if asset is None:
        return None
    if isinstance(asset, AssetReference):
        return {"reference": asset.reference}
    if isinstance(asset, EnvironmentSpec):
        return {"content": asset.digest}
    return {"content": asset.digest, "type": asset.asset_type}
