"""Fixtures for components: a placement, an empty Azure, and declarations of a small invented model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from assessment.declaration import DIGEST_DIGITS, DeploymentDeclaration, EndpointDeclaration
from assessment.placement import Placement
from components.placement import AssociatedResources, EndpointHost, GroupPlacement, Scope, WorkspacePlacement
from endpoint_state import LiveEndpoint, Transition
from models.spec import AssetKind, DeploymentSpec, EndpointSpec, EnvironmentSpec, LocalAsset, Model, release_digest
from naming import Names
from tests.components.engine import SUBSCRIPTION_ID, TENANT_ID, FakeAzure


def placement_of(stack: str, **given: str) -> Placement:
    return Placement(
        names=Names(team="payments", stack=stack, subscription_id=SUBSCRIPTION_ID, **given),
        location="westeurope",
        tenant_id=TENANT_ID,
        tags={"sluice:team": "payments", "sluice:stack": stack},
    )


def in_group(placement: Placement) -> GroupPlacement:
    """The placement, with an existing group."""
    return GroupPlacement.of(placement, name="rg", id="/rg")


def in_workspace(placement: Placement) -> WorkspacePlacement:
    """The placement, with an existing group and workspace."""
    return WorkspacePlacement.within(in_group(placement), workspace_name="ws")


def host_of(placement: Placement) -> EndpointHost:
    """An existing platform."""
    associated = AssociatedResources(
        storage=Scope(id="/storage", name=placement.names.storage_account),
        vault=Scope(id="/vault", name=placement.names.key_vault),
        registry=Scope(id="/registry", name=placement.names.container_registry),
        insights=Scope(id="/insights", name=placement.names.application_insights),
    )
    return EndpointHost(
        placement=in_workspace(placement),
        workspace=Scope(id="/workspace", name=placement.names.workspace),
        associated=associated,
        log_analytics_id="/logs",
    )


@pytest.fixture
def placement() -> Placement:
    return placement_of("dev")


@pytest.fixture
def azure(placement: Placement) -> FakeAzure:
    return FakeAzure(placement.names)


def local_asset(kind: AssetKind, content: str) -> LocalAsset:
    digest = (content.encode().hex() * 64)[:64]
    return LocalAsset(
        kind=kind,
        path=Path("/models") / content,
        name=content,
        digest=digest,
        asset_type="custom_model" if kind is AssetKind.MODEL else "code",
        files=("file",),
    )


def deployment_spec(name: str, **changes: Any) -> DeploymentSpec:
    values: dict[str, Any] = {
        "name": name,
        "body": {"endpointComputeType": "Managed", "environmentVariables": {"a_b": "c"}, "properties": {}},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
        "tags": {"kind": "test"},
        "model": local_asset(AssetKind.MODEL, "weights"),
        "code": local_asset(AssetKind.CODE, "code"),
        "scoring_script": "score.py",
        "environment": EnvironmentSpec(
            image="image:1", conda_file="dependencies: []", name=None, inference_config=None, digest="e" * 64
        ),
        "autoscale": None,
    }
    return DeploymentSpec(**{**values, **changes})


def endpoint_spec(**changes: Any) -> EndpointSpec:
    values: dict[str, Any] = {
        "auth_mode": "Key",
        "description": "A test",
        "tags": {"domain": "tests"},
        "properties": {},
        "identity": None,
        "public_network_access": None,
        "compute": None,
    }
    return EndpointSpec(**{**values, **changes})


def model_of(*deployments: DeploymentSpec, **endpoint: Any) -> Model:
    return Model(
        name="fraud", endpoint=endpoint_spec(**endpoint), deployments={each.name: each for each in deployments}
    )


@pytest.fixture
def declare() -> Callable[..., EndpointDeclaration]:
    """Returns a function that declares the endpoint `fraud` with one deployment per keyword: its weight."""

    def declare(
        weights: Mapping[str, int] | None = None,
        *,
        mirror: Mapping[str, int] | None = None,
        protect: bool = False,
        replaces_endpoint: bool = False,
        registries: Mapping[str, str] | None = None,
        live: LiveEndpoint | None = None,
        changes: Mapping[str, Mapping[str, Any]] | None = None,
        **endpoint: Any,
    ) -> EndpointDeclaration:
        weights, mirror = weights or {}, mirror or {}
        specs = {name: deployment_spec(name) for name in weights}
        traffic = {name: weight for name, weight in weights.items() if weight}
        deployments = []
        for name, spec in specs.items():
            values: dict[str, Any] = {
                "name": name,
                "spec": spec,
                "release": release_digest(spec)[:DIGEST_DIGITS],
                "instance_type": spec.instance_type,
                "instances": 2,
                "autoscale": None,
                "published": {
                    asset.digest: f"uri://{asset.name}"
                    for asset in (spec.model, spec.code)
                    if isinstance(asset, LocalAsset)
                },
                "attempt": 0,
                "serving": bool(weights[name] or mirror.get(name)),
                "weight": weights[name],
                "mirror": mirror.get(name, 0),
                "kept": None,
            }
            deployments.append(DeploymentDeclaration(**{**values, **(changes or {}).get(name, {})}))
        return EndpointDeclaration(
            key="fraud",
            name="fraud-dev",
            model=model_of(*specs.values(), **endpoint),
            transition=Transition(
                traffic=traffic, mirror=mirror, deployments=tuple(weights), replaces_endpoint=replaces_endpoint
            ),
            live=live,
            role_delay_seconds=0,
            protect=protect,
            registries=registries or {},
            next=None,
            deployments=tuple(deployments),
        )

    return declare
