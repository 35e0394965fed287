"""Repairs a stack after a killed or crashed `pulumi up`.

Three things can be wrong then: the lock of a dead process remains, Azure has created (or still creates) resources that
are not in the state, and a resource is marked as half replaced. The repair removes the lock, waits for Azure, adds the
stack's existing resources to the state, and reports what it did; the next `pulumi up` converges. It never removes the
lock of a running update. ADR 0011 gives the reasons. It changes one thing in Azure: it provisions a managed network
that a failed creation left unprovisioned, because azure-native can request this only when it creates the workspace.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from arm_id import subscription_id_of
from command_errors import CommandError
from recovery.adoption import (
    Candidate,
    Finder,
    candidate_of,
    inputs_for_state,
    mapping,
    missing_components,
    pending_operations,
    resources,
)
from recovery.dead_update import Report, clear_backend, drop_pending
from recovery.locks import LockRule
from resource_manager.operations import ArmOperations
from rollout.errors import EngineRefused, EngineUnavailable

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine

# A resource whose inputs name another one that is not in the state yet appears only in the next preview; the deepest
# chain of the program (group, workspace, endpoint, deployment, autoscale) has five links.
MAX_ROUNDS = 6
SUBSCRIPTION_API_VERSION = "2022-12-01"
MACHINE_LEARNING_API = "2024-04-01"
WORKSPACE = "azure-native:machinelearningservices:Workspace"
# Types that contain other resources: if one is gone, an update without refresh always fails.
HOLDERS = ("azure-native:resources:ResourceGroup", WORKSPACE, "azure-native:machinelearningservices:OnlineEndpoint")
ACTIVE = "Active"


def recover(
    engine: "PulumiEngine",
    arm: ArmOperations,
    *,
    wait_seconds: float,
    rule: LockRule,
    stack_file_error: Callable[[], Exception | None] = lambda: None,
) -> Report:
    """Do all repairs, in an order in which each makes the next possible.

    `stack_file_error` returns what is wrong with the stack's file. It is called when the engine refuses the file, and
    its error replaces the engine's, because it lists every problem with its fix. Raises UnavailableError without Azure,
    and that error if the engine cannot read the file at all.
    """
    report = Report(engine.stack, arm.say)
    clear_backend(engine, report, rule)
    state = engine.export()
    try:
        subscription = subscription_of(state, engine)
    except EngineUnavailable as error:
        raise stack_file_error() or error from error
    arm.get(f"/subscriptions/{subscription}", SUBSCRIPTION_API_VERSION)  # the program's refusal would say less
    finder = Finder(arm, subscription, engine.stack, wait_seconds, report.say)
    pending = pending_operations(state)
    for operation in pending:
        finder.wait_for(operation)
    _keep_finished_replacements(engine, finder, state, report)
    adopted: dict[str, Candidate] = {}
    try:
        adopted |= _adopt(engine, finder, [operation.candidate for operation in pending if operation.creates], report)
        drop_pending(engine, report)
        _forget_deleted(engine, finder, [item.candidate.urn for item in pending if item.type == "deleting"], report)
        lost = _lost(finder, engine.export())
        if lost:
            report.left.append(
                f"Azure no longer has {', '.join(lost)}, which the state still lists: it was deleted outside of "
                f"Pulumi. Run `pulumi up --refresh --stack {engine.stack}`, which recreates it."
            )
        else:
            _provision_networks(engine, arm, report)
        for _ in range(0 if lost else MAX_ROUNDS):
            found = _adopt(engine, finder, _planned_creates(engine, report, stack_file_error), report)
            adopted |= found
            if not found:
                break
    finally:
        if adopted:
            _remember_inputs(engine, adopted)
    report.left.extend(finder.refused.values())
    return report


def _forget_deleted(engine: "PulumiEngine", finder: Finder, urns: Sequence[str], report: Report) -> None:
    """Remove from the state what the dead update was deleting and Azure has since deleted."""
    state = engine.export()
    gone = [
        resource
        for resource in resources(state)
        if resource["urn"] in urns
        and resource["type"] in HOLDERS
        and not resource.get("pendingReplacement")
        and not finder.exists(resource["type"], str(resource["id"]))
    ]
    if gone:
        state["deployment"]["resources"] = [resource for resource in resources(state) if resource not in gone]
        engine.import_(state)
    for resource in gone:
        report.say(f"removed from the state, because Azure has deleted it: {resource['id']}")


def _lost(finder: Finder, state: Mapping[str, Any]) -> list[str]:
    """Return the ids of containers that are in the state but not in Azure; of nested ones, the outermost."""
    lost: list[str] = []
    for resource in resources(state):
        resource_id = str(resource.get("id") or "")
        held = (
            resource_id and resource["type"] in HOLDERS and not any(resource_id.startswith(f"{one}/") for one in lost)
        )
        if held and not finder.exists(resource["type"], resource_id):
            lost.append(resource_id)
    return lost


def _provision_networks(engine: "PulumiEngine", arm: ArmOperations, report: Report) -> None:
    """Provision the managed network of the stack's workspaces if Azure reports that it is not active."""
    for resource in resources(engine.export()):
        if resource["type"] != WORKSPACE:
            continue
        workspace_id = str(resource["id"])
        status = _network_status(arm.get(workspace_id, MACHINE_LEARNING_API))
        if status in (None, ACTIVE):
            continue
        report.tell(f"provisioning the managed network of {workspace_id}, which is {status}; this takes some minutes")
        arm.act(f"{workspace_id}/provisionManagedNetwork", MACHINE_LEARNING_API, {"includeSpark": False})
        status = _network_status(arm.get(workspace_id, MACHINE_LEARNING_API))
        if status == ACTIVE:
            report.say(f"provisioned the managed network of {workspace_id}")
        else:
            report.left.append(
                f"Azure finished provisioning the managed network of {workspace_id}, but its status is still {status}. "
                f"Wait some minutes, then run `sluice recover --stack {engine.stack}` again."
            )


def _network_status(workspace: Mapping[str, Any] | None) -> str | None:
    """Return the state of a workspace's managed network; None without such a network."""
    network = mapping(mapping((workspace or {}).get("properties")).get("managedNetwork"))
    if not network or network.get("isolationMode") in (None, "Disabled"):
        return None
    return str(mapping(network.get("status")).get("status") or "Inactive")


def subscription_of(state: Mapping[str, Any], engine: "PulumiEngine") -> str:
    """Return the subscription from the stack's configuration, the environment, or the ids in the state."""
    configured = engine.config().get("azure-native:subscriptionId")
    named = [engine.environment.get(name) for name in ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID")]
    for value in (configured, *named):
        if value:
            return str(value)
    for resource in resources(state):
        if subscription_id := subscription_id_of(str(resource.get("id", ""))):
            return subscription_id
    raise CommandError(
        "the subscription is not known: neither azure-native:subscriptionId nor ARM_SUBSCRIPTION_ID is set. "
        "Run `export ARM_SUBSCRIPTION_ID=$(az account show --query id --output tsv)`."
    )


def _planned_creates(
    engine: "PulumiEngine", report: Report, stack_file_error: Callable[[], Exception | None]
) -> list[Candidate]:
    """Return what the next update would create; nothing if the program refuses, which a person must resolve."""
    try:
        preview = engine.preview()
    except EngineRefused as error:
        again = f"Correct that, then run `sluice recover --stack {engine.stack}` again."
        report.left.append(f"{stack_file_error() or error}\n{again}")
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
        report.say(f"added to the state, because Azure has it: {item.candidate.type} {item.candidate.name} ({item.id})")
    return {item.candidate.urn: item.candidate for item in found}


def _remember_inputs(engine: "PulumiEngine", adopted: Mapping[str, Candidate]) -> None:
    """Replace the inputs that the import derived from Azure's answers; see `inputs_for_state`."""
    state = engine.export()
    for resource in resources(state):
        candidate = adopted.get(resource["urn"])
        if candidate is not None:
            resource["inputs"] = inputs_for_state(candidate.type, candidate.inputs, resource.get("inputs") or {})
    engine.import_(state)


def _keep_finished_replacements(
    engine: "PulumiEngine", finder: Finder, state: Mapping[str, Any], report: Report
) -> None:
    """Keep a resource that was deleted for replacement if Azure has its successor, which has the same id."""
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
