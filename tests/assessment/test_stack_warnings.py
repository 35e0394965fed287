"""Warnings of a preview: sizes that retire or are unknown, registries where the endpoint's identity has no role."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from assessment.stack_warnings import registries_of, stack_warnings
from models.spec import AssetReference, IdentitySpec, Model
from settings import Settings, parse_settings
from tests.components.conftest import deployment_spec, model_of

TODAY = date(2026, 1, 1)
SHARED = "azureml://registries/Shared-Models/models/m/versions/3"
SHARED_ID = "/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/registries/shared-models"


def reference(text: str) -> AssetReference:
    return AssetReference(reference=text)


def config(deployments: dict[str, Any], **more: Any) -> Settings:
    raw = {
        "team": "payments",
        "network": "public",
        "location": "westeurope",
        "endpoints": {"fraud": {"deployments": deployments}},
        **more,
    }
    return parse_settings(raw, stack="dev", today=TODAY)


def advice(model: Model, settings: Settings | None = None) -> list[str]:
    return list(stack_warnings(settings or config({name: {} for name in model.deployments}), {"fraud": model}, TODAY))


QUIET = {"instance_type": "Standard_D4as_v4"}


def test_an_ordinary_deployment_gets_no_advice() -> None:
    assert advice(model_of(deployment_spec("blue", **QUIET))) == []


def test_one_line_names_a_size_and_some_of_the_deployments_that_have_it() -> None:
    names = ("amber", "blue", "green", "red")
    (line,) = advice(model_of(*(deployment_spec(name) for name in names)))
    assert line.startswith("fraud/amber, fraud/blue, fraud/green and 1 more: names the SKU Standard_DS3_v2")
    assert "retires on 2028-05-01" in line


def test_the_size_of_the_stack_file_counts() -> None:
    model = model_of(deployment_spec("blue"))
    (line,) = advice(model, config({"blue": {"sku": "Standard_D2ds_v5"}}))
    assert line.startswith('fraud/blue: names the SKU "Standard_D2ds_v5", which is not on Microsoft\'s list')


def test_instance_types_of_a_cluster_are_its_own() -> None:
    assert advice(model_of(deployment_spec("blue", instance_type="large"), compute="azureml:k8s")) == []


@pytest.mark.parametrize("registry", ["azureml", "azureml-meta", "HuggingFace"])
def test_microsofts_registries_need_nothing(registry: str) -> None:
    spec = deployment_spec("blue", **QUIET, model=reference(f"azureml://registries/{registry}/models/m/versions/1"))
    assert registries_of(spec) == []
    assert advice(model_of(spec)) == []


@pytest.mark.parametrize("field", ["model", "code", "environment"])
def test_another_registry_needs_a_role_that_the_stack_file_can_give(field: str) -> None:
    model = model_of(deployment_spec("blue", **QUIET, **{field: reference(SHARED)}))
    (line,) = advice(model)
    assert line.startswith("fraud/blue: takes assets from the registry Shared-Models")
    assert "sluice:existing.ml_registries: {Shared-Models: <ARM id>} to Pulumi.dev.yaml" in line
    listed = config({"blue": {}}, existing={"ml_registries": {"shared-models": SHARED_ID}})
    assert advice(model, listed) == []


def test_an_identity_of_another_owner_gets_its_role_from_that_owner() -> None:
    identity = IdentitySpec(type="UserAssigned", resource_ids=("/subscriptions/s/id",))
    model = model_of(deployment_spec("blue", **QUIET, model=reference(SHARED)), identity=identity)
    listed = config({"blue": {}}, existing={"ml_registries": {"shared-models": SHARED_ID}})
    (line,) = advice(model, listed)
    assert "Ask the owner of the registry to assign it." in line
