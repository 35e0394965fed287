"""Distinguishes a deployment's local assets, which must be published, from references to registered assets."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from models.content import ContentError, local_asset
from models.scoring_script import SCRIPT_FIELD, check_scoring_script
from models.spec import AssetKind, AssetReference, EnvironmentSpec, LocalAsset, environment_digest
from problem import Problem
from strict_yaml import read_yaml


class AssetError(ValueError):
    """An asset of a deployment cannot be used."""

    def __init__(self, *problems: Problem) -> None:
        self.problems = problems
        super().__init__("; ".join(problem.what for problem in problems))


def model_of(folder: Path, result: Mapping[str, Any]) -> LocalAsset | AssetReference | None:
    """Return the model of azure-ai-ml's result for a deployment in `folder`."""
    model = result["model"]
    if model is None or isinstance(model, str):
        return _reference(model)
    path = model["path"]
    if path is None or "://" in path:
        what = (
            "model has no path" if path is None else f"model.path is {path!r}, which is not a file of this repository"
        )
        fix = "Write path: ./<file or folder>, or register the model and write model: azureml:<name>:<version>"
        raise AssetError(Problem(where="model", what=what, fix=fix))
    local = (folder / path).resolve()
    if not local.exists():
        raise AssetError(_absent("model.path", path))
    return _local(AssetKind.MODEL, local, model["type"], "model.path")


def code_of(folder: Path, result: Mapping[str, Any]) -> LocalAsset | AssetReference | None:
    """Return the scoring code; a local Python script must be one that the inference server can start.

    With `inference_config` the container has its own server, which may use the script in any way. A script in another
    language (R, a shell) also implies such a container, even if the environment is only a reference.
    """
    code = result["code"]
    if code is None:
        return None
    where, script = code["code"], code["scoring_script"]
    if not where or not script:
        what = f"code_configuration has no {'code' if not where else 'scoring_script'}"
        fix = "Write both: code: ./src and scoring_script: score.py"
        raise AssetError(Problem(where="code_configuration", what=what, fix=fix))
    if where.startswith(("azureml:", "/subscriptions/")):
        return _reference(where.removeprefix("azureml:") if not where.startswith("azureml://") else where)
    local = (folder / where).resolve()
    field = "code_configuration.code"
    if "://" in where or not local.is_dir():
        if local.exists():
            fix = "Name the folder that holds the script"
            raise AssetError(Problem(where=field, what=f"{field} is {where!r}, which is no folder", fix=fix))
        raise AssetError(_absent(field, where))
    asset = _local(AssetKind.CODE, local, "code", field)
    field = SCRIPT_FIELD
    if Path(script).as_posix() not in asset.files:
        what = f"{field} is {script!r}, which is not among the files of {where}"
        fix = "Name a script below that folder, which no ignore file leaves out"
        raise AssetError(Problem(where=field, what=what, fix=fix))
    problems = [] if _has_own_server(result) or not is_python(script) else check_scoring_script(local / script)
    if problems:
        raise AssetError(*problems)
    return asset


def environment_of(folder: Path, result: Mapping[str, Any]) -> EnvironmentSpec | AssetReference | None:
    """Return the environment; an inline one by its content."""
    environment = result["environment"]
    if environment is None or isinstance(environment, str):
        return _reference(environment)
    properties = environment["properties"]
    image, conda_file = properties.get("image"), properties.get("condaFile")
    inference_config = properties.get("inferenceConfig")
    if not image:
        raise AssetError(Problem(where="environment.image", what="environment.image is missing", fix="Name an image"))
    return EnvironmentSpec(
        image=image,
        conda_file=conda_file,
        name=environment["name"],
        inference_config=inference_config,
        digest=environment_digest(image, read_yaml(conda_file) if conda_file else None, inference_config),
    )


def is_python(script: str) -> bool:
    """Tell whether a scoring script is for azureml-inference-server-http."""
    return Path(script).suffix.lower() == ".py"


def _has_own_server(result: Mapping[str, Any]) -> bool:
    environment = result["environment"]
    return isinstance(environment, Mapping) and bool(environment["properties"].get("inferenceConfig"))


def _reference(reference: str | None) -> AssetReference | None:
    return None if reference is None else AssetReference(reference=reference)


def _local(kind: AssetKind, path: Path, asset_type: str, field: str) -> LocalAsset:
    try:
        return local_asset(kind, path, asset_type)
    except ContentError as error:
        raise AssetError(Problem(where=field, what=f"{field}: {error}", fix="Then try again")) from error


def _absent(field: str, path: str) -> Problem:
    return Problem(
        where=field,
        what=f"{field} is {path!r}, which does not exist",
        fix="Correct the path; it counts from the folder of this file",
    )
