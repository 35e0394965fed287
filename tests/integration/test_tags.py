"""Tags on the real engine: those of others stay, and a new one changes no deployment that exists."""

from typing import Any

import pytest

from tests.integration.rehearsal import MODEL, Azure, Stack

pytestmark = pytest.mark.integration

VERSIONS: dict[str, str] = {}
"""The version of the API that the engine reads each resource with, by its id."""


def tagged(stack: Stack) -> dict[str, str]:
    """The ids of the resources that take tags, by their logical names."""
    found = [
        one
        for one in stack.engine.export()["deployment"]["resources"]
        if one["type"].startswith("azure-native:") and (one.get("inputs") or {}).get("tags")
    ]
    VERSIONS.update({one["id"]: one["outputs"]["azureApiVersion"] for one in found})
    return {one["urn"].rsplit("::", 1)[-1]: one["id"] for one in found}


def tags_of(azure: Azure, resource_id: str) -> dict[str, str]:
    status, body = azure.request("GET", resource_id, api_version=VERSIONS[resource_id])
    assert status == 200, body
    return body["tags"] or {}


def add_tag(azure: Azure, resource_id: str) -> None:
    """As somebody in the portal does it, or Azure Policy's Modify: read, add, write."""
    _, body = azure.request("GET", resource_id, api_version=VERSIONS[resource_id])
    body["tags"] = {**(body["tags"] or {}), "policy": "theirs"}
    status, answer = azure.request("PUT", resource_id, body, VERSIONS[resource_id])
    assert status in (200, 201, 202), answer


def planned(stack: Stack) -> list[str]:
    return list(map(str, stack.engine.preview().changes))


def test_tags_of_others_stay_and_new_ones_reach_everything_but_deployments_that_exist(simulated_azure: Azure) -> None:
    azure, stack = simulated_azure, Stack(simulated_azure, "dev")
    assert planned(stack) == []
    ids = tagged(stack)
    blue = f"{MODEL}-blue-deployment"
    theirs = [
        ids[one]
        for one in (
            "platform-group",
            "platform-stack",
            "platform-storage-account",
            "platform-vault-vault",
            f"{MODEL}-identity",
            f"{MODEL}-endpoint",
            blue,
        )
    ]
    for one in theirs:
        add_tag(azure, one)
    for _ in range(2):
        stack.engine.refresh()
        assert planned(stack) == []
        stack.engine.up()
        assert {one: tags_of(azure, one).get("policy") for one in theirs} == dict.fromkeys(theirs, "theirs")

    def give(config: dict[str, Any]) -> None:
        config["sluice:tags"] = {"CostCenter": "4711"}
        config["sluice:endpoints"][MODEL]["deployments"]["amber"] = {"instances": 1}

    before = azure.get(ids[blue])["systemData"]
    stack.edit(give)
    stack.publish("amber")
    stack.engine.up()
    assert azure.get(ids[blue])["systemData"] == before
    assert planned(stack) == []
    ids = tagged(stack)
    assert {one: tags_of(azure, one).get("policy") for one in theirs} == dict.fromkeys(theirs, "theirs")
    old = {f"{MODEL}-{colour}-deployment" for colour in ("blue", "green")}
    for name, one in ids.items():
        assert ("CostCenter" in tags_of(azure, one)) is (name not in old), name

    stack.edit(lambda config: config.pop("sluice:tags"))
    stack.engine.up()
    assert planned(stack) == []
    for name, one in ids.items():
        assert ("CostCenter" in tags_of(azure, one)) is (name.endswith("amber-deployment")), name
    assert {one: tags_of(azure, one).get("policy") for one in theirs} == dict.fromkeys(theirs, "theirs")
