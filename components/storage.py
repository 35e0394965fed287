"""The workspace's storage account, closed to account keys and to anonymous readers.

The account holds published models and code. Containers and datastores are made by Azure ML itself.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from components.placement import Placement

__all__ = ["Storage", "StorageArgs"]


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """Inputs of a `Storage`."""

    placement: Placement
    """*Required.* Names, region and tags."""
    resource_group_name: pulumi.Input[str]
    """*Required.* Group that holds the account."""
    enable_public_access: bool
    """*Required.* Whether callers outside the private network reach it; they still need a role."""


class Storage(pulumi.ComponentResource):
    """A storage account that only Entra identities can use."""

    id: pulumi.Output[str]
    """ARM id of the account."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Storage", name, {}, opts)
        public = args.enable_public_access
        account = storage.StorageAccount(
            f"{name}-account",
            account_name=args.placement.names.storage_account,
            resource_group_name=args.resource_group_name,
            location=args.placement.location,
            kind=storage.Kind.STORAGE_V2,
            # What lies here can be published again from the repository, so one copy per data centre is enough.
            sku=storage.SkuArgs(name=storage.SkuName.STANDARD_LRS),
            allow_blob_public_access=False,
            allow_shared_key_access=False,
            allow_cross_tenant_replication=False,
            default_to_o_auth_authentication=True,
            enable_https_traffic_only=True,
            minimum_tls_version=storage.MinimumTlsVersion.TLS1_2,
            public_network_access=(
                storage.PublicNetworkAccess.ENABLED if public else storage.PublicNetworkAccess.DISABLED
            ),
            network_rule_set=storage.NetworkRuleSetArgs(
                default_action=storage.DefaultAction.ALLOW if public else storage.DefaultAction.DENY,
                bypass=storage.Bypass.AZURE_SERVICES,
            ),
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = account.id
        self.register_outputs({"id": self.id})
