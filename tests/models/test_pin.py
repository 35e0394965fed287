"""A pinned colour is the same deployment as the one that was frozen, to the last value."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ModelError
from models.folder import list_deployments
from models.loader import load_model
from models.pin import deployment_of, document_of, pinned
from models.release_document import parse, write
from models.spec import (
    AssetReference,
    AutoscaleSpec,
    DeploymentSpec,
    EnvironmentSpec,
    Model,
    content_digest,
    environment_digest,
    release_digest,
    with_variables,
)
from tests.models.conftest import EXAMPLE, deployment, write_model
from tests.models.release_documents import COMMIT, a_document

EXAMPLES = sorted(path.parent for path in EXAMPLE.parent.glob("*/endpoint.yml"))


def read_again(spec: DeploymentSpec, folder: Path) -> DeploymentSpec:
    """The deployment as it comes out of its document's text."""
    document = document_of(spec, folder, COMMIT)
    return deployment_of(parse(document.text(), document.path, model=folder.name), folder, spec.name)


@pytest.mark.slow  # asks azure-ai-ml once
@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda folder: folder.name)
def test_every_colour_of_every_example_is_the_same_when_it_is_pinned(folder: Path, warm_cache: None) -> None:
    for spec in load_model(folder, list_deployments(folder)).deployments.values():
        again = read_again(spec, folder)
        assert again == spec
        assert (again.release, content_digest(again)) == (spec.release, content_digest(spec))


UNUSUAL = DeploymentSpec(
    name="green",
    body={
        "endpointComputeType": "Managed",
        "appInsightsEnabled": False,
        "egressPublicNetworkAccess": "Disabled",
        "description": "Words.",
        "environmentVariables": {"LEVEL": "info", "EMPTY": ""},
        "properties": {},
        "instanceType": "Standard_F4s_v2",
    },
    instance_type="Standard_F4s_v2",
    instance_count=2,
    tags={"owner": "payments"},
    model=AssetReference(reference="azureml://registries/r/models/m/versions/3"),
    code=None,
    scoring_script=None,
    environment=EnvironmentSpec(
        image="image:1",
        conda_file=None,
        name="named",
        inference_config={"livenessRoute": {"path": "/", "port": 80}},
        digest=environment_digest("image:1", None, {"livenessRoute": {"path": "/", "port": 80}}),
    ),
    autoscale=AutoscaleSpec(min_instances=1, max_instances=9, target_cpu_percent=70),
)


def test_what_stacks_may_set_and_what_is_empty_stay_too(tmp_path: Path) -> None:
    again = read_again(UNUSUAL, tmp_path)
    assert again == UNUSUAL
    assert again.release == release_digest(UNUSUAL)


def test_a_model_of_a_registry_and_an_environment_of_one_stay_references(tmp_path: Path) -> None:
    environment = AssetReference(reference="azureml://registries/r/environments/e/versions/2")
    spec = replace(UNUSUAL, environment=environment, autoscale=None)
    assert read_again(spec, tmp_path) == spec


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return write_model(tmp_path / "models" / "shop")


@pytest.mark.slow  # asks azure-ai-ml
def test_a_pinned_colour_needs_no_file_of_its_own_and_ignores_one_that_is_there(shop: Path) -> None:
    document = a_document()
    write(shop.parents[1], document)
    for text in (None, "not even: [yaml"):
        if text is not None:
            (shop / "green.yml").write_text(text)
        model = load_model(shop, {"green": document.short})
        assert content_digest(model.deployments["green"]) == document.content
    (shop / "src" / "score.py").unlink()  # the bytes are published, or lie in the document's commit
    assert load_model(shop, {"green": document.content}).deployments["green"].scoring_script == "score.py"


@pytest.mark.slow  # asks azure-ai-ml
def test_what_is_wrong_with_pins_and_files_is_one_error(shop: Path) -> None:
    document = a_document()
    write(shop.parents[1], document)
    path = shop.parents[1] / document.path
    path.write_text(path.read_text().replace('"sha256": "', '"sha256": "0', 1))
    (shop / "blue.yml").write_text("name: [")
    with pytest.raises(ModelError) as caught:
        load_model(shop, {"blue": None, "green": document.short, "amber": "0123456789abcdef"})
    text = str(caught.value)
    assert "3 problems" in text
    assert f"shop/releases/{document.short}.json: green is pinned to it: models/shop/releases/" in text
    assert "shop/releases/0123456789abcdef.json: amber is pinned to it: there is no release document" in text
    assert f"known contents: {document.short}" in text


@pytest.mark.slow  # asks azure-ai-ml
def test_a_kubernetes_endpoint_takes_no_managed_release(tmp_path: Path) -> None:
    shop = write_model(tmp_path / "models" / "shop", {"compute": "azureml:cluster"})
    document = a_document()
    write(tmp_path, document)
    with pytest.raises(ModelError, match="of the kind Managed, which this"):
        load_model(shop, {"green": document.short})


def test_the_stacks_own_values_change_the_deployment_and_not_the_content(shop: Path) -> None:
    document = a_document()
    write(shop.parents[1], document)
    spec = pinned(shop, "green", document.short)
    model = Model(name="shop", endpoint=None, deployments={"green": spec})  # type: ignore[arg-type]  # not needed here
    changed = with_variables(model, {"green": {"LEVEL": "debug", "UNKNOWN": "x"}}).deployments["green"]
    assert changed.environment_variables == {"LEVEL": "debug"}
    assert content_digest(changed) == document.content
    assert release_digest(changed) != release_digest(spec)
    assert "debug" not in repr(changed)


@pytest.mark.slow  # asks azure-ai-ml
def test_releases_are_part_of_no_release(tmp_path: Path) -> None:
    """Where the model's folder is the code itself, a document written into it must not change the content."""
    shop = write_model(
        tmp_path / "models" / "shop",
        green=deployment("green", code_configuration={"code": ".", "scoring_script": "src/score.py"}),
    )
    before = content_digest(load_model(shop, ["green"]).deployments["green"])
    write(tmp_path, a_document())
    (shop / "releases" / "0123456789abcdef.proofs.jsonl").write_text("{}\n")
    assert content_digest(load_model(shop, ["green"]).deployments["green"]) == before
