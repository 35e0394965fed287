"""Assets: their names contain their digests, shared assets are declared once, references are passed on."""

from __future__ import annotations

from typing import Any

import pulumi
import pytest

from assessment.declaration import DeploymentDeclaration
from assessment.placement import Placement
from components.release_assets import ReleaseAssets, ReleaseAssetsArgs
from models.spec import AssetKind, AssetReference
from tests.components.conftest import deployment_spec, in_workspace, local_asset
from tests.components.engine import FakeAzure, deploy


def declaration(name: str, **changes: Any) -> DeploymentDeclaration:
    spec = deployment_spec(name, **changes)
    local = [
        local_asset(AssetKind.MODEL, "weights"),
        local_asset(AssetKind.MODEL, "other"),
        local_asset(AssetKind.CODE, "code"),
    ]
    return DeploymentDeclaration(
        name=name,
        spec=spec,
        release="r",
        instance_type=spec.instance_type,
        instances=1,
        autoscale=None,
        published={asset.digest: f"uri://{asset.name}" for asset in local},
        attempt=0,
        serving=False,
        weight=0,
        mirror=0,
        kept=None,
    )


def args(placement: Placement, *deployments: DeploymentDeclaration) -> ReleaseAssetsArgs:
    return ReleaseAssetsArgs(
        placement=in_workspace(placement),
        asset_name="fraud",
        deployments=deployments,
    )


def test_model_and_code_have_their_digest_in_the_name_because_a_models_version_is_a_whole_number(
    azure: FakeAzure, placement: Placement
) -> None:
    deployment = deploy(lambda: ReleaseAssets("fraud", args(placement, declaration("blue"))), azure)
    for kind, asset in ((AssetKind.MODEL, "weights"), (AssetKind.CODE, "code")):
        digest = local_asset(kind, asset).digest[:16]
        declared = deployment.one(f"{kind.title()}Version")
        assert (declared.inputs["name"], declared.inputs["version"]) == (f"fraud-{digest}", "1")
        # Not the logical name whose version was the digest: the engine would replace what serves.
        assert declared.name == f"fraud-{digest}-{kind}"


def test_an_environments_version_is_its_digest_and_content_lies_where_it_was_published(
    azure: FakeAzure, placement: Placement
) -> None:
    assets = args(placement, declaration("blue"))
    deployment = deploy(lambda: ReleaseAssets("fraud", assets), azure)
    model, code = deployment.one("ModelVersion").inputs, deployment.one("CodeVersion").inputs
    assert model["properties"]["modelUri"] == "uri://weights"
    assert model["properties"]["modelType"] == "custom_model"
    assert code["properties"]["codeUri"] == "uri://code"
    environment = deployment.one("EnvironmentVersion").inputs
    assert (environment["name"], environment["version"]) == ("fraud", "e" * 16)
    assert environment["properties"]["image"] == "image:1"
    assert environment["properties"]["condaFile"] == "dependencies: []"


def test_what_two_deployments_share_is_declared_once(azure: FakeAzure, placement: Placement) -> None:
    assets = args(placement, declaration("blue"), declaration("green", model=local_asset(AssetKind.MODEL, "other")))
    deployment = deploy(lambda: ReleaseAssets("fraud", assets), azure)
    assert len(deployment.of_type("ModelVersion")) == 2
    assert len(deployment.of_type("CodeVersion")) == 1
    assert len(deployment.of_type("EnvironmentVersion")) == 1


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("azureml:fraud:3", "{workspace}/models/fraud/versions/3"),
        ("fraud:3", "{workspace}/models/fraud/versions/3"),
        ("azureml://registries/r/models/fraud/versions/3", "azureml://registries/r/models/fraud/versions/3"),
        ("/subscriptions/s/x/models/fraud/versions/3", "/subscriptions/s/x/models/fraud/versions/3"),
    ],
)
def test_a_reference_becomes_the_id_that_azure_wants_and_declares_nothing(
    azure: FakeAzure, placement: Placement, reference: str, expected: str
) -> None:
    asset = AssetReference(reference=reference)
    found: list[pulumi.Input[str] | None] = []

    def program() -> None:
        assets = ReleaseAssets("fraud", args(placement, declaration("blue", model=asset)))
        found.append(assets.id_of("models", asset))

    assert deploy(program, azure).of_type("ModelVersion") == []
    assert found == [expected.format(workspace=placement.names.workspace_id)]
