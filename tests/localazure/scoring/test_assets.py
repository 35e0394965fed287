"""Where code and model appear to a scoring script."""

import pytest

from localazure.scoring.assets import lay_out
from localazure.scoring.sockets import socket_folder
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec


@pytest.fixture
def spec(tmp_path):
    code, model = tmp_path / "src", tmp_path / "stored" / "artefact"
    (code / "inner").mkdir(parents=True)
    (code / "inner" / "score.py").write_text("")
    model.mkdir(parents=True)
    (model / "model.joblib").write_text("m")

    def make(**changes):
        values = {"code_folder": code, "scoring_script": "inner/score.py", "model_folder": model}
        values |= {"model_mount": "azureml-models/fraud/3"} | changes
        return DeploymentSpec(endpoint="e", deployment="d", **values)

    return make


def test_a_model_folder_keeps_its_name_below_the_mount(spec, tmp_path):
    application = lay_out(spec(), tmp_path / "root")
    assert application.model_folder == tmp_path / "root/azureml-models/fraud/3"
    assert (application.model_folder / "artefact/model.joblib").read_text() == "m"
    assert (application.app_root / application.entry_script).exists()


def test_a_model_may_be_one_file(spec, tmp_path):
    file = tmp_path / "stored/artefact/model.joblib"
    application = lay_out(spec(model_folder=file), tmp_path / "root")
    assert (application.model_folder / "model.joblib").read_text() == "m"


def test_writing_beside_the_code_leaves_the_original_alone(spec, tmp_path):
    application = lay_out(spec(), tmp_path / "root")
    (application.app_root / "inner/score.py").write_text("changed")
    assert (tmp_path / "src/inner/score.py").read_text() == ""


@pytest.mark.parametrize(
    ("changes", "code", "message"),
    [
        ({"code_folder": None}, "BadArgument", "needs both"),
        ({"scoring_script": None}, "BadArgument", "needs both"),
        ({"scoring_script": "other.py"}, "ResourceNotReady", "It contains: inner"),
        ({"scoring_script": "../stored/x.py"}, "BadArgument", "inside the code folder"),
        ({"scoring_script": "/etc/passwd"}, "BadArgument", "inside the code folder"),
        ({"model_mount": "../../x"}, "BadArgument", "inside the container"),
    ],
)
def test_what_cannot_be_laid_out_is_refused_with_the_reason(spec, tmp_path, changes, code, message):
    with pytest.raises(DeploymentFailed, match=message) as caught:
        lay_out(spec(**changes), tmp_path / "root")
    assert caught.value.code == code


def test_a_missing_model_fails_the_deployment(spec, tmp_path):
    with pytest.raises(DeploymentFailed, match="does not exist"):
        lay_out(spec(model_folder=tmp_path / "nothing"), tmp_path / "root")


def test_sockets_are_private_and_their_paths_short(tmp_path):
    home = tmp_path / ("long" * 30)
    home.mkdir()
    folder = socket_folder(home)
    try:
        assert len(str(folder)) <= 70
        assert folder.stat().st_mode & 0o777 == 0o700
        assert socket_folder(home) == folder
    finally:
        folder.rmdir()
