"""A team scores a folder of files with a batch endpoint and waits for the job. Prints what it saw as JSON.

Runs in a folder with `driver/`, `rows/` and `conda.yml`; the workspace exists.
"""

import contextlib
import io
import json

from azure.ai.ml import Input
from azure.ai.ml.entities import (
    AmlCompute,
    BatchEndpoint,
    CodeConfiguration,
    Environment,
    Model,
    ModelBatchDeployment,
    ModelBatchDeploymentSettings,
)
from azure.ai.ml.exceptions import JobException
from azure.core.exceptions import HttpResponseError
from workspace import ml

NAME = "nightly-of-users"


def stream(job):
    """What the client prints while it waits."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            ml.jobs.stream(job.name)
    except JobException as error:
        return f"{printed.getvalue()}{error}"
    return printed.getvalue()


def main():
    ml.compute.begin_create_or_update(AmlCompute(name="cpu-cluster", size="STANDARD_DS3_V2", max_instances=2)).result()
    ml.batch_endpoints.begin_create_or_update(BatchEndpoint(name=NAME)).result()
    for name, script in (("counts", "score.py"), ("raises", "raises.py")):
        one = ModelBatchDeployment(
            name=name,
            endpoint_name=NAME,
            model=Model(path="conda.yml"),
            environment=Environment(conda_file="conda.yml", image="mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04"),
            code_configuration=CodeConfiguration(code="driver", scoring_script=script),
            compute="cpu-cluster",
            settings=ModelBatchDeploymentSettings(mini_batch_size=2, output_file_name="counts.csv"),
        )
        ml.batch_deployments.begin_create_or_update(one).result()
    rows, seen = Input(type="uri_folder", path="rows"), {}
    for name in ("counts", "raises"):
        job = ml.batch_endpoints.invoke(endpoint_name=NAME, deployment_name=name, input=rows)
        printed = stream(job)
        seen[name] = [ml.jobs.get(job.name).status, "Execution Summary" in printed, printed[-2000:]]
    try:
        list(ml.jobs.list(parent_job_name=job.name))
    except HttpResponseError as error:
        seen["children"] = error.error.code
    ml.batch_endpoints.begin_delete(NAME).result()
    print("SEEN " + json.dumps(seen))


if __name__ == "__main__":
    main()
