"""What a deployment without code runs: an MLflow model what its files say, anything else nothing."""

from pathlib import Path

import pytest
import yaml

from localazure.scoring.conda_file import read_conda_file
from localazure.scoring.no_code import with_code
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec

CONDA = {"channels": ["conda-forge"], "dependencies": ["python=3.11", "pip<=23", {"pip": ["mlflow", "scikit-learn"]}]}


@pytest.fixture
def model(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    write(folder, {"python_function": {"env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"}}, "sklearn": {}})
    (folder / "conda.yaml").write_text(yaml.safe_dump(CONDA))
    return folder


def write(folder: Path, flavors: object) -> None:
    (folder / "MLmodel").write_text(yaml.safe_dump({"flavors": flavors}))


def spec(model: Path | None, **changes: object) -> DeploymentSpec:
    return DeploymentSpec(endpoint="e", deployment="d", model_folder=model, **({"mlflow": True} | changes))


def test_the_packages_are_the_models_and_those_that_the_server_needs(model):
    complete = with_code(spec(model))
    conda = yaml.safe_load(complete.conda_file)
    assert conda["dependencies"] == [
        "python=3.11",
        "pip<=23",
        {"pip": ["mlflow", "scikit-learn", "azureml-inference-server-http"]},
    ]
    assert (complete.code_folder / complete.scoring_script).is_file()


@pytest.mark.parametrize("listed", ["azureml-inference-server-http==1.4.1", "azureml_defaults"])
def test_a_server_that_the_model_lists_is_not_added_again(model, listed):
    (model / "conda.yaml").write_text(yaml.safe_dump({"dependencies": ["mlflow-skinny", {"pip": [listed]}]}))
    assert yaml.safe_load(with_code(spec(model)).conda_file)["dependencies"] == ["mlflow-skinny", {"pip": [listed]}]


def test_the_older_form_of_the_environment_is_read_too(model):
    write(model, {"python_function": {"env": "other.yaml"}})
    (model / "conda.yaml").rename(model / "other.yaml")
    assert "scikit-learn" in with_code(spec(model)).conda_file


def test_an_environment_of_the_deployment_is_kept(model):
    assert with_code(spec(model, conda_file="mine")).conda_file == "mine"
    assert with_code(spec(model, image="mcr.microsoft.com/azureml/mlflow-py312-inference")).conda_file is None


def test_a_deployment_with_code_is_left_as_it_is(model, tmp_path):
    given = spec(model, code_folder=tmp_path, scoring_script="score.py")
    assert with_code(given) == given


def test_without_code_only_mlflow_models_are_served(model):
    for other in (spec(model, mlflow=False, image="acme.io/serving:1"), spec(None, image="acme.io/serving:1")):
        with pytest.raises(DeploymentFailed, match=r"runs the command of the image acme\.io/serving:1") as caught:
            with_code(other)
        assert caught.value.code == "NotEmulated"


@pytest.mark.parametrize(
    ("flavors", "message"),
    [
        ({"python_function": {}, "langchain": {}}, "flavor langchain"),
        ({"sklearn": {}}, "no python_function flavor"),
        ([], "no python_function flavor"),
    ],
)
def test_models_that_azure_treats_in_ways_of_their_own_are_not_emulated(model, flavors, message):
    write(model, flavors)
    with pytest.raises(DeploymentFailed, match=message) as caught:
        with_code(spec(model))
    assert caught.value.code == "NotEmulated"
    assert "Give the deployment a code_configuration" in caught.value.message


@pytest.mark.parametrize("text", [None, "a: [", "[]", "dependencies: 3"])
def test_a_broken_model_is_reported_with_its_file(model, text):
    (model / "conda.yaml").unlink() if text is None else (model / "conda.yaml").write_text(text)
    with pytest.raises(DeploymentFailed, match=r"conda\.yaml|conda file"):
        with_code(spec(model))


@pytest.mark.parametrize("env", ["../other.yaml", "/etc/passwd", {"conda": "../other.yaml"}])
def test_the_conda_file_is_the_models_own(model, env):
    (model.parent / "other.yaml").write_text("dependencies: [numpy]")
    write(model, {"python_function": {"env": env}})
    with pytest.raises(DeploymentFailed, match="inside the model's folder") as caught:
        with_code(spec(model))
    assert caught.value.code == "BadArgument"


@pytest.mark.parametrize("function", [None, 3, "text", []])
def test_a_flavor_of_the_wrong_form_is_no_flavor(model, function):
    write(model, {"python_function": function})
    with pytest.raises(DeploymentFailed, match="no python_function flavor"):
        with_code(spec(model))


def test_a_dependency_of_the_wrong_form_is_refused_as_in_any_conda_file(model):
    (model / "conda.yaml").write_text("dependencies: [python=3.11, {pip: numpy}]")
    with pytest.raises(DeploymentFailed, match="a dependency must be a string or one 'pip:' list"):
        read_conda_file(with_code(spec(model)).conda_file)


@pytest.mark.parametrize("text", ["a: 2024-13-45", "[" * 700, "a: !!int x", "a: !!python/object:os.system {}"])
def test_files_that_only_look_like_yaml_are_refused(model, text):
    (model / "MLmodel").write_text(text)
    with pytest.raises(DeploymentFailed, match="cannot be read"):
        with_code(spec(model))
    with pytest.raises(DeploymentFailed, match="not valid YAML"):
        read_conda_file(text)
