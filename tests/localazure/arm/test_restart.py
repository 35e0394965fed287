"""What an acknowledged write survives: a new process on the same files, interrupted operations, an empty data plane."""

import asyncio
import sqlite3

import pytest

from tests.localazure.arm.conftest import BLUE, ENDPOINT


def test_resources_keys_and_weights_are_there_again(arm):
    arm.make_serving_endpoint()
    keys, before = arm.post(f"{ENDPOINT}/listKeys").body, arm.get(ENDPOINT).body
    arm.restart()
    arm.settle()
    assert arm.get(ENDPOINT).body == before
    assert arm.post(f"{ENDPOINT}/listKeys").body == keys
    routing = arm.scoring.routing["fraud-dev"]
    assert (routing.traffic, routing.primary_key) == ({"blue": 90, "green": 10}, keys["primaryKey"])
    assert set(arm.scoring.deployed) == {("fraud-dev", "blue"), ("fraud-dev", "green")}


def test_a_deployment_that_was_being_created_goes_on(arm):
    arm.make_workspace()
    arm.put_endpoint()
    arm.scoring.gate = asyncio.Event()
    answer = arm.put_deployment()
    assert arm.poll(answer).body["status"] == "Updating"
    arm.restart()
    arm.settle()
    assert arm.poll(answer).body["status"] == "Succeeded"
    assert arm.get(BLUE).properties["provisioningState"] == "Succeeded"
    assert ("fraud-dev", "blue") in arm.scoring.deployed


def test_weights_that_were_being_set_are_set(arm):
    arm.make_serving_endpoint()
    # Accepted, and the process dies before the operation runs.
    sent = {"location": "westeurope", "properties": {"authMode": "Key", "traffic": {"green": 100}}}
    arm.plane.operations._launch = lambda operation_id: None  # the only way to stop between two steps of one loop
    assert arm.request("PUT", ENDPOINT, sent).status == 201
    arm.restart()
    arm.settle()
    assert arm.get(ENDPOINT).properties["traffic"] == {"green": 100}
    assert arm.scoring.routing["fraud-dev"].traffic == {"green": 100}


def test_what_fails_in_the_middle_leaves_nothing_half_written(arm):
    arm.make_workspace()
    arm.put_endpoint()
    store = arm.plane.store

    def fail_inside():
        with store.transaction():
            store.delete(ENDPOINT)
            with store.transaction():
                raise LookupError

    with pytest.raises(LookupError):
        fail_inside()
    assert arm.get(ENDPOINT).status == 200


def test_a_store_of_another_version_is_refused(arm, tmp_path):
    from localazure.store import Store

    path = tmp_path / "other.db"
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version=99")
    connection.close()
    with pytest.raises(RuntimeError, match="sluice local reset"):
        Store(path)


def test_the_store_is_readable_by_its_owner_only(arm):
    assert (arm.home / "azure.db").stat().st_mode & 0o077 == 0
