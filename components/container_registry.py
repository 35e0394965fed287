"""The workspace's container registry, without an admin user.

It holds the images that Azure ML builds from the models' conda files. Only managed identities pull from it.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
from pulumi_azure_native import containerregistry

from components.placement import GroupPlacement

__all__ = ["ContainerRegistry", "ContainerRegistryArgs"]


@dataclass(frozen=True, kw_only=True)
class ContainerRegistryArgs:
    """Inputs of a `ContainerRegistry`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    enable_public_access: bool = False
    """*Optional.* Whether callers outside the private network reach it; no by default. A registry that they do not
    reach is Premium, the only tier that takes private endpoints."""


class ContainerRegistry(pulumi.ComponentResource):
    """A container registry that only Entra identities can use."""

    id: pulumi.Output[str]
    """ARM id of the registry."""
    login_server: pulumi.Output[str]
    """Its host name."""

    def __init__(self, name: str, args: ContainerRegistryArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:ContainerRegistry", name, {}, opts)
        public = args.enable_public_access
        registry = containerregistry.Registry(
            f"{name}-registry",
            registry_name=args.placement.names.container_registry,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            sku=containerregistry.SkuArgs(
                name=containerregistry.SkuName.STANDARD if public else containerregistry.SkuName.PREMIUM
            ),
            admin_user_enabled=False,
            anonymous_pull_enabled=False,
            public_network_access=(
                containerregistry.PublicNetworkAccess.ENABLED
                if public
                else containerregistry.PublicNetworkAccess.DISABLED
            ),
            network_rule_bypass_options=containerregistry.NetworkRuleBypassOptions.AZURE_SERVICES,
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(parent=self),
        )
        self.id = registry.id
        self.login_server = registry.login_server
        self.register_outputs({"id": self.id})
