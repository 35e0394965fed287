"""An online endpoint: identity, live weights, logs, and its deployments.

Its PUT always carries `traffic` and `mirrorTraffic`, whatever else changes, because Azure reads their absence as 0 %.
Which weights are allowed is decided before (`assessment/`); nothing is checked here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial

import pulumi
from pulumi_azure_native import machinelearningservices as ml
from pulumi_azure_native import monitor

from assessment.declaration import DeploymentDeclaration, EndpointDeclaration
from components.azure_written_properties import WRITTEN_BY_AZURE
from components.identity import Identity, IdentityArgs
from components.online_deployment import OnlineDeployment, OnlineDeploymentArgs
from components.placement import EndpointHost, Scope
from components.release_assets import ReleaseAssets, ReleaseAssetsArgs
from components.role_assignment import Grant, grants, labelled
from components.settlement import Settlement, settle
from components.stack_outputs import DeploymentOutputs, EndpointOutputs, IdentityOutputs
from components.tags import NEW_TAGS, tag_paths
from ownership import ENDPOINT_TAG
from roles import Holder, Place, When

__all__ = ["OnlineEndpoint", "OnlineEndpointArgs"]

LOG_CATEGORIES = ("AmlOnlineEndpointConsoleLog", "AmlOnlineEndpointEventLog", "AmlOnlineEndpointTrafficLog")


@dataclass(frozen=True, kw_only=True)
class OnlineEndpointArgs:
    """Inputs of an `OnlineEndpoint`."""

    host: EndpointHost
    """*Required.* The platform that it stands on, with names, region and tags."""
    declaration: EndpointDeclaration
    """*Required.* Weights and deployments of this update."""
    enable_public_access: bool = False
    """*Optional.* Whether it is reached from the internet, unless endpoint.yml forbids it; by default it is reached
    through the workspace's private endpoint only."""


class OnlineEndpoint(pulumi.ComponentResource):
    """An endpoint with its deployments, which are created one after another."""

    outputs: EndpointOutputs
    """The stack's outputs for it."""

    def __init__(self, name: str, args: OnlineEndpointArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:OnlineEndpoint", name, {}, opts)
        self._name = name
        self._args = args
        declaration = args.declaration
        placement = args.host.placement
        self._identity_outputs: IdentityOutputs | None = None
        self._placement = replace(placement, tags={**placement.tags, ENDPOINT_TAG: declaration.key})
        endpoint = self._endpoint()
        monitor.DiagnosticSetting(
            f"{name}-logs",
            name=self._placement.names.diagnostic_setting("logs"),
            resource_uri=endpoint.id,
            workspace_id=args.host.log_analytics_id,
            logs=[monitor.DiagnosticsLogSettingsArgs(category=category, enabled=True) for category in LOG_CATEGORIES],
            opts=pulumi.ResourceOptions(parent=self),
        )
        assets = ReleaseAssets(
            name,
            ReleaseAssetsArgs(
                placement=self._placement,
                asset_name=placement.names.asset(declaration.key),
                deployments=declaration.deployments,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        deployments: dict[str, OnlineDeployment] = {}
        previous: OnlineDeployment | None = None
        for each in declaration.deployments:
            # Azure takes one change of an endpoint at a time.
            previous = self._deployment(each, endpoint, assets, after=previous)
            deployments[each.name] = previous
        settlement = settle(
            declaration,
            self._placement.names,
            endpoint,
            {each: deployment.resource for each, deployment in deployments.items()},
        )
        self.outputs = {
            "id": endpoint.id,
            "scoring_uri": endpoint.properties.apply(lambda properties: properties.scoring_uri),
            "auth_mode": declaration.model.endpoint.auth_mode,
            "deployments": {
                each.name: _outputs(each, deployments[each.name].resource, settlement)
                for each in declaration.deployments
            },
            "identity": self._identity_outputs,
            "settled": settlement.apply(lambda found: found.settled),
            "waiting": list(declaration.transition.waiting),
            "next": settlement.apply(lambda found: found.next),
        }
        self.register_outputs({"id": endpoint.id})

    def _endpoint(self) -> ml.OnlineEndpoint:
        args, declaration = self._args, self._args.declaration
        spec, transition = declaration.model.endpoint, declaration.transition
        public = args.enable_public_access and spec.public_network_access != "Disabled"
        identity, rights = self._identity()
        return ml.OnlineEndpoint(
            f"{self._name}-endpoint",
            endpoint_name=declaration.name,
            workspace_name=self._placement.workspace_name,
            resource_group_name=self._placement.workspace_group_name,
            location=self._placement.location,
            identity=identity,
            properties=ml.OnlineEndpointPropertiesArgs(
                auth_mode=spec.auth_mode,
                compute=spec.compute,
                description=spec.description,
                properties=spec.properties,
                public_network_access=(
                    ml.PublicNetworkAccessType.ENABLED if public else ml.PublicNetworkAccessType.DISABLED
                ),
                traffic=transition.traffic,
                mirror_traffic=transition.mirror,
            ),
            tags={**spec.tags, **self._placement.tags},
            opts=pulumi.ResourceOptions(
                parent=self,
                protect=declaration.protect,
                depends_on=rights,
                delete_before_replace=True,
                # Azure ignores both in an update. Only an endpoint that serves nothing is replaced for them.
                replace_on_changes=["identity", "properties.authMode"] if transition.replaces_endpoint else [],
                ignore_changes=[*WRITTEN_BY_AZURE, *self._kept_tags()],
                custom_timeouts=pulumi.CustomTimeouts(create="30m", update="30m", delete="60m"),
            ),
        )

    def _kept_tags(self) -> list[str]:
        """Tags that an endpoint that exists keeps as they are."""
        declaration = self._args.declaration
        if declaration.live is None or declaration.transition.replaces_endpoint:
            return []
        return tag_paths({*declaration.tags_of_others, *NEW_TAGS})

    def _identity(self) -> tuple[ml.ManagedServiceIdentityArgs, list[pulumi.Resource]]:
        """The identity of endpoint.yml, whose owner assigns its roles; without one, an identity for this endpoint."""
        args, declared = self._args, self._args.declaration.model.endpoint.identity
        if declared is not None:
            ids = list(declared.resource_ids) or None
            return ml.ManagedServiceIdentityArgs(type=declared.type, user_assigned_identities=ids), []
        names = self._placement.names
        identity = Identity(
            self._name,
            IdentityArgs(
                placement=self._placement,
                identity_name=names.endpoint_identity(args.declaration.key),
                role_delay_seconds=args.declaration.role_delay_seconds,
                grants=self._grants(),
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )
        self._identity_outputs = {"client_id": identity.client_id, "principal_id": identity.principal_id}
        user_assigned = ml.ManagedServiceIdentityType.USER_ASSIGNED
        return ml.ManagedServiceIdentityArgs(type=user_assigned, user_assigned_identities=[identity.id]), [identity]

    def _grants(self) -> list[Grant]:
        host, declaration = self._args.host, self._args.declaration
        places = {
            Place.REGISTRY: host.associated.registry,
            Place.STORAGE: host.associated.storage,
            Place.WORKSPACE: host.workspace,
        }
        registries = {name: Scope.given(one) for name, one in sorted(declaration.registries.items())}
        several = {Place.ML_REGISTRIES: registries, Place.SECRET_VAULTS: labelled(declaration.secret_vaults)}
        when = (When.CONNECTIONS,) if declaration.connection_secrets else ()
        return grants(Holder.ENDPOINT, places, *when, several=several)

    def _deployment(
        self,
        declaration: DeploymentDeclaration,
        endpoint: ml.OnlineEndpoint,
        assets: ReleaseAssets,
        *,
        after: OnlineDeployment | None,
    ) -> OnlineDeployment:
        args = self._args
        return OnlineDeployment(
            f"{self._name}-{declaration.name}",
            OnlineDeploymentArgs(
                placement=self._placement,
                endpoint=endpoint,
                endpoint_name=args.declaration.name,
                assets=assets,
                declaration=declaration,
            ),
            opts=pulumi.ResourceOptions(parent=self, depends_on=[after] if after else []),
        )


def _outputs(
    declaration: DeploymentDeclaration, resource: ml.OnlineDeployment, settlement: pulumi.Output[Settlement]
) -> DeploymentOutputs:
    return {
        "id": resource.id,
        "weight": settlement.apply(partial(Settlement.weight, name=declaration.name)),
        "mirror": settlement.apply(partial(Settlement.mirrored, name=declaration.name)),
        "instances": declaration.instances,
        "sku": declaration.instance_type,
        "release": declaration.release,
    }
