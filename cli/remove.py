"""`sluice remove`: takes a stack down, so that its names can be used again. `teardown/` has the logic."""

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

from cli.errors import CommandError, ExitCode, UsageError
from cli.project import add_stack_argument, engine_for


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice remove`."""
    parser = subparsers.add_parser(
        "remove",
        help="take a stack down, so that its names can be used again",
        description="Refuses while a live or mirror weight is not 0 in Azure. Lists what it deletes, deletes it, "
        "empties the state, frees the names that Azure would keep, and says which stay taken and until when. Run it "
        "again after it was interrupted: it goes on from there.",
    )
    add_stack_argument(parser)
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.add_argument("--wait-minutes", type=float, default=60.0, help="how long to wait for one operation of Azure")
    parser.add_argument("--json", action="store_true", help="print what was deleted and what stays taken as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, ask, delete, report."""
    from cli.adoption import Finder, pending_operations
    from cli.arm_operations import ArmOperations
    from cli.recover import Report, clear_backend, drop_pending
    from cli.stack_names import read_names, require_own_group
    from teardown.errors import NotFinished, RemovalError
    from teardown.removal import Removal

    engine = engine_for(options)
    settings, names = read_names(engine.stack)
    wait_seconds = options.wait_minutes * 60
    arm = ArmOperations(_say, wait_seconds)
    require_own_group(arm, settings, names)
    report = Report(engine.stack)
    clear_backend(engine, report)
    finder = Finder(arm, names.subscription_id, engine.stack, wait_seconds, _say)
    for operation in pending_operations(engine.export()):
        if operation.creates and finder.find(operation.candidate) is not None:
            raise UsageError(
                f"the last update of stack {engine.stack} died while it made {operation.candidate.name}, which the "
                f"state does not know. Run `sluice recover --stack {engine.stack}` first, then this command again."
            )
        finder.wait_for(operation)
    drop_pending(engine, report)
    removal = Removal(engine, arm, names, settings.location, _say, _tell_deletion, CommandError)
    try:
        plan = removal.plan()
        _confirm(options, engine.stack, plan.lines())
        removal.carry_out(plan)
    except NotFinished as error:
        raise CommandError(str(error)) from error
    except RemovalError as error:
        raise UsageError(str(error)) from error
    deleted = [item.id for item in plan.items if item.in_azure]
    if options.json:
        print(json.dumps({"stack": engine.stack, "deleted": deleted, "taken": removal.taken}, indent=2))
    _conclude(engine.stack, settings.generation, removal.taken)
    return ExitCode.WAITING if removal.unpurged else ExitCode.DONE


def _confirm(options: argparse.Namespace, stack: str, lines: list[str]) -> None:
    if not lines:
        _say(f"The state of stack {stack} is empty: only names that Azure keeps are looked at.")
        return
    _say(f"This deletes {len(lines)} resources of stack {stack}, with all data, models and logs in them:")
    print("\n".join(lines), file=sys.stderr, flush=True)
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was deleted: nobody can be asked here. Give --yes.")
    if input(f"Type the name of the stack to delete all of it ({stack}): ").strip() != stack:
        raise UsageError("nothing was deleted. Run the command again if you want to.")


def _conclude(stack: str, generation: int, taken: list[str]) -> None:
    _say(f"Stack {stack} is empty. `pulumi stack rm {stack}` forgets its history.")
    for line in taken:
        _say(f"Still taken: {line}")
    if taken:
        line = f"sluice:generation: {generation + 1}"
        _say(f"To make the stack again before then, write the line `{line}` into Pulumi.{stack}.yaml.")
    else:
        _say("All its names are free: `pulumi up` makes it again under the same ones.")


def _tell_deletion(event: Mapping[str, Any]) -> None:
    from rollout.events import change_of

    if "resOutputsEvent" not in event:
        return
    change = change_of(event["resOutputsEvent"]["metadata"])
    old = (event["resOutputsEvent"]["metadata"].get("old") or {}).get("id")
    if change.op == "delete" and old and not change.type.startswith("pulumi:"):
        print(f"  - {change.type.removeprefix('azure-native:')} {change.name}", file=sys.stderr, flush=True)


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
