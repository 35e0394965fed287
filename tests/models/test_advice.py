"""Warnings about a deployment that Azure accepts."""

from typing import Any

import pytest

from models.advice import advice_on, unpinned_image, unpinned_packages
from models.spec import AssetReference, EnvironmentSpec
from tests.components.conftest import deployment_spec

SERVER = "azureml-inference-server-http"
PINNED = "registry.example/x:20250601.v1"


def environment(**changes: Any) -> EnvironmentSpec:
    conda = f"dependencies: [python==3.11.9, {{pip: ['{SERVER}==1.5.1']}}]"
    values = {"image": PINNED, "conda_file": conda, "name": None, "inference_config": None, "digest": "e" * 64}
    return EnvironmentSpec(**{**values, **changes})


def advice(**changes: Any) -> list[str]:
    return list(advice_on(deployment_spec("blue", **{"environment": environment(), **changes})))


def test_a_pinned_image_with_the_server_gets_no_advice() -> None:
    assert advice() == []


@pytest.mark.parametrize("image", ["registry.example/x:latest", "registry.example/x", "registry.example:5000/x"])
def test_an_image_without_a_version_is_told(image: str) -> None:
    (line,) = advice(environment=environment(image=image))
    assert line.startswith(f"environment.image is '{image}', which names no version")
    assert unpinned_image(deployment_spec("blue", environment=environment(image=image))) == image
    assert unpinned_image(deployment_spec("blue", environment=environment())) is None
    assert unpinned_image(deployment_spec("blue", environment=AssetReference(reference="e:1"))) is None


@pytest.mark.parametrize(
    ("conda", "told"),
    [
        ("dependencies: [python, {pip: [scikit-learn]}]", True),
        ("dependencies: [python]", True),
        ("name: x", True),
        ("dependencies: [python, {pip: ['AzureML_Inference.Server-http>=1']}]", False),
        ("dependencies: [python, {pip: ['azureml-defaults']}]", False),
        (f"dependencies: [conda-forge::{SERVER}=1.5]", False),
        ("dependencies: [python, {pip: ['-r requirements.txt']}]", False),
        ("dependencies: [python, {pip: null}]", True),
    ],
)
def test_a_conda_file_without_the_inference_server_is_told(conda: str, told: bool) -> None:
    lines = [line for line in advice(environment=environment(conda_file=conda)) if "no exact version" not in line]
    assert bool(lines) is told
    assert all(f"does not list {SERVER}" in line for line in lines)


def test_lines_without_an_exact_version_are_told_in_one_line() -> None:
    conda = f"dependencies: [python=3.11, pip, {{pip: ['{SERVER}==1.5.1', pandas, numpy>=2, scipy]}}]"
    (line,) = advice(environment=environment(conda_file=conda))
    assert line.startswith(
        'environment.conda_file names no exact version in "python=3.11", "pip", "pandas", "numpy>=2" and 1 more: '
    )
    spec = deployment_spec("blue", environment=environment(conda_file=conda))
    assert unpinned_packages(spec) == ("python=3.11", "pip", "pandas", "numpy>=2", "scipy")
    assert unpinned_packages(deployment_spec("blue", environment=AssetReference(reference="e:1"))) == ()


@pytest.mark.parametrize(
    "changes",
    [
        {"code": None, "scoring_script": None},
        {"environment": environment(conda_file="dependencies: []", inference_config={"scoringRoute": {}})},
        {"environment": environment(conda_file=None)},
    ],
)
def test_a_container_that_brings_its_own_server_needs_none(changes: dict[str, Any]) -> None:
    assert advice(**{"environment": environment(conda_file="dependencies: []"), **changes}) == []


def test_a_script_in_another_language_needs_an_own_server() -> None:
    (line,) = advice(scoring_script="plumber.R")
    assert "'plumber.R'" in line
    assert "inference_config" in line
    assert advice(scoring_script="plumber.R", environment=environment(inference_config={"scoringRoute": {}})) == []


def test_a_variable_that_a_template_left_unfilled_is_told() -> None:
    (line,) = advice(body={"environmentVariables": {"KEY": "${KEY}", "RATE": "5 %", "OTHER": "<b>"}})
    assert line.startswith("environment_variables.KEY is '${KEY}'")
