"""Checks the stack config and the az ml files against the live state, and returns what this update may declare.

All problems are raised as one `DeclarationError` before any resource is declared, so that a refusal changes nothing,
even with `--skip-preview`. The checks of the whole stack are in `stack_problems.py`, those of an endpoint in
`endpoint.py`, those of its network in `network.py`, and the rules for weights in `change_rules.py`.
"""

from __future__ import annotations

from datetime import date
from functools import partial
from itertools import chain
from pathlib import Path

import pulumi

from assessment.data_protection import read_data_protection
from assessment.declaration import StackDeclaration
from assessment.endpoint import EndpointDraft, check_without_files
from assessment.existing import read_existing
from assessment.live import read_caller, read_stack
from assessment.network import (
    declared_network,
    network_refusals,
    scope_provider,
    undeclared_rule_warnings,
    undeclared_rules,
)
from assessment.placement import Placement
from assessment.problems import Refusal, collect, refusals_of
from assessment.stack_problems import branch_problem, endpoint_names, former_names, meeting_problem, stack_problems
from assessment.stack_warnings import stack_warnings
from assessment.subscriptions import Subscriptions
from assessment.tags import stack_tags, tags_of_others
from models.loader import load_models
from models.spec import Model, with_variables
from platform_record import PlatformRecord
from stack_config import Settings
from transitions import validate_removal

__all__ = ["DeclarationError", "declare_stack"]


class DeclarationError(pulumi.RunError):
    """The declared change is refused; the message lists every reason."""

    def __init__(self, problems: list[Refusal], *, stack: str) -> None:
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"The change of stack {stack} has {count}; nothing was changed:{lines}")


def declare_stack(settings: Settings, models_folder: Path, today: date) -> StackDeclaration:
    """Load the models, read Azure, and say what to declare; raise `DeclarationError` with everything that is wrong.

    `today` decides which VM sizes are retired.
    """
    problems: list[Refusal] = []
    if misplaced := branch_problem(settings, models_folder.parent):
        if pulumi.runtime.is_dry_run():
            pulumi.log.warn(f"an update from here is refused: {misplaced}")
        else:
            problems.append(misplaced)
    models = _load(settings, models_folder, problems)
    caller = read_caller()
    names = settings.names(caller.subscription_id)
    subscriptions = Subscriptions(caller.subscription_id, cloud=settings.cloud)
    existing = read_existing(settings, caller, subscriptions)
    if existing.is_hidden or existing.wrong:
        raise DeclarationError([*problems, *existing.refusals(settings, None)], stack=settings.stack)
    declared_names = endpoint_names(settings, names, problems)
    former = former_names(settings, names, declared_names)
    live = read_stack(names, {name: settings.endpoints[key].deployments for name, key in declared_names.items()})
    if taken := meeting_problem(settings, names, live):
        raise DeclarationError([taken], stack=settings.stack)
    network = declared_network(settings, names, live)
    problems += network_refusals(settings, live, network, names, subscriptions)
    record = PlatformRecord.of(settings, network, declared_names)
    problems += existing.refusals(settings, live.record)
    protection, misfits = read_data_protection(settings, caller)
    problems += misfits
    problems += stack_problems(settings, names, live, record, former)
    removed = [endpoint for endpoint in live.undeclared if endpoint.name not in former]
    collect(problems, partial(validate_removal, removed, declared_names, stack=settings.stack))
    drafts = [
        EndpointDraft(settings, names, live, key, name, models[key], models_folder / key, today)
        for name, key in declared_names.items()
        if key in models
    ]
    for name, key in declared_names.items():
        if key not in models:  # its files are refused already; what the stack file asks of Azure may be wrong as well
            collect(problems, partial(check_without_files, settings, live, name, models_folder / key))
    endpoints = [endpoint for draft in drafts if (endpoint := draft.declare(problems))]
    if problems:
        raise DeclarationError(problems, stack=settings.stack)
    warnings = stack_warnings(settings, models, today), undeclared_rule_warnings(settings, live, network, names)
    for line in chain(*warnings):
        pulumi.log.warn(line)
    placement = Placement(
        names=names,
        location=settings.location,
        tenant_id=caller.tenant_id,
        tags=stack_tags(settings),
    )
    written = live.outputs.get("tags") or {}
    return StackDeclaration(
        placement=placement,
        network=network,
        existing=existing.resources,
        protection=protection,
        undeclared_rules=undeclared_rules(live, network),
        monitor_scope_provider=scope_provider(network, subscriptions),
        record_tags=record.tags(),
        group_tags=live.group_endpoint_tags,
        role_delay_seconds=0 if live.workspace_exists else settings.limits.role_delay_seconds,
        tags_of_others=tags_of_others(dict.fromkeys(live.platform_tags, ""), placement.tags, written),
        locks=_locks(settings, names.key_vault_id),
        tags_are_written=written == placement.tags,
        recreates=live.record is not None and live.record.generation not in (None, settings.generation),
        protect=settings.protect or any(endpoint.protect for endpoint in endpoints),
        endpoints=tuple(endpoints),
    )


def _load(settings: Settings, models_folder: Path, problems: list[Refusal]) -> dict[str, Model]:
    """The models by key, as far as their files are right."""
    folders = {models_folder / key: key for key in settings.endpoints}
    asked = {
        folder: {name: one.release for name, one in settings.endpoints[key].deployments.items()}
        for folder, key in folders.items()
    }
    models: dict[str, Model] = {}
    for folder, loaded in (collect(problems, partial(load_models, asked)) or {}).items():
        if isinstance(loaded, Model):
            key = folders[folder]
            chosen = settings.endpoints[key].deployments
            models[key] = with_variables(loaded, {name: one.environment_variables for name, one in chosen.items()})
        else:
            problems += refusals_of(loaded)
    return models


def _locks(settings: Settings, vault_id: str) -> frozenset[str]:
    read = {one.lower() for endpoint in settings.endpoints.values() for one in endpoint.secret_vaults}
    wanted = {"logs"} if vault_id.lower() in read else {"logs", "vault"}
    return frozenset(wanted if settings.locks else ())
