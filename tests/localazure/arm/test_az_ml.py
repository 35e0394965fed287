"""`az ml`: the guide's commands, as the requests that the extension makes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from localazure import identity
from tests.localazure.platform_bodies import PLATFORM
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

ENDPOINT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineEndpoint.schema.json
name: other
auth_mode: key
"""
DEPLOYMENT = """\
$schema: https://azuremlschemas.azureedge.net/latest/managedOnlineDeployment.schema.json
name: other
endpoint_name: other
model:
  path: model.txt
code_configuration:
  code: code
  scoring_script: score.py
environment:
  image: mcr.microsoft.com/azureml/minimal-py311-inference
  conda_file: conda.yml
instance_type: Standard_DS3_v2
instance_count: 1
"""


@pytest.mark.proves(
    "onlineEndpoints",
    honours=["properties.traffic", "properties.mirrorTraffic"],
    refuses=["properties.traffic"],
    client="MLClient",
)
def test_the_safe_rollout_of_the_guide_works_as_the_extension_sends_it(start_local_azure, make_plane, tmp_path):
    plane = make_plane()
    azure = start_local_azure(plane)
    for path, body in PLATFORM:
        assert azure.request("PUT", path, body).status_code in (200, 201, 202), path
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / "score.py").write_text("def init():\n    pass\n\n\ndef run(data):\n    return [1]\n")
    (tmp_path / "model.txt").write_text("model")
    (tmp_path / "conda.yml").write_text("dependencies: [python=3.11, {pip: [azureml-inference-server-http]}]\n")
    (tmp_path / "endpoint.yml").write_text(ENDPOINT)
    for colour in ("blue", "green"):
        (tmp_path / f"{colour}.yml").write_text(DEPLOYMENT)

    script = Path(__file__).with_name("az_ml_session.py")  # drives azure.ai.ml
    command = [sys.executable, str(script), identity.SUBSCRIPTION_ID, "rg1", "ws1", str(tmp_path)]
    done = subprocess.run(command, env=azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    seen = json.loads(done.stdout.partition("SEEN ")[2])
    sent = seen.pop("sent")
    assert seen == {
        "create": "Succeeded",
        "blue": "Succeeded",
        "all traffic": [{"blue": 100}, {}],
        "list": ["guide-endpoint"],
        "credentials": True,
        "logs": "InferenceServer of guide-endpoint/blue, last 3",
        "scaled": 2,
        "green": "Succeeded",
        "mirror": [{"blue": 100}, {"green": 10}],
        "canary": [{"blue": 90, "green": 10}, {}],
        "refused": 400,
        "all on green": [{"blue": 0, "green": 100}, {}],
        "left": ["green"],
        "in the end": [],
    }
    # What makes it a test: the weights go out as strings.
    assert sent[1] == [{"blue": "90", "green": "10"}, {"green": "0"}]
