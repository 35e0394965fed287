"""Loading models/<model>/: what az ml accepts is loaded, what it alters or lets through is refused, all at once."""

import os
import sys
import textwrap
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from models import azureml
from models.checks import check_deployment
from models.errors import ModelError
from models.loader import (
    AssetReference,
    AutoscaleSpec,
    EnvironmentSpec,
    IdentitySpec,
    LocalAsset,
    Model,
    list_deployments,
    load_model,
    load_models,
    release_digest,
)
from tests.models.conftest import EXAMPLE, deployment, write_model

pytestmark = pytest.mark.integration  # starts azure-ai-ml many times: two seconds each

PROBE = {"initial_delay": 10, "period": 10, "timeout": 2, "failure_threshold": 30}

# Deployment -> (changes to a valid file, parts of the line that refuses it).
REFUSED: dict[str, tuple[dict[str, Any], list[str]]] = {
    "count-zero": ({"instance_count": 0}, ["instance_count must be a whole number of at least 1, got 0"]),
    "count-negative": ({"instance_count": -3}, ["instance_count", "got -3"]),
    "count-broken": ({"instance_count": 1.5}, ["instance_count", "got 1.5"]),
    "count-text": ({"instance_count": "2"}, ["got '2'", "Write instance_count: 2, without quotes"]),
    "count-truth": ({"instance_count": True}, ["instance_count", "got True"]),
    "count-missing": ({"instance_count": None}, ["instance_count is missing", "Write instance_count: 1 or more"]),
    "delay-zero": (
        {"liveness_probe": {**PROBE, "initial_delay": 0}},
        ["liveness_probe.initial_delay", "azure-ai-ml drops a 0", "or remove it, and Azure's default applies"],
    ),
    "period-broken": ({"readiness_probe": {**PROBE, "period": 33.3}}, ["readiness_probe.period", "got 33.3"]),
    "timeout-zero": ({"request_settings": {"request_timeout_ms": 0}}, ["request_settings.request_timeout_ms", "got 0"]),
    "timeout-long": (
        {"request_settings": {"request_timeout_ms": 180_001}},
        ["request_settings.request_timeout_ms is 180001; Azure allows at most 180000"],
    ),
    "variable-number": (
        {"environment_variables": {"A": 1}},
        ["environment_variables.A must be a string, got 1", 'A: "1"'],
    ),
    "variable-truth": (
        {"environment_variables": {"B": True}},
        ["environment_variables.B", "got True (bool)", 'B: "true"'],
    ),
    "tag-nothing": ({"tags": {"owner": None}}, ["tags.owner must be a string, got None", "or remove the line"]),
    "image-unfilled": (
        {"environment": {"image": "${IMAGE}"}},
        [
            "environment.image is '${IMAGE}', in which the placeholder ${IMAGE} was never replaced",
            "Write the value itself",
        ],
    ),
    "image-none": ({"environment": {"image": "No Image"}}, ["which is not a valid image name", "<repository>:<tag>"]),
    "environment-unfilled": ({"environment": "azureml:$(ENV):1"}, ["$(ENV) was never replaced"]),
    "model-unfilled": ({"model": "azureml:m:{{ version }}"}, ["{{ version }} was never replaced"]),
    "size-unfilled": ({"instance_type": "#{Size}#"}, ["#{Size}# was never replaced"]),
    "model-list": ({"model": ["a"]}, ["model must be a reference (a string) or a mapping", "got a list"]),
    "code-text": ({"code_configuration": "src"}, ["code_configuration must be a mapping"]),
    "Capital": ({}, ["the file is called 'Capital', but the name of a deployment must be 3 to 32 lower-case letters"]),
    "under_score": ({}, ["the file is called 'under_score'", "3 to 32 lower-case letters, digits and single dashes"]),
    "ab": ({}, ["the file is called 'ab'", "3 to 32", "Rename the file"]),
    "preview-code": (
        {"code_configuration": {"code": {"local_path": "./src"}, "scoring_script": "score.py"}},
        ["code_configuration.code is a mapping with local_path", "first preview (2021)", "Write code: ./src"],
    ),
    "preview-model": ({"model": {"name": "m", "version": 1, "local_path": "./model.bin"}}, ["Write path: ./model.bin"]),
    "preview-docker": (
        {"environment": {"name": "e", "docker": {"image": "x:1"}}},
        ["environment.docker is from", "Write image: x:1 in place of docker"],
    ),
    "preview-scale": (
        {"scale_settings": {"scale_type": "manual", "instance_count": 3, "min_instances": 1, "max_instances": 4}},
        ["scale_settings has instance_count, max_instances, min_instances, scale_type", "write instance_count: 3"],
    ),
    "preview-auto": ({"scale_settings": {"scale_type": "Auto"}}, ["type: target_utilization"]),
    "tag-number": ({"tags": {"cost": 7}}, ["tags.cost must be a string, got 7"]),
    "unknown-key": ({"instance_cuont": 3}, ["az ml refuses the file: instance_cuont: Unknown field."]),
    "wrong-name": ({"name": "other"}, ["name is 'other', but the file", "Write name: wrong-name"]),
    "wrong-endpoint": ({"endpoint_name": "fraud"}, ["endpoint_name is 'fraud'", "Write endpoint_name: shop"]),
    "no-type": ({"instance_type": None}, ["az ml refuses the file: instance_type: Missing data for required field."]),
    "kubernetes": ({"type": "kubernetes"}, ["this is a kubernetes deployment, but endpoint.yml describes a managed"]),
    "type-case": ({"type": "Kubernetes"}, ["type is 'Kubernetes'", "Write type: managed"]),
    "model-bare": ({"model": "m1:1"}, ["model is 'm1:1', which is not a reference", "azureml:<name>:<version>"]),
    "model-latest": ({"model": "azureml:m1@latest"}, ["model is 'azureml:m1@latest', which names no version"]),
    "model-unversioned": ({"model": "azureml:m1"}, ["model is 'azureml:m1', which names no version"]),
    "model-missing": (
        {"model": {"path": "./nowhere"}},
        ["model.path is './nowhere', which does not exist", "from the folder of this file"],
    ),
    "model-remote": (
        {"model": {"path": "azureml://datastores/d/paths/x", "name": "m", "version": "1"}},
        ["is not a file of this repository", "register the model"],
    ),
    "model-type": ({"model": {"path": "./model.bin", "type": "pickle"}}, ["az ml refuses the file: model", "pickle"]),
    "image-latest": (
        {"environment": "azureml:e@latest"},
        ["environment is 'azureml:e@latest', which names no version"],
    ),
    "conda-missing": (
        {"environment": {"image": "i", "conda_file": "./cnda.yml"}},
        ["environment.conda_file is './cnda.yml', which does not exist"],
    ),
    "image-missing": ({"environment": {"conda_file": "./conda.yml"}}, ["environment.image is missing"]),
    "image-build": ({"environment": {"build": {"path": "./src"}}}, ["environment.build needs a Docker build context"]),
    "no-environment": ({"environment": None}, ["environment is missing"]),
    "no-code": ({"code_configuration": None}, ["there is no scoring script"]),
    "no-script": ({"code_configuration": {"code": "./src"}}, ["code_configuration has no scoring_script"]),
    "code-missing": (
        {"code_configuration": {"code": "./srcs", "scoring_script": "score.py"}},
        ["code_configuration.code is './srcs', which does not exist"],
    ),
    "code-file": (
        {"code_configuration": {"code": "./src/score.py", "scoring_script": "score.py"}},
        ["which is no folder", "Name the folder that holds the script"],
    ),
    "script-missing": (
        {"code_configuration": {"code": "./src", "scoring_script": "main.py"}},
        ["scoring_script is 'main.py', which is not among the files of ./src"],
    ),
    "script-no-run": (
        {"code_configuration": {"code": "./bad", "scoring_script": "norun.py"}},
        ["scoring script norun.py defines no run()", "def run(raw_data)"],
    ),
    "collector": ({"data_collector": {}}, ["data_collector needs data assets", "Remove data_collector"]),
    "preview-network": ({"private_network_connection": True}, ["Write egress_public_network_access: disabled"]),
    "scale-order": (
        {"scale_settings": {"type": "target_utilization", "min_instances": 5, "max_instances": 2}},
        ["min_instances 5 is above max_instances 2"],
    ),
    "scale-percent": (
        {
            "scale_settings": {
                "type": "target_utilization",
                "min_instances": 1,
                "max_instances": 2,
                "target_utilization_percentage": 101,
            }
        },
        ["target_utilization_percentage must be a whole number from 1 to 100, got 101"],
    ),
    "scale-polling": (
        {
            "scale_settings": {
                "type": "target_utilization",
                "min_instances": 1,
                "max_instances": 2,
                "polling_interval": 10,
            }
        },
        ["polling_interval has no counterpart in Azure Monitor autoscale"],
    ),
}

AS_TEXT = {
    "broken-yaml": ("name: [a\n", ["the YAML cannot be read: line 2"]),
    "twice": (f"{yaml.safe_dump(deployment('twice'))}instance_count: 3\n", ["key 'instance_count' is written twice"]),
    "empty": ("# nothing\n", ["the file must hold keys and values, but it is empty"]),
    "a-list": ("- name: a\n", ["the file must hold keys and values, but it is a list"]),
}

ENDPOINT_DEFECTS: dict[str, Any] = {
    "name": "chop",
    "traffic": {"blue": 90},
    "mirror_traffic": {"green": 60},
    "identity": {},
    "auth_mode": "password",
    "tags": {"cost": 7},
}


@pytest.fixture(scope="module")
def refusal(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> ModelError:
    """One model with every defect: azure-ai-ml is started once, and all problems come in one error."""
    deployments = {name: deployment(name, **changes) for name, (changes, _) in REFUSED.items()}
    texts = {name: text for name, (text, _) in AS_TEXT.items()}
    folder = write_model(tmp_path_factory.mktemp("bad") / "shop", ENDPOINT_DEFECTS, **deployments, **texts)
    (folder / "bad").mkdir()
    (folder / "bad" / "norun.py").write_text("def init():\n    pass\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_cache))
        with pytest.raises(ModelError) as caught:
            load_model(folder, [*deployments, *texts, "nothere"])
    return caught.value


def lines_of(error: ModelError, file: str) -> list[str]:
    return [str(problem) for problem in error.problems if problem.file == f"shop/{file}.yml"]


@pytest.mark.parametrize("name", [*REFUSED, *AS_TEXT])
def test_a_defect_is_refused_once_with_the_file_the_value_and_the_way_out(name: str, refusal: ModelError) -> None:
    lines = lines_of(refusal, name)
    pieces = (REFUSED | AS_TEXT)[name][1]
    assert len(lines) == 1, lines
    for piece in pieces:
        assert piece in lines[0]


def test_all_problems_of_the_endpoint_file_are_reported_too(refusal: ModelError) -> None:
    text = "\n".join(lines_of(refusal, "endpoint"))
    for piece in (
        "name is 'chop', but the folder",
        "weights belong to the stack",
        "sluice:rollout.shop.mirror",
        "identity is {}",
        "auth_mode: Value 'password' passed is not in set",
        "tags.cost must be a string",
    ):
        assert piece in text
    assert len(lines_of(refusal, "endpoint")) == 6  # one for each field


def test_a_deployment_without_a_file_is_refused(refusal: ModelError) -> None:
    assert (
        lines_of(refusal, "nothere")
        == ["shop/nothere.yml: deployment nothere has no file. Add nothere.yml in az ml's format."]
        or "deployment nothere has no file" in lines_of(refusal, "nothere")[0]
    )


def test_no_refusal_names_the_path_of_this_machine(refusal: ModelError) -> None:
    assert str(Path.cwd()) not in str(refusal)
    assert "pytest" not in str(refusal)


def test_a_missing_model_folder_names_the_one_that_was_meant() -> None:
    with pytest.raises(ModelError, match=r"(?s)folder does not exist.*Did you mean fraud-detection\?"):
        load_model(EXAMPLE.parent / "fraud-detektion", ["blue"])


def test_the_example_loads_as_az_ml_would_send_it() -> None:
    model = load_model(EXAMPLE, ["blue", "green", "amber"])
    blue = model.deployments["blue"]
    assert model.endpoint.auth_mode == "Key"
    assert model.endpoint.identity is None
    assert blue.body["requestSettings"]["requestTimeout"] == "PT5S"
    assert blue.body["endpointComputeType"] == "Managed"
    assert not {"model", "codeConfiguration", "environmentId", "scaleSettings"} & set(blue.body)
    assert isinstance(blue.model, LocalAsset)
    assert blue.model.files == ("about.json", "model.joblib")
    assert isinstance(blue.code, LocalAsset)
    assert blue.code.files == ("score.py",)
    assert isinstance(blue.environment, EnvironmentSpec)
    assert "scikit-learn==" in str(blue.environment.conda_file)
    assert len({one.release for one in model.deployments.values()}) == 3
    assert len({one.code.digest for one in model.deployments.values() if isinstance(one.code, LocalAsset)}) == 1


def test_the_example_describes_three_deployments() -> None:
    assert list_deployments(EXAMPLE) == ["amber", "blue", "green"]


def test_the_artefacts_of_the_example_are_small() -> None:
    sizes = {path.name: path.stat().st_size for path in (EXAMPLE / "artefacts").rglob("*") if path.is_file()}
    assert sum(sizes.values()) < 200_000, sizes


@pytest.fixture(scope="module")
def accepted(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Any:
    """A model that uses rarer features, loaded once."""
    scale = {"type": "target_utilization", "min_instances": 2, "max_instances": 5}
    registry = "azureml://registries/azureml/models/m/versions/3"
    folder = write_model(
        tmp_path_factory.mktemp("good") / "shop",
        {
            "public_network_access": "disabled",
            "identity": {"type": "user_assigned", "user_assigned_identities": [{"resource_id": "/subscriptions/s/i"}]},
        },
        scaled=deployment("scaled", instance_count=None, scale_settings=scale),
        referring=deployment(
            "referring",
            model="azureml:m:3",
            environment="azureml:e:2",
            code_configuration={"code": "azureml:c:1", "scoring_script": "score.py"},
        ),
        registered=deployment("registered", model=registry, egress_public_network_access="disabled"),
        mlflow=deployment(
            "mlflow", model={"path": "./src", "type": "mlflow_model"}, code_configuration=None, environment=None
        ),
        inline=deployment("inline", environment={"image": "i:1", "conda_file": {"dependencies": ["pip"]}}),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_cache))
        return load_model(folder, list_deployments(folder))


def test_target_utilization_of_a_managed_deployment_becomes_autoscale(accepted: Any) -> None:
    scaled = accepted.deployments["scaled"]
    assert scaled.autoscale == AutoscaleSpec(min_instances=2, max_instances=5, target_cpu_percent=70)
    assert scaled.instance_count == 2
    assert "scaleSettings" not in scaled.body


def test_references_are_kept_without_the_prefix_of_az_ml(accepted: Any) -> None:
    referring, registered = accepted.deployments["referring"], accepted.deployments["registered"]
    assert referring.model == AssetReference(reference="m:3")
    assert referring.code == AssetReference(reference="c:1")
    assert referring.environment == AssetReference(reference="e:2")
    assert registered.model == AssetReference(reference="azureml://registries/azureml/models/m/versions/3")


def test_words_that_azure_answers_in_capitals_are_sent_so(accepted: Any) -> None:
    assert accepted.endpoint.public_network_access == "Disabled"
    assert accepted.deployments["registered"].body["egressPublicNetworkAccess"] == "Disabled"
    assert accepted.endpoint.identity == IdentitySpec(type="UserAssigned", resource_ids=("/subscriptions/s/i",))


def test_an_mlflow_model_needs_neither_script_nor_environment(accepted: Any) -> None:
    mlflow = accepted.deployments["mlflow"]
    assert (mlflow.code, mlflow.environment, mlflow.model.asset_type) == (None, None, "mlflow_model")


def test_a_hit_starts_no_library(example: Path, no_library: None) -> None:
    loaded = set(sys.modules)
    load_model(example, ["blue", "green"])  # another folder, the same content
    assert not [name for name in set(sys.modules) - loaded if name.startswith("azure.ai.ml")]


@pytest.mark.parametrize("file", ["blue.yml", "conda.yml"])
def test_another_content_is_another_entry(file: str, example: Path, no_library: None) -> None:
    (example / file).write_text((example / file).read_text() + "\n# changed\n")
    with pytest.raises(AssertionError, match="azure-ai-ml was started"):
        load_model(example, ["blue"])


def test_another_version_of_the_library_is_another_entry(no_library: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(azureml, "library_version", lambda: "VERSION = '9'")
    with pytest.raises(AssertionError, match="azure-ai-ml was started"):
        load_model(EXAMPLE, ["blue"])


def test_a_broken_cache_entry_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_library: None) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(azureml, "_key", lambda request: "entry")
    (tmp_path / "sluice" / "models").mkdir(parents=True)
    (tmp_path / "sluice" / "models" / "entry").write_text('{"half')
    with pytest.raises(AssertionError, match="azure-ai-ml was started"):
        load_model(EXAMPLE, ["blue"])


def test_a_digest_does_not_depend_on_machine_time_or_compiled_files(example: Path, no_library: None) -> None:
    load = load_model(EXAMPLE, ["blue"]).deployments["blue"]
    for path in example.rglob("*"):
        path.touch()
    (example / "src" / "__pycache__").mkdir()
    (example / "src" / "__pycache__" / "score.cpython-311.pyc").write_bytes(b"compiled")
    assert load_model(example, ["blue"]).deployments["blue"].release == load.release


def test_a_release_is_what_serves_and_not_how_many_or_how_it_is_called(accepted: Any) -> None:
    one = accepted.deployments["inline"]
    same = replace(
        one,
        instance_count=9,
        tags={"a": "b"},
        autoscale=AutoscaleSpec(min_instances=1, max_instances=2, target_cpu_percent=50),
        body={**one.body, "description": "other", "properties": {"x": "y"}},
    )
    assert release_digest(same) == one.release
    assert release_digest(one, sku="standard_ds3_V2") == one.release  # Azure ignores case
    others = {
        "sku": release_digest(one, sku="Standard_F4s_v2"),
        "variables": release_digest(replace(one, body={**one.body, "environmentVariables": {"A": "1"}})),
        "settings": release_digest(replace(one, body={**one.body, "requestSettings": {"requestTimeout": "PT9S"}})),
        "probe": release_digest(replace(one, body={**one.body, "livenessProbe": {"period": "PT9S"}})),
        "script": release_digest(replace(one, scoring_script="other.py")),
        "model": release_digest(replace(one, model=AssetReference(reference="m:1"))),
        "code": release_digest(replace(one, code=AssetReference(reference="c:1"))),
        "environment": release_digest(replace(one, environment=AssetReference(reference="e:1"))),
    }
    assert len({one.release, *others.values()}) == len(others) + 1


@pytest.mark.parametrize("name", ["endpoint", "conda", "environment"])
def test_a_deployment_cannot_have_the_name_of_another_file(tmp_path: Path, name: str) -> None:
    """`endpoint` once ended in a KeyError: the endpoint's own file was treated as the deployment's."""
    folder = write_model(tmp_path / "shop", blue=deployment("blue"))
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue", name])
    (problem,) = refused.value.problems
    assert f"a deployment must not be called {name}" in str(problem)


@pytest.mark.parametrize(
    ("text", "reason"),
    [("a: [", "the YAML cannot be read"), ("", "it is empty"), ("- python", "it is a list"), (None, "cannot be read")],
)
def test_a_conda_file_that_cannot_be_read_is_named(tmp_path: Path, text: str | None, reason: str) -> None:
    """azure-ai-ml reports `environment.name: Missing data for required field` for the first and accepts the others."""
    folder = write_model(tmp_path / "shop", blue=deployment("blue"))
    conda = folder / "conda.yml"
    conda.unlink()
    if text is None:
        conda.mkdir()
    else:
        conda.write_text(text)
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue"])
    (problem,) = refused.value.problems
    assert str(problem).startswith("shop/blue.yml: environment.conda_file conda.yml: ")
    assert reason in str(problem)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: &a\n  b: *a\n", "nested more than 30 deep, or contains itself"),
        (
            "\n".join(["a0: &a0 [x, x]", *(f"a{n}: &a{n} [*a{n - 1}, *a{n - 1}]" for n in range(1, 25))]),
            "200000 values",
        ),
    ],
)
def test_a_file_that_holds_itself_or_millions_of_values_is_refused_at_once(
    tmp_path: Path, text: str, reason: str
) -> None:
    folder = write_model(tmp_path / "shop", blue=text)
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue"])
    (problem,) = refused.value.problems
    assert reason in str(problem)


def test_a_folder_in_place_of_a_file_is_no_deployment(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "shop", blue=deployment("blue"))
    (folder / "bleu.yml").mkdir()
    assert list_deployments(folder) == ["blue"]
    with pytest.raises(ModelError, match=r"shop/bleu\.yml: this is a folder"):
        load_model(folder, ["bleu"])
    with pytest.raises(ModelError, match="Did you mean blue"):
        load_model(folder, ["bluue"])


def test_a_link_to_nothing_and_a_pipe_in_place_of_a_file_are_named(tmp_path: Path) -> None:
    """The link once led to "blue has no file. Did you mean blue?", and the pipe blocked forever."""
    folder = write_model(tmp_path / "shop", blue=deployment("blue"))
    (folder / "blue.yml").unlink()
    (folder / "blue.yml").symlink_to("elsewhere.yml")
    os.mkfifo(folder / "pipe.yml")
    assert list_deployments(folder) == ["blue", "pipe"]
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue", "pipe"])
    assert [str(problem) for problem in refused.value.problems] == [
        "shop/blue.yml: the file is a link to something that does not exist or is not a file. Delete the link "
        "and restore the file.",
        "shop/pipe.yml: this is a folder or something else that is not a file. Replace it with pipe.yml in az "
        "ml's format.",
    ]


def test_a_second_document_in_a_file_is_named(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "shop", blue=deployment("blue"))
    (folder / "blue.yml").write_text((folder / "blue.yml").read_text() + "---\nname: green\n")
    with pytest.raises(ModelError, match="a second document begins here, but a file must hold exactly one"):
        load_model(folder, ["blue"])


def test_the_name_of_a_file_that_must_be_renamed_is_not_advised(tmp_path: Path) -> None:
    """`Write name: Blue` and `Rename the file` once contradicted each other."""
    folder = write_model(tmp_path / "shop", Blue=deployment("blue"))
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["Blue"])
    (problem,) = refused.value.problems
    assert str(problem).endswith("Rename the file, and the deployment in it.")


@pytest.mark.parametrize("version", ["01", "1.0", "+1", " 1", "1 ", "0", "-1", "abc", "latest", "\u0661", "\u00b2", ""])
def test_the_version_of_a_model_that_is_referred_to_is_a_positive_whole_number(version: str) -> None:
    """All of them once passed the check, although Azure has no such model."""
    content = {"name": "blue", "endpoint_name": "shop", "instance_count": 1, "model": f"azureml:m:{version}"}
    (found,) = check_deployment(content, name="blue", model="shop", kubernetes=False)
    assert found.where == "model"
    arm = f"azureml:/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/models/m/versions/{version}"
    (found,) = check_deployment(content | {"model": arm}, name="blue", model="shop", kubernetes=False)
    assert found.where == "model"


@pytest.mark.parametrize(
    "model",
    [
        "azureml:m:1",
        "azureml:m:20260101",
        "azureml:/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/models/m/versions/7",
        "azureml://registries/r/models/m/versions/1.2.3",
    ],
)
def test_the_version_of_a_registrys_model_is_not_checked(model: str) -> None:
    content = {"name": "blue", "endpoint_name": "shop", "instance_count": 1, "model": model}
    assert list(check_deployment(content, name="blue", model="shop", kubernetes=False)) == []


ROUTE = {"port": 8000, "path": "/"}
OWN_SERVER = {
    "image": "registry.example/plumber:1",
    "inference_config": {"liveness_route": ROUTE, "readiness_route": ROUTE, "scoring_route": ROUTE},
}


def test_a_script_for_a_custom_container_is_not_checked(tmp_path: Path) -> None:
    """An R script was once parsed as Python, and so was a Python script without init() for a custom container."""
    code = {"code": "./own"}
    deployments = {
        "plumber": deployment("plumber", environment=OWN_SERVER, code_configuration={**code, "scoring_script": "p.R"}),
        "python": deployment("python", environment=OWN_SERVER, code_configuration={**code, "scoring_script": "a.py"}),
        "named": deployment(
            "named", environment="azureml:e:1", code_configuration={**code, "scoring_script": "sub/start.sh"}
        ),
    }
    folder = write_model(tmp_path / "shop", **deployments)
    (folder / "own" / "sub").mkdir(parents=True)
    for name, text in {"p.R": "function(req) {\n}\n", "a.py": "print 'old'\n", "sub/start.sh": "exec R\n"}.items():
        (folder / "own" / name).write_text(text)
    loaded = load_model(folder, list(deployments)).deployments
    assert {name: one.scoring_script for name, one in loaded.items()} == {
        "plumber": "p.R",
        "python": "a.py",
        "named": "sub/start.sh",
    }
    (folder / "own" / "p.R").unlink()
    with pytest.raises(ModelError, match=r"scoring_script is 'p\.R', which is not among the files of \./own"):
        load_model(folder, ["plumber"])


def test_a_file_of_the_preview_is_refused_once_with_every_field_and_without_a_traceback(tmp_path: Path) -> None:
    old = """
        name: NNNNNNNNNN
        type: online
        model: azureml:m:3
        code_configuration: {code: {local_path: ../x}, scoring_script: score.py}
        environment: azureml:e:1
        instance_type: Standard_F4s_v2
        scale_settings: {scale_type: manual, instance_count: 1, min_instances: 1, max_instances: 2}
    """
    folder = write_model(
        tmp_path / "shop", {"type": "online", "deployments": [{"name": "blue"}]}, blue=textwrap.dedent(old)
    )
    assert list_deployments(folder) == ["blue"]
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue"])
    fields = [(problem.file, problem.where) for problem in refused.value.problems]
    assert sorted(fields) == [
        ("shop/blue.yml", "code_configuration.code"),
        ("shop/blue.yml", "endpoint_name"),
        ("shop/blue.yml", "instance_count"),
        ("shop/blue.yml", "name"),
        ("shop/blue.yml", "scale_settings"),
        ("shop/blue.yml", "type"),
        ("shop/endpoint.yml", "deployments"),
        ("shop/endpoint.yml", "type"),
    ]


def test_a_folder_that_no_stack_can_name_is_refused_with_the_rule(tmp_path: Path) -> None:
    folder = write_model(tmp_path / "My_Shop", {"name": "My_Shop"}, blue=deployment("blue", endpoint_name="My_Shop"))
    with pytest.raises(ModelError) as refused:
        load_model(folder, ["blue"])
    (problem,) = refused.value.problems
    assert "the folder is called 'My_Shop'" in str(problem)
    assert "at most 32 lower-case letters, digits and single dashes" in str(problem)


def test_azure_ai_ml_is_started_once_for_all_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It once started for each model, which took half a minute in the first preview of eight endpoints."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    folders = {
        write_model(tmp_path / name, {"name": name}, blue=deployment("blue", endpoint_name=name)): ["blue"]
        for name in ("one", "two", "three", "four")
    }
    broken = write_model(tmp_path / "five", {"name": "five"}, blue=deployment("blue", endpoint_name="other"))
    starts = []
    real = azureml._run
    monkeypatch.setattr(azureml, "_run", lambda requests: starts.append(len(requests)) or real(requests))
    found = load_models({**folders, broken: ["blue"], tmp_path / "six": ["blue"]})
    assert starts == [10]
    assert [model.name for model in found.values() if isinstance(model, Model)] == ["one", "two", "three", "four"]
    assert "endpoint_name is 'other'" in str(found[broken])
    assert "the model's folder does not exist" in str(found[tmp_path / "six"])
    load_models(folders)
    assert starts == [10]
