"""azure-mgmt-machinelearningservices: versions of assets and their containers, datastores, computes, jobs."""

from __future__ import annotations

import pytest

from tests.localazure.arm.management import (
    GROUP,
    LOCATION,
    NOT_EMULATED,
    done,
    ids,
    live_through,
    machine_learning,
    refused,
)
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

WORKSPACE = "assetworkspace"
HERE = (GROUP, WORKSPACE)
BLOBS = "azureml://subscriptions/{subscription}/resourcegroups/rg1/workspaces/assetworkspace/datastores/{path}"


@pytest.fixture(scope="module")
def ml(management):
    return machine_learning(management, WORKSPACE)


@pytest.fixture(scope="module")
def models():
    from azure.mgmt.machinelearningservices import models

    return models


def datastore_uri(management, path):
    """As clients write it."""
    from localazure import identity

    return BLOBS.format(subscription=identity.SUBSCRIPTION_ID, path=f"workspaceblobstore/paths/{path}")


@pytest.mark.proves("models/versions", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/models", drives=["get", "list", "DELETE"], client="azure-mgmt")
def test_model_versions_and_their_container(ml, models, management):
    versions, here = ml.model_versions, (*HERE, "fraud", "1")
    uri = datastore_uri(management, "models/fraud")

    def body(**more):
        return models.ModelVersion(
            properties=models.ModelVersionProperties(model_uri=uri, model_type="custom_model", **more)
        )

    created = live_through(
        create=lambda body: versions.create_or_update(*here, body),
        get=lambda: versions.get(*here),
        delete=lambda: versions.delete(*here),
        lists=[lambda: versions.list(*HERE, "fraud")],
        body=body(description="first", tags={"a": "b"}),
        asset=True,
    )
    shown = created.properties
    assert shown.model_uri == uri.replace("resourcegroups", "resourceGroups")  # as recorded
    assert (shown.model_type, shown.description) == ("custom_model", "first")
    assert (shown.tags, shown.is_anonymous, shown.is_archived) == ({"a": "b"}, False, False)
    assert created.system_data.created_at

    for version in ("1", "2", "3"):
        versions.create_or_update(*HERE, "paged", version, body())
    container = ml.model_containers.get(*HERE, "paged")
    assert (container.name, container.properties.latest_version) == ("paged", "3")
    assert container.id in ids(ml.model_containers.list(*HERE))
    assert {version.name for version in versions.list(*HERE, "paged")} == {"1", "2", "3"}
    ml.model_containers.delete(*HERE, "paged")
    assert refused(lambda: ml.model_containers.get(*HERE, "paged"))[0] == 404


@pytest.mark.proves("environments/versions", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/environments", drives=["list"], client="azure-mgmt")
def test_environment_versions(ml, models):
    versions, here = ml.environment_versions, (*HERE, "serving", "1")
    created = live_through(
        create=lambda body: versions.create_or_update(*here, body),
        get=lambda: versions.get(*here),
        delete=lambda: versions.delete(*here),
        lists=[lambda: versions.list(*HERE, "serving")],
        body=models.EnvironmentVersion(
            properties=models.EnvironmentVersionProperties(image="registry.test/serving:1", os_type="Linux")
        ),
        asset=True,
    )
    assert (created.properties.image, created.properties.os_type) == ("registry.test/serving:1", "Linux")
    versions.create_or_update(*here, created)
    assert "serving" in [container.name for container in ml.environment_containers.list(*HERE)]


@pytest.mark.proves(
    "codes/versions", drives=["get", "list", "PUT", "DELETE", "startPendingUpload"], client="azure-mgmt"
)
def test_code_versions_and_their_upload(ml, models, management):
    versions, here = ml.code_versions, (*HERE, "scoring", "1")
    pending = versions.create_or_get_start_pending_upload(
        *here, models.PendingUploadRequestDto(pending_upload_type="TemporaryBlobReference")
    )
    reference = pending.blob_reference_for_consumption
    assert reference.blob_uri.startswith(management.azure.https)
    assert reference.credential.sas_uri.startswith(reference.blob_uri)
    created = live_through(
        create=lambda body: versions.create_or_update(*here, body),
        get=lambda: versions.get(*here),
        delete=lambda: versions.delete(*here),
        lists=[lambda: versions.list(*HERE, "scoring")],
        body=models.CodeVersion(properties=models.CodeVersionProperties(code_uri=f"{reference.blob_uri}/scoring")),
        asset=True,
    )
    assert created.properties.code_uri == f"{reference.blob_uri}/scoring"


@pytest.mark.proves("data/versions", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/data", drives=["get"], client="azure-mgmt")
def test_data_versions(ml, models, management):
    versions, here = ml.data_versions, (*HERE, "numbers", "1")
    uri = datastore_uri(management, "data/numbers.csv")
    created = live_through(
        create=lambda body: versions.create_or_update(*here, body),
        get=lambda: versions.get(*here),
        delete=lambda: versions.delete(*here),
        lists=[lambda: versions.list(*HERE, "numbers")],
        body=models.DataVersionBase(properties=models.UriFileDataVersion(data_uri=uri)),
        asset=True,
    )
    assert isinstance(created.properties, models.UriFileDataVersion)
    assert created.properties.data_uri == uri
    versions.create_or_update(*here, created)
    assert ml.data_containers.get(*HERE, "numbers").properties.data_type == "uri_file"


@pytest.mark.proves("workspaces/datastores", drives=["get", "list", "listSecrets"], client="azure-mgmt")
def test_datastores_of_a_workspace(ml, models):
    default = ml.datastores.get(*HERE, "workspaceblobstore")
    assert isinstance(default.properties, models.AzureBlobDatastore)
    assert (default.properties.account_name, default.properties.is_default) == (WORKSPACE, True)
    names = [store.name for store in ml.datastores.list(*HERE)]
    assert "workspaceblobstore" in names
    assert ml.datastores.list_secrets(*HERE, "workspaceblobstore").key
    assert refused(lambda: ml.datastores.get(*HERE, "none"))[0] == 404


@pytest.mark.proves("computes", refuses=["properties.computeType"], client="azure-mgmt")
@pytest.mark.proves("workspaces/computes", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
def test_computes(ml, models):
    computes, here = ml.compute, (*HERE, "cluster")
    scale = models.ScaleSettings(max_node_count=2, min_node_count=0)
    cluster = models.AmlCompute(properties=models.AmlComputeProperties(vm_size="Standard_DS3_v2", scale_settings=scale))
    created = live_through(
        create=lambda body: computes.begin_create_or_update(*here, body),
        get=lambda: computes.get(*here),
        delete=lambda: computes.begin_delete(*here, "Delete"),
        lists=[lambda: computes.list(*HERE)],
        body=models.ComputeResource(location=LOCATION, properties=cluster),
    )
    assert isinstance(created.properties, models.AmlCompute)
    assert created.properties.provisioning_state == "Succeeded"
    assert created.properties.properties.scale_settings.max_node_count == 2
    instance = models.ComputeResource(location=LOCATION, properties=models.ComputeInstance())
    assert refused(lambda: computes.begin_create_or_update(*HERE, "notebook", instance)) == NOT_EMULATED
    done(computes.begin_create_or_update(*here, models.ComputeResource(location=LOCATION, properties=cluster)))
    for call in (
        lambda: computes.begin_start(*here),
        lambda: computes.begin_stop(*here),
        lambda: computes.begin_restart(*here),
        lambda: computes.list_keys(*here),
        lambda: computes.list_nodes(*here),
    ):
        assert refused(call) == NOT_EMULATED


@pytest.mark.proves("workspaces/jobs", drives=["get", "list"], client="azure-mgmt")
def invoked_job(ml, models, management):
    """The name of a job, made the only way there is: a batch endpoint without a script is invoked."""
    import requests

    here = (*HERE, "left-a-job")

    def endpoint(default=None):
        properties = models.BatchEndpointProperties(auth_mode="AADToken")
        if default:
            properties.defaults = models.BatchEndpointDefaults(deployment_name=default)
        body = models.BatchEndpoint(location=LOCATION, properties=properties)
        return done(ml.batch_endpoints.begin_create_or_update(*here, body))

    endpoint()
    deployment = models.BatchDeployment(location=LOCATION, properties=models.BatchDeploymentProperties())
    done(ml.batch_deployments.begin_create_or_update(*here, "first", deployment))
    answer = requests.post(
        endpoint("first").properties.scoring_uri,
        json={"properties": {"inputData": {"rows": {"uri": "https://example.org/rows", "jobInputType": "UriFile"}}}},
        headers={"Authorization": f"Bearer {management.token('https://ml.azure.com/.default')}"},
        timeout=HANGS,
    )
    assert answer.ok, answer.text
    return answer.json()["name"]


@pytest.mark.proves("workspaces/jobs", drives=["get", "list", "cancel", "DELETE"], client="azure-mgmt")
def test_a_job_is_cancelled_and_deleted(ml, models, management):
    jobs, here = ml.jobs, (*HERE, invoked_job(ml, models, management))
    assert jobs.get(*here).id in ids(jobs.list(*HERE))
    done(jobs.begin_cancel(*here))
    assert jobs.get(*here).properties.status in ("Canceled", "Failed")  # it may have failed before
    done(jobs.begin_delete(*here))
    assert refused(lambda: jobs.get(*here))[0] == 404
    done(jobs.begin_delete(*here))


def test_jobs(ml, models):
    assert refused(lambda: ml.jobs.get(*HERE, "none"))[0] == 404
    command = models.CommandJob(command="echo", environment_id="x", compute_id="y")
    assert refused(lambda: ml.jobs.create_or_update(*HERE, "j1", models.JobBase(properties=command))) == NOT_EMULATED


def test_what_is_missing_is_named(ml):
    """Containers and versions below a missing workspace are Resource Manager's own 404."""
    missing = (GROUP, "none")
    for call in (
        lambda: ml.model_versions.get(*missing, "m", "1"),
        lambda: ml.model_containers.list(*missing),
        lambda: ml.environment_containers.list(*missing),
        lambda: ml.datastores.list(*missing),
        lambda: ml.compute.list(*missing),
        lambda: ml.online_endpoints.list(*missing),
        lambda: ml.batch_endpoints.list(*missing),
        lambda: ml.jobs.list(*missing),
    ):
        status, code = refused(call)
        assert (status, code) in ((404, "ResourceNotFound"), (404, "ParentResourceNotFound"))
