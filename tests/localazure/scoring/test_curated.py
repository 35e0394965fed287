"""Which packages stand for an image or a registered environment, and how a user adds to that."""

import pytest
import yaml

from localazure.scoring.conda_file import read_conda_file
from localazure.scoring.curated import USER_TABLE, curated_environment, is_curated, key_of
from localazure.scoring.specification import DeploymentFailed

SKLEARN = "azureml://registries/azureml/environments/sklearn-1.5"


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        (f"{SKLEARN}/labels/latest", SKLEARN),
        (f"{SKLEARN}/versions/12", SKLEARN),
        ("azureml://registries/AzureML/environments/Acme", "azureml://registries/azureml/environments/acme"),
        (
            "mcr.microsoft.com/azureml/minimal-py312-inference:latest",
            "mcr.microsoft.com/azureml/minimal-py312-inference",
        ),
        ("localhost:5000/acme/model", "localhost:5000/acme/model"),
        ("localhost:5000/acme/model:3", "localhost:5000/acme/model"),
        ("acme.io/model@sha256:" + "0" * 64, "acme.io/model"),
        ("/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/environments/AzureML-x/versions/3", "azureml-x"),
        ("azureml:AzureML-x:3", "azureml-x"),
        ("azureml:AzureML-x@latest", "azureml-x"),
        ("AzureML-x", "azureml-x"),
    ],
)
def test_versions_labels_and_tags_do_not_matter(reference, key):
    assert key_of(reference) == key


def test_only_environments_of_registries_and_of_every_workspace_are_curated():
    assert is_curated(f"{SKLEARN}/labels/latest")
    assert is_curated("/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/environments/AzureML-x/versions/3")
    assert is_curated("azureml:AzureML-x:3")
    assert not is_curated("/subscriptions/s/resourceGroups/g/providers/p/workspaces/w/environments/mine/versions/3")
    assert not is_curated("azureml:mine:3")


@pytest.mark.parametrize(
    "reference",
    [
        f"{SKLEARN}/labels/latest",
        "mcr.microsoft.com/azureml/curated/sklearn-1.5:3",
        "mcr.microsoft.com/azureml/minimal-py311-inference:latest",
        "mcr.microsoft.com/azureml/minimal-py312-inference",
        "mcr.microsoft.com/azureml/curated/mlflow-py312-inference:latest",
    ],
)
def test_microsofts_environments_can_be_built_and_have_the_inference_server(reference):
    wanted = read_conda_file(curated_environment(reference, {}).conda_file)
    assert "azureml-inference-server-http" in wanted.requirements
    assert wanted.python.startswith("=3.1")


def test_a_users_table_comes_first_and_adds(tmp_path):
    table = tmp_path / "environments.yml"
    mine = {"dependencies": ["python=3.11", {"pip": ["azureml-inference-server-http", "torch"]}]}
    table.write_text(yaml.safe_dump({"acme.io/Model": mine, f"{SKLEARN}/versions/9": mine}))
    for reference in ("acme.io/model:3", f"{SKLEARN}/labels/latest"):
        found = curated_environment(reference, {USER_TABLE: str(table)})
        assert yaml.safe_load(found.conda_file) == mine
        assert str(table) in found.note
    assert "1.5" in curated_environment("mcr.microsoft.com/azureml/curated/sklearn-1.5", {}).conda_file


def test_what_is_in_neither_table_is_reported_with_the_line_to_add(tmp_path):
    with pytest.raises(DeploymentFailed) as caught:
        curated_environment("acme.io/model:3", {})
    assert caught.value.code == "NotEmulated"
    written = caught.value.message.partition(f"{USER_TABLE}:\n")[2].rpartition("\n")[0]
    table = tmp_path / "environments.yml"
    table.write_text(written)
    assert "python=3.11" in curated_environment("acme.io/model:3", {USER_TABLE: str(table)}).conda_file


@pytest.mark.parametrize("text", [None, "a: [", "- 1", "acme.io/model: python"])
def test_a_table_that_cannot_be_read_is_named(tmp_path, text):
    table = tmp_path / "environments.yml"
    if text is not None:
        table.write_text(text)
    with pytest.raises(DeploymentFailed, match=r"the table of environments .*environments\.yml"):
        curated_environment("acme.io/model:3", {USER_TABLE: str(table)})
