"""`sluice recover`: repairs a stack after a killed or crashed `pulumi up`.

Three things can be wrong then: the lock of a dead process is left, Azure finished (or still creates) what the state
does not know, and a resource is marked as half replaced. This removes the lock, waits for Azure, takes into the state
what exists there and is this stack's, and says what it did. It never changes Azure and never removes the lock of a
living update; the next `pulumi up` converges. ADR 0011 says why.
"""

import argparse
import copy
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cli.adoption import (
    Candidate,
    Finder,
    candidate_of,
    inputs_for_state,
    missing_components,
    pending_operations,
    resources,
)
from cli.arm import ArmClient
from cli.errors import CommandError, ExitCode, WaitingError
from cli.locks import Owner, backend_folder, broken_files, stack_locks
from cli.project import add_stack_argument, engine_for, project_name

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine

# A resource whose inputs name another that is not in the state yet shows only in the next preview; the deepest chain of
# the program (group, workspace, endpoint, deployment, autoscale) has five links.
MAX_ROUNDS = 6


@dataclass
class Report:
    """What was done and what is left to do."""

    stack: str
    done: list[str] = field(default_factory=list)
    left: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Record and print one thing that was done."""
        self.done.append(text)
        print(text, file=sys.stderr)


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice recover`."""
    parser = subparsers.add_parser(
        "recover",
        help="repair a stack after a killed or crashed `pulumi up`",
        description="Removes the lock of a dead update, takes into the state what Azure has and the state lost, and "
        "says what it did. Changes nothing in Azure. Run `pulumi up` afterwards.",
    )
    add_stack_argument(parser)
    parser.add_argument("--wait-minutes", type=float, default=30.0, help="how long to wait for Azure to finish")
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Repair the stack; the exit code says whether something is left for a person."""
    engine = engine_for(options)
    report = recover(engine, ArmClient(), wait_seconds=options.wait_minutes * 60)
    if options.json:
        print(json.dumps({"stack": report.stack, "done": report.done, "left": report.left}, indent=2))
    for text in report.left:
        print(f"left to do: {text}", file=sys.stderr)
    if not report.done:
        print(f"stack {report.stack}: nothing to repair.", file=sys.stderr)
    if not report.left:
        print(f"Next: pulumi up --stack {report.stack}", file=sys.stderr)
    return ExitCode.WAITING if report.left else ExitCode.DONE


def recover(engine: "PulumiEngine", arm: ArmClient, *, wait_seconds: float) -> Report:
    """All repairs, in the order in which each makes the next possible."""
    report = Report(engine.stack)
    clear_backend(engine, report)
    state = engine.export()
    finder = Finder(arm, subscription_of(state, engine), engine.stack, wait_seconds, report.say)
    pending = pending_operations(state)
    for operation in pending:
        finder.wait_for(operation)
    _keep_finished_replacements(engine, finder, state, report)
    adopted: dict[str, Candidate] = {}
    try:
        adopted |= _adopt(engine, finder, [operation.candidate for operation in pending if operation.creates], report)
        drop_pending(engine, report)
        for _ in range(MAX_ROUNDS):
            found = _adopt(engine, finder, _planned_creates(engine, report), report)
            adopted |= found
            if not found:
                break
    finally:
        if adopted:
            _remember_inputs(engine, adopted)
    report.left.extend(finder.refused.values())
    return report


def subscription_of(state: Mapping[str, Any], engine: "PulumiEngine") -> str:
    """The subscription: from the stack's configuration, the environment, or the ids in the state."""
    configured = engine.config().get("azure-native:subscriptionId")
    named = [engine.environment.get(name) for name in ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")]
    for value in (configured, *named):
        if value:
            return str(value)
    for resource in resources(state):
        parts = str(resource.get("id", "")).split("/")
        if len(parts) > 2 and parts[1].lower() == "subscriptions":
            return parts[2]
    raise CommandError(
        "the subscription is not known: neither azure-native:subscriptionId nor ARM_SUBSCRIPTION_ID is set. "
        "Run `export ARM_SUBSCRIPTION_ID=$(az account show --query id --output tsv)`."
    )


def clear_backend(engine: "PulumiEngine", report: Report) -> None:
    """Remove what a dead update left in a file backend. Raises WaitingError while an update may be alive."""
    backend = backend_folder(dict(engine.environment))
    if backend is None:
        return
    project = project_name(engine.project)
    locks = stack_locks(backend, project, engine.stack)
    for lock in locks:
        if lock.owner is Owner.ALIVE:
            raise WaitingError(f"an update of stack {engine.stack} is running: {lock}. Wait for it, or stop it first.")
        if lock.owner is Owner.ELSEWHERE:
            raise WaitingError(
                f"stack {engine.stack} is locked from another machine: {lock}. Look there; if that update is dead, "
                f"run `pulumi cancel --stack {engine.stack}`, then this command again."
            )
    for lock in locks:
        lock.file.unlink(missing_ok=True)
        lock.file.with_name(f"{lock.file.name}.attrs").unlink(missing_ok=True)
        report.say(f"removed the lock of a dead update ({lock})")
    for file in broken_files(backend, project, engine.stack):
        file.unlink(missing_ok=True)
        report.say(f"removed a file that the dead update was writing ({file.name})")


def _planned_creates(engine: "PulumiEngine", report: Report) -> list[Candidate]:
    """What the next update would create; nothing when the program refuses, which only a person can settle."""
    from rollout.errors import EngineRefused

    try:
        preview = engine.preview()
    except EngineRefused as error:
        again = f"Do what it says, then run `sluice recover --stack {engine.stack}` again."
        report.left.append(f"{error}\n{again}")
        return []
    return [candidate_of(change) for change in preview.changes if change.op == "create"]


def _adopt(
    engine: "PulumiEngine", finder: Finder, candidates: Sequence[Candidate], report: Report
) -> dict[str, Candidate]:
    """Import those of the candidates that exist; returns them by URN."""
    from rollout.engine import ImportedResource

    if not candidates:
        return {}
    state = engine.export()
    present = {resource["urn"] for resource in resources(state)}
    found = [item for item in map(finder.find, candidates) if item is not None and item.candidate.urn not in present]
    if not found:
        return {}
    components = missing_components(found, candidates, state)
    engine.import_resources(
        [ImportedResource(urn=item.urn, type=item.type, parent_urn=item.parent_urn) for item in components]
        + [
            ImportedResource(
                urn=item.candidate.urn,
                type=item.candidate.type,
                id=item.id,
                parent_urn=item.candidate.parent_urn,
                provider_urn=item.candidate.provider_urn if item.candidate.provider_urn in present else None,
                version=item.candidate.version,
            )
            for item in found
        ]
    )
    for item in found:
        report.say(f"took into the state what Azure has: {item.candidate.type} {item.candidate.name} ({item.id})")
    return {item.candidate.urn: item.candidate for item in found}


def _remember_inputs(engine: "PulumiEngine", adopted: Mapping[str, Candidate]) -> None:
    """Replace the inputs that the import made of Azure's answers, see `inputs_for_state`."""
    state = engine.export()
    for resource in resources(state):
        candidate = adopted.get(resource["urn"])
        if candidate is not None:
            resource["inputs"] = inputs_for_state(candidate.type, candidate.inputs, resource.get("inputs") or {})
    engine.import_(state)


def _keep_finished_replacements(
    engine: "PulumiEngine", finder: Finder, state: Mapping[str, Any], report: Report
) -> None:
    """A resource was deleted to be replaced, and Azure has its successor, whose id is the same: it is simply there."""
    successors = {item.candidate.urn: item.candidate for item in pending_operations(state) if item.creates}
    repaired = copy.deepcopy(dict(state))
    kept = []
    for resource in resources(repaired):
        if resource.get("pendingReplacement") and finder.exists(resource["type"], resource["id"]):
            del resource["pendingReplacement"]
            if resource["urn"] in successors:
                resource["inputs"] = dict(successors[resource["urn"]].inputs)
            kept.append(resource)
    if kept:
        engine.import_(repaired)
        engine.refresh(targets=[resource["urn"] for resource in kept])
        for resource in kept:
            report.say(f"kept the replacement that Azure finished: {resource['id']}")


def drop_pending(engine: "PulumiEngine", report: Report) -> None:
    """Forget the interrupted operations: each was looked at, and what it left is in the state now, or nowhere."""
    state = engine.export()
    operations = pending_operations(state)
    if operations:
        state["deployment"]["pending_operations"] = []
        engine.import_(state)
    for operation in operations:
        report.say(f"settled the interrupted operation: {operation.type} {operation.candidate.urn}")
