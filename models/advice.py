"""What is worth knowing of a deployment that can be deployed: things that will surprise somebody later.

Nothing here refuses anything, and nothing is asked of Azure or a registry.
"""

import re
from collections.abc import Iterator
from typing import Any

import yaml

from models.assets import is_python
from models.references import is_pinned, placeholder_in
from models.spec import AssetReference, DeploymentSpec, EnvironmentSpec

SERVER = "azureml-inference-server-http"
SERVER_PACKAGES = frozenset({SERVER, "azureml-defaults"})
"""What brings the inference server: itself, or Microsoft's bundle that requires it."""


def advice_on(deployment: DeploymentSpec) -> Iterator[str]:
    """Yield one sentence or two for each thing, which start with the field."""
    environment = deployment.environment
    if isinstance(environment, EnvironmentSpec):
        if not is_pinned(environment.image):
            yield (
                f"environment.image is {environment.image!r}, which names no version: the same release can be another "
                "image next month, and a rollback too. Write a dated tag, or a digest (<image>@sha256:...)."
            )
        if deployment.scoring_script is not None and environment.inference_config is None:
            yield from _on_server(deployment.scoring_script, environment.conda_file)
    for name, value in _texts(deployment):
        if (found := placeholder_in(value)) and found.startswith(("$", "{{", "#{")):
            yield f"{name} is {value!r}: if a template was to fill in {found}, it did not, and Azure does not either."


def unpinned_image(deployment: DeploymentSpec) -> str | None:
    """Return the deployment's image if it names no version; None for a pinned one and for a registered environment."""
    environment = deployment.environment
    return environment.image if isinstance(environment, EnvironmentSpec) and not is_pinned(environment.image) else None


def _on_server(script: str, conda_file: str | None) -> Iterator[str]:
    """Azure's inference server is a package of the environment, and starts Python scripts only."""
    if not is_python(script):
        yield (
            f"code_configuration.scoring_script is {script!r}, which {SERVER} cannot start: the image must bring a "
            "server of its own. Write inference_config below environment, with its ports and paths."
        )
    elif conda_file is not None and not _brings_server(yaml.safe_load(conda_file)):
        yield (
            f"environment.conda_file does not list {SERVER}, so that the container starts only if another package "
            "brings it. Add it to the pip: list."
        )


def _brings_server(conda: Any) -> bool:
    dependencies = conda.get("dependencies") if isinstance(conda, dict) else None
    names: list[str] = []
    for one in dependencies if isinstance(dependencies, list) else []:
        names += one.get("pip") or [] if isinstance(one, dict) else [one]
    lines = [str(name).strip() for name in names]
    if any(line.startswith(("-r", "--requirement")) for line in lines):
        return True  # its lines are not known here
    return any(_package(line) in SERVER_PACKAGES for line in lines)


def _package(requirement: str) -> str:
    """The name in a line of pip or conda, in pip's normal form: conda-forge::Azureml_Defaults=1 -> azureml-defaults."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement.rpartition("::")[2])
    return re.sub(r"[-_.]+", "-", name.group(0)).lower() if name else ""


def _texts(deployment: DeploymentSpec) -> Iterator[tuple[str, str]]:
    variables = deployment.body.get("environmentVariables") or {}
    for field, values in (("environment_variables", variables), ("tags", deployment.tags)):
        for name, value in values.items():
            if isinstance(value, str):
                yield f"{field}.{name}", value


def references(deployment: DeploymentSpec) -> list[str]:
    """Return what a deployment takes from others: models, code and environments that they registered."""
    assets = (deployment.model, deployment.code, deployment.environment)
    return [asset.reference for asset in assets if isinstance(asset, AssetReference)]
