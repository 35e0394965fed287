"""Locks refuse deletions, of whatever they cover and of whatever contains that."""

from __future__ import annotations

import pytest

from tests.localazure.arm.conftest import GROUP, IDENTITY, LOCATION, PROVIDERS, WORKSPACE

ENDPOINT = f"{WORKSPACE}/onlineEndpoints/ep1"


def lock_on(scope: str) -> str:
    return f"{scope}/providers/Microsoft.Authorization/locks/keep"


@pytest.fixture
def azure(arm):
    arm.make_workspace()
    assert arm.put(ENDPOINT, {"location": LOCATION, "properties": {"authMode": "Key"}}).status in (200, 201)
    assert arm.put(IDENTITY, {"location": LOCATION}).status in (200, 201)
    return arm


@pytest.mark.proves("locks", honours=["properties.level"])
@pytest.mark.parametrize("target", [GROUP, WORKSPACE, ENDPOINT])
def test_what_is_locked_what_is_below_it_and_what_contains_it_cannot_be_deleted(azure, target):
    lock = lock_on(WORKSPACE)
    created = azure.put(lock, {"properties": {"level": "CanNotDelete", "notes": "ours"}})
    assert created.status == 201
    assert created.body["properties"] == {"level": "CanNotDelete", "notes": "ours"}
    refused = azure.request("DELETE", target.upper() if target == ENDPOINT else target)
    assert (refused.status, refused.code) == (409, "ScopeLocked")
    assert refused.error["message"].endswith(
        f"cannot perform delete operation because following scope(s) are locked: '{WORKSPACE}'. Please remove the lock "
        "and try again."
    )
    assert azure.get(target).status == 200
    assert azure.request("DELETE", lock).status == 200
    assert azure.request("DELETE", target).status in (200, 202)


def test_what_is_beside_a_lock_can_be_deleted_and_what_is_locked_can_be_changed(azure):
    azure.put(lock_on(WORKSPACE), {"properties": {"level": "CanNotDelete"}})
    assert azure.request("DELETE", IDENTITY).status == 200
    assert azure.put(ENDPOINT, {"location": LOCATION, "properties": {"authMode": "Key"}}).status in (200, 201)


@pytest.mark.proves("locks", refuses=["properties.level"])
@pytest.mark.parametrize(("level", "status"), [(None, 400), ("Total", 400), ("ReadOnly", 501)])
def test_a_lock_has_a_level_that_is_emulated(azure, level, status):
    assert azure.put(lock_on(WORKSPACE), {"properties": {"level": level}}).status == status


def test_the_locks_of_a_group_are_those_in_it_and_on_it(azure):
    for scope in (GROUP, WORKSPACE):
        azure.put(lock_on(scope), {"properties": {"level": "CanNotDelete"}})
    locks = f"{GROUP}/providers/Microsoft.Authorization/locks"
    assert {one["id"] for one in azure.get(locks).body["value"]} == {lock_on(GROUP), lock_on(WORKSPACE)}
    at_scope = azure.get(f"{locks}?$filter=atScope()").body["value"]
    assert [one["id"] for one in at_scope] == [lock_on(GROUP)]
    assert (
        azure.get(f"{PROVIDERS}/Microsoft.KeyVault/vaults/none/providers/Microsoft.Authorization/locks").status == 404
    )
