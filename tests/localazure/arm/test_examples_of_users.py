"""Scripts as users write them after Microsoft's pages, in the environment of `sluice local env`, to their end.

Each runs in a process of its own against a server with real instances; nothing but names is set for it. The scripts
are in `users/`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.environment import local_environment
from rehearsal.home import LocalHome
from tests.localazure.server_command import server_command
from tests.waiting import HANGS
from toolchain.uv import find_uv, uv_environment

pytestmark = pytest.mark.integration

SCRIPTS = Path(__file__).parent / "users"
CONDA = "dependencies:\n- python=3.11\n- pip:\n  - azureml-inference-server-http==1.5.1\n"
SCORE = """
import logging, os
from colour import COLOUR

def init():
    print("printed in init")
    with open(os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.txt")) as file:
        global weights
        weights = file.read()

def run(data):
    logging.warning("warned in run")
    return {"colour": COLOUR, "weights": weights, "greeting": os.environ["GREETING"]}
"""
# A model that signals when it begins, and answers when the test lets it.
HELD = """
import json, os, time

def init():
    pass

def run(data):
    asked = json.loads(data)
    if "begun" in asked:
        open(asked["begun"], "w").close()
    while "gate" in asked and not os.path.exists(asked["gate"]):
        time.sleep(0.01)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalHome]:
    """A running local Azure with real instances."""
    home = LocalHome(tmp_path_factory.mktemp("azure") / "home")
    home.create()
    environment = os.environ | uv_environment(os.environ) | {"SLUICE_UV": str(find_uv(os.environ))}
    command = server_command(home.path)
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)
    assert server.stdout is not None
    if not server.stdout.readline():
        raise RuntimeError(f"the local Azure did not start: {server.communicate(timeout=HANGS)[1]}")
    yield home
    server.terminate()
    server.communicate(timeout=HANGS)


def run(home: LocalHome, name: str, folder: Path) -> dict[str, Any]:
    """What a script saw."""
    environment = local_environment(home).applied_to(os.environ)
    done = subprocess.run(
        [sys.executable, str(SCRIPTS / name)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=HANGS * 3,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return dict(json.loads(done.stdout.rpartition("SEEN ")[2]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What a user has on disk."""
    for colour in ("blue", "green"):
        (tmp_path / colour).mkdir()
        (tmp_path / colour / "score.py").write_text(SCORE)
        (tmp_path / colour / "colour.py").write_text(f"COLOUR = {colour!r}\n")
    (tmp_path / "weights.txt").write_text("0.5")
    (tmp_path / "conda.yml").write_text(CONDA)
    return tmp_path


@pytest.fixture(scope="module")
def rollout(home: LocalHome, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The script that makes the workspace, and what it saw."""
    folder = tmp_path_factory.mktemp("rollout")
    for colour in ("blue", "green"):
        (folder / colour).mkdir()
        (folder / colour / "score.py").write_text(SCORE)
        (folder / colour / "colour.py").write_text(f"COLOUR = {colour!r}\n")
    (folder / "weights.txt").write_text("0.5")
    (folder / "conda.yml").write_text(CONDA)
    return run(home, "safe_rollout.py", folder)


@pytest.mark.proves("onlineEndpoints", honours=["properties.traffic", "properties.mirrorTraffic"], client="MLClient")
@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=[
        "sku.capacity",
        "properties.model",
        "properties.codeConfiguration",
        "properties.environmentId",
        "properties.environmentVariables",
    ],
    client="MLClient",
)
@pytest.mark.proves("environments/versions", honours=["properties.condaFile"], client="MLClient")
@pytest.mark.proves("data plane", honours=["score", "404", "azureml-model-deployment", "weights"], client="MLClient")
def test_a_safe_rollout_goes_from_an_empty_subscription_to_the_second_version(rollout):
    assert rollout["environments"] == ["1", "2", "2"]
    assert rollout["before_traffic"] == [
        404,
        "The endpoint doesn't have any valid deployment with positive weight.",
    ]
    answer = {"colour": "blue", "weights": "0.5", "greeting": "hello"}
    assert rollout["first"] == [200, answer, "blue"]
    assert rollout["traffic"] == {"blue": 100}
    assert rollout["scaled"] == 2
    assert rollout["direct"] == answer | {"colour": "green"}
    assert rollout["mirrored_answers"] == ["blue"]
    assert rollout["ninety"] == {"blue": 90, "green": 10}
    assert rollout["colours"] == ["blue", "green"]  # 300 requests
    assert rollout["autoscale"] == ["3", 2]
    assert rollout["rotated"] == [True, False]
    assert rollout["delete_live"] == "InferencingClientCallFailed"
    assert rollout["left"] == ["green"]
    assert rollout["logs"] == {"printed in init": True, "warned in run": True, "POST /score": True}
    assert rollout["after"] == 404


@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=["properties.environmentId", "properties.codeConfiguration"],
    client="MLClient",
)
@pytest.mark.proves("environments/versions", honours=["properties.image"], client="MLClient")
def test_each_way_to_fail_has_azures_code_or_says_what_to_do(home, rollout, folder):
    seen = run(home, "deployments_that_fail.py", folder)
    log = seen.pop("log")
    assert seen.pop("refused and left") == []
    codes = {name: code for name, (code, _) in seen.items()}
    assert codes == {
        "init-raises": "ResourceNotReady",
        "missing-package": "ResourceNotReady",
        "slow-init": "ResourceNotReady",
        "unknown-package": "ImageBuildFailure",
        "no-server": "ResourceNotReady",
        "own-image": "BadRequest/MissingDriverProgram",
        "own-server": "NotEmulated",
        "image-with-code": "NotEmulated",
        "dockerfile": "NotEmulated",
        "unknown-curated": "NotEmulated",
        "secret": "NotEmulated",
        "no-environment": "NotEmulated",
        "another-service": "NotEmulated",
    }
    messages = {name: message for name, (_, message) in seen.items()}
    assert "ValueError: no weights" in messages["init-raises"]
    assert "ValueError: no weights" in log
    assert "No module named 'numpy'" in messages["missing-package"]
    assert "no-such-package-of-ours" in messages["unknown-package"]
    assert "Add azureml-inference-server-http" in messages["no-server"]
    assert "the local Azure does not run images" in messages["own-server"]
    assert "SLUICE_ENVIRONMENTS" in messages["image-with-code"]
    assert '"azureml://registries/azureml/environments/acpt-pytorch-2.8-cuda12.6":' in messages["unknown-curated"]
    assert "one with a Dockerfile" in messages["dockerfile"]
    assert "Give them plain values" in messages["secret"]


@pytest.mark.proves("data plane", honours=["drain", "weights"], client="MLClient")
def test_changes_by_two_people_and_a_key_rotation_cost_no_request(home, rollout, folder):
    for colour in ("blue", "green"):
        (folder / colour / "score.py").write_text(HELD + f"    return {colour!r}\n")
    seen = run(home, "under_load.py", folder)
    assert list(seen["statuses"]) == ["200"]
    assert sum(seen["changes"].values()) == 10
    assert set(seen["changes"]) <= {"changed", "Conflict"}
    assert seen["changes"]["changed"] >= 2
    assert seen["update_meanwhile"] == [409, "Conflict"]
    assert seen["call_meanwhile"] == 404
    assert seen["slow"] == [200, "green"]  # it was under way when its deployment was deleted
    assert seen["left"] == ["blue"]


def test_plain_requests_do_what_microsofts_rest_page_does(home, rollout, folder):
    assert run(home, "plain_rest.py", folder) == {
        "endpoint": "Succeeded",
        "deployment": "Succeeded",
        "traffic": "Succeeded",
        "answer": {"colour": "blue", "weights": "0.5", "greeting": "hello"},
        "logged": True,
        "deleted": 202,
    }


def test_a_batch_job_is_waited_for(home, rollout, folder):
    (folder / "driver").mkdir()
    (folder / "driver" / "score.py").write_text("def init():\n    pass\n\ndef run(files):\n    return [len(files)]\n")
    (folder / "driver" / "raises.py").write_text(
        "def init():\n    raise ValueError('no')\n\ndef run(files):\n    pass\n"
    )
    (folder / "rows").mkdir()
    for number in range(3):
        (folder / "rows" / f"{number}.csv").write_text("1,2\n")
    seen = run(home, "nightly_batch.py", folder)
    assert seen["counts"][:2] == ["Completed", True], seen["counts"][2]
    assert seen["raises"][:2] == ["Failed", True], seen["raises"][2]
    assert "ValueError: no" in seen["raises"][2]
    assert seen["children"] == "NotEmulated"


@pytest.mark.proves("models/versions", honours=["properties.modelType", "properties.modelUri"], client="MLClient")
def test_an_mlflow_model_is_served_without_code(home, rollout, tmp_path):
    model = tmp_path / "model"
    (model / "code").mkdir(parents=True)
    # A loader of its own in place of a learner's package, so that the environment is small.
    loader = (
        "class Sum:\n    def predict(self, table):\n        return table.sum(axis=1).to_numpy()\n\n"
        "def _load_pyfunc(path):\n    return Sum()\n"
    )
    (model / "code" / "summing.py").write_text(loader)
    (model / "conda.yaml").write_text("dependencies:\n- python=3.11\n- pip:\n  - mlflow-skinny==2.22.0\n  - pandas\n")
    function = {"env": {"conda": "conda.yaml"}, "loader_module": "summing", "code": "code", "python_version": "3.11.7"}
    columns = [{"name": name, "type": "double", "required": True} for name in ("a", "b")]
    described = {"flavors": {"python_function": function}, "signature": {"inputs": json.dumps(columns)}}
    (model / "MLmodel").write_text(yaml.safe_dump(described | {"mlflow_version": "2.22.0"}))
    seen = run(home, "mlflow_without_code.py", tmp_path)
    assert seen["table"] == [200, [3.0, 7.0], None]
    assert seen["described"] == ["a", "b"]
    assert seen["without_input_data"][0] == 424
    assert seen["missing_column"][0] == 424
