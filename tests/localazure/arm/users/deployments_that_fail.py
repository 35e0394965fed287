"""Every way in which a user's deployment fails, and the error that the user gets. Prints them as JSON.

Runs in a folder with `blue/`, `weights.txt` and `conda.yml`; the workspace exists.
"""

import json

from azure.ai.ml.entities import (
    BuildContext,
    CodeConfiguration,
    Environment,
    ManagedOnlineDeployment,
    ManagedOnlineEndpoint,
    Model,
    ProbeSettings,
)
from azure.core.exceptions import HttpResponseError
from workspace import ml

NAME = "failures-of-users"
IMAGE = "mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"
CURATED = "azureml://registries/azureml/environments/{}/labels/latest"
SCRIPTS = {
    "init_raises": "def init():\n    raise ValueError('no weights')\n\ndef run(data):\n    return 1\n",
    "missing_package": "import numpy\n\ndef init():\n    pass\n\ndef run(data):\n    return 1\n",
    "slow_init": "import time\n\ndef init():\n    time.sleep(30)\n\ndef run(data):\n    return 1\n",
}
BROKEN = {"dependencies": ["python=3.11", {"pip": ["azureml-inference-server-http==1.5.1", "no-such-package-of-ours"]}]}
ROUTE = {"path": "/", "port": 8080}
ROUTES = {"liveness_route": ROUTE, "readiness_route": ROUTE, "scoring_route": ROUTE}
BARE = {"dependencies": ["python=3.11", {"pip": ["pip"]}]}


def script(name):
    from pathlib import Path

    Path(name).mkdir()
    Path(name, "score.py").write_text(SCRIPTS[name])
    return {"code_configuration": CodeConfiguration(code=name, scoring_script="score.py")}


def main():
    ml.online_endpoints.begin_create_or_update(ManagedOnlineEndpoint(name=NAME)).result()
    code = {"code_configuration": CodeConfiguration(code="blue", scoring_script="score.py")}
    quick = ProbeSettings(initial_delay=1, period=1, timeout=1, failure_threshold=2)
    cases = {
        "init-raises": script("init_raises"),
        "missing-package": script("missing_package"),
        "slow-init": script("slow_init") | {"readiness_probe": quick},
        "unknown-package": code | {"environment": Environment(image=IMAGE, conda_file=BROKEN)},
        "no-server": code | {"environment": Environment(image=IMAGE, conda_file=BARE)},
        "own-image": {"environment": Environment(image="docker.io/acme/serving:1"), "model": Model(path="weights.txt")},
        "own-server": {
            "environment": Environment(image="docker.io/acme/serving:1", inference_config=ROUTES),
            "model": Model(path="weights.txt"),
        },
        "image-with-code": code | {"environment": Environment(image="docker.io/acme/serving:1")},
        "dockerfile": code | {"environment": Environment(name="made", build=BuildContext(path="blue"))},
        "unknown-curated": code | {"environment": CURATED.format("acpt-pytorch-2.8-cuda12.6")},
        "secret": code | {"environment_variables": {"KEY": "${{azureml://connections/search/credentials/key}}"}},
        "no-environment": code | {"environment": None},
    }
    seen = {}
    for name, changes in cases.items():
        values = {"environment": Environment(image=IMAGE, conda_file="conda.yml")} | changes
        one = ManagedOnlineDeployment(
            name=name, endpoint_name=NAME, instance_type="Standard_DS3_v2", instance_count=1, **values
        )
        try:
            ml.online_deployments.begin_create_or_update(one).result()
        except HttpResponseError as error:
            details = [detail.code for detail in error.error.details or []]
            seen[name] = ["/".join([error.error.code, *details]), error.error.message]
        else:
            seen[name] = ["Succeeded", ""]
    seen["refused and left"] = [one.name for one in ml.online_deployments.list(NAME) if one.name == "own-image"]
    try:
        list(ml.indexes.list())
    except HttpResponseError as error:
        seen["another-service"] = [error.error.code, error.error.message]
    seen["log"] = ml.online_deployments.get_logs("init-raises", NAME, lines=100)
    ml.online_endpoints.begin_delete(NAME).result()
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
