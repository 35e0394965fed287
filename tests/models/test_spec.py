"""Which changes of a deployment make another release, and which make other content."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.spec import (
    AssetKind,
    AutoscaleSpec,
    DeploymentSpec,
    EnvironmentSpec,
    LocalAsset,
    content_digest,
    release_digest,
)


def asset(kind: AssetKind, digest: str) -> LocalAsset:
    name = kind.value
    return LocalAsset(
        kind=kind, path=Path("/anywhere", name), name=name, digest=digest, asset_type="custom_model", files=("a",)
    )


GREEN = DeploymentSpec(
    name="green",
    body={
        "endpointComputeType": "Managed",
        "appInsightsEnabled": True,
        "egressPublicNetworkAccess": "Enabled",
        "environmentVariables": {"LEVEL": "info"},
        "livenessProbe": {"period": "PT10S"},
    },
    instance_type="Standard_DS3_v2",
    instance_count=2,
    tags={"owner": "payments"},
    model=asset(AssetKind.MODEL, "1" * 64),
    code=asset(AssetKind.CODE, "2" * 64),
    scoring_script="score.py",
    environment=EnvironmentSpec(
        image="mcr.example/inference:1", conda_file=None, name=None, inference_config=None, digest="3" * 64
    ),
    autoscale=None,
)


def with_body(**changes: object) -> DeploymentSpec:
    body = {**GREEN.body, **changes}
    return replace(GREEN, body={key: value for key, value in body.items() if value is not None})


@pytest.mark.parametrize(
    "other",
    [
        replace(GREEN, name="amber"),
        replace(
            GREEN, instance_count=9, autoscale=AutoscaleSpec(min_instances=1, max_instances=9, target_cpu_percent=70)
        ),
        replace(GREEN, tags={}),
        with_body(description="Other words."),
    ],
)
def test_a_colour_its_instances_and_its_labels_are_part_of_neither_digest(other: DeploymentSpec) -> None:
    assert content_digest(other) == content_digest(GREEN)
    assert release_digest(other) == release_digest(GREEN)


@pytest.mark.parametrize(
    "other",
    [
        replace(GREEN, instance_type="Standard_F4s_v2"),
        with_body(appInsightsEnabled=False),
        with_body(appInsightsEnabled=None),
        with_body(egressPublicNetworkAccess="Disabled"),
    ],
)
def test_what_a_stack_sets_makes_another_release_of_the_same_content(other: DeploymentSpec) -> None:
    assert content_digest(other) == content_digest(GREEN)
    assert release_digest(other) != release_digest(GREEN)


@pytest.mark.parametrize(
    "other",
    [
        replace(GREEN, code=asset(AssetKind.CODE, "4" * 64)),
        replace(GREEN, model=asset(AssetKind.MODEL, "4" * 64)),
        replace(GREEN, scoring_script="other.py"),
        replace(GREEN, environment=None),
        with_body(livenessProbe={"period": "PT11S"}),
        with_body(environmentVariables={"LEVEL": "debug"}),
    ],
)
def test_what_serves_is_part_of_both_digests(other: DeploymentSpec) -> None:
    assert content_digest(other) != content_digest(GREEN)
    assert release_digest(other) != release_digest(GREEN)


def test_a_digest_is_64_hex_characters_and_the_two_differ() -> None:
    assert content_digest(GREEN) != release_digest(GREEN)
    assert all(len(digest) == 64 and int(digest, 16) for digest in (content_digest(GREEN), release_digest(GREEN)))


def test_the_release_digest_of_earlier_versions_is_unchanged() -> None:
    """Live deployments carry it as a tag: another value would refuse the next update of every serving colour."""
    assert release_digest(GREEN) == "0a01d4ab9856a85619fdc35322929ee02f2df416c4442e9498c2e66afd60c860"
