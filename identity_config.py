"""The models of what a stack file says about people and encryption: `sluice:access` and `sluice:customer_key`.

Imports no Pulumi. Who gets which role on what is in `roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from config_values import ObjectId, Section
from existing_config import VaultId
from roles import Holder


class Access(Section):
    """Entra groups that get roles on this stack, by their object ids."""

    scientists: tuple[ObjectId, ...] = ()
    """Groups that publish models and use the workspace."""
    operators: tuple[ObjectId, ...] = ()
    """Groups that start, stop and watch compute."""
    readers: tuple[ObjectId, ...] = ()
    """Groups that see everything in the resource group and change nothing."""

    @field_validator("scientists", "operators", "readers")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len({one.lower() for one in value}) < len(value):
            raise PydanticCustomError(
                "group_twice", "must name each group once, got {groups}", {"groups": ", ".join(value)}
            )
        return value

    def groups(self) -> Iterator[tuple[Holder, str]]:
        """Every group with what it gets."""
        for holder, ids in (
            (Holder.SCIENTISTS, self.scientists),
            (Holder.OPERATORS, self.operators),
            (Holder.READERS, self.readers),
        ):
            yield from ((holder, one.lower()) for one in ids)


NO_ACCESS = Access.model_construct(scientists=(), operators=(), readers=())
SecretVaults = Annotated[tuple[VaultId, ...], Field(max_length=20)]
