"""`sluice model check`: validates az ml YAML, scoring script and VM sizes of one model or all; it asks nobody."""

import argparse
import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path

from cli.errors import ExitCode, UsageError
from cli.project import project_root


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice model`."""
    group = subparsers.add_parser("model", help="check the model files")
    commands = group.add_subparsers(dest="model_command", metavar="COMMAND", required=True)
    parser = commands.add_parser("check", help="validate az ml YAML and scoring script; lists everything that is wrong")
    parser.add_argument(
        "path", nargs="?", type=Path, help="a model's folder or one of its files; default: all of models/"
    )
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    parser.set_defaults(run=check_models)


@dataclass(frozen=True, kw_only=True)
class Result:
    """What is in a model's folder, everything that is wrong with it, and what is worth knowing."""

    model: str
    deployments: dict[str, dict[str, str]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def check_models(options: argparse.Namespace) -> int:
    """Run `sluice model check`."""
    results = [check_model(folder, names) for folder, names in _asked(options.path)]
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            _print(result)
    return ExitCode.USAGE if any(result.problems for result in results) else ExitCode.DONE


def check_model(folder: Path, deployments: list[str]) -> Result:
    """Load a model and check what only the deployment's VM size decides besides."""
    from models.errors import ModelError
    from models.loader import load_model

    try:
        model = load_model(folder, deployments)
    except ModelError as error:
        return Result(model=folder.name, problems=[str(one) for one in error.problems])
    found = {name: {"release": one.release, "sku": one.instance_type} for name, one in model.deployments.items()}
    if model.endpoint.compute is not None:
        return Result(model=model.name, deployments=found)  # Kubernetes: instance types are the cluster's own
    result = Result(model=model.name, deployments=found)
    for name, one in model.deployments.items():
        _check_size(f"{folder.name}/{name}.yml", one.instance_type, result)
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


def _asked(path: Path | None) -> list[tuple[Path, list[str]]]:
    from models.loader import ENDPOINT, list_deployments

    if path is None:
        folders = sorted(endpoint.parent for endpoint in (project_root() / "models").glob(f"*/{ENDPOINT}.yml"))
        if not folders:
            raise UsageError("there is no model: no models/*/endpoint.yml. Add one, or give a path.")
        return [(folder, list_deployments(folder)) for folder in folders]
    if path.is_file():
        names = [] if path.stem == ENDPOINT else [path.stem]
        return [(path.resolve().parent, names)]
    if not path.is_dir():
        raise UsageError(f"{path} does not exist. Give a model's folder or one of its YAML files.")
    return [(path.resolve(), list_deployments(path))]


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
