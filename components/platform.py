"""Everything an endpoint stands on: resource group, what a workspace needs, workspace, private network.

It knows whether the stack is public or private; the components it is made of know only whether they are reachable.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import pulumi
from pulumi_azure_native import managedidentity, resources

from assessment.data_protection import PLAIN, DataProtection
from assessment.existing import ExistingResources
from assessment.placement import Placement
from components.access import GroupAccess, GroupAccessArgs
from components.batch_compute import BatchCompute, BatchComputeArgs
from components.dependency import depend_on
from components.foundation import Foundation, FoundationArgs
from components.identity import Identity
from components.image_build import ImageBuildCluster, ImageBuildClusterArgs, compute_identity
from components.monitor_scope import MonitorScope, MonitorScopeArgs
from components.placement import EndpointHost, GroupPlacement, Scope, WorkspacePlacement
from components.stack_outputs import NetworkOutputs, PlatformOutputs, WorkspaceOutputs, cost_url
from components.taken_names import explain_taken_names
from components.workspace import Workspace, WorkspaceArgs
from compute_config import BuildSettings, ComputeSettings
from identity_config import NO_ACCESS, Access
from network_plan import NetworkPlan
from ownership import SUBSCRIPTION_TAG
from stack_config import Redundancy

__all__ = ["Platform", "PlatformArgs"]

CONTAINER = "azureml-blobstore-"
"""With the workspace's own id, the container of its default datastore, which Azure ML creates."""


@dataclass(frozen=True, kw_only=True)
class PlatformArgs:
    """Inputs of a `Platform`."""

    placement: Placement
    """*Required.* Names, region, tenant and tags."""
    protect_vault: bool
    """*Required.* Protect the vault, against purging too, which cannot be taken back."""
    network: NetworkPlan
    """*Required.* Who reaches the platform, and the layout of a private stack's network."""
    existing: ExistingResources = field(default_factory=ExistingResources)
    """*Optional.* What is used and not created; nothing by default."""
    undeclared_rules: Collection[str] = ()
    """*Optional.* Names of the outbound rules that the managed network has and `network` does not; none by default."""
    monitor_scope_provider: pulumi.ProviderResource | None = None
    """*Optional.* What acts in the subscription of a given private link scope; the default provider by default."""
    protect: bool = True
    """*Optional.* Protect group, stack identity and workspace against deletion; it does by default."""
    storage_redundancy: Redundancy = Redundancy.LRS
    """*Optional.* Where Azure keeps copies of what is published; within one data centre by default."""
    locks: Collection[str] = ()
    """*Optional.* What to lock against deletion, if it is created: `logs`, `vault`; nothing by default."""
    role_delay_seconds: float = 0
    """*Optional.* How long Azure needs to put the roles of the workspace's identity into effect; no wait by default."""
    protection: DataProtection = PLAIN
    """*Optional.* What Azure ML takes only when it creates the workspace; Microsoft's key by default."""
    access: Access = NO_ACCESS
    """*Optional.* Entra groups that get roles on the platform; none by default."""
    compute: ComputeSettings = field(default_factory=ComputeSettings)
    """*Optional.* Clusters of the workspace; by default a private stack has one that builds images."""
    group_tags: Mapping[str, str] = field(default_factory=dict)
    """*Optional.* Tags of the resource group alone; none by default."""
    record_tags: Mapping[str, str] = field(default_factory=dict)
    """*Optional.* Tags that say what this update declares, of the stack's identity alone; none by default."""


class Platform(pulumi.ComponentResource):
    """The platform of one stack; depend on it to wait until deployments can be created."""

    host: EndpointHost
    """What endpoints are built on."""
    outputs: WorkspaceOutputs
    """The stack's outputs for the workspace."""
    foundation_outputs: PlatformOutputs
    """The stack's outputs for what the workspace stands on."""
    after_identity: pulumi.ResourceTransformation
    """Makes the resources of a component wait for the stack's identity, as all of the platform's do."""

    def __init__(self, name: str, args: PlatformArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Platform", name, {}, opts)
        public = args.network.is_public
        placement = self._group_placement(name, args)
        self.after_identity = depend_on(self._stack_identity(name, args, placement))
        below = pulumi.ResourceOptions(
            parent=self, transformations=[self.after_identity, explain_taken_names(placement.names)]
        )
        foundation = Foundation(
            name,
            FoundationArgs(
                placement=placement,
                existing=args.existing,
                protect_vault=args.protect_vault,
                lock_logs="logs" in args.locks,
                lock_vault="vault" in args.locks,
                storage_redundancy=args.storage_redundancy,
                enable_public_access=public,
            ),
            opts=below,
        )
        self._foundation, self._below = foundation, below
        self.foundation_outputs = {
            "resource_group_id": placement.resource_group_id,
            "log_analytics_id": foundation.log_analytics_id,
            "storage_container": None,
            "registry_login_server": foundation.registry_login_server,
            "vault_uri": foundation.vault_uri,
            "cost_url": pulumi.Output.from_input(placement.resource_group_id).apply(
                lambda group_id: cost_url(group_id, args.network.cloud)
            ),
        }
        if args.existing.workspace is not None:
            self._use_workspace(args.existing.workspace, placement)
        else:
            self._create_workspace(name, args, placement)
        if any(args.access.groups()):
            GroupAccess(f"{name}-groups", GroupAccessArgs(host=self.host, access=args.access), opts=below)
        self.register_outputs({"workspaceId": self.host.workspace.id})

    def _use_workspace(self, workspace_id: str, placement: GroupPlacement) -> None:
        """Host endpoints in a workspace that was given; its network and its builds of images are its owner's."""
        names = placement.names
        self.host = EndpointHost(
            placement=WorkspacePlacement.within(
                placement, workspace_name=names.workspace, workspace_group_name=names.workspace_group
            ),
            workspace=Scope.given(workspace_id),
            associated=self._foundation.associated,
            log_analytics_id=self._foundation.log_analytics_id,
        )
        self.outputs = _outputs(
            pulumi.Output.from_input(workspace_id), pulumi.Output.from_input(names.workspace), placement
        )

    def _create_workspace(self, name: str, args: PlatformArgs, placement: GroupPlacement) -> None:
        """A workspace of the stack's own, and what a private one needs around it."""
        foundation = self._foundation
        workspace = Workspace(
            f"{name}-ml",
            WorkspaceArgs(
                placement=placement,
                associated=foundation.associated,
                network=args.network,
                undeclared_rules=args.undeclared_rules,
                protect=args.protect,
                role_delay_seconds=args.role_delay_seconds,
                identity_id=args.existing.workspace_identity,
                protection=args.protection,
            ),
            opts=self._below,
        )
        self.host = EndpointHost(
            placement=WorkspacePlacement.within(placement, workspace_name=workspace.workspace_name),
            workspace=workspace.scope,
            associated=foundation.associated,
            log_analytics_id=foundation.log_analytics_id,
        )
        self.outputs = _outputs(workspace.id, workspace.workspace_name, placement)
        if foundation.blob_endpoint is not None:
            self.foundation_outputs["storage_container"] = pulumi.Output.concat(
                foundation.blob_endpoint, CONTAINER, workspace.guid
            )
        if not args.network.is_public:
            self.outputs["network"] = self._add_private_access(name, args, workspace)
        elif args.compute.has_batch:
            after_workspace = pulumi.ResourceOptions(
                parent=self, depends_on=[workspace], transformations=[self.after_identity]
            )
            identity = compute_identity(
                f"{name}-compute", self.host.placement, self.host.associated, runs_batch=True, opts=after_workspace
            )
            self._add_batch_compute(name, args, identity, after_workspace)

    def _stack_identity(
        self, name: str, args: PlatformArgs, placement: GroupPlacement
    ) -> managedidentity.UserAssignedIdentity:
        """An identity that nothing acts as and that costs nothing: its tags say what was declared last.

        Everything else waits for it, so that the tags are written before anything else changes.
        """
        return managedidentity.UserAssignedIdentity(
            f"{name}-stack",
            resource_name_=args.placement.names.stack_identity,
            resource_group_name=placement.resource_group_name,
            location=args.placement.location,
            tags={**args.placement.tags, **args.record_tags, **_subscription_tag(args)},
            opts=self._protected(args),
        )

    def _group_placement(self, name: str, args: PlatformArgs) -> GroupPlacement:
        """The group that was given, or one of the stack's own."""
        if args.existing.resource_group is not None:
            names = args.placement.names
            return GroupPlacement.of(args.placement, name=names.resource_group, id=names.resource_group_id)
        group = self._resource_group(name, args)
        return GroupPlacement.of(args.placement, name=group.name, id=group.id)

    def _resource_group(self, name: str, args: PlatformArgs) -> resources.ResourceGroup:
        names = args.placement.names
        return resources.ResourceGroup(
            f"{name}-group",
            resource_group_name=names.resource_group,
            location=args.placement.location,
            tags={**args.placement.tags, **args.group_tags, **_subscription_tag(args)},
            opts=self._protected(args),
        )

    def _protected(self, args: PlatformArgs) -> pulumi.ResourceOptions:
        return pulumi.ResourceOptions(
            parent=self,
            protect=args.protect,
            delete_before_replace=True,
            # Ids in the state hold the subscription, inputs do not: an update by a caller who is signed in to another
            # subscription would reset the endpoints of the first. This makes the engine replace group and identity,
            # which `protect` refuses before anything is changed.
            replace_on_changes=[f'tags["{SUBSCRIPTION_TAG}"]'],
        )

    def _add_private_access(self, name: str, args: PlatformArgs, workspace: Workspace) -> NetworkOutputs:
        """Private endpoints for everything, and a cluster that builds images behind them."""
        # Imported here, because the SDK's network module takes longer to import than all others together and a public
        # stack does not need it.
        from components.private_access import PrivateAccess, PrivateAccessArgs

        scope = self._monitor_scope(name, args)
        access = PrivateAccess(
            f"{name}-access",
            PrivateAccessArgs(
                placement=self.host.placement,
                network=args.network,
                associated=self.host.associated,
                workspace_id=workspace.id,
                workspace_identity=workspace.identity,
                monitor_scope=scope if args.network.has_monitor_scope else None,
            ),
            opts=pulumi.ResourceOptions(parent=self, transformations=[self.after_identity]),
        )
        # Azure ML refuses nodes without a public address in a workspace without a private endpoint.
        after_access = pulumi.ResourceOptions(
            parent=self, depends_on=[access, workspace], transformations=[self.after_identity]
        )
        build = ImageBuildCluster(
            f"{name}-image-build",
            ImageBuildClusterArgs(
                placement=self.host.placement,
                associated=self.host.associated,
                settings=args.compute.build or BuildSettings(),
                runs_batch=args.compute.has_batch,
            ),
            opts=after_access,
        )
        if args.compute.has_batch:
            self._add_batch_compute(name, args, build.identity, after_access)
        return access.outputs

    def _monitor_scope(self, name: str, args: PlatformArgs) -> MonitorScope | None:
        given_id = args.network.monitor_scope_id
        if given_id is None and not args.network.has_monitor_scope:
            return None
        return MonitorScope(
            f"{name}-monitor",
            MonitorScopeArgs(
                placement=self.host.placement,
                log_analytics_id=self.host.log_analytics_id,
                application_insights_id=self.host.associated.insights.id,
                given_id=given_id,
                given_provider=args.monitor_scope_provider,
            ),
            opts=pulumi.ResourceOptions(parent=self, transformations=[self.after_identity]),
        )

    def _add_batch_compute(
        self, name: str, args: PlatformArgs, identity: Identity, opts: pulumi.ResourceOptions
    ) -> None:
        BatchCompute(
            f"{name}-batch",
            BatchComputeArgs(
                placement=self.host.placement,
                settings=args.compute.batch,
                identity=identity,
                public_addresses=args.network.is_public,
            ),
            opts=opts,
        )


def _outputs(workspace_id: pulumi.Output[str], name: pulumi.Output[str], placement: GroupPlacement) -> WorkspaceOutputs:
    return {
        "id": workspace_id,
        "name": name,
        "studio_url": workspace_id.apply(lambda one: f"https://ml.azure.com/home?wsid={one}&tid={placement.tenant_id}"),
    }


def _subscription_tag(args: PlatformArgs) -> dict[str, str]:
    return {SUBSCRIPTION_TAG: args.placement.names.subscription_id}
