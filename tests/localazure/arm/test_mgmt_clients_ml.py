"""azure-mgmt-machinelearningservices: the workspace, its online and batch endpoints and their deployments."""

from __future__ import annotations

import pytest
from azure.core.exceptions import HttpResponseError

from tests.localazure.arm.management import (
    GROUP,
    LOCATION,
    NOT_EMULATED,
    TAGS,
    done,
    ids,
    live_through,
    machine_learning,
    make_ml_workspace,
    refused,
)
from tests.localazure.platform_bodies import OWN_SERVER

pytestmark = pytest.mark.integration

WORKSPACE = "mlworkspace"
HERE = (GROUP, WORKSPACE)


@pytest.fixture(scope="module")
def ml(management):
    return machine_learning(management, WORKSPACE)


@pytest.fixture
def models():
    from azure.mgmt.machinelearningservices import models

    return models


def make_endpoint(ml, models, name):
    """An endpoint with keys; returns the arguments that name it."""
    endpoint = models.OnlineEndpoint(
        location=LOCATION,
        identity=models.ManagedServiceIdentity(type="SystemAssigned"),
        properties=models.OnlineEndpointProperties(auth_mode="Key"),
    )
    done(ml.online_endpoints.begin_create_or_update(*HERE, name, endpoint))
    return (*HERE, name)


def after(poller, get):
    """The resource after an update: recorded is that its operation ends with a status, not with the resource."""
    assert done(poller) is not None
    return get()


def deployment_body(models, capacity=1):
    return models.OnlineDeployment(
        location=LOCATION,
        properties=models.ManagedOnlineDeployment(instance_type="Standard_DS3_v2", environment_id=OWN_SERVER),
        sku=models.Sku(name="Default", capacity=capacity),
    )


@pytest.mark.proves(
    "MachineLearningServices/workspaces", drives=["get", "list", "PUT", "PATCH", "listKeys"], client="azure-mgmt"
)
def test_workspaces(ml, management):
    workspaces = ml.workspaces
    created = workspaces.get(*HERE)
    assert (created.name, created.location, created.provisioning_state) == (WORKSPACE, LOCATION, "Succeeded")
    assert created.identity.type == "SystemAssigned"
    assert created.identity.principal_id
    assert created.workspace_id
    assert created.discovery_url.startswith(management.azure.https)
    assert created.id in ids(workspaces.list_by_resource_group(GROUP))
    assert created.id in ids(workspaces.list_by_subscription())
    changed = done(workspaces.begin_update(*HERE, {"tags": TAGS, "properties": {"friendlyName": "ours"}}))
    assert (changed.tags, changed.friendly_name) == (TAGS, "ours")
    assert workspaces.get(*HERE).description == created.description
    assert workspaces.list_keys(*HERE) is not None
    assert refused(lambda: workspaces.get(GROUP, "none")) == (404, "ResourceNotFound")


@pytest.mark.proves("MachineLearningServices/workspaces", drives=["PUT", "DELETE"], client="azure-mgmt")
def test_a_deleted_workspace_keeps_its_name_until_it_is_purged(ml, management):
    make_ml_workspace(ml, management.azure, "shortlived")
    done(ml.workspaces.begin_delete(GROUP, "shortlived"))
    assert refused(lambda: ml.workspaces.get(GROUP, "shortlived")) == (404, "ResourceNotFound")
    done(ml.workspaces.begin_delete(GROUP, "shortlived"))
    assert refused(lambda: make_ml_workspace(ml, management.azure, "shortlived")) == (400, "BadRequest")
    done(ml.workspaces.begin_delete(GROUP, "shortlived", params={"forceToPurge": "true"}))
    make_ml_workspace(ml, management.azure, "shortlived")


@pytest.mark.proves("onlineEndpoints", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_online_endpoints(ml, models):
    endpoints, here = ml.online_endpoints, (*HERE, "mgmt-endpoint")
    patch = models.PartialMinimalTrackedResourceWithIdentity(tags=TAGS)
    created = live_through(
        create=lambda body: endpoints.begin_create_or_update(*here, body),
        get=lambda: endpoints.get(*here),
        update=lambda: after(endpoints.begin_update(*here, patch), lambda: endpoints.get(*here)),
        delete=lambda: endpoints.begin_delete(*here),
        lists=[lambda: endpoints.list(*HERE)],
        body=models.OnlineEndpoint(
            location=LOCATION,
            tags={"a": "b"},
            identity=models.ManagedServiceIdentity(type="SystemAssigned"),
            properties=models.OnlineEndpointProperties(auth_mode="Key", description="first"),
        ),
        keeps_tags=True,
    )
    shown = created.properties
    assert (shown.provisioning_state, shown.auth_mode, shown.description) == ("Succeeded", "Key", "first")
    assert shown.scoring_uri.endswith("/endpoints/mgmt-endpoint/score")
    assert shown.swagger_uri
    assert created.identity.principal_id


def test_endpoints_come_in_pages(ml, models):
    for name in ("paged-one", "paged-two", "paged-three"):
        make_endpoint(ml, models, name)
    pages = [[item.name for item in page] for page in ml.online_endpoints.list(*HERE, count=2).by_page()]
    names = [name for page in pages for name in page]
    assert {len(page) for page in pages[:-1]} == {2}
    assert set(names) >= {"paged-one", "paged-two", "paged-three"}
    assert len(names) == len(set(names))


@pytest.mark.proves("onlineEndpoints", honours=["regenerateKeys/keyType"], client="azure-mgmt")
@pytest.mark.proves("onlineEndpoints", drives=["listKeys", "regenerateKeys", "token"], client="azure-mgmt")
def test_keys_and_tokens(ml, models):
    endpoints, here = ml.online_endpoints, make_endpoint(ml, models, "with-keys")
    before = endpoints.list_keys(*here)
    assert before.primary_key != before.secondary_key
    done(endpoints.begin_regenerate_keys(*here, models.RegenerateEndpointKeysRequest(key_type="Primary")))
    after = endpoints.list_keys(*here)
    assert (after.primary_key != before.primary_key, after.secondary_key) == (True, before.secondary_key)
    given = models.RegenerateEndpointKeysRequest(key_type="Secondary", key_value="k" * 32)
    done(endpoints.begin_regenerate_keys(*here, given))
    assert endpoints.list_keys(*here).secondary_key == "k" * 32

    token_here = (*HERE, "with-tokens")
    token_endpoint = models.OnlineEndpoint(
        location=LOCATION,
        identity=models.ManagedServiceIdentity(type="SystemAssigned"),
        properties=models.OnlineEndpointProperties(auth_mode="AMLToken"),
    )
    done(endpoints.begin_create_or_update(*token_here, token_endpoint))
    token = endpoints.get_token(*token_here)
    assert token.access_token
    assert token.expiry_time_utc > token.refresh_after_time_utc > 0


@pytest.mark.proves(
    "onlineEndpoints/deployments",
    honours=["sku.capacity", "getLogs/containerType", "getLogs/tail"],
    client="azure-mgmt",
)
@pytest.mark.proves(
    "onlineEndpoints/deployments", drives=["get", "list", "PUT", "PATCH", "DELETE", "getLogs"], client="azure-mgmt"
)
@pytest.mark.proves("deployments/skus", drives=["list"], client="azure-mgmt")
def test_online_deployments(ml, models):
    endpoint = make_endpoint(ml, models, "with-deployments")
    deployments, here = ml.online_deployments, (*endpoint, "blue")
    patch = models.PartialMinimalTrackedResourceWithSku(tags=TAGS)
    created = live_through(
        create=lambda body: deployments.begin_create_or_update(*here, body),
        get=lambda: deployments.get(*here),
        update=lambda: after(deployments.begin_update(*here, patch), lambda: deployments.get(*here)),
        delete=lambda: deployments.begin_delete(*here),
        lists=[lambda: deployments.list(*endpoint)],
        body=deployment_body(models),
        keeps_tags=True,
    )
    assert (created.properties.provisioning_state, created.sku.capacity) == ("Succeeded", 1)
    assert created.properties.instance_type == "Standard_DS3_v2"
    assert isinstance(created.properties, models.ManagedOnlineDeployment)

    done(deployments.begin_create_or_update(*here, deployment_body(models)))
    scaled = models.PartialMinimalTrackedResourceWithSku(sku=models.PartialSku(capacity=3))
    assert after(deployments.begin_update(*here, scaled), lambda: deployments.get(*here)).sku.capacity == 3
    wanted = models.DeploymentLogsRequest(container_type="InferenceServer", tail=5)
    assert deployments.get_logs(*here, wanted).content == "InferenceServer of with-deployments/blue, last 5"
    (sku,) = deployments.list_skus(*here)
    assert (sku.capacity.minimum, sku.capacity.scale_type) == (1, "Automatic")


@pytest.mark.proves(
    "onlineEndpoints", honours=["properties.traffic"], refuses=["properties.traffic"], client="azure-mgmt"
)
def test_traffic_moves_and_holds_its_deployment(ml, models):
    endpoint = make_endpoint(ml, models, "with-traffic")
    for name in ("blue", "green"):
        done(ml.online_deployments.begin_create_or_update(*endpoint, name, deployment_body(models)))
    body = ml.online_endpoints.get(*endpoint)
    body.properties.traffic = {"blue": 90, "green": 10}
    assert done(ml.online_endpoints.begin_create_or_update(*endpoint, body)).properties.traffic == {
        "blue": 90,
        "green": 10,
    }
    assert ml.online_endpoints.get(*endpoint).properties.traffic == {"blue": 90, "green": 10}
    # Accepted, and fails in the end (recorded).
    with pytest.raises(HttpResponseError) as caught:
        ml.online_deployments.begin_delete(*endpoint, "blue").result()
    assert "InferencingClientCallFailed" in str(caught.value)
    body.properties.traffic = {"none": 100}
    assert refused(lambda: ml.online_endpoints.begin_create_or_update(*endpoint, body))[0] == 400
    done(ml.online_endpoints.begin_delete(*endpoint))
    assert refused(lambda: ml.online_deployments.get(*endpoint, "green"))[0] == 404


@pytest.mark.proves("batchEndpoints", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
@pytest.mark.proves("batchEndpoints/deployments", drives=["get", "list", "PUT", "PATCH", "DELETE"], client="azure-mgmt")
def test_batch_endpoints_and_deployments(ml, models):
    endpoints, here = ml.batch_endpoints, (*HERE, "nightly-batch")
    patch = models.PartialMinimalTrackedResourceWithIdentity(tags=TAGS)
    created = live_through(
        create=lambda body: endpoints.begin_create_or_update(*here, body),
        get=lambda: endpoints.get(*here),
        update=lambda: after(endpoints.begin_update(*here, patch), lambda: endpoints.get(*here)),
        delete=lambda: endpoints.begin_delete(*here),
        lists=[lambda: endpoints.list(*HERE)],
        body=models.BatchEndpoint(
            location=LOCATION, properties=models.BatchEndpointProperties(auth_mode="AADToken", description="each night")
        ),
        keeps_tags=True,
    )
    assert (created.properties.provisioning_state, created.properties.auth_mode) == ("Succeeded", "AADToken")
    done(
        endpoints.begin_create_or_update(
            *here,
            models.BatchEndpoint(location=LOCATION, properties=models.BatchEndpointProperties(auth_mode="AADToken")),
        )
    )
    deployments, deployment = ml.batch_deployments, (*here, "first")
    partial = models.PartialBatchDeploymentPartialMinimalTrackedResourceWithProperties(tags=TAGS)
    made = live_through(
        create=lambda body: deployments.begin_create_or_update(*deployment, body),
        get=lambda: deployments.get(*deployment),
        update=lambda: after(deployments.begin_update(*deployment, partial), lambda: deployments.get(*deployment)),
        delete=lambda: deployments.begin_delete(*deployment),
        lists=[lambda: deployments.list(*here)],
        body=models.BatchDeployment(location=LOCATION, properties=models.BatchDeploymentProperties(mini_batch_size=7)),
        keeps_tags=True,
    )
    assert (made.properties.provisioning_state, made.properties.mini_batch_size) == ("Succeeded", 7)
    done(endpoints.begin_delete(*here))


def test_what_the_workspace_does_not_emulate_is_refused_as_such(ml, models):
    workspaces = ml.workspaces
    for call in (
        lambda: workspaces.begin_prepare_notebook(*HERE),
        lambda: workspaces.list_notebook_access_token(*HERE),
        lambda: workspaces.list_storage_account_keys(*HERE),
        lambda: ml.quotas.list(LOCATION),
        lambda: ml.virtual_machine_sizes.list(LOCATION),
        lambda: ml.workspace_connections.list(*HERE),
        lambda: ml.private_endpoint_connections.list(*HERE),
        lambda: ml.private_link_resources.list(*HERE),
        lambda: ml.schedules.list(*HERE),
        lambda: ml.component_containers.list(*HERE),
        lambda: ml.component_versions.get(*HERE, "c", "1"),
        lambda: ml.registries.list(GROUP),
        lambda: ml.registries.list_by_subscription(),
        lambda: ml.registries.get(GROUP, "shared"),
        lambda: ml.registry_model_containers.list(GROUP, "shared"),
        lambda: ml.workspace_features.list(*HERE),
        lambda: ml.operations.list(),
    ):
        assert refused(call) == NOT_EMULATED
