"""The names of a stack's resources in Azure, from its file and the environment, as the program computes them.

The state is not read, because it is incomplete after a failed or interrupted update. Azure is asked only whether
another stack has taken the names.
"""

from typing import TYPE_CHECKING

from command_errors import UsageError
from stacks.file import read_settings

GROUP_API_VERSION = "2021-04-01"
IDENTITY_API_VERSION = "2023-01-31"
DELETED_VAULT_API_VERSION = "2023-07-01"

if TYPE_CHECKING:
    from pathlib import Path

    from naming import Names
    from resource_manager.client import ArmClient
    from settings import Settings


def read_names(stack: str, file: "Path | None" = None) -> "tuple[Settings, Names]":
    """Return settings and names of a stack. Raises UsageError or SettingsError for a bad file or subscription.

    `file` is the stack file, None for the one that the next `pulumi up` reads.
    """
    settings, subscription = read_settings(stack, file)
    return settings, settings.names(subscription)


def require_own_group(arm: "ArmClient", settings: "Settings", names: "Names") -> None:
    """Raise UsageError if the tags of the resource group of these names belong to another stack.

    In a group that was given, the tags of the stack's identity say it.
    """
    from ownership import meeting, other_owner

    owned, version = names.resource_group_id, GROUP_API_VERSION
    if names.given_group_id:
        owned, version = names.stack_identity_id, IDENTITY_API_VERSION
    tags = (arm.get(owned, version) or {}).get("tags")
    owner = other_owner(tags if isinstance(tags, dict) else {}, team=settings.team, stack=settings.stack)
    if owner is not None:
        raise UsageError(str(meeting(names.resource_group, owner, team=settings.team, stack=settings.stack)))


def require_free_vault(arm: "ArmClient", settings: "Settings", names: "Names") -> None:
    """Raise UsageError if Azure still keeps the vault's name for a deleted one, so that the next update would fail.

    It is the only kept name that can be looked up: no list of deleted workspaces is documented.
    """
    from naming import kept_names_advice

    if settings.existing.vault is not None or settings.existing.workspace is not None:
        return  # the stack creates none
    place = f"/subscriptions/{names.subscription_id}/providers/Microsoft.KeyVault/locations/{settings.location}"
    if arm.get(f"{place}/deletedVaults/{names.key_vault}", DELETED_VAULT_API_VERSION) is not None:
        raise UsageError(
            f"the key vault {names.key_vault} was deleted, and its name is not free yet. {kept_names_advice(names)}"
        )
