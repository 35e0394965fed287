"""Which YAML files are deployments: each file either is one, or its kind is reported."""

from pathlib import Path

import pytest

from models.folder import list_deployments, survey

DEPLOYMENT = "name: blue\nendpoint_name: shop\ninstance_type: Standard_DS3_v2\n"


def files(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / name.replace("__", ".")).write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        DEPLOYMENT,
        "instance_type: Standard_F4s_v2\nname: x\n",  # of 2021, without endpoint_name
        "code_configuration:\n  code: {local_path: src}\n",
        "scale_settings: {scale_type: manual}\nname: x\n",
        "$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json\nname: x\n",
        "$schema: https://azuremlschemas.azureedge.net/latest/kubernetesOnlineDeployment.schema.json\n",
        "name: [broken\n",
        "- a list\n",
    ],
)
def test_a_file_that_looks_like_a_deployment_is_judged(text: str, tmp_path: Path) -> None:
    found = survey(files(tmp_path, blue__yml=text, green__yaml=text))
    assert found.deployments == ("blue", "green")
    assert found.passed_over == {}


@pytest.mark.parametrize(
    ("name", "text", "kind"),
    [
        ("batch__yml", "endpoint_name: s\nmini_batch_size: 10\ncode_configuration: {}\n", "a batch deployment"),
        (
            "scores__yml",
            "$schema: https://azuremlschemas.azureedge.net/latest/modelBatchDeployment.schema.json\nendpoint_name: s\n",
            "a batch deployment",
        ),
        ("other__yml", "name: shop\nauth_mode: key\n", "an endpoint's file; only endpoint.yml is read"),
        ("create__yml", "name: shop\ntype: online\ndeployments: [{instance_type: x}]\n", "an endpoint's file"),
        ("train__yml", "command: python train.py\nenvironment: azureml:e:1\n", "a job"),
        ("image__yml", "name: e\nimage: x:1\nconda_file: c.yml\n", "an environment"),
        ("deps__yml", "name: e\ndependencies: [python]\n", "a conda file"),
        (
            "notes__yaml",
            "title: x\n",
            "not a deployment: it has none of endpoint_name, code_configuration, instance_type",
        ),
        (
            "environment__yml",
            DEPLOYMENT,
            "looks like a deployment, but environment cannot be the name of one: rename it",
        ),
        ("Blue__YML", DEPLOYMENT, "looks like a deployment, but its name ends in .YML: rename it to Blue.yml"),
        ("Broken__YML", "a: [", "the YAML cannot be read"),
    ],
)
def test_every_other_file_is_named_with_what_it_is(name: str, text: str, kind: str, tmp_path: Path) -> None:
    found = survey(files(tmp_path, **{name: text}))
    assert found.deployments == ()
    (said,) = found.passed_over.values()
    assert said.startswith(kind)
    assert list(found.passed_over) == [name.replace("__", ".")]


def test_what_belongs_to_a_deployment_is_not_listed(tmp_path: Path) -> None:
    """A conda file that a deployment reads does not count as passed over."""
    text = f"{DEPLOYMENT}environment: {{image: x, conda_file: ./conda.yml}}\n"
    files(tmp_path, blue__yml=text, conda__yml="dependencies: []\n", spare__yml="dependencies: []\n")
    files(tmp_path, endpoint__yml="auth_mode: key\n", release__lock__yml="stacks: {}\n")
    assert survey(tmp_path).passed_over == {"spare.yml": "a conda file"}


def test_folders_and_other_files_are_no_deployments(tmp_path: Path) -> None:
    files(tmp_path, blue__yml=DEPLOYMENT, blue__json="{}")
    (tmp_path / "green.yml").mkdir()
    assert list_deployments(tmp_path) == ["blue"]
    assert survey(tmp_path).passed_over == {"green.yml": "a folder"}


def test_a_deployment_in_a_folder_of_its_own_is_named(tmp_path: Path) -> None:
    """`deployments/blue.yml` was once skipped silently, and the model passed the check."""
    (tmp_path / "deployments").mkdir()
    files(tmp_path / "deployments", blue__yml=DEPLOYMENT, data__yml="a: 1\n", broken__yml="[")
    assert survey(tmp_path).deployments == ()
    assert survey(tmp_path).passed_over == {
        "deployments/blue.yml": "looks like a deployment: move it into the folder of endpoint.yml"
    }
