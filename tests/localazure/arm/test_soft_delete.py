"""A workspace that was deleted keeps its name for 14 days, unless it is purged."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import GROUP, LOCATION, WORKSPACE

DAYS = 24 * 3600
PURGE = f"{WORKSPACE}?forceToPurge=true"
SOFT_DELETED = "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete"
BODY = {"location": LOCATION, "identity": {"type": "SystemAssigned"}}


def create(arm, path=WORKSPACE):
    """Recreate what `arm.make_workspace` created."""
    properties = {
        "storageAccount": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/stacc1",
        "keyVault": f"{GROUP}/providers/Microsoft.KeyVault/vaults/kv1",
    }
    return arm.put(path, BODY | {"properties": properties})


@pytest.mark.proves("MachineLearningServices/workspaces", refuses=["name"], drives=["DELETE"])
def test_a_deleted_workspace_keeps_its_name(arm):
    arm.make_workspace()
    assert arm.delete(WORKSPACE).status == 202
    assert arm.get(WORKSPACE).code == "ResourceNotFound"
    again = create(arm)
    assert (again.status, again.code, again.error["message"]) == (400, "BadRequest", SOFT_DELETED)
    assert arm.get(WORKSPACE).code == "ResourceNotFound"
    assert create(arm, WORKSPACE.upper().replace("WS1", "ws1")).code == "BadRequest"
    assert create(arm, f"{WORKSPACE}b").status == 202


@pytest.mark.parametrize("value", ["true", "True"])
def test_a_deletion_that_purges_frees_the_name(arm, value):
    arm.make_workspace()
    answer = arm.delete(f"{WORKSPACE}?forceToPurge={value}")
    assert (answer.status, arm.poll(answer).body["status"]) == (202, "Succeeded")
    assert create(arm).status == 202


def test_a_deletion_without_purge_keeps_the_name(arm):
    arm.make_workspace()
    arm.delete(f"{WORKSPACE}?forceToPurge=false")
    assert create(arm).error["message"] == SOFT_DELETED


def test_a_soft_deleted_workspace_can_be_purged(arm):
    arm.make_workspace()
    arm.delete(WORKSPACE)
    purge = arm.delete(PURGE)
    assert (purge.status, arm.poll(purge).body["status"]) == (202, "Succeeded")
    assert arm.poll(purge, "Location").status == 200
    assert create(arm).status == 202
    assert arm.get(WORKSPACE).properties["provisioningState"] == "Succeeded"


def test_what_is_neither_there_nor_soft_deleted_answers_204(arm):
    arm.make_workspace()
    arm.delete(PURGE)
    assert arm.delete(PURGE).status == 204
    assert arm.delete(WORKSPACE).status == 204


def test_a_second_deletion_leaves_the_soft_deleted_workspace(arm):
    arm.make_workspace()
    arm.delete(WORKSPACE)
    assert arm.delete(WORKSPACE).status == 204
    assert create(arm).error["message"] == SOFT_DELETED


def test_the_name_is_free_after_fourteen_days(arm):
    arm.make_workspace()
    arm.delete(WORKSPACE)
    arm.now += 14 * DAYS - 60
    assert create(arm).error["message"] == SOFT_DELETED
    arm.now += 120
    assert create(arm).status == 202


def test_a_soft_deleted_name_survives_a_restart(arm):
    arm.make_workspace()
    arm.delete(WORKSPACE)
    arm.restart()
    assert create(arm).error["message"] == SOFT_DELETED


def test_a_workspace_that_goes_with_its_group_is_soft_deleted(arm):
    arm.make_workspace()
    arm.delete(GROUP)
    arm.make_group()
    arm.make_platform()
    assert create(arm).error["message"] == SOFT_DELETED


def test_what_was_in_a_purged_workspace_does_not_come_back(arm):
    arm.make_workspace()
    arm.put_endpoint()
    arm.delete(PURGE)
    create(arm)
    assert arm.get(f"{WORKSPACE}/onlineEndpoints").body["value"] == []
