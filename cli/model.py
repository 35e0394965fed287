"""`sluice model check`: validates az ml YAML, scoring script and VM sizes of one model or all, without a request."""

import argparse
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from exit_codes import ExitCode
from project import project_root

if TYPE_CHECKING:
    from models.folder import Survey
    from models.spec import Model


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice model`."""
    commands = parser.add_subparsers(dest="model_command", metavar="COMMAND", required=True)
    command = commands.add_parser(
        "check", help="validate az ml YAML and scoring script; lists everything that is wrong"
    )
    command.add_argument(
        "path", nargs="?", type=Path, help="a model's folder or one of its files; default: all of models/"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=check_models)


@dataclass(frozen=True, kw_only=True)
class Result:
    """The content of a model's folder, its problems and its warnings."""

    model: str
    deployments: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    passed_over: dict[str, str] = field(default_factory=dict)  # YAML file -> what it is, if no deployment


def check_models(options: argparse.Namespace) -> int:
    """Run `sluice model check`."""
    results = check(_asked(options.path))
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            _print(result)
    return ExitCode.USAGE if any(result.problems for result in results) else ExitCode.DONE


def check(asked: "dict[Path, Survey]") -> list[Result]:
    """Load models together, and also check the deployments' VM sizes and images."""
    from models.errors import ModelError
    from models.loader import load_models

    results = []
    for folder, model in load_models({folder: found.deployments for folder, found in asked.items()}).items():
        found = asked[folder]
        if isinstance(model, ModelError):
            result = Result(model=folder.name, problems=[str(one) for one in model.problems])
        else:
            result = _good(folder, model)
            if found.whole and not found.deployments:
                result.warnings.append(f"{folder.name}: no YAML file beside endpoint.yml describes a deployment")
        result.passed_over.update({f"{folder.name}/{name}": kind for name, kind in found.passed_over.items()})
        results.append(result)
    return results


def _good(folder: Path, model: "Model") -> Result:
    from models.advice import advice_on

    deployments = model.deployments
    found = {name: {"release": one.release, "sku": one.instance_type} for name, one in deployments.items()}
    result = Result(model=model.name, deployments=found)
    for name, one in deployments.items():
        file = f"{folder.name}/{name}.yml"
        if model.endpoint.compute is None:  # on Kubernetes the instance types are the cluster's own
            _check_size(file, one.instance_type, result)
        result.warnings.extend(f"{file}: {line}" for line in advice_on(one))
    return result


def _check_size(file: str, instance_type: str, result: Result) -> None:
    from skus import SkuError, check_sku, sku_warning

    today = date.today()
    try:
        check_sku(instance_type, today)
    except SkuError as error:
        result.problems.append(f"{file}: instance_type {error}")
    if warning := sku_warning(instance_type, today):
        result.warnings.append(f"{file}: instance_type {warning}")


def _asked(path: Path | None) -> "dict[Path, Survey]":
    """Return the folders to check, each with its deployments."""
    from models.folder import ENDPOINT, SUFFIXES, Survey, survey

    if path is None:
        surveys = {folder: survey(folder) for folder in sorted((project_root() / "models").glob("*/"))}
        models = {
            folder: found
            for folder, found in surveys.items()
            if found.deployments or any((folder / f"{ENDPOINT}{suffix}").exists() for suffix in SUFFIXES)
        }
        if not models:
            raise UsageError("there is no model: no models/*/endpoint.yml. Add one, or give a path.")
        return models
    if path.is_file():
        if path.suffix not in SUFFIXES:
            raise UsageError(f"{path} is not an az ml file: its name must end in .yml or .yaml. Give such a file.")
        names = () if path.stem == ENDPOINT else (path.stem,)
        return {path.resolve().parent: Survey(deployments=names, passed_over={}, whole=False)}
    if not path.is_dir():
        raise UsageError(f"{path} does not exist. Give a model's folder or one of its YAML files.")
    return {path.resolve(): survey(path)}


def _print(result: Result) -> None:
    count = len(result.problems)
    print(f"{result.model}: {'good' if not count else '1 problem' if count == 1 else f'{count} problems'}")
    if not count:
        for name, facts in result.deployments.items():
            print(f"  {name}: release {facts['release'][:16]}, {facts['sku']}")
    for problem in result.problems:
        print(f"  {problem}")
    for warning in result.warnings:
        print(f"  warning: {warning}")
    for file, kind in result.passed_over.items():
        print(f"  passed over: {file}: {kind}")
