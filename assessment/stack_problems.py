"""Problems of a whole stack: its region, its names, and what may not change while it exists.

The one error that lists everything has all of them. The rules about single endpoints and their files are in
`endpoint.py`. The only read from Azure here is of what still serves under the stack's former names.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from assessment.former_places import read_former_group, read_former_workspace, read_left_behind
from assessment.live import LiveStack
from assessment.problems import Refusal
from naming import Names
from ownership import ENVIRONMENT_TAG, STACK_TAG, TEAM_TAG, meeting, other_owner
from platform_record import MAX_TAGS, PlatformRecord, refused_changes
from problem import Problem
from record_folders import source_path
from stack_config import Settings
from weights import show

__all__ = ["branch_problem", "endpoint_names", "former_names", "meeting_problem", "stack_problems"]

OWN_TAGS = 4
"""Tags of the stack's identity beside its record: team, stack, environment, subscription."""


def endpoint_names(settings: Settings, names: Names, problems: list[Refusal]) -> dict[str, str]:
    """The key of each declared endpoint by its name in Azure; a name that two would have is a problem."""
    keys: dict[str, str] = {}
    for key, endpoint in settings.endpoints.items():
        name = names.endpoint(key, endpoint.name)
        first = keys.setdefault(name, key)
        if first != key:
            explicit = key if endpoint.name else first
            problem = Problem(
                f"sluice:endpoints.{key}",
                f'must have another name in Azure than sluice:endpoints.{first}, got "{name}" twice',
                f"Set sluice:endpoints.{explicit}.name in Pulumi.{settings.stack}.yaml to another one.",
            )
            problems.append(problem)
    return keys


def former_names(settings: Settings, names: Names, declared: Collection[str]) -> dict[str, str]:
    """The name that earlier versions gave each endpoint without an explicit one, and the endpoint's key."""
    return {
        name: key
        for key, endpoint in settings.endpoints.items()
        if endpoint.name is None and (name := names.former_endpoint(key)) and name not in declared
    }


def meeting_problem(settings: Settings, names: Names, live: LiveStack) -> Problem | None:
    """Return a problem if another stack owns these names; then nothing live belongs to this stack."""
    owner = other_owner(live.owner_tags, team=settings.team, stack=settings.stack)
    return meeting(names.resource_group, owner, team=settings.team, stack=settings.stack) if owner else None


def stack_problems(
    settings: Settings, names: Names, live: LiveStack, record: PlatformRecord, former: Mapping[str, str]
) -> Iterator[Problem]:
    """Everything that is wrong; `record` is what the stack declares now, `former` the keys by `former_names`."""
    yield from _move_problems(settings, live)
    if moved := _group_problem(settings, names, live):
        yield moved
    else:
        yield from _rename_problems(settings, names, live)
    yield from _record_problems(settings, live, record)
    yield from _former_name_problems(settings, live, former)
    yield from _foreign_endpoint_problems(settings, live)


def branch_problem(settings: Settings, root: Path) -> Problem | None:
    """A checkout that is not the stack's own branch: its weights may be old. `root` is the top of the checkout."""
    if settings.branch is None or source_path(root, settings.stack).is_file():
        return None
    return Problem(
        "sluice:branch",
        f"wants updates from the branch {settings.branch}, which has the weights that this stack runs with, and this "
        f"checkout is not that branch (it has no {source_path(Path(), settings.stack)}): an update from here would put "
        "old weights back",
        f"Run `git fetch origin {settings.branch} && git switch {settings.branch}`, then this command again.",
    )


def _move_problems(settings: Settings, live: LiveStack) -> Iterator[Problem]:
    """Another region means another resource group, and everything in the old one is deleted."""
    serving = [e.name for e in (*live.endpoints.values(), *live.undeclared) if e.traffic or e.mirror]
    if live.location is not None and _region(live.location) != _region(settings.location) and serving:
        yield Problem(
            "azure-native:location",
            f'must stay "{live.location}" while an endpoint serves ({", ".join(serving)}), got "{settings.location}": '
            "Azure cannot move a resource group",
            f"Restore it in Pulumi.{settings.stack}.yaml, or create another stack for the other region.",
        )


def _group_problem(settings: Settings, names: Names, live: LiveStack) -> Problem | None:
    """A stack moves from its own group to one that was given, or from one that was given to any other."""
    former = read_former_group(live.outputs) if live.record is None else None
    if former is None:
        return None
    former_name, former_group = former
    created = (former_group.get("tags") or {}).get(STACK_TAG) == settings.stack
    if former_name.lower() == names.resource_group.lower() or (created and names.given_group_id is None):
        return None  # it is the same one, or the stack has another name, and both groups are its own
    return Problem(
        "sluice:existing.resource_group",
        f"must stay as it was: this stack is in the group {former_name}{', which it created' if created else ''}, got "
        f"{names.resource_group}. Azure cannot move a workspace, so everything would be deleted and created again",
        f"Restore it in Pulumi.{settings.stack}.yaml, or create another stack for the other group.",
    )


def _rename_problems(settings: Settings, names: Names, live: LiveStack) -> Iterator[Problem]:
    """Other names for everything; the engine would stop too where it protects something, but with wrong advice."""
    if live.workspace_exists or live.other_generation:
        return
    file = f"Pulumi.{settings.stack}.yaml"
    former = read_former_workspace(names, live.outputs)
    if former is not None and former[1].get(TEAM_TAG) == settings.team:
        workspace_id, tags = former
        before = tags.get(ENVIRONMENT_TAG, settings.stack)
        if before != names.place:
            restored = f"Write sluice:environment: {before} into {file}"
            if before == settings.stack:
                restored = f"Remove sluice:environment from {file}"
            yield Problem(
                "sluice:environment",
                f'must stay "{before}" while the stack exists, got "{names.place}": the environment is part of every '
                f"name in Azure, so everything would be recreated and {workspace_id} deleted",
                f"{restored}. For another environment, create another stack; to take this one down first, run `sluice "
                f"remove --stack {settings.stack}` with the old environment.",
            )
            return
    for endpoint_id, weights in read_left_behind(live.outputs).items():
        if former is not None and former[1].get(TEAM_TAG) == settings.team:
            yield Problem(
                "sluice:generation",
                f"gives the stack other names while {endpoint_id} has weights ({show(weights)}), got "
                f"{settings.generation}: from generation 2 on, six digits follow the team and the environment where "
                "another pair would read the same. Everything would be recreated and that endpoint deleted",
                f"Set all weights to 0 in {file} and run pulumi up --stack {settings.stack} with the generation and "
                "the version of this program that created the endpoint. Then run this update again.",
            )
            continue
        yield Problem(
            "sluice:team and the stack's name",
            f'cannot change while an endpoint named after them serves, got "{settings.team}" and "{settings.stack}", '
            f"but {endpoint_id} has weights ({show(weights)}). With new names, everything would be recreated and that "
            "endpoint deleted",
            f"Restore them (sluice:team in {file}, or pulumi stack rename), or create a new stack for the other team.",
        )


def _record_problems(settings: Settings, live: LiveStack, record: PlatformRecord) -> Iterator[Problem]:
    """What the last update declared and this one may not change; and more endpoints than tags can hold."""
    if live.record is not None:
        yield from refused_changes(live.record, record, stack=settings.stack)
        for endpoint_id, weights in live.other_generation.items():
            yield Problem(
                "sluice:generation",
                f"must stay {live.record.generation} while anything serves, got {settings.generation}: {endpoint_id} "
                f"has weights ({show(weights)}), and another generation has other names, so everything would be "
                "recreated and that endpoint deleted",
                f"Restore it in Pulumi.{settings.stack}.yaml, set the weights to 0, run pulumi up --stack "
                f"{settings.stack}, then raise it.",
            )
    tags = len(record.tags()) + len(settings.tags) + OWN_TAGS
    if tags > MAX_TAGS:
        yield Problem(
            "sluice:endpoints",
            f"declares {len(record.endpoints)} endpoints, whose names do not fit into the tags of the stack's "
            f"identity: they need {tags} tags, and Azure allows {MAX_TAGS}",
            "Move some to another stack, or shorten their names.",
        )


def _foreign_endpoint_problems(settings: Settings, live: LiveStack) -> Iterator[Problem]:
    """In a given workspace, an endpoint of the declared name may have another owner."""
    if settings.existing.workspace is None:
        return
    for name, endpoint in live.endpoints.items():
        if (endpoint.tags.get(TEAM_TAG), endpoint.tags.get(STACK_TAG)) != (settings.team, settings.stack):
            yield Problem(
                "sluice:endpoints",
                f"must have names that are free in the given workspace, got {name}, which does not have the tags of "
                "this stack: the update would take it over",
                f"Set another name in Pulumi.{settings.stack}.yaml.",
            )


def _former_name_problems(settings: Settings, live: LiveStack, former: Mapping[str, str]) -> Iterator[Problem]:
    for name in sorted({endpoint.name for endpoint in live.undeclared} & former.keys()):
        yield Problem(
            f"sluice:endpoints.{former[name]}",
            f'exists in Azure as "{name}", its default name in earlier versions. With today\'s default name, this '
            "update would create another endpoint and delete that one",
            f"Add the line `name: {name}` to sluice:endpoints.{former[name]} in Pulumi.{settings.stack}.yaml.",
        )


def _region(location: str) -> str:
    return location.replace(" ", "").lower()
