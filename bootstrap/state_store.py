"""Where the stack's state is kept and what encrypts its secrets: a container and a key, in a group of their own.

Not in the stack's group, where the deploying identity may do everything: it must not be able to delete the state's
account, or to read its keys.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import keyvault, storage

__all__ = ["StateStore", "StateStoreArgs"]

CONTAINER, KEY = "state", "pulumi-secrets"
KEPT_DAYS = 30
"""How long deleted and overwritten state can be brought back."""
RETENTION_DAYS, PROTECTED_RETENTION_DAYS = 7, 90
"""Azure's minimum and maximum for a deleted vault."""


@dataclass(frozen=True, kw_only=True)
class StateStoreArgs:
    """Inputs of a `StateStore`."""

    resource_group_name: pulumi.Input[str]
    """*Required.* Its group."""
    account_name: str
    """*Required.* Azure name of the storage account."""
    vault_name: str
    """*Required.* Azure name of the key's vault."""
    location: str
    """*Required.* Azure region."""
    tenant_id: str
    """*Required.* Entra tenant of the subscription."""
    tags: dict[str, str]
    """*Required.* Tags of account and vault."""
    protect: bool
    """*Required.* Protect both against deletion, the vault against purging too."""


class StateStore(pulumi.ComponentResource):
    """A storage account with one container, and a vault with one key."""

    container_id: pulumi.Output[str]
    """ARM id of the container."""
    key_id: pulumi.Output[str]
    """ARM id of the key."""
    backend_url: pulumi.Output[str]
    """What `pulumi login` takes."""
    secrets_provider: pulumi.Output[str]
    """What `pulumi stack init --secrets-provider` takes."""

    def __init__(self, name: str, args: StateStoreArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:StateStore", name, {}, opts)
        own = pulumi.ResourceOptions(parent=self, protect=args.protect)
        account = storage.StorageAccount(
            f"{name}-account",
            account_name=args.account_name,
            resource_group_name=args.resource_group_name,
            location=args.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=storage.SkuName.STANDARD_LRS),
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            tags=args.tags,
            opts=own,
        )
        storage.BlobServiceProperties(
            f"{name}-blobs",
            blob_services_name="default",
            account_name=account.name,
            resource_group_name=args.resource_group_name,
            is_versioning_enabled=True,
            delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=KEPT_DAYS),
            container_delete_retention_policy=storage.DeleteRetentionPolicyArgs(enabled=True, days=KEPT_DAYS),
            opts=pulumi.ResourceOptions(parent=self),
        )
        container = storage.BlobContainer(
            f"{name}-container",
            container_name=CONTAINER,
            account_name=account.name,
            resource_group_name=args.resource_group_name,
            public_access=storage.PublicAccess.NONE,
            opts=own,
        )
        vault = keyvault.Vault(
            f"{name}-vault",
            vault_name=args.vault_name,
            resource_group_name=args.resource_group_name,
            location=args.location,
            properties=keyvault.VaultPropertiesArgs(
                tenant_id=args.tenant_id,
                sku=keyvault.SkuArgs(family=keyvault.SkuFamily.A, name=keyvault.SkuName.STANDARD),
                enable_rbac_authorization=True,
                enable_soft_delete=True,
                soft_delete_retention_in_days=PROTECTED_RETENTION_DAYS if args.protect else RETENTION_DAYS,
                # Azure takes true or nothing; false is refused.
                enable_purge_protection=True if args.protect else None,
            ),
            tags=args.tags,
            opts=own,
        )
        key = keyvault.Key(
            f"{name}-key",
            key_name=KEY,
            vault_name=vault.name,
            resource_group_name=args.resource_group_name,
            properties=keyvault.KeyPropertiesArgs(kty=keyvault.JsonWebKeyType.RSA, key_size=3072),
            # Resource Manager cannot delete a key; it goes with its vault.
            opts=pulumi.ResourceOptions(parent=self, protect=args.protect, deleted_with=vault),
        )
        self.container_id = container.id
        self.key_id = key.id
        self.backend_url = account.name.apply(lambda account: f"azblob://{CONTAINER}?storage_account={account}")
        self.secrets_provider = key.key_uri.apply(lambda uri: uri.replace("https://", "azurekeyvault://", 1))
        self.register_outputs({})
