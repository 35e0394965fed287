"""Whose a resource is: every resource of a stack carries the stack's name and its team as tags.

Stacks whose names differ in capitals or in `_`, `.` and `-` alone have the same names in Azure, so that two of them
would share one resource group. Its tags say which of them has it. Pure: it reads nothing from Azure.
"""

from __future__ import annotations

from collections.abc import Mapping

from problem import Problem

STACK_TAG = "sluice:stack"
TEAM_TAG = "sluice:team"


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
        f"belongs to {owner}, and stack {stack} of team {team} has the same names in Azure, where names are in lower "
        "case and have a dash for every `_` and `.`",
        "Give this stack or team a name that differs in letters or digits. If this is the same stack under a new name, "
        "use its old name again.",
    )
