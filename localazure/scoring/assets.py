"""Lays out an application's folder for a deployment: code and model where a container on Azure finds them.

Below the root: `<code folder>/` (a copy, because Python and models write beside scripts) and
`azureml-models/<name>/<version>/<model>` (hard links where the disk allows, so that a large model is not copied).
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from localazure.scoring.specification import DeploymentFailed, DeploymentSpec


@dataclass(frozen=True)
class Application:
    """The paths that the inference server receives."""

    app_root: Path
    model_folder: Path
    entry_script: str


def lay_out(spec: DeploymentSpec, root: Path) -> Application:
    """Fill an empty folder; raises `DeploymentFailed` when an asset is missing. Blocks: call it in a thread."""
    if spec.code_folder is None or not spec.scoring_script:
        raise DeploymentFailed("BadArgument", f"deployment {spec.deployment} needs both code and a scoring script.")
    script = Path(spec.scoring_script)
    if script.is_absolute() or ".." in script.parts:
        raise DeploymentFailed("BadArgument", f"scoring_script must lie inside the code folder, got {str(script)!r}.")
    if not (spec.code_folder / script).is_file():
        raise DeploymentFailed(
            "ResourceNotReady",
            f"the scoring script {str(script)!r} is not in the deployment's code folder. "
            f"It contains: {_listing(spec.code_folder)}",
        )
    mount = Path(spec.model_mount)
    if mount.is_absolute() or ".." in mount.parts:
        raise DeploymentFailed("BadArgument", f"the model must be mounted inside the container, got {str(mount)!r}.")
    app_root, model_folder = root / "code", root / mount
    try:
        shutil.copytree(spec.code_folder, app_root)
        model_folder.mkdir(parents=True)
        if spec.model_folder is not None:
            _link(spec.model_folder, model_folder / spec.model_folder.name)
    except (OSError, shutil.Error) as exc:
        raise DeploymentFailed("ResourceNotReady", f"cannot copy the model or the code: {exc}.") from exc
    return Application(app_root, model_folder, script.as_posix())


def _link(source: Path, target: Path) -> None:
    if not source.exists():
        raise FileNotFoundError(f"the model {source} does not exist")
    if source.is_dir():
        shutil.copytree(source, target, copy_function=_link_file)
    else:
        _link_file(str(source), str(target))


def _link_file(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy2(source, target)


def _listing(folder: Path) -> str:
    names = sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []
    return ", ".join(names[:20]) or "nothing"
