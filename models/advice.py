"""Warnings about a deployment that Azure accepts but that may cause trouble later.

This module refuses nothing, and it asks neither Azure nor a registry.
"""

import re
from collections.abc import Iterator
from typing import Any

from models.assets import is_python
from models.package_versions import shown_lines, unpinned_lines
from models.references import is_pinned, placeholder_in
from models.spec import AssetReference, DeploymentSpec, EnvironmentSpec
from strict_yaml import read_yaml

SERVER = "azureml-inference-server-http"
SERVER_PACKAGES = frozenset({SERVER, "azureml-defaults"})
"""Packages that install the inference server: itself, or Microsoft's bundle that requires it."""


def advice_on(deployment: DeploymentSpec) -> Iterator[str]:
    """Yield one or two sentences for each warning, starting with the field."""
    environment = deployment.environment
    if isinstance(environment, EnvironmentSpec):
        if not is_pinned(environment.image):
            yield (
                f"environment.image is {environment.image!r}, which names no version: next month, the same release or "
                "a rollback to it may run another image. Use a dated tag or a digest (<image>@sha256:...)."
            )
        if lines := unpinned_lines(environment.conda_file):
            yield (
                f"environment.conda_file names no exact version in {shown_lines(lines)}: each workspace may build "
                "another environment from it. Write name==1.2.3, in conda and in pip lines."
            )
        if deployment.scoring_script is not None and environment.inference_config is None:
            yield from _on_server(deployment.scoring_script, environment.conda_file)
    for name, value in _strings(deployment):
        if (found := placeholder_in(value)) and found.startswith(("$", "{{", "#{")):
            yield f"{name} is {value!r}: if {found} is a placeholder, no template has replaced it, and Azure will not."


def unpinned_image(deployment: DeploymentSpec) -> str | None:
    """Return the deployment's image if it names no version; None for a pinned one and for a registered environment."""
    environment = deployment.environment
    return environment.image if isinstance(environment, EnvironmentSpec) and not is_pinned(environment.image) else None


def unpinned_packages(deployment: DeploymentSpec) -> tuple[str, ...]:
    """Return the lines of the deployment's conda file that name no exact version; none for a registered environment."""
    environment = deployment.environment
    return tuple(unpinned_lines(environment.conda_file)) if isinstance(environment, EnvironmentSpec) else ()


def _on_server(script: str, conda_file: str | None) -> Iterator[str]:
    """Azure's inference server is a package of the environment, and it starts only Python scripts."""
    if not is_python(script):
        yield (
            f"code_configuration.scoring_script is {script!r}, which {SERVER} cannot start: the image must contain "
            "its own server. Add inference_config, with that server's ports and paths, below environment."
        )
    elif conda_file is not None and not _installs_server(read_yaml(conda_file)):
        yield (
            f"environment.conda_file does not list {SERVER}, so the container starts only if another package "
            "installs it. Add it to the pip: list."
        )


def _installs_server(conda: Any) -> bool:
    dependencies = conda.get("dependencies") if isinstance(conda, dict) else None
    names: list[str] = []
    for one in dependencies if isinstance(dependencies, list) else []:
        names += one.get("pip") or [] if isinstance(one, dict) else [one]
    lines = [str(name).strip() for name in names]
    if any(line.startswith(("-r", "--requirement")) for line in lines):
        return True  # the content of that file is not known here
    return any(_package(line) in SERVER_PACKAGES for line in lines)


def _package(requirement: str) -> str:
    """The name in a line of pip or conda, in pip's normal form: conda-forge::Azureml_Defaults=1 -> azureml-defaults."""
    name = re.match(r"[A-Za-z0-9._-]+", requirement.rpartition("::")[2])
    return re.sub(r"[-_.]+", "-", name.group(0)).lower() if name else ""


def _strings(deployment: DeploymentSpec) -> Iterator[tuple[str, str]]:
    variables = deployment.body.get("environmentVariables") or {}
    for field, values in (("environment_variables", variables), ("tags", deployment.tags)):
        for name, value in values.items():
            if isinstance(value, str):
                yield f"{field}.{name}", value


def references(deployment: DeploymentSpec) -> list[str]:
    """Return the references of a deployment to models, code and environments that are already registered."""
    assets = (deployment.model, deployment.code, deployment.environment)
    return [asset.reference for asset in assets if isinstance(asset, AssetReference)]
