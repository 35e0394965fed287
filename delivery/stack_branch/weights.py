"""Whose weights an endpoint has on the stack's branch after a sync: the branch's own or the source branch's. Pure.

The source branch's lines are compared with what they were at the last sync, so no merge base is needed, and history
may be squashed, rewritten or shallow.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from rollout.declaration.stack_text import WeightLines
from rollout.split import Split


@dataclass(frozen=True, kw_only=True)
class Sides:
    """What the branches say about one endpoint; None where a side does not have it."""

    source: WeightLines | None
    """On the source branch now."""
    synced: WeightLines | None
    """On the source branch at the last sync."""
    branch: WeightLines | None
    """On the stack's branch."""
    left: Collection[WeightLines] = ()
    """With which its ended rollouts left the stack."""
    is_open: bool = False
    """A rollout of it is under way."""


class Conflict(Exception):
    """A person changed weights, or removed the endpoint, while its rollout is under way. Holds the two sides."""

    def __init__(self, source: WeightLines | None, branch: WeightLines | None) -> None:
        self.source = source
        self.branch = branch
        super().__init__(f"source branch: {describe(source)}; stack branch: {describe(branch)}")


def merged(sides: Sides) -> WeightLines | None:
    """Return the lines of the endpoint on the stack's branch; None if it has none. Raises Conflict.

    - The source branch has not changed them since the last sync: the branch's stay.
    - The source branch has what a rollout left: an echo of a record pull request, so the branch's stay.
    - Anything else is a person's decision. It wins, unless a rollout is open.
    """
    if sides.source == sides.branch:
        return sides.source
    if sides.source is not None and sides.branch is not None and sides.source in (sides.synced, *sides.left):
        return sides.branch
    if sides.is_open:
        raise Conflict(sides.source, sides.branch)
    return sides.source


def describe(lines: WeightLines | None) -> str:
    """One line for people: `blue 90 %, green 10 %, stable blue`."""
    if lines is None:
        return "no weights"
    return ", ".join([lines.split.describe(), *([f"stable {lines.stable}"] if lines.stable else [])])


def as_values(lines: WeightLines) -> dict[str, object]:
    """The lines as `source.json` holds them."""
    return {"stable": lines.stable, "traffic": dict(lines.split.traffic), "mirror": dict(lines.split.mirror)}


def from_values(values: object) -> WeightLines:
    """The lines from `source.json`. Raises ValueError."""
    if not isinstance(values, dict) or values.keys() != {"stable", "traffic", "mirror"}:
        raise ValueError(f"weights must have stable, traffic and mirror, got {values!r}")
    stable, traffic, mirror = values["stable"], values["traffic"], values["mirror"]
    for weights in (traffic, mirror):
        if not isinstance(weights, dict) or not all(type(weight) is int for weight in weights.values()):
            raise ValueError(f"weights must be whole percents by deployment, got {weights!r}")
    if stable is not None and not isinstance(stable, str):
        raise ValueError(f"stable must be the name of a deployment, got {stable!r}")
    return WeightLines(split=Split(traffic=traffic, mirror=mirror), stable=stable)
