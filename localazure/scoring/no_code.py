"""An MLflow model that is deployed without code: where its environment and its scoring script come from.

As documented, the service installs the packages of the model's conda file and adds those that the inference server
needs. The script is our own (`mlflow_code/mlflow_score_script.py`); it serves models of tables and tensors. Models of
language flavors, whose input Azure treats differently, are `NotEmulated`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from localazure.scoring.specification import DeploymentFailed, DeploymentSpec

_FOLDER = Path(__file__).with_name("mlflow_code")
_SCRIPT = "mlflow_score_script.py"
_LANGUAGE = {"hftransformers", "hftransformersv2", "langchain", "openai", "transformers"}
_ADD_CODE = "Give the deployment a code_configuration (a scoring script) and an environment."
# Added unless the model's conda file names them (or a package that depends on them).
_NEEDED = {
    "azureml-inference-server-http": ("azureml-inference-server-http", "azureml-defaults"),
    "mlflow": ("mlflow",),
}


def with_code(spec: DeploymentSpec) -> DeploymentSpec:
    """Complete a deployment without code; raises `DeploymentFailed`. It reads files: call it in a thread."""
    if spec.code_folder is not None or spec.scoring_script:
        return spec
    if not spec.mlflow or spec.model_folder is None:
        raise DeploymentFailed(
            "NotEmulated",
            f"deployment {spec.deployment} has no code_configuration, and its model is not of the type mlflow_model. "
            f"Azure then runs the command of the image {spec.image or '(none)'}; the local Azure does not run images. "
            + _ADD_CODE,
        )
    described = _yaml(spec.model_folder / "MLmodel")
    flavors = described.get("flavors")
    if not isinstance(flavors, dict) or not isinstance(flavors.get("python_function"), dict):
        raise DeploymentFailed(
            "NotEmulated", f"the MLflow model {spec.model_folder.name} has no python_function flavor. {_ADD_CODE}"
        )
    if language := sorted(_LANGUAGE & set(flavors)):
        raise DeploymentFailed(
            "NotEmulated", f"MLflow models of the flavor {language[0]} need code on the local Azure. {_ADD_CODE}"
        )
    # A deployment with its own environment keeps it: the author is responsible for its packages.
    conda_file = spec.conda_file if spec.conda_file or spec.image else _conda_file(spec.model_folder, flavors)
    return replace(spec, code_folder=_FOLDER, scoring_script=_SCRIPT, conda_file=conda_file)


def _conda_file(model: Path, flavors: dict[str, Any]) -> str:
    named = flavors["python_function"].get("env") or "conda.yaml"
    path = model / str(named.get("conda", "conda.yaml") if isinstance(named, dict) else named)
    if not path.resolve().is_relative_to(model.resolve()):
        raise DeploymentFailed("BadArgument", "the MLflow model's conda file must lie inside the model's folder.")
    conda = _yaml(path)
    dependencies = conda.get("dependencies")
    if not isinstance(dependencies, list):
        raise DeploymentFailed("ImageBuildFailure", "the MLflow model's conda file has no list 'dependencies'.")
    pip = [line for entry in dependencies if _is_pip(entry) for line in entry["pip"]]
    others = [entry for entry in dependencies if not _is_pip(entry)]  # reading it refuses anything else
    listed = [str(line).lower().replace("_", "-") for line in (*pip, *others)]
    for package, bringing in _NEEDED.items():
        if not any(line.startswith(bringing) for line in listed):
            pip.append(package)
    import yaml  # not needed to start

    return yaml.safe_dump(conda | {"dependencies": [*others, {"pip": pip}]})


def _is_pip(entry: object) -> bool:
    return isinstance(entry, dict) and isinstance(entry.get("pip"), list)


def _yaml(path: Path) -> dict[str, Any]:
    import yaml  # not needed to start

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        raise DeploymentFailed(
            "ResourceNotReady", f"the MLflow model's {path.name} cannot be read: {exc}. {_ADD_CODE}"
        ) from exc
    if not isinstance(document, dict):
        raise DeploymentFailed("ResourceNotReady", f"the MLflow model's {path.name} is not a mapping. {_ADD_CODE}")
    return document
