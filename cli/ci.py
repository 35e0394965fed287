"""`sluice ci ...`: what the pipelines run. Each subcommand also runs on a laptop; `delivery/` has the logic."""

from __future__ import annotations

import argparse
import importlib
from typing import Any

from cli.arguments import add_stack_argument, duration
from cli.ci_init import add_init_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `sluice ci`."""
    parser.description = "What the pipelines run. Every subcommand also runs on a laptop."
    subparsers = parser.add_subparsers(dest="ci_command", metavar="COMMAND", required=True)
    _add(subparsers, "check", "check a pull request without a cloud; print the stacks that it touches as JSON")
    _add_preview(subparsers)
    add_stack_argument(_add(subparsers, "sync", "let a stack's own branch take over what the source branch has"))
    _add_deliver(subparsers)
    _add_people(subparsers)
    _add_repairs(subparsers)
    add_init_arguments(subparsers.add_parser("init", help="write the pipelines, and print what a person has to set up"))


def _add_preview(commands: Any) -> None:
    command = _add(commands, "preview", "show what a merge would do to a stack")
    add_stack_argument(command)
    command.add_argument(
        "--local", action="store_true", help="on a local Azure, on which the target branch's stack is brought up first"
    )
    command.add_argument("--comment", action="store_true", help="as a comment on the pull request, edited in place")
    command.add_argument("--markdown", metavar="FILE", help="write the text of the comment into a file")


def _add_deliver(commands: Any) -> None:
    summary = "bring a stack to what the source branch says, and let its rollouts tick for a while"
    command = _add(commands, "deliver", summary)
    add_stack_argument(command)
    command.add_argument(
        "--for", dest="seconds", type=duration, metavar="TIME", help="how long, such as 50m; default: one tick each"
    )


def _add_people(commands: Any) -> None:
    approve = _add(commands, "approve", "take the review of this run into the record, and let the delivery go on")
    rollback = _add(commands, "rollback", "take a rollout back")
    for command in (approve, rollback):
        command.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file")
        add_stack_argument(command)
    approve.add_argument("--rollout", metavar="ID", help="refuse to answer for another rollout")
    approve.add_argument("--step", type=int, metavar="N", help="refuse to answer for another step; the first one is 1")
    rollback.add_argument("--reason", metavar="TEXT", required=True, help="for the record")


def _add_repairs(commands: Any) -> None:
    recover = _add(commands, "recover", "repair a stack after a run that was killed")
    drift = _add(commands, "drift", "compare a stack with Azure, and keep one issue open while they differ")
    for command in (recover, drift):
        add_stack_argument(command)
    recover.add_argument(
        "--dead-after", metavar="DURATION", help="a lock of another pipeline's host is dead when older, such as 165m"
    )


def _add(commands: Any, name: str, summary: str) -> argparse.ArgumentParser:
    """Add a subcommand; its module is imported only when it runs."""
    command: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary}.".capitalize())

    def run(options: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(f"cli.ci_{name}"), f"run_{name}")(options)
        return code

    command.set_defaults(run=run)
    return command
