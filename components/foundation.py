"""What a workspace stands on: monitoring, storage, vault and registry. Each is given or created.

What is given is only named: no component is declared for it, so it gets no tags and is never deleted.
"""

from __future__ import annotations

from dataclasses import dataclass

import pulumi

from assessment.existing import ExistingResources
from components.container_registry import ContainerRegistry, ContainerRegistryArgs
from components.key_vault import KeyVault, KeyVaultArgs
from components.monitoring import Monitoring, MonitoringArgs
from components.placement import AssociatedResources, GroupPlacement, Scope
from components.storage import Storage, StorageArgs
from stack_config import Redundancy

__all__ = ["Foundation", "FoundationArgs"]


@dataclass(frozen=True, kw_only=True)
class FoundationArgs:
    """Inputs of a `Foundation`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    existing: ExistingResources
    """*Required.* What is used and not created."""
    protect_vault: bool
    """*Required.* Protect a vault that is created, against purging too, which cannot be taken back."""
    lock_logs: bool = False
    """*Optional.* Lock a Log Analytics workspace that is created against deletion; no by default."""
    lock_vault: bool = False
    """*Optional.* Lock a vault that is created against deletion; no by default. A lock keeps the roles on it, too."""
    storage_redundancy: Redundancy = Redundancy.LRS
    """*Optional.* Where Azure keeps copies of what is published; within one data centre by default."""
    enable_public_access: bool = False
    """*Optional.* Whether callers outside the private network reach what is created; no by default."""


class Foundation:
    """No component of its own: its parts are children of the platform, under names that begin with `name`."""

    associated: AssociatedResources
    """What the workspace is created with."""
    log_analytics_id: pulumi.Input[str]
    """ARM id of the Log Analytics workspace."""
    blob_endpoint: pulumi.Output[str] | None = None
    """Address of the storage account's blobs; None if the account is given."""
    registry_login_server: pulumi.Output[str] | None = None
    """Host name of the registry; None if it is given."""
    vault_uri: pulumi.Output[str] | None = None
    """Address of the vault; None if it is given."""

    def __init__(self, name: str, args: FoundationArgs, opts: pulumi.ResourceOptions) -> None:
        self._name, self._args, self._opts = name, args, opts
        existing, names = args.existing, args.placement.names
        monitoring = Monitoring(
            f"{name}-monitoring",
            MonitoringArgs(
                placement=args.placement,
                lock=args.lock_logs,
                log_analytics_id=existing.log_analytics,
                application_insights_id=existing.application_insights,
            ),
            opts=opts,
        )
        self.log_analytics_id = monitoring.log_analytics_id
        self.associated = AssociatedResources(
            storage=Scope.given(existing.storage) if existing.storage else self._storage(),
            vault=Scope.given(existing.vault) if existing.vault else self._vault(),
            registry=Scope.given(existing.registry) if existing.registry else self._registry(),
            insights=Scope(
                id=monitoring.application_insights_id,
                name=existing.application_insights or names.application_insights,
            ),
        )

    def _storage(self) -> Scope:
        args = self._args
        storage = Storage(
            f"{self._name}-storage",
            StorageArgs(
                placement=args.placement,
                redundancy=args.storage_redundancy,
                enable_public_access=args.enable_public_access,
            ),
            opts=self._opts,
        )
        self.blob_endpoint = storage.blob_endpoint
        return Scope(id=storage.id, name=args.placement.names.storage_account)

    def _vault(self) -> Scope:
        args = self._args
        vault = KeyVault(
            f"{self._name}-vault",
            KeyVaultArgs(
                placement=args.placement,
                enable_public_access=args.enable_public_access,
                protect=args.protect_vault,
                lock=args.lock_vault,
            ),
            opts=self._opts,
        )
        self.vault_uri = vault.uri
        return Scope(id=vault.id, name=args.placement.names.key_vault)

    def _registry(self) -> Scope:
        args = self._args
        registry = ContainerRegistry(
            f"{self._name}-registry",
            ContainerRegistryArgs(placement=args.placement, enable_public_access=args.enable_public_access),
            opts=self._opts,
        )
        self.registry_login_server = registry.login_server
        return Scope(id=registry.id, name=args.placement.names.container_registry)
