"""Reads what the stack uses and does not create (`sluice:existing`), and lists everything that does not fit.

Three outcomes are kept apart: a resource that is absent, one that cannot be read (403 most of the time), and one that
is there and does not fit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pulumi

from arm_id import ArmId, subscription_id_of
from assessment.azure_reads import Answer, Read, ReadFailure, Resource, ask
from assessment.existing_kinds import KINDS, PARTS, Findings, Host
from assessment.live import Caller
from assessment.network_neighbours import OTHER_TENANT
from assessment.subscriptions import Subscriptions
from network_config import Network
from ownership import STACK_TAG, TEAM_TAG, other_owner
from platform_record import PlatformRecord
from problem import Problem
from stack_config import Settings

__all__ = ["Existing", "ExistingResources", "read_existing"]

FORBIDDEN = 403
CONTAINERS = ("resource_group", "workspace")


@dataclass(frozen=True, kw_only=True)
class ExistingResources:
    """What this stack uses and does not create, by ARM id; None: it creates it."""

    resource_group: str | None = None
    log_analytics: str | None = None
    application_insights: str | None = None
    registry: str | None = None
    vault: str | None = None
    storage: str | None = None
    workspace_identity: str | None = None
    workspace: str | None = None

    @classmethod
    def of(cls, given: Mapping[str, str], workspace: Resource | None) -> ExistingResources:
        """What the stack file gives, and what a workspace that is given stands on."""
        parts = {key: str(workspace[name]) for key, name in PARTS.items()} if workspace else {}
        return cls(**{key: one for key, one in {**given, **parts}.items() if key != "subnet"})  # the network has it


@dataclass(frozen=True, kw_only=True)
class Existing:
    """What the stack file gives, as Azure has it."""

    resources: ExistingResources
    wrong: tuple[Problem, ...]
    """What no update may do."""
    unfit: Mapping[str, tuple[Problem, ...]]
    """What cannot be read or does not fit, by key: not for a stack to begin with. A stack that uses it already goes on,
    because its owner has changed it, and an update such as a way back must not stop for that."""
    is_hidden: bool
    """The group or the workspace cannot be read, so nothing in it can."""

    def refusals(self, settings: Settings, record: PlatformRecord | None) -> Iterator[Problem]:
        """What is refused; warns of the rest. `record` is that of the last update; None for a new stack."""
        yield from self.wrong
        for key, problems in self.unfit.items():
            used = record is not None and record.uses(key, settings.existing.given()[key])
            for problem in problems:
                if used and not self.is_hidden:
                    pulumi.log.warn(f"{problem.where} {problem.what}. This stack uses it already. {problem.fix}")
                else:
                    yield problem


def read_existing(settings: Settings, caller: Caller, subscriptions: Subscriptions) -> Existing:
    """Read everything that the stack file gives, at once, and check it."""
    given = settings.existing.given()
    questions = {
        key: _read(key, one, subscriptions)
        for key, one in given.items()
        if _is_here(one, caller) or KINDS[key].any_subscription
    }
    answers = ask(questions) if questions else {}
    stack = Host(
        location=settings.location, private=settings.network.mode is Network.PRIVATE, tenant_id=caller.tenant_id
    )
    workspace = answers.get("workspace")
    parts = (
        workspace if isinstance(workspace, Mapping) and all(workspace.get(name) for name in PARTS.values()) else None
    )
    unfit = {key: tuple(_problems(key, _unfit(settings, caller, stack, key, one))) for key, one in answers.items()}
    wrong = [problem for key in given for problem in _problems(key, _wrong(settings, caller, key, answers))]
    return Existing(
        resources=ExistingResources.of(given, parts),
        wrong=tuple(wrong),
        unfit={key: problems for key, problems in unfit.items() if problems},
        is_hidden=any(key in answers and not isinstance(answers[key], Mapping) for key in CONTAINERS)
        or ("workspace" in given and parts is None),
    )


def _problems(key: str, findings: Findings) -> Iterator[Problem]:
    return (Problem(f"sluice:existing.{key}", what, fix) for what, fix in findings)


def _is_here(resource_id: str, caller: Caller) -> bool:
    return (subscription_id_of(resource_id) or "").lower() == caller.subscription_id.lower()


def _read(key: str, resource_id: str, subscriptions: Subscriptions) -> Read:
    kind = KINDS[key]
    if key == "resource_group":
        arguments = {"resourceGroupName": resource_id.rsplit("/", 1)[1]}
    else:
        place = ArmId.parse(resource_id)
        arguments = {
            "resourceGroupName": place.resource_group,
            **dict(zip(kind.parameters, place.names.values(), strict=True)),
        }
    return Read(
        what=resource_id,
        function=f"azure-native:{kind.function}",
        arguments=arguments,
        provider=subscriptions.provider(subscription_id_of(resource_id) or ""),
    )


def _wrong(settings: Settings, caller: Caller, key: str, answers: Mapping[str, Answer]) -> Findings:
    """What no update may do with one resource that is given."""
    kind, file, resource_id = KINDS[key], f"Pulumi.{settings.stack}.yaml", settings.existing.given()[key]
    answer = answers.get(key)
    if key not in answers:
        yield (
            f"must name {kind.what} in the subscription of this stack, {caller.subscription_id}, got {resource_id}",
            f"Correct the id in {file}, or sign in to that subscription.",
        )
    if not isinstance(answer, Mapping):
        return
    name = resource_id.rsplit("/", 1)[1]
    if answer.get("name", name) != name:
        yield (
            f'must be spelt as in Azure, where the name is "{answer["name"]}", got "{name}"',
            f"Correct the id in {file}.",
        )
    tags = answer.get("tags") or {}
    if tags.get(STACK_TAG) == settings.stack and tags.get(TEAM_TAG) == settings.team:
        yield (
            f"names {resource_id}, which this stack created itself (its tags say so): the update would delete it, "
            "because the stack file no longer declares it",
            f"Remove the line from {file}: the stack uses what it created anyway.",
        )
    elif key == "resource_group" and (owner := other_owner(tags, team=settings.team, stack=settings.stack)):
        yield (
            f"must not be the group that another stack created, got {resource_id} of {owner}: it is deleted together "
            "with that stack",
            f"Name a group in {file} that no stack created.",
        )


def _unfit(settings: Settings, caller: Caller, stack: Host, key: str, answer: Answer) -> Findings:
    """Why a new stack cannot use one resource that is given."""
    kind, resource_id = KINDS[key], settings.existing.given()[key]
    if isinstance(answer, ReadFailure):
        what = f"names {resource_id}, which cannot be read, so it is not known whether it exists and fits"
        grant = f"az role assignment create --role Reader --assignee {caller.object_id} --scope {resource_id}"
        if answer.code == OTHER_TENANT:
            yield (
                f"must be in the Entra tenant of this stack, {caller.tenant_id}, got {resource_id} in another one",
                "Give one of this tenant: identities of one tenant get no roles in another.",
            )
        elif answer.status == FORBIDDEN:
            yield f"{what}: Azure does not let this caller read it ({answer.reason})", f"Ask its owner for: {grant}"
        else:
            yield f"{what} ({answer.reason})", "Try again."
    elif answer is None:
        yield (
            f"must name {kind.what} that exists, got {resource_id}",
            f"Correct the id in Pulumi.{settings.stack}.yaml.",
        )
    else:
        yield from kind.check({**answer, "id": resource_id}, stack)
