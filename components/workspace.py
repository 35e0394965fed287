"""The Azure ML workspace: identity-based access to its storage, its own identity, and a managed network when private.

It declares no compute (image_build.py) and no private endpoint (private_access.py).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import pulumi
from pulumi_azure_native import authorization
from pulumi_azure_native import machinelearningservices as ml

from arm_id import group_id_of
from assessment.data_protection import PLAIN, DataProtection, KeyUse
from components.dependency import depend_on
from components.given_identity import GivenIdentity
from components.identity import Identity, IdentityArgs
from components.placement import AssociatedResources, GroupPlacement, Scope
from components.role_assignment import Grant, assign, grants, labelled
from network_config import OutboundRule
from network_plan import MODES, NetworkPlan
from roles import Holder, Place, When

__all__ = ["Workspace", "WorkspaceArgs"]


@dataclass(frozen=True, kw_only=True)
class WorkspaceArgs:
    """Inputs of a `Workspace`."""

    placement: GroupPlacement
    """*Required.* Names, region and tags, and the group."""
    associated: AssociatedResources
    """*Required.* Storage, vault, registry and telemetry that it uses."""
    network: NetworkPlan
    """*Required.* Whether it has a public address, and what its deployments may reach. Without a public address, a
    managed network is provisioned with it."""
    undeclared_rules: Collection[str] = ()
    """*Optional.* Names of the outbound rules that the managed network has and `network` does not; none by default."""
    protection: DataProtection = PLAIN
    """*Optional.* What Azure ML takes only when it creates the workspace; Microsoft's key by default."""
    protect: bool = True
    """*Optional.* The engine refuses to delete or replace it; it does by default."""
    role_delay_seconds: float = 0
    """*Optional.* How long Azure needs to put the roles of its identity into effect; no wait by default."""
    identity_id: str | None = None
    """*Optional.* ARM id of an identity that exists, whose owner assigns its roles; by default one is created."""


class Workspace(pulumi.ComponentResource):
    """An Azure ML workspace with its identity."""

    id: pulumi.Output[str]
    """ARM id of the workspace."""
    scope: Scope
    """The workspace as something that roles are assigned on."""
    workspace_name: pulumi.Output[str]
    """Azure name of the workspace."""
    guid: pulumi.Output[str]
    """Azure ML's own id of the workspace."""
    identity: Identity | GivenIdentity
    """What the workspace acts as."""

    def __init__(self, name: str, args: WorkspaceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:Workspace", name, {}, opts)
        names = args.placement.names
        public = args.network.is_public
        key_rights = self._key_rights(name, args)
        self.identity, rights = self._identity(name, args, after=key_rights)
        workspace = ml.Workspace(
            f"{name}-workspace",
            workspace_name=names.workspace,
            resource_group_name=args.placement.resource_group_name,
            location=args.placement.location,
            kind="Default",
            sku=ml.SkuArgs(name="Basic", tier=ml.SkuTier.BASIC),
            friendly_name=names.workspace,
            storage_account=args.associated.storage.id,
            key_vault=_as_shown(args.associated.vault.id),
            container_registry=args.associated.registry.id,
            application_insights=_as_shown(args.associated.insights.id),
            system_datastores_auth_mode=ml.SystemDatastoresAuthMode.IDENTITY,
            identity=ml.ManagedServiceIdentityArgs(
                type=ml.ManagedServiceIdentityType.USER_ASSIGNED, user_assigned_identities=[self.identity.id]
            ),
            primary_user_assigned_identity=self.identity.id,
            encryption=_encryption(args.protection.encryption),
            hbi_workspace=args.protection.hbi or None,
            v1_legacy_mode=False,
            public_network_access=(
                ml.PublicNetworkAccessType.ENABLED if public else ml.PublicNetworkAccessType.DISABLED
            ),
            managed_network=None if public else _managed_network(args.network),
            # Azure provisions a managed network when it is first needed, but a deployment does not count as a need.
            provision_network_now=None if public else True,
            # The registry's own builder cannot reach a private registry. The cluster is declared after the workspace;
            # its name may be given before (Microsoft's end-to-end-secure quickstart does so).
            image_build_compute=None if public else names.image_build_compute,
            tags=args.placement.tags,
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=args.protect,
                depends_on=[*rights, *key_rights],
                ignore_changes=_written_by_azure(args),
                custom_timeouts=pulumi.CustomTimeouts(create="90m", update="90m", delete="60m"),
            ),
        )
        self.scope = Scope(id=workspace.id, name=names.workspace)
        for grant in grants(Holder.WORKSPACE, {Place.WORKSPACE: self.scope}):
            self.identity.grant(grant, prefix=name, parent=self)
        self.id = workspace.id
        self.workspace_name = workspace.name
        self.guid = workspace.workspace_id
        self.register_outputs({"id": self.id, "workspaceName": self.workspace_name})

    def _key_rights(self, name: str, args: WorkspaceArgs) -> list[pulumi.Resource]:
        """The right of the identity that uses the owner's key; it is assigned first, so that it gets the same time."""
        encryption = args.protection.encryption
        if encryption is None:
            return []
        places = {Place.KEYS_VAULT: Scope.given(encryption.key.vault_id)}
        return [
            assign(
                grant,
                names=args.placement.names,
                prefix=name,
                holder_name=encryption.key.identity_id.rsplit("/", 1)[-1],
                principal_id=encryption.principal_id,
                principal_type=authorization.PrincipalType.SERVICE_PRINCIPAL,
                parent=self,
            )
            for grant in grants(Holder.ENCRYPTION, places)
        ]

    def _identity(
        self, name: str, args: WorkspaceArgs, *, after: list[pulumi.Resource]
    ) -> tuple[Identity | GivenIdentity, list[pulumi.Resource]]:
        """The identity that was given, or one of the stack's own with its roles, which the workspace waits for."""
        if args.identity_id is not None:
            return GivenIdentity(args.identity_id), []
        identity = Identity(
            name,
            IdentityArgs(
                placement=args.placement,
                identity_name=args.placement.names.workspace_identity,
                grants=_grants(args),
                role_delay_seconds=args.role_delay_seconds,
            ),
            opts=pulumi.ResourceOptions(parent=self, transformations=[depend_on(one) for one in after]),
        )
        return identity, [identity]


def _encryption(encryption: KeyUse | None) -> ml.EncryptionPropertyArgs | None:
    if encryption is None:
        return None
    key = encryption.key
    return ml.EncryptionPropertyArgs(
        status=ml.EncryptionStatus.ENABLED,
        identity=ml.IdentityForCmkArgs(user_assigned_identity=key.identity_id),
        key_vault_properties=ml.KeyVaultPropertiesArgs(key_identifier=key.key_uri, key_vault_arm_id=key.vault_id),
    )


def _managed_network(network: NetworkPlan) -> ml.ManagedNetworkSettingsArgs:
    """The network with the rules of the stack file alone: sending back the service's own is refused."""
    rules = {name: _outbound_rule(rule) for name, rule in network.outbound.items()}
    return ml.ManagedNetworkSettingsArgs(
        isolation_mode=MODES[network.isolation], firewall_sku=network.firewall_sku, outbound_rules=rules or None
    )


def _outbound_rule(
    rule: OutboundRule,
) -> ml.FqdnOutboundRuleArgs | ml.PrivateEndpointOutboundRuleArgs | ml.ServiceTagOutboundRuleArgs:
    if rule.fqdn is not None:
        return ml.FqdnOutboundRuleArgs(type="FQDN", category="UserDefined", destination=rule.fqdn)
    if rule.service_tag is not None:
        return ml.ServiceTagOutboundRuleArgs(
            type="ServiceTag",
            category="UserDefined",
            destination=ml.ServiceTagDestinationArgs(
                service_tag=rule.service_tag,
                protocol=rule.protocol,
                port_ranges=rule.ports,
                action=rule.action,
                address_prefixes=list(rule.address_prefixes),
            ),
        )
    return ml.PrivateEndpointOutboundRuleArgs(
        type="PrivateEndpoint",
        category="UserDefined",
        destination=ml.PrivateEndpointDestinationArgs(
            service_resource_id=rule.resource, subresource_target=rule.subresource, spark_enabled=rule.spark
        ),
    )


def _written_by_azure(args: WorkspaceArgs) -> list[str]:
    """What Azure keeps in the workspace undeclared; after a refresh the engine would want to remove it."""
    if args.network.is_public:
        return ["managedNetwork"]
    if not args.network.outbound:
        return ["managedNetwork.status", "managedNetwork.outboundRules"]
    rules = [f'managedNetwork.outboundRules["{name}"]' for name in sorted(args.undeclared_rules)]
    states = [f'managedNetwork.outboundRules["{name}"].status' for name in args.network.outbound]
    return ["managedNetwork.status", *rules, *states]


def _as_shown(resource_id: pulumi.Input[str]) -> pulumi.Output[str]:
    """An id as a workspace shows it, however it was sent (recorded); else the program differs from an import."""
    return pulumi.Output.from_input(resource_id).apply(
        lambda text: text.replace("/Microsoft.KeyVault/", "/Microsoft.Keyvault/").replace(
            "/Microsoft.Insights/", "/Microsoft.insights/"
        )
    )


def _grants(args: WorkspaceArgs) -> list[Grant]:
    """What must be in effect before the workspace exists."""
    associated = args.associated
    places = {
        Place.STORAGE: associated.storage,
        Place.VAULT: associated.vault,
        Place.REGISTRY: associated.registry,
        Place.INSIGHTS: associated.insights,
        Place.GROUP: Scope(id=args.placement.resource_group_id, name=args.placement.names.resource_group),
    }
    if args.network.is_public:
        return grants(Holder.WORKSPACE, places)
    return grants(Holder.WORKSPACE, places, When.PRIVATE, several={Place.RULE_TARGETS: _rule_targets(args)})


def _rule_targets(args: WorkspaceArgs) -> dict[str, Scope]:
    """The resources to connect to that the right on the stack's group does not cover; each of them once.

    They are those of outbound rules, and what was given to the workspace: it is named by its ARM id.
    """
    own = args.placement.names.resource_group_id.lower()
    associated = args.associated.storage.name, args.associated.vault.name, args.associated.registry.name
    ids = [*(rule.resource for rule in args.network.outbound.values()), *associated]
    return labelled(one for one in ids if one and (group := group_id_of(one)) and group.lower() != own)
