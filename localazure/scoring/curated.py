"""Finds the conda file for an image or a registered environment that has none: in a table here, or in the user's table.

No image is pulled and no registry is contacted: a key maps to the text of a conda file, and the environment is built
from that. An image in neither table raises `NotEmulated`, and the message explains how to add it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from localazure.scoring.specification import DeploymentFailed

USER_TABLE = "SLUICE_ENVIRONMENTS"
_TABLE = Path(__file__).with_name("curated_environments.yml")
_REGISTRY = re.compile(
    r"(azureml://registries/[^/]+/environments/[^/]+)(?:/(?:versions|labels)/[^/]+)?/?", re.IGNORECASE
)
_WORKSPACE = re.compile(r"/subscriptions/.+/environments/([^/]+)(?:/(?:versions|labels)/[^/]+)?/?", re.IGNORECASE)
_SHORT = re.compile(r"azureml:(AzureML-[^:@/]+)(?:[:@].*)?", re.IGNORECASE)  # azure-ai-ml sends these as they are
_IMAGE_VERSION = re.compile(r"(?:@sha256:[0-9a-f]+|:[^/:]*)$", re.IGNORECASE)


@dataclass(frozen=True)
class CuratedEnvironment:
    """A conda file that replaces an image."""

    conda_file: str
    note: str
    """For the build log."""


def key_of(reference: str) -> str:
    """The key of an image or an environment id in the table."""
    for pattern in (_REGISTRY, _WORKSPACE, _SHORT):
        if matched := pattern.fullmatch(reference):
            return matched[1].lower()
    return _IMAGE_VERSION.sub("", reference).lower()


def is_curated(environment_id: str) -> bool:
    """Whether an environment id belongs to a registry or to an environment that Azure adds to every workspace."""
    key = key_of(environment_id)
    return key.startswith(("azureml://registries/", "azureml-"))


def curated_environment(reference: str, environment: Mapping[str, str] = os.environ) -> CuratedEnvironment:
    """The conda file that replaces an image or an environment; raises `DeploymentFailed` when no table has one."""
    key, named = key_of(reference), environment.get(USER_TABLE)
    for path in (Path(named) if named else None, _TABLE):
        found = _read(path).get(key) if path is not None else None
        if found is not None and path is not None:
            left_out = found.get("left_out")
            note = f"{reference} is not pulled: {path} lists the packages that replace it"
            import yaml  # not needed to start

            conda_file = yaml.safe_dump({name: value for name, value in found.items() if name != "left_out"})
            return CuratedEnvironment(conda_file, note + (f"; left out: {left_out}" if left_out else ""))
    raise DeploymentFailed("NotEmulated", not_emulated(reference))


def not_emulated(reference: str) -> str:
    """Why an image or environment is not available, and what to do."""
    return (
        f"{reference} has no conda file, and the local Azure neither runs images nor contacts registries. Give the "
        "deployment an environment with a conda_file that lists azureml-inference-server-http and the model's "
        f"packages, or define a replacement in a YAML file and start the local Azure with its path in {USER_TABLE}:\n"
        f'"{key_of(reference)}":\n  dependencies: [python=3.11, {{pip: [azureml-inference-server-http, numpy]}}]\n'
        f"{_TABLE} lists the built-in replacements."
    )


def _read(path: Path) -> dict[str, dict[str, Any]]:
    import yaml  # not needed to start

    try:
        document = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as exc:
        raise DeploymentFailed("ImageBuildFailure", f"the table of environments {path} cannot be read: {exc}.") from exc
    table = {} if document is None else document
    if not isinstance(table, dict) or not all(isinstance(entry, dict) for entry in table.values()):
        raise DeploymentFailed(
            "ImageBuildFailure",
            f"the table of environments {path} must map images or environments to conda files (mappings with the key "
            f"'dependencies'). {_TABLE} is an example.",
        )
    return {key_of(str(key)): entry for key, entry in table.items()}
