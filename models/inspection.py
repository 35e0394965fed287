"""An inspection of models: everything that is wrong with their files, and what could fail later, without a request."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from models.advice import advice_on
from models.content import RELEASES_FOLDER
from models.errors import ModelError, ReleaseError
from models.folder import Survey
from models.loader import load_models
from models.release_document import read_in
from models.spec import Model
from skus import SkuError, check_sku, sku_warning


@dataclass(frozen=True, kw_only=True)
class Inspection:
    """The content of a model's folder, its problems and its warnings."""

    model: str
    deployments: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)  # YAML file -> what it is, if no deployment


def inspect_models(asked: Mapping[Path, Survey], today: date) -> list[Inspection]:
    """Load models together, and also check the deployments' VM sizes and images."""
    results = []
    for folder, model in load_models({folder: found.deployments for folder, found in asked.items()}).items():
        found = asked[folder]
        if isinstance(model, ModelError):
            result = Inspection(model=folder.name, problems=[str(one) for one in model.problems])
        else:
            result = _inspect(folder, model, today)
            if found.whole and not found.deployments and not _documents(folder):
                result.warnings.append(f"{folder.name}: no YAML file beside endpoint.yml describes a deployment")
        if found.whole:
            result.problems.extend(_document_problems(folder))
        result.passed_over.update({f"{folder.name}/{name}": kind for name, kind in found.passed_over.items()})
        results.append(result)
    return results


def _inspect(folder: Path, model: Model, today: date) -> Inspection:
    deployments = model.deployments
    found = {name: {"release": one.release, "sku": one.instance_type} for name, one in deployments.items()}
    result = Inspection(model=model.name, deployments=found)
    for name, one in deployments.items():
        file = f"{folder.name}/{name}.yml"
        if model.endpoint.compute is None:  # on Kubernetes the instance types are the cluster's own
            _check_size(file, one.instance_type, result, today)
        result.warnings.extend(f"{file}: {line}" for line in advice_on(one))
    return result


def _documents(folder: Path) -> list[Path]:
    return sorted((folder / RELEASES_FOLDER).glob("*.json"))


def _document_problems(folder: Path) -> Iterator[str]:
    """What is wrong with the release documents of a model, whether a stack pins them or not."""
    for path in _documents(folder):
        try:
            read_in(folder, path.stem)
        except ReleaseError as error:
            yield str(error)


def _check_size(file: str, instance_type: str, result: Inspection, today: date) -> None:
    try:
        check_sku(instance_type, today)
    except SkuError as error:
        result.problems.append(f"{file}: instance_type {error}")
    if warning := sku_warning(instance_type, today):
        result.warnings.append(f"{file}: instance_type {warning}")
