"""Loads models/<model>/ with azure-ai-ml's own loaders, and refuses what they silently alter or let through.

The Pulumi program and the command line use `load_models`. It starts azure-ai-ml at most once, for all models together,
because a start takes seconds. It only reads files: it neither uploads nor asks Azure. This module combines the parts:
folder.py finds the deployments, document.py reads YAML, azureml.py runs azure-ai-ml and caches its results, checks.py
covers the library's gaps, content.py digests files, assets.py distinguishes local assets from references. A pinned
deployment comes from its release document instead (pin.py), without azure-ai-ml.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from models import azureml
from models.assets import AssetError, code_of, environment_of, model_of
from models.checks import (
    check_deployment,
    check_endpoint,
    check_paths,
    has_target_utilization,
    is_kubernetes,
)
from models.content import RELEASES_FOLDER
from models.document import Document, DocumentError, read_document
from models.errors import ModelError, ModelFilesError, ReleaseError
from models.folder import ENDPOINT, NO_DEPLOYMENTS, SUFFIXES, list_deployments
from models.pin import pinned
from models.release_document import SHORT
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
    release_digest,
    with_release,
)
from models.values import check_shapes
from problem import Problem, did_you_mean

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
    "ModelFilesError",
    "list_deployments",
    "load_model",
    "load_models",
    "release_digest",
]

DEFAULT_TARGET_CPU_PERCENT = 70  # azure-ai-ml's and Azure's default of target_utilization_percentage


Names = Iterable[str] | Mapping[str, str | None]
"""Names of deployments; a mapping gives each its pin, None for one that its az ml file describes."""


def load_models(asked: Mapping[Path, Names]) -> dict[Path, Model | ModelError]:
    """Return the models of folders, each with the named deployments, or the error that lists everything that is wrong.

    Raises `azureml.LibraryError` if azure-ai-ml cannot run.
    """
    readers = {folder: _Reader(folder.resolve(), deployments) for folder, deployments in asked.items()}
    requests = {folder: reader.requests() for folder, reader in readers.items()}
    answers = iter(azureml.load([request for own in requests.values() for request in own]))
    loaded = {folder: [next(answers) for _ in own] for folder, own in requests.items()}
    found: dict[Path, Model | ModelError] = {}
    for folder, reader in readers.items():
        try:
            found[folder] = reader.model(loaded[folder])
        except ModelError as error:
            found[folder] = error
    return found


def load_model(folder: Path, deployments: Names) -> Model:
    """Return the model of a folder with the named deployments; raise ModelError with everything that is wrong."""
    (found,) = load_models({folder: deployments}).values()
    if isinstance(found, ModelError):
        raise found
    return found


class _Reader:
    """Reads one model's folder and collects what is wrong with it."""

    def __init__(self, folder: Path, names: Names) -> None:
        self.folder = folder
        self.names = list(dict.fromkeys(names))
        self.pins = {name: pin for name, pin in names.items() if pin} if isinstance(names, Mapping) else {}
        self.problems: list[Problem] = []
        self.documents: dict[str, Document] = {}

    def report(self, file: str, *found: Problem) -> None:
        """Note problems of one file."""
        for one in found:
            problem = replace(one, file=file)
            if problem not in self.problems:
                self.problems.append(problem)

    def requests(self) -> list[azureml.Request]:
        """Read and check the files; return what azure-ai-ml must load."""
        if not self.folder.is_dir():
            parent = self.folder.parent
            there = [path.name for path in parent.iterdir() if path.is_dir()] if parent.is_dir() else []
            fix = f"Create the folder, or correct the key in sluice:endpoints.{did_you_mean(self.folder.name, there)}"
            what = "the model's folder does not exist"
            self.report(f"{self.folder.name}/", Problem(where="", what=what, fix=fix))
            return []
        for name in NO_DEPLOYMENTS.intersection(self.names):
            what = f"a deployment must not be called {name}: {name}.yml is not read as a deployment's file"
            self.report(f"{self.folder.name}/{name}.yml", Problem(where="", what=what, fix="Give it another name"))
        self.names = [name for name in self.names if name not in NO_DEPLOYMENTS]
        self.documents = {name: document for name in self._with_files() if (document := self._document(name))}
        endpoint = self.documents.get(ENDPOINT)
        kubernetes = endpoint is not None and bool(endpoint.content.get("compute"))
        for name, document in self.documents.items():
            if name == ENDPOINT:
                self.report(self._label(document), *check_endpoint(document.content, self.folder.name))
            else:
                found = check_deployment(document.content, name=name, model=self.folder.name, kubernetes=kubernetes)
                self.report(self._label(document), *found, *check_paths(document.content, self.folder))
        return [
            azureml.Request(
                kind=ENDPOINT if name == ENDPOINT else "deployment",
                document=document,
                content=_carried(document.content),
            )
            for name, document in self.documents.items()
        ]

    def _with_files(self) -> list[str]:
        """The endpoint and the deployments that az ml files describe."""
        return [ENDPOINT, *(name for name in self.names if name not in self.pins)]

    def model(self, loaded: list[azureml.Loaded]) -> Model:
        """Return the model built from azure-ai-ml's answers and the release documents, or raise ModelError."""
        results = self._results(loaded)
        specs = {name: spec for name in self.names if (spec := self._one(name, results)) is not None}
        if self.problems:
            raise ModelFilesError(self.folder.name, self.problems)
        return Model(name=self.folder.name, endpoint=_endpoint(results[ENDPOINT]), deployments=specs)

    def _label(self, document: Document) -> str:
        return f"{self.folder.name}/{document.path.name}"

    def _document(self, name: str) -> Document | None:
        paths = [path for suffix in SUFFIXES if (path := self.folder / f"{name}{suffix}").is_file()]
        label = f"{self.folder.name}/{name}.yml"
        if len(paths) == 2:
            self.report(label, Problem(where="", what=f"{name}.yaml exists too", fix="Keep one of the two files"))
        if not paths:
            if any((self.folder / f"{name}{suffix}").is_symlink() for suffix in SUFFIXES):
                what = "the file is a link to something that does not exist or is not a file"
                self.report(label, Problem(where="", what=what, fix="Delete the link and restore the file"))
                return None
            if any((self.folder / f"{name}{suffix}").exists() for suffix in SUFFIXES):
                what = "this is a folder or something else that is not a file"
                self.report(label, Problem(where="", what=what, fix=f"Replace it with {name}.yml in az ml's format"))
                return None
            what = (
                "the file that describes the endpoint is missing"
                if name == ENDPOINT
                else f"deployment {name} has no file"
            )
            hint = "" if name == ENDPOINT else did_you_mean(name, list_deployments(self.folder))
            self.report(label, Problem(where="", what=what, fix=f"Add {name}.yml in az ml's format.{hint}"))
            return None
        try:
            return read_document(paths[0])
        except DocumentError as error:
            self.report(label, Problem(where="", what=str(error), fix="Correct the file"))
            return None

    def _results(self, loaded: list[azureml.Loaded]) -> dict[str, dict[str, Any]]:
        """Return azure-ai-ml's results; a refusal is a problem unless the same field is reported already."""
        results = {}
        for (name, document), answer in zip(self.documents.items(), loaded, strict=True):
            label = self._label(document)
            if answer.result is not None:
                results[name] = answer.result
            for error in answer.errors:
                field = "name" if error.startswith("The name for a") else error.partition(":")[0]
                if field.startswith(
                    ("model.", "environment.")
                ):  # azure-ai-ml tried several alternatives; one of its errors is enough
                    field = field.partition(".")[0]
                if not self._reported(label, field):
                    fix = "Correct it as az ml's schema asks"
                    self.report(label, Problem(where=field, what=f"az ml refuses the file: {error}", fix=fix))
        return results

    def _reported(self, label: str, field: str) -> bool:
        """Tell whether a file's field, or a part of it, is reported already."""
        fields = [problem.where for problem in self.problems if problem.file == label and problem.where]
        return any(own == field or own.startswith(f"{field}.") or field.startswith(f"{own}.") for own in fields)

    def _one(self, name: str, results: Mapping[str, dict[str, Any]]) -> DeploymentSpec | None:
        """Return a deployment; None if something is wrong with it, which is reported."""
        if name in self.pins:
            return self._pinned(name, results.get(ENDPOINT))
        return self._deployment(self.documents[name], results[name]) if name in results else None

    def _pinned(self, name: str, endpoint: Mapping[str, Any] | None) -> DeploymentSpec | None:
        label = f"{self.folder.name}/{RELEASES_FOLDER}/{self.pins[name][:SHORT]}.json"
        try:
            spec = pinned(self.folder, name, self.pins[name])
        except ReleaseError as error:
            self.report(label, Problem(where="", what=f"{name} is pinned to it: {error.what_is_wrong}", fix=error.fix))
            return None
        kind = spec.body.get("endpointComputeType")
        if endpoint is not None and (kind == "Kubernetes") != bool(endpoint["compute"]):
            what = f"{name} is pinned to a deployment of the kind {kind}, which this endpoint.yml does not take"
            self.report(label, Problem(where="", what=what, fix="Pin a release of this endpoint's kind"))
        return spec

    def _deployment(self, document: Document, result: Mapping[str, Any]) -> DeploymentSpec | None:
        label = self._label(document)
        assets: dict[str, Any] = {}
        for field, find in (("model", model_of), ("code", code_of), ("environment", environment_of)):
            try:
                assets[field] = find(self.folder, result)
            except AssetError as error:
                if not self._reported(label, "code_configuration" if field == "code" else field):
                    self.report(label, *error.problems)
        if len(assets) < 3:
            return None
        self.report(label, *(one for one in _check_completeness(**assets) if not self._reported(label, one.where)))
        body = dict(result["properties"])
        managed = not is_kubernetes(document.content)
        if managed:
            body.pop("scaleSettings", None)  # managed endpoints support only the default
        if access := body.get("egressPublicNetworkAccess"):
            body["egressPublicNetworkAccess"] = access.capitalize()  # as in the service's answers
        autoscale = _autoscale(document.content) if managed else None
        count = autoscale.min_instances if autoscale and result["capacity"] is None else result["capacity"]
        code = result["code"] or {}
        return with_release(
            DeploymentSpec(
                name=document.path.stem,
                body=body,
                instance_type=body.get("instanceType") or "",
                instance_count=count or 0,  # 0 and None are reported as problems already
                tags=result["tags"],
                scoring_script=code.get("scoring_script"),
                autoscale=autoscale,
                **assets,
            )
        )


def _carried(content: dict[str, Any]) -> dict[str, Any] | None:
    """Return the content without what azure-ai-ml cannot process but this program can; None if nothing is removed."""
    stumbles = {"data_collector"}  # TypeError without collections; refused by the checks in any case
    if has_target_utilization(content) and not is_kubernetes(content):
        stumbles.add("scale_settings")  # becomes Azure Monitor autoscale
    if not content.get("identity"):
        stumbles.add("identity")  # TypeError when empty; refused by the checks
    stumbles.update(
        problem.where for problem in check_shapes(content)
    )  # AttributeError for a list in place of a mapping
    if stumbles.isdisjoint(content):
        return None
    return {key: value for key, value in content.items() if key not in stumbles}


def _check_completeness(model: Any, code: Any, environment: Any) -> Iterator[Problem]:
    """Yield what azure-ai-ml lets through although no deployment could start with it."""
    custom = isinstance(model, LocalAsset) and model.asset_type == "custom_model"
    own_server = isinstance(environment, EnvironmentSpec) and environment.inference_config is not None
    if code is None and (custom or model is None) and not own_server and not isinstance(environment, AssetReference):
        yield Problem(
            where="code_configuration",
            what="there is no scoring script, and only an MLflow model or an inference_config works without one",
            fix="Add code_configuration with code and scoring_script",
        )
    if environment is None and (code is not None or custom):
        yield Problem(
            where="environment",
            what="environment is missing, and only an MLflow model without a script works without one",
            fix="Add environment with image and conda_file",
        )


def _autoscale(content: Mapping[str, Any]) -> AutoscaleSpec | None:
    settings = content.get("scale_settings")
    if not isinstance(settings, dict) or not has_target_utilization(dict(content)):
        return None
    values = [
        settings.get("min_instances"),
        settings.get("max_instances"),
        settings.get("target_utilization_percentage", DEFAULT_TARGET_CPU_PERCENT),
    ]
    if not all(isinstance(value, int) for value in values):
        return None  # reported by the checks
    low, high, target = values
    return AutoscaleSpec(min_instances=low, max_instances=high, target_cpu_percent=target)


def _endpoint(result: Mapping[str, Any]) -> EndpointSpec:
    properties, identity = result["properties"], result["identity"]
    access = properties.get("publicNetworkAccess")
    return EndpointSpec(
        auth_mode=properties["authMode"],
        description=properties.get("description"),
        tags=result["tags"],
        properties=properties.get("properties") or {},
        identity=IdentitySpec(type=identity["type"], resource_ids=tuple(identity.get("userAssignedIdentities") or ()))
        if identity
        else None,
        public_network_access=access.capitalize() if access else None,
        compute=result["compute"],
    )
