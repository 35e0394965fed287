"""The managed network of a workspace: provisioned or not, at creation or later, and what a failure leaves."""

from __future__ import annotations

import asyncio

import pytest

from localazure.faults.fault import Fault, Kind
from localazure.faults.operations import OperationFaults
from localazure.faults.registry import Faults
from tests.localazure.arm.conftest import LOCATION, WORKSPACE

PROVISION = f"{WORKSPACE}/provisionManagedNetwork"
ISOLATED = {"managedNetwork": {"isolationMode": "AllowInternetOutbound"}}
NOW = ISOLATED | {"provisionNetworkNow": True}
AGAIN = {"location": LOCATION, "properties": NOW}


@pytest.fixture
def faults(arm):
    """What `sluice local fault add` sets, on `arm`."""
    found = Faults()
    arm.plane.operations.interfere = OperationFaults(found, arm.plane.store)
    return found


def state(arm):
    """Provisioning state of the workspace, and the state of its network."""
    shown = arm.get(WORKSPACE).properties
    return shown["provisioningState"], shown["managedNetwork"]["status"]["status"]


def hold(arm):
    """Make every operation that starts from now on wait for the returned event."""
    released = asyncio.Event()

    async def wait(operation):
        await released.wait()

    arm.plane.operations.interfere = wait
    return released


@pytest.mark.proves("MachineLearningServices/workspaces", honours=["properties.provisionNetworkNow"])
def test_the_network_is_active_when_the_creation_has_ended_and_not_before(arm):
    arm.make_platform()
    released = hold(arm)
    arm.settle = lambda: None
    arm.make_workspace(**NOW)
    assert state(arm) == ("Creating", "Inactive")
    released.set()
    del arm.settle
    arm.settle()
    assert state(arm) == ("Succeeded", "Active")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_a_creation_that_fails_leaves_the_network_inactive_for_ever(arm, faults, method):
    faults.add(Fault(kind=Kind.OPERATION_FAILS, type="workspaces", method="PUT", count=1))
    arm.make_workspace(**NOW)
    assert state(arm) == ("Failed", "Inactive")
    again = arm.request(method, WORKSPACE, AGAIN)
    arm.settle()
    assert arm.poll(again).body["status"] == "Succeeded"
    assert state(arm) == ("Succeeded", "Inactive"), "provisionNetworkNow does nothing in an update"
    arm.put_endpoint()
    assert arm.put_deployment().code == "WorkspaceManagedNetworkNotReady"
    assert arm.poll(arm.post(PROVISION, {"includeSpark": False})).body["status"] == "Succeeded"
    assert state(arm) == ("Succeeded", "Active")
    assert arm.put_deployment().status == 201


def test_the_outcome_of_provisioning_is_in_its_poll_and_in_the_workspace(arm):
    arm.make_workspace(**ISOLATED)
    released = hold(arm)
    answer = arm.request("POST", PROVISION, {"includeSpark": False})
    assert (answer.status, arm.poll(answer).body) == (202, {"status": "InProgress"})
    assert arm.poll(answer, "Location").status == 202
    assert state(arm) == ("Succeeded", "Inactive")
    released.set()
    arm.settle()
    assert arm.poll(answer).body == {"status": "Succeeded", "percentComplete": 100.0}
    assert arm.poll(answer, "Location").body == {"status": "Active", "sparkReady": False}
    assert state(arm) == ("Succeeded", "Active")


def test_provisioning_that_fails_leaves_the_network_inactive_and_the_workspace_as_it_was(arm, faults):
    arm.make_workspace(**ISOLATED)
    faults.add(Fault(kind=Kind.OPERATION_FAILS, type="workspaces", method="POST", count=1))
    failed = arm.post(PROVISION, {"includeSpark": False})
    assert arm.poll(failed).body["status"] == "Failed"
    assert state(arm) == ("Succeeded", "Inactive")
    assert arm.poll(arm.post(PROVISION, {"includeSpark": False})).body["status"] == "Succeeded"
    assert state(arm) == ("Succeeded", "Active")


def test_there_is_nothing_to_provision_without_a_managed_network(arm):
    arm.make_workspace()
    refused = arm.post(PROVISION, {"includeSpark": False})
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert "no managed network" in refused.error["message"]


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["properties.managedNetwork.isolationMode"])
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("AllowInternetOutbound", "Disabled"),
        ("AllowOnlyApprovedOutbound", "Disabled"),
        ("AllowOnlyApprovedOutbound", "AllowInternetOutbound"),
    ],
)
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_isolation_is_never_loosened(arm, method, before, after):
    arm.make_workspace(managedNetwork={"isolationMode": before})
    sent = {"location": LOCATION, "properties": {"managedNetwork": {"isolationMode": after}}}
    refused = arm.request(method, WORKSPACE, sent)
    assert (refused.status, refused.code) == (400, "BadRequest")
    assert arm.get(WORKSPACE).properties["managedNetwork"]["isolationMode"] == before


APPROVED = {"isolationMode": "AllowOnlyApprovedOutbound"}
HOST = {"scores": {"type": "FQDN", "destination": "scores.example.org", "category": "UserDefined"}}


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["properties.managedNetwork.outboundRules"])
@pytest.mark.parametrize("mode", ["Disabled", "AllowInternetOutbound"])
def test_a_host_name_needs_a_network_that_approves(arm, mode):
    arm.make_workspace()
    refused = arm.request(
        "PATCH", WORKSPACE, {"properties": {"managedNetwork": {"isolationMode": mode, "outboundRules": HOST}}}
    )
    assert (refused.status, refused.code) == (400, "BadRequest")
    accepted = arm.request("PATCH", WORKSPACE, {"properties": {"managedNetwork": APPROVED | {"outboundRules": HOST}}})
    assert accepted.status in (200, 202)


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["properties.managedNetwork.outboundRules"])
def test_rules_of_the_service_are_not_sent_back(arm):
    arm.make_workspace(managedNetwork=APPROVED)
    rules = arm.get(WORKSPACE).properties["managedNetwork"]["outboundRules"]
    assert {rule["category"] for rule in rules.values()} == {"Required"}
    refused = arm.request("PATCH", WORKSPACE, {"properties": {"managedNetwork": APPROVED | {"outboundRules": rules}}})
    assert (refused.status, refused.code) == (400, "BadRequest")
