"""Endpoints and deployments: weights in every PUT, one deployment after another, replaced only at 0 percent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pulumi
import pytest

from assessment.declaration import EndpointDeclaration
from assessment.placement import Placement
from autoscale_config import AutoscaleSettings, ScheduleSettings
from components.online_endpoint import OnlineEndpoint, OnlineEndpointArgs
from endpoint_state import LiveDeployment, LiveEndpoint
from models.spec import AssetReference, IdentitySpec
from roles import Role
from tests.components.conftest import deployment_spec, host_of
from tests.components.engine import Deployment, FakeAzure, Registration, deploy
from tests.components.golden import assert_golden

Declare = Callable[..., EndpointDeclaration]


@pytest.fixture
def endpoint(azure: FakeAzure, placement: Placement) -> Callable[..., Deployment]:
    """Returns a function that deploys a declaration, with changes to the component's arguments."""

    def endpoint(declaration: EndpointDeclaration, **changes: Any) -> Deployment:
        def program() -> None:
            args = {"host": host_of(placement), "enable_public_access": True, **changes}
            made = OnlineEndpoint("fraud", OnlineEndpointArgs(declaration=declaration, **args))
            pulumi.export("outputs", made.outputs)

        return deploy(program, azure)

    return endpoint


Deploy = Callable[..., Deployment]


def test_an_endpoint_with_two_colours_is_this_tree(declare: Declare, endpoint: Deploy) -> None:
    autoscale = AutoscaleSettings(min=2, max=4, default=2)
    deployment = endpoint(declare({"blue": 100, "green": 0}, changes={"blue": {"autoscale": autoscale}}))
    assert_golden("online-endpoint", deployment.tree())


def test_an_endpoint_whose_colours_all_scale_by_rules_is_this_tree(declare: Declare, endpoint: Deploy) -> None:
    rules = {"cpu": {"above": 70}, "memory": {"above": 80}, "latency_p95": {"above": 300}}
    scale = AutoscaleSettings.model_validate({"min": 2, "max": 4, "default": 2, "idle_instances": 1, "rules": rules})
    changes = {"blue": {"autoscale": scale}, "green": {"autoscale": scale.while_idle()}}
    deployment = endpoint(declare({"blue": 100, "green": 0}, changes=changes))
    assert_golden("online-endpoint-max", deployment.tree())
    capacity = {
        one.name: one.inputs["profiles"][0]["capacity"]["minimum"] for one in deployment.of_type("AutoscaleSetting")
    }
    assert capacity == {"fraud-blue-autoscale-setting": "2", "fraud-green-autoscale-setting": "1"}


@pytest.mark.parametrize(
    ("weights", "traffic"),
    [({}, {}), ({"blue": 0}, {}), ({"blue": 100}, {"blue": 100}), ({"a": 90, "b": 10}, {"a": 90, "b": 10})],
)
def test_the_put_always_carries_both_kinds_of_weights(
    declare: Declare, endpoint: Deploy, weights: dict[str, int], traffic: dict[str, int]
) -> None:
    properties = endpoint(declare(weights)).one("OnlineEndpoint", "fraud-endpoint").inputs["properties"]
    assert properties["traffic"] == traffic
    assert properties["mirrorTraffic"] == {}


def test_mirrored_weights_are_declared(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 100, "green": 0}, mirror={"green": 20}))
    assert deployment.one("OnlineEndpoint", "fraud-endpoint").inputs["properties"]["mirrorTraffic"] == {"green": 20}


def test_its_identity_may_read_the_registries_that_it_uses(declare: Declare, endpoint: Deploy) -> None:
    registry = "/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/registries/shared"
    deployment = endpoint(declare({"blue": 0}, registries={"shared": registry}))
    right = deployment.one("RoleAssignment", "fraud-use-registry-shared")
    assert right.inputs["scope"] == registry
    assert right.inputs["roleDefinitionId"].endswith("1823dd4f-9b8c-4ab6-ab4e-7397a3684615")
    theirs = IdentitySpec(type="UserAssigned", resource_ids=("/id",))
    assert (
        endpoint(declare({"blue": 0}, registries={"shared": registry}, identity=theirs)).of_type("RoleAssignment") == []
    )


def test_an_endpoint_gets_an_identity_that_may_pull_images_read_models_write_metrics_and_nothing_else(
    declare: Declare, endpoint: Deploy
) -> None:
    deployment = endpoint(declare())
    rights = {
        (one.inputs["scope"], one.inputs["roleDefinitionId"].rsplit("/", 1)[-1])
        for one in deployment.of_type("RoleAssignment")
    }
    assert rights == {
        ("/registry", "7f951dda-4ed3-4680-a7ca-43fe172d538d"),
        ("/storage", "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"),
        ("/workspace", "635dd51f-9968-44d3-b7fb-6d9a6bd613ae"),
    }
    made = deployment.one("OnlineEndpoint", "fraud-endpoint")
    assert made.inputs["identity"]["userAssignedIdentities"] == [deployment.one("UserAssignedIdentity").id]
    assert {one.urn for one in deployment.of_type("RoleAssignment")} <= made.depends_on


@pytest.mark.parametrize(
    ("identity", "expected"),
    [
        (IdentitySpec(type="SystemAssigned"), {"type": "SystemAssigned"}),
        (
            IdentitySpec(type="UserAssigned", resource_ids=("/own",)),
            {"type": "UserAssigned", "userAssignedIdentities": ["/own"]},
        ),
    ],
)
def test_the_identity_of_endpoint_yml_is_honoured_and_gets_no_rights_from_here(
    declare: Declare, endpoint: Deploy, identity: IdentitySpec, expected: dict[str, Any]
) -> None:
    deployment = endpoint(declare(identity=identity))
    assert deployment.one("OnlineEndpoint", "fraud-endpoint").inputs["identity"] == expected
    assert deployment.of_type("RoleAssignment") == []
    assert deployment.of_type("UserAssignedIdentity") == []


@pytest.mark.parametrize(
    ("enable_public_access", "file", "expected"),
    [
        (True, None, "Enabled"),
        (True, "Disabled", "Disabled"),
        (False, None, "Disabled"),
        (False, "Enabled", "Disabled"),
    ],
)
def test_a_private_stack_has_no_public_endpoint_even_if_the_file_asks_for_one(
    declare: Declare, endpoint: Deploy, enable_public_access: bool, file: str | None, expected: str
) -> None:
    deployment = endpoint(declare(public_network_access=file), enable_public_access=enable_public_access)
    properties = deployment.one("OnlineEndpoint", "fraud-endpoint").inputs["properties"]
    assert properties["publicNetworkAccess"] == expected


def test_deployments_are_made_one_after_another(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 100, "green": 0, "amber": 0}))
    blue, green = (deployment.one("OnlineDeployment", f"fraud-{name}-deployment").urn for name in ("blue", "green"))
    assert blue in deployment.one("OnlineDeployment", "fraud-green").depends_on
    assert green in deployment.one("OnlineDeployment", "fraud-amber").depends_on


def test_a_deployment_that_serves_is_deleted_with_its_endpoint_only(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 100, "green": 0}))
    blue = deployment.one("OnlineDeployment", "fraud-blue-deployment")
    green = deployment.one("OnlineDeployment", "fraud-green-deployment")
    assert blue.deleted_with == deployment.one("OnlineEndpoint", "fraud-endpoint").urn
    # A refused deletion of the endpoint would otherwise drop green from the state and not from Azure.
    assert green.deleted_with == ""


def test_a_deployment_is_deleted_before_it_is_recreated(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 100, "green": 0}))
    assert all(
        deployment.one("OnlineDeployment", f"fraud-{name}-deployment").delete_before_replace
        for name in ("blue", "green")
    )


def test_a_changed_or_failed_deployment_is_replaced_at_0_percent_only(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 100, "green": 0}))
    blue = deployment.one("OnlineDeployment", "fraud-blue-deployment")
    green = deployment.one("OnlineDeployment", "fraud-green-deployment")
    assert blue.replace_on_changes == ()
    assert green.replace_on_changes == ('tags["sluice:release"]', 'tags["sluice:attempt"]')
    assert (blue.protect, green.protect) == (True, False)


def test_a_tag_records_that_a_deployment_was_recreated(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 0, "green": 0}, changes={"green": {"attempt": 2}}))
    blue = deployment.one("OnlineDeployment", "fraud-blue-deployment").inputs["tags"]
    green = deployment.one("OnlineDeployment", "fraud-green-deployment").inputs["tags"]
    assert "sluice:attempt" not in blue
    assert green["sluice:attempt"] == "2"
    assert len(blue["sluice:release"]) == 16
    assert blue["kind"] == "test"
    assert blue["sluice:team"] == "payments"


def test_a_tag_names_the_content_where_the_declaration_has_one(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 0, "green": 0}, changes={"green": {"content": "0123456789abcdef"}}))
    assert deployment.one("OnlineDeployment", "fraud-green-deployment").inputs["tags"]["sluice:content"] == (
        "0123456789abcdef"
    )
    assert "sluice:content" not in deployment.one("OnlineDeployment", "fraud-blue-deployment").inputs["tags"]


def test_the_stacks_own_value_of_a_variable_is_sent_and_is_a_secret(declare: Declare, endpoint: Deploy) -> None:
    spec = deployment_spec("blue", environment_variables={"a_b": "postgres://prod"})
    deployment = endpoint(declare({"blue": 0}, changes={"blue": {"spec": spec}}))
    sent = deployment.one("OnlineDeployment", "fraud-blue-deployment").inputs["properties"]
    # Pulumi's mark of a secret; its reader puts the mark on the whole value that holds one.
    assert sent["4dabf18193072939515e22adb298388d"] == "1b47061264138c4ac30d75fd1eb44270"
    assert sent["value"]["environmentVariables"] == {"a_b": "postgres://prod"}


def test_the_body_is_what_az_ml_would_send_with_ids_put_in(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 0}))
    assert deployment.one("OnlineDeployment", "fraud-blue-deployment").inputs["properties"] == {
        "endpointComputeType": "Managed",
        "environmentVariables": {"a_b": "c"},
        "properties": {},
        "instanceType": "Standard_DS3_v2",
        "model": deployment.one("ModelVersion").id,
        "environmentId": deployment.one("EnvironmentVersion").id,
        "codeConfiguration": {"codeId": deployment.one("CodeVersion").id, "scoringScript": "score.py"},
    }


def test_the_instance_count_belongs_to_autoscale_once_there_is_one(declare: Declare, endpoint: Deploy) -> None:
    autoscale = AutoscaleSettings(min=2, max=4, default=2)
    deployment = endpoint(declare({"blue": 100, "green": 0}, changes={"blue": {"autoscale": autoscale}}))
    assert "sku.capacity" in deployment.one("OnlineDeployment", "fraud-blue-deployment").ignore_changes
    assert "sku.capacity" not in deployment.one("OnlineDeployment", "fraud-green-deployment").ignore_changes
    setting = deployment.one("AutoscaleSetting").inputs
    assert setting["targetResourceUri"] == deployment.one("OnlineDeployment", "fraud-blue-deployment").id
    assert setting["autoscaleSettingName"] == "as-fraud-dev-blue"


def scaled(count: int, body: str | None = None) -> LiveDeployment:
    return LiveDeployment(name="blue", provisioning_state="Succeeded", instances=count, body=body)


def blue_of(
    declare: Declare, endpoint: Deploy, kept: LiveDeployment | None, autoscale: AutoscaleSettings, **changes: Any
) -> Registration:
    blue = {"autoscale": autoscale, "kept": kept, **changes}
    return endpoint(declare({"blue": 100}, changes={"blue": blue})).one("OnlineDeployment", "fraud-blue-deployment")


AUTOSCALE = AutoscaleSettings(min=2, max=4, default=2)


@pytest.mark.parametrize(("live", "sent"), [(3, 3), (1, 2), (9, 4)])
def test_an_update_of_an_autoscaled_deployment_sends_the_live_count_within_the_bounds(
    declare: Declare, endpoint: Deploy, live: int, sent: int
) -> None:
    blue = blue_of(declare, endpoint, scaled(live), AUTOSCALE)
    assert blue.inputs["sku"]["capacity"] == sent
    assert "sku.capacity" not in blue.ignore_changes


def test_a_schedules_bounds_count_because_its_profile_may_be_the_active_one(declare: Declare, endpoint: Deploy) -> None:
    night = ScheduleSettings(
        name="peak", days=("Monday",), start="08:00", end="18:00", timezone="UTC", min=3, max=8, default=3
    )
    blue = blue_of(declare, endpoint, scaled(7), AutoscaleSettings(min=2, max=4, default=2, schedules=(night,)))
    assert blue.inputs["sku"]["capacity"] == 7


def test_the_count_alone_is_no_reason_to_update_an_autoscaled_deployment(declare: Declare, endpoint: Deploy) -> None:
    body = blue_of(declare, endpoint, scaled(2), AUTOSCALE).inputs["tags"]["sluice:body"]
    again = blue_of(declare, endpoint, scaled(4, body), AUTOSCALE)
    assert "sku.capacity" in again.ignore_changes
    assert again.inputs["tags"]["sluice:body"] == body


@pytest.mark.parametrize("field", ["description", "code", "model", "environment"])
def test_whatever_else_changes_of_an_autoscaled_deployment_is_in_its_tag(
    declare: Declare, endpoint: Deploy, field: str
) -> None:
    spec = deployment_spec("blue")
    changed = {
        "description": {"body": {**spec.body, "description": "another"}},
        "code": {"code": AssetReference(reference="azureml:code:2")},
        "model": {"model": AssetReference(reference="azureml:fraud:2")},
        "environment": {"environment": AssetReference(reference="azureml:env:2")},
    }[field]
    tags = [
        blue_of(declare, endpoint, scaled(3), AUTOSCALE, spec=one).inputs["tags"]["sluice:body"]
        for one in (spec, replace(spec, **changed))
    ]
    assert tags[0] != tags[1]


def test_a_deployment_that_exists_keeps_the_tags_that_it_has(declare: Declare, endpoint: Deploy) -> None:
    """Neither a new tag of this program, nor one of the stack file or the az ml file, nor one of others changes it."""
    live = {"sluice:team": "payments", "sluice:release": "r", "policy": "theirs"}
    spec = replace(deployment_spec("blue"), tags={"owner": "jo"})
    blue = blue_of(declare, endpoint, replace(scaled(2), tags=live), AUTOSCALE, spec=spec)
    release = (
        endpoint(declare({"blue": 100}))
        .one("OnlineDeployment", "fraud-blue-deployment")
        .inputs["tags"]["sluice:release"]
    )
    body = blue.inputs["tags"]["sluice:body"]
    assert blue.inputs["tags"] == {"sluice:team": "payments", "sluice:release": release, "sluice:body": body}
    assert {'tags["policy"]', 'tags["sluice:team"]'} <= set(blue.ignore_changes)
    assert 'tags["sluice:release"]' not in blue.ignore_changes
    again = blue_of(declare, endpoint, replace(scaled(2, body), tags={**live, "sluice:body": body}), AUTOSCALE)
    assert again.inputs["tags"]["sluice:body"] == body


def test_a_deployment_that_is_created_has_every_tag(declare: Declare, endpoint: Deploy) -> None:
    blue = endpoint(declare({"blue": 100})).one("OnlineDeployment", "fraud-blue-deployment")
    assert blue.inputs["tags"]["sluice:endpoint"] == "fraud"
    assert not [path for path in blue.ignore_changes if path.startswith("tags")]


def test_an_endpoint_that_exists_gets_no_new_tag_of_this_program_and_keeps_those_of_others(
    declare: Declare, endpoint: Deploy
) -> None:
    def ignored(live: LiveEndpoint | None, **changes: Any) -> set[str]:
        declared = replace(declare({"blue": 100}, live=live, **changes), tags_of_others=frozenset({"policy"}))
        found = endpoint(declared).one("OnlineEndpoint", "fraud-endpoint").ignore_changes
        return {path for path in found if path.startswith("tags")}

    live = LiveEndpoint(name="fraud-dev", provisioning_state="Succeeded", auth_mode="Key")
    assert ignored(live) == {'tags["policy"]', 'tags["sluice:endpoint"]', 'tags["sluice:environment"]'}
    assert ignored(live, replaces_endpoint=True) == ignored(None) == set()


def test_a_new_deployment_starts_with_the_first_count(declare: Declare, endpoint: Deploy) -> None:
    assert blue_of(declare, endpoint, None, AUTOSCALE, instances=3).inputs["sku"]["capacity"] == 3


def test_without_autoscale_the_stack_file_has_the_count_and_no_tag_is_needed(
    declare: Declare, endpoint: Deploy
) -> None:
    blue = endpoint(declare({"blue": 100}, changes={"blue": {"kept": scaled(4), "instances": 2}})).one(
        "OnlineDeployment", "fraud-blue-deployment"
    )
    assert (blue.inputs["sku"]["capacity"], blue.inputs["tags"].get("sluice:body")) == (2, None)


@pytest.mark.parametrize(
    ("kind", "name"), [("OnlineEndpoint", "fraud-endpoint"), ("OnlineDeployment", "fraud-blue-deployment")]
)
def test_what_azure_writes_into_the_bag_is_ignored_and_nothing_else_of_it(
    declare: Declare, endpoint: Deploy, kind: str, name: str
) -> None:
    ignored = endpoint(declare({"blue": 100})).one(kind, name).ignore_changes
    assert set(ignored) == {
        "properties.properties.AzureAsyncOperationUri",
        'properties.properties["azureml.onlineendpointid"]',
    }


@pytest.mark.parametrize("protect", [False, True])
def test_an_endpoint_is_protected_if_its_declaration_asks_for_it(
    declare: Declare, endpoint: Deploy, protect: bool
) -> None:
    deployment = endpoint(declare({"blue": 0}, protect=protect))
    assert deployment.one("OnlineEndpoint", "fraud-endpoint").protect is protect


def test_only_an_endpoint_that_serves_nothing_is_replaced_for_its_identity(declare: Declare, endpoint: Deploy) -> None:
    kept = endpoint(declare({"blue": 100})).one("OnlineEndpoint", "fraud-endpoint")
    replaced = endpoint(declare({"blue": 0}, replaces_endpoint=True)).one("OnlineEndpoint", "fraud-endpoint")
    assert kept.replace_on_changes == ()
    assert replaced.replace_on_changes == ("identity", "properties.authMode")
    assert replaced.delete_before_replace is True


def test_an_endpoints_logs_go_to_log_analytics(declare: Declare, endpoint: Deploy) -> None:
    setting = endpoint(declare()).one("DiagnosticSetting").inputs
    assert setting["workspaceId"] == "/logs"
    assert [log["category"] for log in setting["logs"] if log["enabled"]] == [
        "AmlOnlineEndpointConsoleLog",
        "AmlOnlineEndpointEventLog",
        "AmlOnlineEndpointTrafficLog",
    ]


def test_the_outputs_are_what_people_and_scripts_need(declare: Declare, endpoint: Deploy) -> None:
    deployment = endpoint(declare({"blue": 90, "green": 10}))
    outputs = deployment.outputs["outputs"]
    assert outputs.keys() == {"id", "scoring_uri", "auth_mode", "deployments", "identity", "settled", "waiting", "next"}
    assert outputs["scoring_uri"] == "https://fraud-dev/score"
    assert (outputs["settled"], outputs["next"]) == (True, None)
    green = outputs["deployments"]["green"]
    assert green.keys() == {"id", "weight", "mirror", "instances", "sku", "release"}
    assert (green["weight"], green["mirror"], green["instances"], green["sku"]) == (10, 0, 2, "Standard_DS3_v2")


VAULT = (
    "/subscriptions/00000000-0000-4000-8000-00000000abcd/resourceGroups/shared/providers/Microsoft.KeyVault/vaults/v"
)


def test_an_endpoint_reads_the_secrets_that_the_stack_file_names_and_no_others(
    declare: Declare, endpoint: Deploy
) -> None:
    def rights(**changes: Any) -> set[tuple[str, str]]:
        deployment = endpoint(replace(declare({"blue": 0}), **changes))
        return {
            (one.inputs["roleDefinitionId"].rsplit("/", 1)[-1], one.inputs["scope"])
            for one in deployment.of_type("RoleAssignment")
        }

    plain = rights()
    vaults = {(Role.KEY_VAULT_SECRETS_USER, VAULT), (Role.KEY_VAULT_SECRETS_USER, f"{VAULT}2")}
    assert rights(secret_vaults=(VAULT, f"{VAULT}2", VAULT.lower())) - plain == {
        (role, scope if scope.endswith("2") else scope.lower()) for role, scope in vaults
    }
    assert rights(connection_secrets=True) - plain == {(Role.CONNECTION_SECRETS_READER, "/workspace")}
    assert plain.isdisjoint(vaults)
