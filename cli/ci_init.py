"""`sluice ci init github|azure-devops [--check]`: writes the pipelines, and prints what a person has to set up."""

from __future__ import annotations

import argparse
import sys

from delivery.pipelines.pipeline_files import SYSTEMS, init_command
from delivery.pipelines.pipeline_init import (
    differences_of,
    plan_of,
    repository_of,
    require_main,
    require_repository,
    require_top_folder,
    stacks_of,
    write,
)
from delivery.pipelines.pipeline_setup import Team, as_text, setup
from exit_codes import ExitCode
from project import project_root


def add_init_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice ci init`."""
    parser.description = (
        "Writes the pipelines with this repository's stacks, adds to the stack files the keys that delivery needs, and "
        "prints what a person has to set up, as commands. It runs none of them. A second run changes nothing."
    )
    parser.add_argument("system", choices=SYSTEMS, help="where the pipelines run")
    parser.add_argument("--stacks", help="in the order of promotion, such as dev,prod (default: all, production last)")
    parser.add_argument("--stack-branches", action="store_true", help="a branch for each stack, for a protected main")
    parser.add_argument("--repository", help="owner/name, or organization/project/name (default: from git's origin)")
    parser.add_argument("--check", action="store_true", help="write nothing; exit code 1 if something differs")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run `sluice ci init`."""
    root, system = project_root(), options.system
    require_top_folder(root)
    require_main(root)
    stacks = stacks_of(root, options.stacks)
    repository = require_repository(system, options.repository or repository_of(root, system))
    plan = plan_of(root, system, stacks, branches=options.stack_branches)
    if options.check:
        found = differences_of(root, plan)
        for difference in found:
            print(f"{difference.path} {difference.problem}")
        if found:
            print(f"Run `{init_command(system, stacks)}` and commit what it writes.", file=sys.stderr)
        return ExitCode.FAILED if found else ExitCode.DONE
    for path in write(root, plan):
        told = f": {', '.join(map(str, plan.additions[path]))}" if path in plan.additions else ""
        print(f"wrote {path}{told}", file=sys.stderr)
    print(f"Promotion goes {' → '.join(stacks)}. What a person has to set up:\n", file=sys.stderr)
    print(as_text(setup(system, Team(repository=repository, stacks=stacks, branches=options.stack_branches))), end="")
    return ExitCode.DONE
