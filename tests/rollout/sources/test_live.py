"""The endpoint as Resource Manager describes it, and its weights without the engine."""

from __future__ import annotations

from typing import Any

import pytest

from command_errors import CommandError, UnavailableError, UsageError
from endpoint_state import LiveDeployment
from rollout.sources.live import ArmEndpoint, with_split
from rollout.split import Split

ID = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w/onlineEndpoints/fraud"
IDENTITY = "/subscriptions/s/resourceGroups/g/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id"
ENDPOINT = {
    "id": ID,
    "name": "fraud",
    "location": "westeurope",
    "tags": {"team": "risk"},
    "kind": "Managed",
    "identity": {
        "type": "UserAssigned",
        "principalId": None,
        "userAssignedIdentities": {IDENTITY: {"principalId": "p", "clientId": "c"}},
    },
    "properties": {
        "authMode": "Key",
        "provisioningState": "Succeeded",
        "scoringUri": "https://fraud/score",
        "swaggerUri": "https://fraud/swagger.json",
        "traffic": {"blue": 90.0, "green": 10.0, "old": 0.0},
        "mirrorTraffic": {},
        "publicNetworkAccess": "Enabled",
    },
    "systemData": {"createdBy": "a", "lastModifiedAt": "2026-11-28T01:00:00Z", "lastModifiedBy": "b"},
}
BLUE = {
    "name": "blue",
    "sku": {"name": "Default", "capacity": 3},
    "tags": {"sluice:release": "sha256:1"},
    "properties": {"provisioningState": "Succeeded"},
}
GREEN = {"name": "green", "properties": {"provisioningState": "Updating"}}


class Arm:
    """Resource Manager with one endpoint."""

    def __init__(self, endpoint: Any = ENDPOINT, deployments: Any = (BLUE, GREEN)) -> None:
        self.found, self.listed = endpoint, deployments
        self.reads: list[str] = []
        self.put_body: Any = None

    def get(self, resource_id: str, api_version: str) -> Any:
        self.reads.append(resource_id)
        if isinstance(self.found, Exception):
            raise self.found
        return self.found

    def get_all(self, path: str, api_version: str) -> Any:
        self.reads.append(path)
        return list(self.listed)

    def put(self, resource_id: str, api_version: str, body: Any) -> None:
        self.put_body = body


def test_an_endpoint_is_read_with_two_requests():
    arm = Arm()
    live = ArmEndpoint(arm, ID).endpoint()
    assert arm.reads == [ID, f"{ID}/deployments"]
    assert (live.name, live.state, live.auth_mode) == ("fraud", "succeeded", "Key")
    assert live.traffic == {"blue": 90, "green": 10}
    assert live.mirror == {}
    assert (live.changed_by, live.changed_at) == ("b", "2026-11-28T01:00:00Z")
    assert live.identity_ids == {IDENTITY}
    assert live.deployments["blue"] == LiveDeployment(
        name="blue",
        provisioning_state="Succeeded",
        release="sha256:1",
        instances=3,
        tags={"sluice:release": "sha256:1"},
    )
    assert live.deployments["green"].state == "updating"


def test_an_endpoint_that_is_gone_is_none_and_costs_one_request():
    arm = Arm(endpoint=None)
    assert ArmEndpoint(arm, ID).endpoint() is None
    assert arm.reads == [ID]


@pytest.mark.parametrize("failure", [CommandError("403: no right. Ask."), UnavailableError("does not answer.")])
def test_a_refused_read_is_unavailable_and_never_an_empty_answer(failure):
    with pytest.raises(UnavailableError, match=str(failure)):
        ArmEndpoint(Arm(endpoint=failure), ID).endpoint()


def test_an_answer_without_the_parts_of_an_endpoint_is_unavailable():
    with pytest.raises(UnavailableError, match="lacks what every endpoint has"):
        ArmEndpoint(Arm(endpoint={"properties": {}}), ID).endpoint()
    with pytest.raises(UnavailableError, match="lacks what every endpoint has"):
        ArmEndpoint(Arm(deployments=[{"properties": {}}]), ID).endpoint()


def test_only_the_weights_differ_in_the_body_that_is_put():
    body = with_split(ENDPOINT, Split(traffic={"blue": 100}))
    assert body == {
        "location": "westeurope",
        "tags": {"team": "risk"},
        "kind": "Managed",
        "identity": {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}},
        "properties": {
            "authMode": "Key",
            "publicNetworkAccess": "Enabled",
            "traffic": {"blue": 100},
            "mirrorTraffic": {},
        },
    }


def test_weights_are_put_without_the_engine():
    arm = Arm()
    ArmEndpoint(arm, ID).set_split(Split(traffic={"blue": 100}))
    assert arm.put_body == with_split(ENDPOINT, Split(traffic={"blue": 100}))


def test_weights_that_azure_can_never_take_are_no_failure_of_azure():
    with pytest.raises(UsageError, match="does not exist any more"):
        ArmEndpoint(Arm(endpoint=None), ID).set_split(Split(traffic={"blue": 100}))
    arm = Arm(deployments=[GREEN])
    with pytest.raises(UsageError, match="has no deployment blue any more"):
        ArmEndpoint(arm, ID).set_split(Split(traffic={"blue": 100, "amber": 0}))
    assert arm.put_body is None
    ArmEndpoint(arm, ID).set_split(Split(traffic={"green": 100, "blue": 0}))
    assert arm.put_body is not None


def test_a_refused_write_is_unavailable():
    with pytest.raises(UnavailableError, match="403"):
        ArmEndpoint(Arm(endpoint=CommandError("403: no right. Ask.")), ID).set_split(Split(traffic={"blue": 100}))
