"""One deployment of an online endpoint: one release on its own instances.

Its weight belongs to the endpoint. A deployment that serves is updated in place or not at all; at 0 % a changed or
failed one is recreated, because Azure changes neither a VM size nor anything that failed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import pulumi
from pulumi_azure_native import machinelearningservices as ml

from assessment.declaration import DIGEST_DIGITS, DeploymentDeclaration
from components.autoscale import Autoscale, AutoscaleArgs, within_bounds
from components.azure_written_properties import WRITTEN_BY_AZURE
from components.placement import WorkspacePlacement
from components.release_assets import ReleaseAssets
from components.tags import tag_paths
from endpoint_state import ATTEMPT_TAG, BODY_TAG, CONTENT_TAG, RELEASE_TAG
from models.spec import body_of

__all__ = ["OnlineDeployment", "OnlineDeploymentArgs"]


@dataclass(frozen=True, kw_only=True)
class OnlineDeploymentArgs:
    """Inputs of an `OnlineDeployment`."""

    placement: WorkspacePlacement
    """*Required.* Names, region and tags, and the workspace."""
    endpoint: ml.OnlineEndpoint
    """*Required.* Endpoint that it belongs to, and is deleted with while it serves."""
    endpoint_name: str
    """*Required.* The endpoint's Azure name."""
    assets: ReleaseAssets
    """*Required.* Model, code and environment that it may refer to."""
    declaration: DeploymentDeclaration
    """*Required.* Release, size and weight."""


class OnlineDeployment(pulumi.ComponentResource):
    """A deployment with its autoscale setting; depend on it to wait until Azure takes another change."""

    resource: ml.OnlineDeployment
    """The deployment itself."""

    def __init__(self, name: str, args: OnlineDeploymentArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("sluice:index:OnlineDeployment", name, {}, opts)
        declaration = args.declaration
        weighs = bool(declaration.weight or declaration.mirror)
        body = _body_digest(args)
        # Azure already has this body, so the engine must not change the count that autoscale has chosen meanwhile.
        unchanged = declaration.kept is None or declaration.kept.body == body
        deployment = ml.OnlineDeployment(
            f"{name}-deployment",
            deployment_name=declaration.name,
            endpoint_name=args.endpoint.name,
            workspace_name=args.placement.workspace_name,
            resource_group_name=args.placement.workspace_group_name,
            location=args.placement.location,
            properties=_properties(args),
            sku=ml.SkuArgs(name="Default", capacity=_capacity(declaration)),
            tags={**_tags(args), **({BODY_TAG: body} if declaration.autoscale else {})},
            opts=pulumi.ResourceOptions(
                parent=self,
                # What it carries after this update: at 0 % it can be left out of the next one.
                protect=weighs,
                # Azure deletes no deployment that has weight, except with its endpoint. One at 0 % is deleted on its
                # own, so that a refused deletion of the endpoint leaves the state as true as before.
                deleted_with=args.endpoint if weighs else None,
                delete_before_replace=True,
                replace_on_changes=(
                    [] if declaration.serving else [f'tags["{tag}"]' for tag in (RELEASE_TAG, ATTEMPT_TAG)]
                ),
                ignore_changes=[
                    *WRITTEN_BY_AZURE,
                    # Autoscale owns the count from the first instance on.
                    *(["sku.capacity"] if declaration.autoscale and unchanged else []),
                    *tag_paths(_kept_tags(args)),
                ],
                custom_timeouts=pulumi.CustomTimeouts(create="60m", update="60m", delete="30m"),
            ),
        )
        if declaration.autoscale:
            Autoscale(
                f"{name}-autoscale",
                AutoscaleArgs(
                    placement=args.placement,
                    setting_name=args.placement.names.autoscale(args.endpoint_name, declaration.name),
                    endpoint_id=args.endpoint.id,
                    deployment_id=deployment.id,
                    deployment_name=declaration.name,
                    settings=declaration.autoscale,
                ),
                opts=pulumi.ResourceOptions(parent=self),
            )
        self.resource = deployment
        self.register_outputs({"id": deployment.id})


def _capacity(declaration: DeploymentDeclaration) -> int:
    """The instance count of a PUT: azure-native sends whole bodies, and a count other than the live one scales.

    So where autoscale chose the count, the PUT repeats the live one, not the one that was sent last.
    """
    live = declaration.kept.instances if declaration.kept else None
    if declaration.autoscale is None or live is None:
        return declaration.instances
    return within_bounds(live, declaration.autoscale)


def _body_digest(args: OnlineDeploymentArgs) -> str:
    """Tells whether anything but the count changes; the assets are in it by name, as ids may be unknown yet."""
    spec = args.declaration.spec
    body = {
        "properties": {**body_of(spec), "instanceType": args.declaration.instance_type},
        "assets": [args.assets.name_of(asset) for asset in (spec.model, spec.code, spec.environment)],
        "scoringScript": spec.scoring_script,
        "tags": _tags(args),
    }
    return sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()[:DIGEST_DIGITS]


def _properties(args: OnlineDeploymentArgs) -> dict[str, Any]:
    """The body that az ml would send (ARM's names, which the SDK passes on as they are), with ids put in."""
    spec, assets = args.declaration.spec, args.assets
    body: dict[str, Any] = {**spec.body, "instanceType": args.declaration.instance_type}
    if (
        spec.environment_variables
    ):  # values of the stack file may be secrets; those of the release are in the repository
        own = {name: pulumi.Output.secret(value) for name, value in spec.environment_variables.items()}
        body["environmentVariables"] = {**body["environmentVariables"], **own}
    # Microsoft: do not set it when the workspace has a managed network. Enabled is the default anyway.
    if body.get("egressPublicNetworkAccess") == "Enabled":
        del body["egressPublicNetworkAccess"]
    if spec.model is not None:
        body["model"] = assets.id_of("models", spec.model)
    if spec.environment is not None:
        body["environmentId"] = assets.id_of("environments", spec.environment)
    if spec.code is not None:
        body["codeConfiguration"] = {
            "codeId": assets.id_of("codes", spec.code),
            "scoringScript": spec.scoring_script,
        }
    return body


def _tags(args: OnlineDeploymentArgs) -> dict[str, str]:
    declaration = args.declaration
    tags = {**declaration.spec.tags, **args.placement.tags}
    if declaration.kept is not None:
        # A tag is no reason to change what serves: it keeps those that it has until it is recreated.
        tags = {key: declaration.kept.tags[key] for key in tags if key in declaration.kept.tags}
    tags[RELEASE_TAG] = declaration.release
    if declaration.content:
        tags[CONTENT_TAG] = declaration.content
    if declaration.attempt:
        # A failed creation changes no input, so the next update would leave it; another number makes it a new one.
        tags[ATTEMPT_TAG] = str(declaration.attempt)
    return tags


def _kept_tags(args: OnlineDeploymentArgs) -> set[str]:
    """Tags of a deployment that exists beside those that say what it is."""
    kept = args.declaration.kept
    return set(kept.tags) - {RELEASE_TAG, CONTENT_TAG, ATTEMPT_TAG, BODY_TAG} if kept else set()
