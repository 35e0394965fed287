"""The live state: absent differs from unreadable, and earlier declarations are found again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from assessment.live import AzureReadError, LiveStack, read_caller, read_stack
from endpoint_state import LiveDeployment, LiveEndpoint
from network_plan import FIRST_PLAN, NetworkPlan
from platform_record import PlatformRecord, facts
from stack_config import Redundancy
from tests.components.engine import SUBSCRIPTION_ID, TENANT_ID, FakeAzure, deploy

GROUP = "azure-native:resources:getResourceGroup"
WORKSPACE = "azure-native:machinelearningservices:getWorkspace"
ENDPOINT = "azure-native:machinelearningservices:getOnlineEndpoint"
CONFIG = "azure-native:authorization:getClientConfig"


def read(azure: FakeAzure, declared: Mapping[str, tuple[str, ...]] | None = None) -> LiveStack:
    found: list[LiveStack] = []
    deploy(lambda: found.append(read_stack(azure.names, declared or {})), azure)
    return found[0]


def arm_error(status: int, code: str | None, message: str = "text") -> str:
    code_part = f' Code="{code}"' if code else ""
    return f'invocation of x returned an error: request failed /x: Status={status}{code_part} Message="{message}"'


@pytest.fixture
def stack(azure: FakeAzure) -> FakeAzure:
    azure.add_group()
    azure.add_workspace()
    return azure


def test_nothing_is_there_at_first(azure: FakeAzure) -> None:
    live = read(azure, {"fraud-dev": ("blue",)})
    assert live == LiveStack(location=None, workspace_guid=None, endpoints={}, undeclared=())
    assert live.workspace_exists is False


def test_a_group_without_a_workspace_is_a_place_but_no_workspace(azure: FakeAzure) -> None:
    azure.add_group(location="northeurope")
    live = read(azure, {"fraud-dev": ("blue",)})
    assert (live.location, live.workspace_exists) == ("northeurope", False)


@pytest.mark.parametrize(
    ("network", "status"),
    [
        (None, None),
        ({"isolationMode": "Disabled", "status": {"status": "Inactive"}}, None),
        ({"isolationMode": "AllowInternetOutbound", "status": {"status": "Inactive"}}, "Inactive"),
        ({"isolationMode": "AllowOnlyApprovedOutbound", "status": {"status": "Active"}}, "Active"),
        ({"isolationMode": "AllowInternetOutbound"}, None),
    ],
)
def test_the_managed_network_is_read_where_there_is_one(
    azure: FakeAzure, network: dict[str, Any] | None, status: str | None
) -> None:
    azure.add_group()
    azure.add_workspace(network=network)
    live = read(azure, {})
    assert (live.network_status, live.around(None).network_status) == (status, status)


def test_an_endpoint_is_read_with_its_weights_identity_and_deployments(stack: FakeAzure) -> None:
    stack.add_endpoint("fraud-dev", traffic={"blue": 90, "green": 10}, mirror={}, identity_ids=("/ID/Upper",))
    stack.add_deployment("fraud-dev", "blue", tags={"sluice:release": "abc"})
    live = read(stack, {"fraud-dev": ("blue", "amber")})
    assert live.endpoints == {
        "fraud-dev": LiveEndpoint(
            name="fraud-dev",
            provisioning_state="Succeeded",
            auth_mode="Key",
            identity_ids=frozenset({"/ID/Upper"}),
            traffic={"blue": 90, "green": 10},
            mirror={},
            deployments={
                "blue": LiveDeployment(
                    name="blue",
                    provisioning_state="Succeeded",
                    release="abc",
                    instances=1,
                    tags={"sluice:release": "abc"},
                )
            },
        )
    }


def test_a_deployment_at_0_percent_is_one_without_weight(stack: FakeAzure) -> None:
    stack.add_endpoint("fraud-dev", traffic={"blue": 100, "green": 0})
    assert read(stack, {"fraud-dev": ()}).endpoints["fraud-dev"].traffic == {"blue": 100}


def test_a_deployment_that_gets_requests_is_read_although_it_is_not_declared(stack: FakeAzure) -> None:
    stack.add_endpoint("fraud-dev", traffic={"green": 100}, mirror={"amber": 10})
    stack.add_deployment("fraud-dev", "green", tags={"sluice:release": "abc"})
    stack.add_deployment("fraud-dev", "amber")
    assert read(stack, {"fraud-dev": ()}).endpoints["fraud-dev"].deployments.keys() == {"green", "amber"}


def test_how_often_a_deployment_was_recreated_is_read_from_its_tag(stack: FakeAzure) -> None:
    stack.add_endpoint("fraud-dev")
    stack.add_deployment("fraud-dev", "blue", state="Failed", tags={"sluice:attempt": "2"})
    stack.add_deployment("fraud-dev", "green", tags={"sluice:attempt": "nonsense"})
    live = read(stack, {"fraud-dev": ("blue", "green")})
    deployments = live.endpoints["fraud-dev"].deployments
    assert {name: one.attempt for name, one in deployments.items()} == {"blue": 2, "green": 0}
    assert deployments["blue"].state == "failed"


def test_an_endpoint_that_is_no_longer_declared_is_found_by_the_groups_tags(azure: FakeAzure) -> None:
    azure.add_group(tags={"sluice:endpoint:old-dev": "old", "sluice:endpoint:gone-dev": "gone", "other": "tag"})
    azure.add_workspace()
    azure.add_endpoint("old-dev", traffic={"blue": 100})
    live = read(azure, {"fraud-dev": ()})
    assert [endpoint.name for endpoint in live.undeclared] == ["old-dev"]
    assert live.endpoints == {}


def test_once_the_stack_has_its_identity_the_groups_tags_do_not_count(stack: FakeAzure) -> None:
    stack.add_group(tags={"sluice:endpoint:old-dev": "old"})
    stack.add_stack_identity({"sluice:endpoints-1": "older-dev", "sluice:generation": "1", "sluice:network": "public"})
    for name in ("old-dev", "older-dev"):
        stack.add_endpoint(name, traffic={"blue": 100})
    live = read(stack, {"fraud-dev": ()})
    assert [endpoint.name for endpoint in live.undeclared] == ["older-dev"]
    assert live.group_endpoint_tags == {}
    assert live.record == PlatformRecord(generation=1, facts={"sluice:network": "public"}, endpoints=("older-dev",))


@pytest.mark.parametrize(("public", "network"), [(True, NetworkPlan(is_public=True)), (False, FIRST_PLAN)])
def test_of_a_stack_of_an_earlier_version_the_workspace_tells_the_network(
    azure: FakeAzure, public: bool, network: NetworkPlan
) -> None:
    tags = {"sluice:endpoint:fraud-dev": "fraud"}
    azure.add_group(tags={**tags, "sluice:team": "payments"})
    azure.add_workspace(public=public)
    live = read(azure, {"fraud-dev": ()})
    assert live.record == PlatformRecord(generation=1, facts=facts(network, Redundancy.LRS), endpoints=("fraud-dev",))
    assert live.group_endpoint_tags == tags


def test_what_serves_in_the_last_generation_is_read_before_the_next_one_exists(stack: FakeAzure) -> None:
    stack.add_stack_identity({"sluice:endpoints-1": "fraud-dev,idle-dev", "sluice:generation": "1"})
    stack.add_endpoint("fraud-dev", traffic={"blue": 90}, mirror={"green": 10})
    stack.add_endpoint("idle-dev")
    found: list[LiveStack] = []
    second = replace(stack.names, generation=2)
    deploy(lambda: found.append(read_stack(second, {"fraud-dev": ()})), stack)
    assert found[0].workspace_exists is False
    assert found[0].other_generation == {stack.names.endpoint_id("fraud-dev"): {"blue": 90, "green": 10}}


@pytest.mark.parametrize(
    "code", ["ResourceNotFound", "NotFound", "ResourceGroupNotFound", "ParentResourceNotFound", "WorkspaceNotFound"]
)
def test_these_answers_mean_absent(azure: FakeAzure, code: str) -> None:
    azure.failures[GROUP] = arm_error(404, code)
    assert read(azure).location is None


def test_a_user_error_means_absent_when_it_says_so(stack: FakeAzure) -> None:
    stack.failures[ENDPOINT] = arm_error(404, "UserError", "An endpoint with the name 'x' does not exist in 'ws'.")
    assert read(stack, {"fraud-dev": ()}).endpoints == {}


@pytest.mark.parametrize(
    "failure",
    [
        arm_error(404, "SubscriptionNotFound"),
        arm_error(404, "UserError", "Something else"),
        arm_error(404, None),
        arm_error(403, "AuthorizationFailed"),
        arm_error(409, "ResourceNotFound"),
        arm_error(501, "NotEmulated"),
        arm_error(503, "ServiceUnavailable"),
        "dial tcp 127.0.0.1:443: connect: connection refused",
    ],
)
def test_any_other_answer_stops_the_program(stack: FakeAzure, failure: str) -> None:
    stack.failures[WORKSPACE] = failure
    with pytest.raises(AzureReadError) as caught:
        read(stack)
    message = str(caught.value)
    assert stack.names.workspace_id in message
    assert failure.rpartition("request failed /x: ")[2] in message
    assert "nothing was changed" in message


def test_the_caller_is_known_by_subscription_and_tenant(azure: FakeAzure) -> None:
    found: list[Any] = []
    deploy(lambda: found.append(read_caller()), azure)
    assert (found[0].subscription_id, found[0].tenant_id) == (SUBSCRIPTION_ID, TENANT_ID)


def test_a_caller_who_is_not_signed_in_is_one_clear_error(azure: FakeAzure) -> None:
    azure.failures[CONFIG] = "please run az login"
    with pytest.raises(
        AzureReadError, match=r"cannot read the signed-in caller from Azure: please run az login\. What"
    ):
        deploy(read_caller, azure)
