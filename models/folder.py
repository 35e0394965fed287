"""Which files of a model's folder describe deployments, and why every other YAML file in it does not.

It recognises them by several keys, never by one key alone: a file that is meant as a deployment is read as one, so that
its mistakes are reported. No file is skipped silently.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from models.document import Document, DocumentError, read_document

ENDPOINT = "endpoint"
SUFFIXES = (".yml", ".yaml")
NO_DEPLOYMENTS = frozenset({ENDPOINT, "conda", "environment", "release.lock"})

_SCHEMA = "$schema"
_DEPLOYMENT_KEYS = (
    "endpoint_name",
    "code_configuration",
    "instance_type",
    "instance_count",
    "scale_settings",
    "request_settings",
    "liveness_probe",
    "readiness_probe",
    "egress_public_network_access",
    "app_insights_enabled",
    "model_mount_path",
)
"""Keys of online deployments, which files of other kinds do not have at the top level (read in az ml's schemas)."""
_BATCH_KEYS = ("mini_batch_size", "output_action", "output_file_name", "retry_settings", "max_concurrency_per_instance")
_OTHER_KINDS = (
    (("dependencies",), "a conda file"),
    (("auth_mode", "traffic", "deployments"), "an endpoint's file; only endpoint.yml is read"),
    (("command", "jobs", "experiment_name"), "a job or component"),
    (("image", "build", "conda_file"), "an environment"),
)


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What the YAML files of a model's folder are."""

    deployments: tuple[str, ...]  # names, sorted
    passed_over: dict[str, str]  # file name -> a description of what it is
    whole: bool = True  # every file was examined; False: only those that the caller named


def survey(folder: Path) -> Survey:
    """Examine every YAML file of a folder except endpoint.yml, the release lock, and files that a deployment reads."""
    deployments: list[str] = []
    passed_over: dict[str, str] = {}
    read: set[Path] = set()
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.suffix not in SUFFIXES:
            passed_over.update(_deployments_below(path))
        if path.suffix.lower() not in SUFFIXES:
            continue
        if path.stem in (ENDPOINT, "release.lock") and path.suffix in SUFFIXES:
            continue
        kind, document = _kind(path)
        if kind is not None:
            passed_over[path.name] = kind
            continue
        if path.stem not in deployments:
            deployments.append(path.stem)
        read.update(file.resolve() for file in document.read_files()) if document else None
    unread = {name: kind for name, kind in passed_over.items() if (folder / name).resolve() not in read}
    return Survey(deployments=tuple(sorted(deployments)), passed_over=unread)


def list_deployments(folder: Path) -> list[str]:
    """Return the deployments that a model's folder describes, sorted."""
    return list(survey(folder).deployments)


def _deployments_below(folder: Path) -> dict[str, str]:
    """Return the files in a subfolder that look like deployments, by `folder/file`."""
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in SUFFIXES and path.is_file())
    except OSError:
        return {}
    found = {}
    for path in files:
        try:
            kind = _kind_of(read_document(path).content)
        except DocumentError:
            continue  # it can be anything, such as data or a template
        if kind is None:
            found[f"{folder.name}/{path.name}"] = "looks like a deployment: move it into the folder of endpoint.yml"
    return found


def _kind(path: Path) -> tuple[str | None, Document | None]:
    """Return (None, document) for a deployment, with None for an unreadable document; else (what the file is, _)."""
    if path.is_dir():
        return "a folder", None
    try:
        document = read_document(path)
    except DocumentError as error:
        if path.stem in NO_DEPLOYMENTS or path.suffix not in SUFFIXES:
            return str(error), None
        return None, None  # loading it reports what is wrong
    kind = _kind_of(document.content)
    if kind is None and path.stem in NO_DEPLOYMENTS:
        kind = f"looks like a deployment, but {path.stem} cannot be the name of one: rename it"
    if kind is None and path.suffix not in SUFFIXES:
        kind = f"looks like a deployment, but its name ends in {path.suffix}: rename it to {path.stem}.yml"
    return kind, document


def _kind_of(content: dict[str, Any]) -> str | None:
    """Return what a file is, judged by its keys: None for an online deployment, else a description."""
    schema = str(content.get(_SCHEMA, "")).rpartition("/")[2].lower()
    if "batchdeployment" in schema or any(key in content for key in _BATCH_KEYS):
        return "a batch deployment; this program deploys to online endpoints only"
    if "onlinedeployment" in schema:
        return None
    endpoint = "endpoint" in schema or "deployments" in content
    if not endpoint and any(key in content for key in _DEPLOYMENT_KEYS):
        return None
    kinds = (kind for keys, kind in _OTHER_KINDS if any(key in content for key in keys))
    return next(kinds, "not a deployment: it has none of " + ", ".join(_DEPLOYMENT_KEYS[:3]))
