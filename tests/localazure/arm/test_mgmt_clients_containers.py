"""azure-mgmt-machinelearningservices: containers of assets, datastores of users, diagnosis and keys of a workspace."""

from __future__ import annotations

import pytest

from tests.localazure.arm.management import GROUP, done, live_through, machine_learning, refused

pytestmark = pytest.mark.integration

WORKSPACE = "containerspace"
HERE = (GROUP, WORKSPACE)


@pytest.fixture(scope="module")
def ml(management):
    return machine_learning(management, WORKSPACE)


@pytest.mark.proves("workspaces/codes", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/models", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/environments", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("workspaces/data", drives=["get", "list", "PUT", "DELETE"], client="azure-mgmt")
@pytest.mark.parametrize("kind", ["code", "model", "environment", "data"])
def test_a_container_can_be_made_before_its_first_version(ml, kind):
    from azure.mgmt.machinelearningservices import models

    containers = getattr(ml, f"{kind}_containers")
    title = f"{kind.capitalize()}Container"
    more = {"data_type": "uri_file"} if kind == "data" else {}
    properties = getattr(models, f"{title}Properties")(description="mine", **more)
    body = getattr(models, title)(properties=properties)
    created = live_through(
        create=lambda body: containers.create_or_update(*HERE, "mine", body),
        get=lambda: containers.get(*HERE, "mine"),
        delete=lambda: containers.delete(*HERE, "mine"),
        lists=[lambda: containers.list(*HERE)],
        body=body,
        asset=True,
    )
    assert created.properties.description == "mine"


@pytest.mark.proves(
    "workspaces/datastores", drives=["get", "list", "PUT", "DELETE", "listSecrets"], client="azure-mgmt"
)
@pytest.mark.proves(
    "workspaces/datastores",
    honours=["properties.credentials"],
    client="azure-mgmt",
)
def test_a_datastore_of_a_user_keeps_its_secret_apart(ml):
    from azure.mgmt.machinelearningservices import models

    credentials = models.AccountKeyDatastoreCredentials(secrets=models.AccountKeyDatastoreSecrets(key="c2VjcmV0"))
    store = models.AzureBlobDatastore(account_name=WORKSPACE, container_name="box", credentials=credentials)
    body = models.Datastore(properties=store)
    assert refused(lambda: ml.datastores.get(*HERE, "mine"))[0] == 404
    created = ml.datastores.create_or_update(*HERE, "mine", body)
    assert created.id == ml.datastores.get(*HERE, "mine").id
    assert created.properties.credentials.secrets is None
    assert "mine" in [one.name for one in ml.datastores.list(*HERE)]
    assert ml.datastores.list_secrets(*HERE, "mine").key == "c2VjcmV0"
    assert ml.datastores.list_secrets(*HERE, "workspaceblobstore").key
    ml.datastores.delete(*HERE, "mine")
    assert "mine" not in [one.name for one in ml.datastores.list(*HERE)]


@pytest.mark.proves("MachineLearningServices/workspaces", drives=["diagnose", "resyncKeys"], client="azure-mgmt")
def test_a_workspace_is_diagnosed_and_its_keys_are_taken_over(ml):
    diagnosis = done(ml.workspaces.begin_diagnose(*HERE))
    assert not diagnosis.value.storage_account_results
    done(ml.workspaces.begin_resync_keys(*HERE))
    assert refused(lambda: ml.workspaces.begin_resync_keys(GROUP, "none"))[0] == 404
