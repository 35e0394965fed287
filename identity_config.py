"""The models of what a stack file says about people and encryption: `sluice:access` and `sluice:customer_key`.

Imports no Pulumi. Who gets which role on what is in `roles.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from config_values import ObjectId, Section
from existing_config import IdentityId, VaultId
from roles import Holder

KEY_URI_PATTERN = r"^https://[a-zA-Z0-9-]+\.[a-z0-9.-]+/keys/[A-Za-z0-9-]+(/[0-9a-f]{32})?$"
"""The address of a key, with or without a version."""


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


class CustomerKey(Section):
    """A key of the owner's own vault, with which Azure ML encrypts what it stores for the workspace."""

    vault_id: VaultId
    """ARM id of the vault; its purge protection must be on."""
    key_uri: Annotated[str, StringConstraints(pattern=KEY_URI_PATTERN, max_length=256)]
    """Address of the key, https://<vault>.<host>/keys/<name>, with or without a version."""
    identity_id: IdentityId
    """ARM id of the identity that Azure uses the key with; it gets the role for that on the vault."""

    @field_validator("key_uri")
    @classmethod
    def _of_the_vault(cls, value: str, info: ValidationInfo) -> str:
        vault = str(info.data.get("vault_id", "")).rsplit("/", 1)[-1]
        if vault and not value.lower().startswith(f"https://{vault.lower()}."):
            raise PydanticCustomError(
                "key_of_another_vault",
                "must be a key of the vault in vault_id, {vault}, got {uri}",
                {"vault": vault, "uri": value},
            )
        return value
