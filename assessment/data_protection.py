"""What Azure ML takes only when it creates a workspace: hbi, and a customer's key with its identity and vault."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from arm_id import ArmId
from assessment.azure_reads import Read, Resource, ask, require
from assessment.live import Caller
from identity_config import CustomerKey
from problem import Problem
from stack_config import Settings

__all__ = ["PLAIN", "DataProtection", "KeyUse", "read_data_protection"]

_KEY = "sluice:customer_key"


@dataclass(frozen=True, kw_only=True)
class KeyUse:
    """A key of the customer's own, and who uses it."""

    key: CustomerKey
    """The key, its vault, and the identity that uses it."""
    principal_id: str
    """Object id of that identity, which gets a role on the vault."""


@dataclass(frozen=True, kw_only=True)
class DataProtection:
    """What cannot change after the workspace is created."""

    encryption: KeyUse | None = None
    """The customer's key that the workspace's data is encrypted with; None: Microsoft's."""
    hbi: bool = False
    """High business impact: less diagnostic data is collected."""


PLAIN = DataProtection()


def read_data_protection(settings: Settings, caller: Caller) -> tuple[DataProtection, list[Problem]]:
    """What is declared, and everything that is wrong with the key."""
    key, file = settings.customer_key, f"Pulumi.{settings.stack}.yaml"
    without_key = DataProtection(hbi=settings.hbi)
    if settings.existing.workspace is not None:
        return without_key, list(_without_effect(settings, file))
    if key is None:
        return without_key, []
    given = {"vault_id": key.vault_id, "identity_id": key.identity_id}
    own = caller.subscription_id
    problems = [
        Problem(
            f"{_KEY}.{name}",
            f"must be in the subscription of this stack, {own}, got {one}",
            f"Correct the id in {file}.",
        )
        for name, one in given.items()
        if ArmId.parse(one).subscription_id.lower() != own.lower()
    ]
    if problems:
        return without_key, problems
    answers = ask(
        {
            "vault_id": _read(key.vault_id, "azure-native:keyvault:getVault", "vaultName"),
            "identity_id": _read(
                key.identity_id, "azure-native:managedidentity:getUserAssignedIdentity", "resourceName"
            ),
        }
    )
    found = require(answers)
    problems = [
        Problem(f"{_KEY}.{name}", f"must name a resource that exists, got {one}", f"Correct the id in {file}.")
        for name, one in given.items()
        if found[name] is None
    ]
    vault, identity = found["vault_id"], found["identity_id"]
    if vault is not None:
        problems += _vault_problems(key.vault_id, vault)
    if problems or identity is None:
        return without_key, problems
    use = KeyUse(key=key, principal_id=str(identity["principalId"]))
    return DataProtection(encryption=use, hbi=settings.hbi), []


def _without_effect(settings: Settings, file: str) -> Iterator[Problem]:
    for name, is_set in (("customer_key", settings.customer_key is not None), ("hbi", settings.hbi)):
        if is_set:
            yield Problem(
                f"sluice:{name}",
                "has no effect with sluice:existing.workspace: it is chosen when a workspace is created",
                f"Remove one of the two from {file}.",
            )


def _vault_problems(vault_id: str, vault: Resource) -> Iterator[Problem]:
    properties = vault.get("properties") or {}
    if properties.get("enableRbacAuthorization") is not True:
        yield Problem(
            f"{_KEY}.vault_id",
            "must be opened by Azure roles, got a vault with access policies, which the role of the identity does not "
            "open",
            f"Run: az keyvault update --ids {vault_id} --enable-rbac-authorization true",
        )
    if properties.get("enablePurgeProtection") is not True:
        yield Problem(
            f"{_KEY}.vault_id",
            "must have purge protection, got a vault without it: when a key is purged, what it encrypts is lost",
            f"Run: az keyvault update --ids {vault_id} --enable-purge-protection true",
        )


def _read(resource_id: str, function: str, parameter: str) -> Read:
    parsed = ArmId.parse(resource_id)
    return Read(
        what=resource_id,
        function=function,
        arguments={"resourceGroupName": parsed.resource_group, parameter: parsed.name},
    )
