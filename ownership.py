"""Whose a resource is: every resource of a stack carries the stack's name and its team as tags.

Two stacks of a team with one environment have the same names in Azure, and so have those whose names differ in capitals
or in `_`, `.` and `-` alone. In generation 1, so have the pairs of team and environment that read the same with a dash
between them. Both would share one resource group; its tags say which of them has it. Pure: it reads nothing from Azure.
"""

from __future__ import annotations

from collections.abc import Mapping

from problem import Problem

STACK_TAG = "sluice:stack"
TEAM_TAG = "sluice:team"
ENVIRONMENT_TAG = "sluice:environment"
ENDPOINT_TAG = "sluice:endpoint"
SUBSCRIPTION_TAG = "sluice:subscription"
"""Of resource group and stack identity."""


def other_owner(tags: Mapping[str, object], *, team: str, stack: str) -> str | None:
    """The stack and team that the tags of a resource name, where they are others; None without such tags."""
    tagged_stack, tagged_team = tags.get(STACK_TAG), tags.get(TEAM_TAG)
    if tagged_stack in (None, stack) and tagged_team in (None, team):
        return None
    return f"stack {tagged_stack or stack} of team {tagged_team or team}"


def meeting(resource_group: str, owner: str, *, team: str, stack: str) -> Problem:
    """What is wrong for two stacks that have the same names in Azure, with the ways out."""
    return Problem(
        f"resource group {resource_group}",
        f"belongs to {owner}, and stack {stack} of team {team} has the same names in Azure, where names consist of the "
        "team and the environment, in lower case, with a dash between them and for every `_` and `.`",
        f"Set sluice:environment in Pulumi.{stack}.yaml to another value, with other letters or digits. If this is the "
        "same stack under a new name, use its old name again.",
    )
