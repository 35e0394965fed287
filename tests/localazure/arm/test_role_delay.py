"""Roles that take effect late: a request that comes too early fails, as in Azure."""

from __future__ import annotations

import json

import pytest

from localazure import identity
from localazure.command_line import wrong_switches
from tests.localazure.arm.conftest import (
    ACR_PULL,
    BLOB_READER,
    BLUE,
    ENDPOINT,
    GROUP,
    IDENTITY,
    LOCATION,
    STORAGE,
)

OWN = {"type": "UserAssigned", "userAssignedIdentities": {IDENTITY: {}}}


def make_endpoint(arm):
    """An endpoint with an identity of its own, which gets its roles now."""
    arm.make_workspace()
    principal = arm.put(IDENTITY, {"location": LOCATION}).properties["principalId"]
    arm.put(ENDPOINT, {"location": LOCATION, "identity": OWN, "properties": {"authMode": "Key"}})
    arm.grant(principal, STORAGE, BLOB_READER)
    arm.grant(principal, GROUP, ACR_PULL)
    return principal


def outcome(arm):
    """How a deployment that is created now ends."""
    arm.delete(BLUE)
    return arm.poll(arm.put_deployment()).body["status"]


@pytest.mark.proves("switches", honours=["--role-delay"])
def test_a_role_has_an_effect_only_after_the_delay(arm_with):
    arm = arm_with(role_delay=60.0)
    principal = make_endpoint(arm)
    assert outcome(arm) == "Failed"
    arm.now += 50
    arm.grant(principal, STORAGE, BLOB_READER)  # a second PUT of the same assignment does not restart the delay
    assert outcome(arm) == "Failed"
    arm.now += 10
    assert outcome(arm) == "Succeeded"


def test_the_delay_goes_on_over_a_restart(arm_with):
    arm = arm_with(role_delay=60.0)
    make_endpoint(arm)
    arm.restart()
    assert outcome(arm) == "Failed"
    arm.now += 60
    assert outcome(arm) == "Succeeded"


def test_the_right_of_the_caller_is_late_too(arm_with):
    arm = arm_with(role_delay=60.0, caller_without_data_roles=True)
    arm.make_workspace()
    arm.grant(identity.CALLER_OBJECT_ID, STORAGE, BLOB_READER)
    account = arm.plane.store.get(STORAGE)
    assert not arm.plane.caller_may_use_blobs(account, write=False, token="")
    arm.now += 60
    assert arm.plane.caller_may_use_blobs(account, write=False, token="")


@pytest.mark.parametrize("given", ["-1", "soon", "3601", "nan"])
def test_a_delay_is_a_number_of_seconds(given):
    (problem,) = wrong_switches([f"--role-delay={given}"])
    assert problem == f"--role-delay: must be a number of seconds from 0 to 3600, got '{given}'"
    assert wrong_switches(["--role-delay=1.5"]) == []


@pytest.mark.integration
def test_a_running_server_shows_its_switches(start_local_azure):
    azure = start_local_azure(role_delay=7.5)
    assert json.loads((azure.home / "server.json").read_text())["role_delay_seconds"] == 7.5
    assert azure.request("GET", "/_local/status").json()["role_delay_seconds"] == 7.5
