"""The workspace's storage account: closed to account keys and anonymous readers, with soft delete.

The account holds published models and code. Containers and datastores are made by Azure ML itself. The settings of the
blob service are one resource, and a PUT of it replaces all of them, what Azure ML wrote there included.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import storage

from components.placement import GroupPlacement
from stack_config import Redundancy

__all__ = ["Storage", "StorageArgs"]

SOFT_DELETE_DAYS = 14
"""How long a deleted blob or container can be brought back: a rollback needs the model of weeks ago."""
STUDIO_ORIGINS = (
    "https://mlworkspace.azure.ai",
    "https://ml.azure.com",
    "https://*.ml.azure.com",
    "https://ai.azure.com",
    "https://*.ai.azure.com",
)
"""Where the studio is served from. Azure ML lets these origins read the blobs by a rule that it writes itself; the same
rule is declared here, because a PUT without it removes it (read in the Azure verified module for Terraform)."""
STUDIO_METHODS = ("GET", "HEAD", "PUT", "DELETE", "OPTIONS", "POST", "PATCH")
STUDIO_MAX_AGE_SECONDS = 1800


@dataclass(frozen=True, kw_only=True)
class StorageArgs:
    """Inputs of a `Storage`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    redundancy: Redundancy = Redundancy.LRS
    """*Optional.* Where Azure keeps copies of the data; within one data centre by default."""
    enable_public_access: bool = False
    """*Optional.* Whether callers outside the private network reach it, who still need a role; no by default."""


class Storage(pulumi.ComponentResource):
    """A storage account that only Entra identities can use."""

    id: pulumi.Output[str]
    """ARM id of the account."""
    blob_endpoint: pulumi.Output[str]
    """Address of its blobs."""

    def __init__(self, name: str, args: StorageArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Storage", name, {}, opts)
        public = args.enable_public_access
        account = storage.StorageAccount(
            f"{name}-account",
            account_name=args.placement.names.storage_account,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            kind=storage.Kind.STORAGE_V2,
            sku=storage.SkuArgs(name=_SKUS[args.redundancy]),
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
        storage.BlobServiceProperties(
            f"{name}-blobs",
            account_name=account.name,
            # Azure knows this name only; azure-native would make one up.
            blob_services_name="default",
            resource_group_name=args.placement.resource_group_name,
            is_versioning_enabled=True,
            delete_retention_policy=_soft_delete(),
            container_delete_retention_policy=_soft_delete(),
            cors=storage.CorsRulesArgs(
                cors_rules=[
                    storage.CorsRuleArgs(
                        allowed_origins=list(STUDIO_ORIGINS),
                        allowed_methods=list(STUDIO_METHODS),
                        allowed_headers=["*"],
                        exposed_headers=["*"],
                        max_age_in_seconds=STUDIO_MAX_AGE_SECONDS,
                    )
                ]
            ),
            # It cannot be deleted: the engine would reset it to the defaults just before it deletes the account.
            opts=pulumi.ResourceOptions(parent=self, deleted_with=account),
        )
        self.id = account.id
        self.blob_endpoint = account.primary_endpoints.apply(lambda endpoints: endpoints.blob)
        self.register_outputs({"id": self.id})


_SKUS = {Redundancy.LRS: storage.SkuName.STANDARD_LRS, Redundancy.ZRS: storage.SkuName.STANDARD_ZRS}


def _soft_delete() -> storage.DeleteRetentionPolicyArgs:
    return storage.DeleteRetentionPolicyArgs(enabled=True, days=SOFT_DELETE_DAYS)
