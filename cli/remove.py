"""`sluice remove`: takes a stack down, so that its names can be used again. `teardown/` has the logic."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from cli.repair_arguments import add_repair_arguments, engine_for, tell
from command_errors import CommandError, UsageError
from exit_codes import ExitCode
from recovery.dead_update import Report, clear_backend, drop_pending
from recovery.locks import LockRule

if TYPE_CHECKING:
    pass


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice remove`."""
    parser.description = (
        "Refuses while a live or mirror weight is not 0 in Azure. Lists what it deletes, deletes it, "
        "empties the state, frees the names that Azure would keep, and reports which stay taken and until when. If it "
        "is interrupted, run it again: it continues from there."
    )
    add_repair_arguments(parser, wait_minutes=60.0, json_help="print what was deleted and what stays taken as JSON")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, ask, delete, report."""
    from recovery.adoption import Finder, pending_operations
    from resource_manager.operations import ArmOperations
    from stacks.names import read_names, require_own_group
    from teardown.removal import Removal

    engine = engine_for(options)
    settings, names = read_names(engine.stack)
    wait_seconds = options.wait_minutes * 60
    arm = ArmOperations(tell, wait_seconds)
    require_own_group(arm, settings, names)
    report = Report(engine.stack, tell)
    clear_backend(engine, report, LockRule())
    finder = Finder(arm, names.subscription_id, engine.stack, wait_seconds, tell)
    for operation in pending_operations(engine.export()):
        if operation.creates and finder.find(operation.candidate) is not None:
            raise UsageError(
                f"the last update of stack {engine.stack} died while it created {operation.candidate.name}, which "
                f"exists in Azure but not in the state. Run `sluice recover --stack {engine.stack}`, then this command "
                "again."
            )
        finder.wait_for(operation)
    drop_pending(engine, report)
    removal = Removal(engine, arm, names, settings.location, tell, _tell_deletion, CommandError)
    plan = removal.plan()
    _confirm(options, engine.stack, plan.lines())
    removal.carry_out(plan)
    deleted = [item.id for item in plan.items if item.in_azure]
    if options.json:
        print(json.dumps({"stack": engine.stack, "deleted": deleted, "taken": removal.taken}, indent=2))
    _conclude(engine.stack, settings.generation, removal.taken)
    return ExitCode.WAITING if removal.unpurged else ExitCode.DONE


def _confirm(options: argparse.Namespace, stack: str, lines: list[str]) -> None:
    if not lines:
        tell(f"The state of stack {stack} is empty. Only the names that Azure keeps are left to check.")
        return
    tell(f"This deletes {len(lines)} resources of stack {stack}, with all data, models and logs in them:")
    tell("\n".join(lines))
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was deleted: there is no terminal to confirm it on. Give --yes.")
    if input(f"Type the name of the stack to delete all of it ({stack}): ").strip() != stack:
        raise UsageError("nothing was deleted. Run the command again if you want to.")


def _conclude(stack: str, generation: int, taken: list[str]) -> None:
    tell(f"Stack {stack} is empty. `pulumi stack rm {stack}` removes the stack and its history.")
    for line in taken:
        tell(f"Still taken: {line}")
    if taken:
        line = f"sluice:generation: {generation + 1}"
        tell(f"To recreate the stack before then, add the line `{line}` to Pulumi.{stack}.yaml.")
    else:
        tell("All its names are free: `pulumi up` recreates it under the same names.")


def _tell_deletion(event: Mapping[str, Any]) -> None:
    from rollout.events import change_of

    if "resOutputsEvent" not in event:
        return
    change = change_of(event["resOutputsEvent"]["metadata"])
    old = (event["resOutputsEvent"]["metadata"].get("old") or {}).get("id")
    if change.op == "delete" and old and not change.type.startswith("pulumi:"):
        tell(f"  - {change.type.removeprefix('azure-native:')} {change.name}")
