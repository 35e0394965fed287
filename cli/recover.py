"""`sluice recover`: repairs a stack after a killed or crashed `pulumi up`. `recovery/` has the logic."""

import argparse
import functools
import json
import os
import re
import sys

from cli.repair_arguments import add_repair_arguments, engine_for, tell
from config_values import seconds_of
from exit_codes import ExitCode
from recovery.locks import CI_USERS, CI_USERS_VARIABLE, LockRule
from recovery.repair import recover
from resource_manager.operations import ArmOperations
from stacks.file import stack_file_error


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice recover`."""
    parser.description = (
        "Removes the lock of a dead update, adds to the state what Azure has and the state lost, and "
        "reports what it did. It changes nothing in Azure, except that it provisions a managed network whose creation "
        "failed. Run `pulumi up` afterwards."
    )
    add_repair_arguments(parser, wait_minutes=30.0, json_help="print what was done as JSON")
    parser.add_argument(
        "--dead-after",
        metavar="DURATION",
        type=_age,
        help="a pipeline's lock of another host counts as dead when it is older, such as 165m: the longest job and 15 "
        f"minutes. Users of pipelines: {CI_USERS_VARIABLE} (default {CI_USERS}). Without it, such a lock stays",
    )
    parser.set_defaults(run=run)


def _age(text: str) -> int:
    """Return the seconds of an age with its unit: a bare number could be meant in minutes or in seconds."""
    if re.fullmatch(r"[1-9][0-9]*[smhd]", text) is None:
        raise argparse.ArgumentTypeError(f"must be a number with s, m, h or d, such as 165m, got {text!r}")
    return seconds_of(text)


def run(options: argparse.Namespace) -> int:
    """Repair the stack; the exit code tells whether something is left for a person."""
    engine = engine_for(options)
    wait_seconds = options.wait_minutes * 60
    report = recover(
        engine,
        ArmOperations(tell, wait_seconds),
        wait_seconds=wait_seconds,
        rule=LockRule.of(os.environ, options.dead_after),
        stack_file_error=functools.partial(stack_file_error, engine.stack),
    )
    if options.json:
        print(json.dumps({"stack": report.stack, "done": report.done, "left": report.left}, indent=2))
    for text in report.left:
        print(f"left to do: {text}", file=sys.stderr)
    if not report.done and not report.left:
        print(f"stack {report.stack}: nothing to repair.", file=sys.stderr)
    if not report.left:
        print(f"Next: pulumi up --stack {report.stack}", file=sys.stderr)
    return ExitCode.WAITING if report.left else ExitCode.DONE
