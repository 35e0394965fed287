"""The workspace's key vault: Azure roles instead of access policies, soft delete, purge protection where asked.

It holds what Azure ML puts there (connection secrets, endpoint keys). The program stores nothing in it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault

from components.lock import lock_against_deletion
from components.placement import GroupPlacement
from platform_record import PROTECTED_RETENTION_DAYS, RETENTION_DAYS

__all__ = ["KeyVault", "KeyVaultArgs"]


@dataclass(frozen=True, kw_only=True)
class KeyVaultArgs:
    """Inputs of a `KeyVault`."""

    placement: GroupPlacement
    """*Required.* Names, region, tenant and tags, and the group."""
    protect: bool
    """*Required.* Protect it in the state, and against purging for 90 days. Purge protection cannot be taken back."""
    lock: bool = False
    """*Optional.* Lock it against deletion; no by default. A lock also keeps the roles on it."""
    enable_public_access: bool = False
    """*Optional.* Whether callers outside the private network reach it, who still need a role; no by default."""


class KeyVault(pulumi.ComponentResource):
    """A key vault that only Azure roles open."""

    id: pulumi.Output[str]
    """ARM id of the vault."""
    uri: pulumi.Output[str]
    """Its address."""

    def __init__(self, name: str, args: KeyVaultArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:KeyVault", name, {}, opts)
        public = args.enable_public_access
        vault = keyvault.Vault(
            f"{name}-vault",
            vault_name=args.placement.names.key_vault,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.placement.tenant_id,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=PROTECTED_RETENTION_DAYS if args.protect else RETENTION_DAYS,
                # Azure takes true or nothing; false is refused.
                enable_purge_protection=True if args.protect else None,
                public_network_access="Enabled" if public else "Disabled",
                network_acls=keyvault.NetworkRuleSetArgs(
                    default_action=keyvault.NetworkRuleAction.ALLOW if public else keyvault.NetworkRuleAction.DENY,
                    # Without it the creation of an endpoint with key authentication fails.
                    bypass=keyvault.NetworkRuleBypassOptions.AZURE_SERVICES,
                ),
            ),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect),
        )
        if args.lock:
            lock_against_deletion(name, vault, parent=self)
        self.id = vault.id
        self.uri = vault.properties.apply(lambda properties: properties.vault_uri)
        self.register_outputs({"id": self.id})
