"""`sluice remove`: takes a stack down, so that its names can be used again. `teardown/` has the logic."""

import argparse
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli.repair_arguments import add_repair_arguments, engine_for, tell
from command_errors import CommandError, UsageError
from exit_codes import ExitCode
from recovery.dead_update import Report, clear_backend, drop_pending
from recovery.locks import LockRule
from teardown.errors import RemovalError

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine
    from teardown.removal import Plan, Removal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice remove`."""
    parser.description = (
        "Takes a stack down, or with `team NAME` every stack of a team. Refuses while a live or mirror weight is not 0 "
        "in Azure. Lists what it deletes, deletes it, "
        "empties the state, frees the names that Azure would keep, and reports which stay taken and until when. If it "
        "is interrupted, run it again: it continues from there."
    )
    parser.add_argument(
        "team", nargs="*", metavar="team NAME", help="every stack whose file says sluice:team: NAME, instead of --stack"
    )
    add_repair_arguments(parser, wait_minutes=60.0, json_help="print what was deleted and what stays taken as JSON")
    parser.add_argument("--yes", "-y", action="store_true", help="do not ask")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """List, ask, delete, report."""
    if options.team:
        return _remove_team(options)
    engine = engine_for(options)
    one = _prepare(options, engine, None)
    _confirm(options, f"stack {engine.stack}", engine.stack, one.plan.lines())
    one.removal.carry_out(one.plan)
    if options.json:
        print(json.dumps(one.summary(), indent=2))
    one.conclude()
    return ExitCode.WAITING if one.removal.unpurged else ExitCode.DONE


def _remove_team(options: argparse.Namespace) -> int:
    """Look at every stack first: when one of them serves, none is touched."""
    from rollout.errors import StackMissing
    from stacks.file import file_among_stacks, stacks_of_team, variables_of

    if len(options.team) != 2 or options.team[0] != "team" or options.stack is not None:
        raise UsageError("give either `--stack STACK`, or `team NAME`, the value of sluice:team.")
    name = options.team[1]
    stacks = stacks_of_team(name)
    if not stacks:
        raise UsageError(f"no stack file says sluice:team: {name}. Give the name of a team that has one.")
    found, refused = list[_Prepared](), list[str]()
    for stack in stacks:
        file = file_among_stacks(stack)
        engine = engine_for(options, stack, variables_of(stack, file))
        try:
            found.append(_prepare(options, engine, file))
        except StackMissing:
            tell(f"Stack {stack} does not exist: there is nothing to remove.")
        except (RemovalError, UsageError) as error:
            refused.append(str(error))
    if refused:
        raise RemovalError("\n".join([f"no stack of team {name} was removed:", *refused]))
    lines = [line for one in found for line in one.plan.lines()]
    _confirm(options, f"team {name} ({', '.join(one.stack for one in found) or 'no stack'})", name, lines)
    for one in found:
        one.removal.carry_out(one.removal.plan())  # looks at the weights again: the stacks before took minutes
    if options.json:
        print(json.dumps([one.summary() for one in found], indent=2))
    for one in found:
        one.conclude()
    tell("What the platform team has bootstrapped stays: see docs/bootstrap.md.")
    return ExitCode.WAITING if any(one.removal.unpurged for one in found) else ExitCode.DONE


@dataclass(frozen=True)
class _Prepared:
    """A stack that can be removed, and what that deletes."""

    stack: str
    generation: int
    removal: "Removal"
    plan: "Plan"

    def summary(self) -> dict[str, Any]:
        deleted = [item.id for item in self.plan.items if item.in_azure]
        return {"stack": self.stack, "deleted": deleted, "taken": self.removal.taken}

    def conclude(self) -> None:
        _conclude(self.stack, self.generation, self.removal.taken)


def _prepare(options: argparse.Namespace, engine: "PulumiEngine", file: Path | None) -> _Prepared:
    """Clear what a dead update left, and plan the removal. Raises if the stack cannot be removed now."""
    from recovery.adoption import Finder, pending_operations
    from resource_manager.operations import ArmOperations
    from stacks.names import read_names, require_own_group
    from teardown.removal import Removal

    settings, names = read_names(engine.stack, file)
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
    return _Prepared(engine.stack, settings.generation, removal, removal.plan())


def _confirm(options: argparse.Namespace, what: str, word: str, lines: list[str]) -> None:
    if not lines:
        tell(f"The state of {what} is empty. Only the names that Azure keeps are left to check.")
        return
    tell(f"This deletes {len(lines)} resources of {what}, with all data, models and logs in them:")
    tell("\n".join(lines))
    if options.yes:
        return
    if not sys.stdin.isatty():
        raise UsageError("nothing was deleted: there is no terminal to confirm it on. Give --yes.")
    if input(f"Type the name to delete all of it ({word}): ").strip() != word:
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
