"""Taking a stack down: what is refused, the order, what is purged, and that a second run continues.

Fakes record the calls to the engine and Azure; tests/integration removes real stacks.
"""

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from naming import Names
from teardown.errors import NotFinished, RemovalError, StillServing
from teardown.inventory import GROUP, LOCK, LOG_ANALYTICS, VAULT, WORKSPACE, dependents_of, items_of
from teardown.removal import Removal

NAMES = Names(team="shop", stack="dev", subscription_id="s")
GROUP_ID = NAMES.resource_group_id
WORKSPACE_ID = NAMES.workspace_id
ENDPOINT = "azure-native:machinelearningservices:OnlineEndpoint"
INSIGHTS = "azure-native:applicationinsights:Component"
LOGS_ID = f"{GROUP_ID}/providers/Microsoft.OperationalInsights/workspaces/{NAMES.log_analytics}"
VAULT_ID = f"{GROUP_ID}/providers/Microsoft.KeyVault/vaults/{NAMES.key_vault}"
KEPT_ID = f"/subscriptions/s/providers/Microsoft.KeyVault/locations/westeurope/deletedVaults/{NAMES.key_vault}"


def resource(kind: str, resource_id: str, *needs: str, protect: bool = False) -> dict[str, Any]:
    return {"urn": f"urn::{kind}", "type": kind, "id": resource_id, "dependencies": list(needs), "protect": protect}


def urn(kind: str) -> str:
    return f"urn::{kind}"


RESOURCES = [
    {"urn": "urn::pulumi:pulumi:Stack", "type": "pulumi:pulumi:Stack"},
    resource(GROUP, GROUP_ID, protect=True),
    resource(LOG_ANALYTICS, LOGS_ID, urn(GROUP)),
    resource(INSIGHTS, f"{GROUP_ID}/insights", urn(LOG_ANALYTICS)),
    resource(VAULT, VAULT_ID, urn(GROUP), protect=True),
    resource(WORKSPACE, WORKSPACE_ID, urn(VAULT), urn(INSIGHTS), protect=True),
    resource(ENDPOINT, f"{WORKSPACE_ID}/onlineEndpoints/fraud", urn(WORKSPACE), protect=True),
]


class World:
    """An engine and an Azure over the same resources."""

    stack = "dev"

    def __init__(self) -> None:
        self.resources: list[dict[str, Any]] = copy.deepcopy(RESOURCES)
        self.live = {str(one.get("id")).lower(): str(one["type"]) for one in RESOURCES if "id" in one}
        self.weights: dict[str, Any] = {"traffic": {"blue": 0}, "mirrorTraffic": {}}
        self.kept: set[str] = set()
        self.purge_protection = False
        self.locks_of_others: list[dict[str, str]] = []
        self.log: list[str] = []
        self.dies_at: str | None = None

    def _do(self, step: str) -> None:
        if step == self.dies_at:
            self.dies_at = None
            raise KeyboardInterrupt
        self.log.append(step)

    def export(self) -> dict[str, Any]:
        return copy.deepcopy({"deployment": {"resources": self.resources}})

    def import_(self, state: Mapping[str, Any]) -> None:
        self._do("unprotect")
        self.resources = copy.deepcopy(state["deployment"]["resources"])

    def destroy(self, *, targets: Sequence[str] = (), on_event: Callable[..., None] | None = None) -> None:
        doomed = list(targets) or [one["urn"] for one in self.resources]
        for name in doomed:
            assert not [one for one in dependents_of(items_of(self.export()), name) if one.urn not in doomed]
        self._do(f"destroy {len(targets) or 'all'}")
        for one in [one for one in reversed(self.resources) if one["urn"] in doomed]:
            assert not one.get("protect"), one
            self._gone(str(one.get("id", "")), str(one["type"]), purge=False)
            self.resources.remove(one)

    def _gone(self, resource_id: str, kind: str, *, purge: bool) -> None:
        if self.live.pop(resource_id.lower(), None) and kind in (WORKSPACE, LOG_ANALYTICS, VAULT) and not purge:
            self.kept.add(kind)

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        assert api_version
        if resource_id == KEPT_ID:
            facts = {"scheduledPurgeDate": "2027-02-25T10:00:00Z", "purgeProtectionEnabled": self.purge_protection}
            return {"properties": facts} if VAULT in self.kept else None
        return {"location": "westeurope"} if resource_id.lower() in self.live else None

    def get_all(self, path: str, api_version: str) -> list[dict[str, Any]]:
        if path.endswith("/onlineEndpoints"):
            there = f"{path}/fraud".lower() in self.live
            return [{"id": f"{path}/fraud", "name": "fraud", "properties": self.weights}] if there else []
        if path == f"{GROUP_ID}/providers/Microsoft.Authorization/locks":
            return [{"id": one["id"]} for one in self.resources if one["type"] == LOCK] + self.locks_of_others
        return [{"id": one} for one in self.live] if path == f"{GROUP_ID}/resources" else []

    def delete(self, resource_id: str, api_version: str, **query: str) -> bool:
        self._do(f"delete {resource_id.rpartition('/')[2]} {query}")
        self._gone(resource_id, WORKSPACE, purge=True)
        return True

    def act(self, path: str, api_version: str) -> None:
        self._do(f"post {path.rpartition('/')[2]}")
        assert not self.purge_protection
        self.kept.discard(VAULT)


def removal_in(world: World) -> Removal:
    return Removal(world, world, NAMES, "West Europe", lambda text: None)


ORDER = [
    "unprotect",
    "destroy 1",
    f"delete {NAMES.workspace} {{'forceToPurge': 'true'}}",
    "destroy 2",
    f"delete {NAMES.log_analytics} {{'force': 'true'}}",
    "destroy all",
    "post purge",
]


def test_everything_goes_in_order_the_state_is_empty_and_no_name_stays_taken() -> None:
    world = World()
    removal = removal_in(world)
    removal.carry_out(removal.plan())
    assert world.log == ORDER
    assert (world.resources, world.kept, removal.taken) == ([], set(), [])


@pytest.mark.parametrize("step", ORDER)
def test_a_run_that_was_killed_at_any_step_is_finished_by_the_next(step: str) -> None:
    world = World()
    world.dies_at = step
    first = removal_in(world)
    with pytest.raises(KeyboardInterrupt):
        first.carry_out(first.plan())
    second = removal_in(world)
    second.carry_out(second.plan())
    assert (world.resources, world.kept, second.taken) == ([], set(), [])


def test_a_vault_with_purge_protection_is_named_with_its_day() -> None:
    world = World()
    world.purge_protection = True
    removal = removal_in(world)
    removal.carry_out(removal.plan())
    (line,) = removal.taken
    assert line.startswith(f"key vault {NAMES.key_vault} until 2027-02-25: ")
    assert world.kept == {VAULT}


def test_a_vault_that_this_person_may_not_purge_is_named_with_the_reason() -> None:
    world = World()
    removal = removal_in(world)

    def refuse(path: str, api_version: str) -> None:
        raise PermissionError("403 of Azure")

    world.act = refuse  # type: ignore[method-assign]  # a person without that right
    removal.carry_out(removal.plan())
    assert removal.taken == [f"key vault {NAMES.key_vault} until 2027-02-25: 403 of Azure"]
    assert removal.unpurged


@pytest.mark.parametrize("weights", [{"traffic": {"blue": 100}}, {"mirrorTraffic": {"green": 1}}])
def test_nothing_is_touched_while_something_serves(weights: dict[str, Any]) -> None:
    world = World()
    world.weights = weights
    with pytest.raises(
        StillServing, match=r"(?s)still serves; nothing was changed.*fraud serves.*pulumi up --stack dev"
    ):
        removal_in(world).plan()
    assert world.log == []


def test_what_serves_counts_when_the_state_has_lost_it_too() -> None:
    world = World()
    world.resources = []
    world.weights = {"traffic": {"blue": 100}}
    with pytest.raises(StillServing):
        removal_in(world).plan()


def test_a_group_that_the_state_does_not_know_is_no_empty_stack() -> None:
    world = World()
    world.resources = []
    with pytest.raises(RemovalError, match="sluice recover --stack dev"):
        removal_in(world).plan()


def test_another_subscription_is_refused() -> None:
    world = World()
    removal = removal_in(world)
    removal.names = Names(team="shop", stack="dev", subscription_id="other")
    with pytest.raises(RemovalError, match="a subscription other than other"):
        removal.plan()


def test_the_list_has_all_that_is_deleted_and_marks_what_is_protected() -> None:
    world = World()
    world.live[f"{GROUP_ID}/nic".lower()] = "nic"
    lines = removal_in(world).plan().lines()
    assert lines[0] == "  machinelearningservices:OnlineEndpoint fraud (protected)"
    assert lines[-1] == f"  {GROUP_ID.lower()}/nic (not part of this stack, but in its resource group)"
    assert len(lines) == 7


def test_a_state_that_is_not_empty_in_the_end_is_an_error() -> None:
    world = World()
    removal = removal_in(world)
    plan = removal.plan()
    world.destroy = lambda **_: None  # type: ignore[method-assign]  # an engine that does nothing
    with pytest.raises(NotFinished, match="Run this command again"):
        removal.carry_out(plan)


def test_the_stacks_own_locks_go_first() -> None:
    world = World()
    world.resources.append(resource(LOCK, f"{VAULT_ID}/providers/Microsoft.Authorization/locks/sluice", urn(VAULT)))
    removal = removal_in(world)
    removal.carry_out(removal.plan())
    assert world.log == [ORDER[0], "destroy 1", *ORDER[1:]]
    assert not world.resources


def test_a_lock_of_someone_else_is_refused_before_anything_changes() -> None:
    world = World()
    lock = f"{GROUP_ID}/providers/Microsoft.Authorization/locks/audit"
    world.locks_of_others = [{"id": lock}]
    with pytest.raises(RemovalError) as refused:
        removal_in(world).plan()
    assert f"nothing was changed:\n  {lock}\nAsk the person who set them, or run `az lock delete --ids {lock}`" in str(
        refused.value
    )
    assert world.log == []


def removal_from_a_landing_zone(world: World, *kinds: str, **given: str) -> Removal:
    """The removal of a stack that was given its group or workspace: `kinds` are not in its state."""
    world.resources = [one for one in world.resources if one["type"] not in kinds]
    for one in world.resources:
        one["dependencies"] = [each for each in one.get("dependencies") or () if each not in map(urn, kinds)]
    return Removal(world, world, replace(NAMES, **given), "West Europe", lambda text: None)


def test_a_group_that_was_given_stays_with_what_is_not_the_stacks() -> None:
    world = World()
    world.live[f"{GROUP_ID}/other".lower()] = "other"
    removal = removal_from_a_landing_zone(world, GROUP, given_group_id=GROUP_ID)
    plan = removal.plan()
    assert plan.beside == ()
    removal.carry_out(plan)
    assert set(world.live) == {GROUP_ID.lower(), f"{GROUP_ID}/other".lower()}


@pytest.mark.parametrize(("place", "refused"), [(GROUP_ID, True), (VAULT_ID, True), (f"{GROUP_ID}/other", False)])
def test_in_a_given_group_only_locks_in_the_way_of_the_stack_count(place: str, refused: bool) -> None:
    world = World()
    world.locks_of_others = [{"id": f"{place}/providers/Microsoft.Authorization/locks/audit"}]
    removal = removal_from_a_landing_zone(world, GROUP, given_group_id=GROUP_ID)
    if refused:
        with pytest.raises(RemovalError, match="az lock delete"):
            removal.plan()
    else:
        assert removal.plan().items


def test_in_a_given_workspace_only_the_stacks_endpoints_must_have_no_weight() -> None:
    world = World()
    world.weights = {"traffic": {"blue": 100}}
    with pytest.raises(StillServing):
        removal_from_a_landing_zone(world, WORKSPACE, given_workspace_id=WORKSPACE_ID).plan()
    others = removal_from_a_landing_zone(world, WORKSPACE, ENDPOINT, given_workspace_id=WORKSPACE_ID)
    others.carry_out(others.plan())
    assert WORKSPACE_ID.lower() in world.live
