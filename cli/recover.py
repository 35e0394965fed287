"""`sluice recover`: repairs a stack after a killed or crashed `pulumi up`. `recovery/` has the logic."""

import argparse
import functools
import json
import sys

from cli.repair_arguments import add_repair_arguments, engine_for, tell
from exit_codes import ExitCode
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
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Repair the stack; the exit code tells whether something is left for a person."""
    engine = engine_for(options)
    wait_seconds = options.wait_minutes * 60
    report = recover(
        engine,
        ArmOperations(tell, wait_seconds),
        wait_seconds=wait_seconds,
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
