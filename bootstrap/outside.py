"""Which resources outside of its group a stack names: pure, for the config that `sluice new team` writes."""

from __future__ import annotations

from collections.abc import Iterator

from arm_id import group_id_of
from stack_config import StackConfig

__all__ = ["ids_outside"]


def ids_outside(config: StackConfig, group_id: str) -> tuple[str, ...]:
    """Every ARM id in a stack file that lies in another group than the stack's, each once, sorted."""
    found = {
        one.lower(): one
        for one in _texts(config.model_dump(mode="json", exclude={"rollout"}))
        if (group := group_id_of(one)) and group.lower() != group_id.lower() and group != one
    }
    return tuple(found[key] for key in sorted(found))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from _texts(one)
