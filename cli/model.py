"""`sluice model check`: validates az ml YAML, scoring script and VM sizes of one model or all, without a request."""

import argparse
import json
from dataclasses import asdict
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from exit_codes import ExitCode
from project import project_root

if TYPE_CHECKING:
    from models.folder import Survey
    from models.inspection import Inspection


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


def check_models(options: argparse.Namespace) -> int:
    """Run `sluice model check`."""
    from models.inspection import inspect_models

    results = inspect_models(_asked(options.path), date.today())
    if options.json:
        print(json.dumps([asdict(result) for result in results], indent=2))
    else:
        for result in results:
            _print(result)
    return ExitCode.USAGE if any(result.problems for result in results) else ExitCode.DONE


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


def _print(result: "Inspection") -> None:
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
