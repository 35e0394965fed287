"""What `sluice recover` does with what a dead update left: lock, pending creates, refused creates, half replacements.

The engine and Azure are played by objects that record; tests/integration kills real updates.
"""

import copy
import json
import socket
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from command_errors import UnavailableError, UsageError, WaitingError
from recovery import adoption
from recovery.dead_update import Report
from recovery.locks import LockRule
from recovery.repair import recover
from resource_manager.operations import ArmOperations
from rollout.engine import ImportedResource
from rollout.errors import EngineRefused, EngineUnavailable
from rollout.events import Change, Outcome, Preview

SUBSCRIPTION = "00000000-0000-4000-8000-000000000001"
GROUP_ID = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg"
WORKSPACE_ID = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/workspaces/ws"
ENDPOINT_ID = f"{WORKSPACE_ID}/onlineEndpoints/fraud-dev"
ENDPOINT = "azure-native:machinelearningservices:OnlineEndpoint"
PROVIDER = "urn:pulumi:dev::sluice::pulumi:providers:azure-native::default_3_29_0::some-id"
PARENT = "urn:pulumi:dev::sluice::sluice:index:Endpoint::fraud"
URN = f"urn:pulumi:dev::sluice::sluice:index:Endpoint${ENDPOINT}::fraud"
TAGS = {"sluice:stack": "dev", "sluice:team": "payments"}
INPUTS = {"resourceGroupName": "rg", "workspaceName": "ws", "endpointName": "fraud-dev", "tags": TAGS}


class FakeArm(ArmOperations):
    """Azure as a dictionary; a list of answers is given one after another, the last for ever."""

    def __init__(self, **resources: Any) -> None:
        super().__init__(lambda text: None, 0.0)
        self.asked: list[tuple[str, Any]] = []
        self.resources: dict[str, list[dict[str, Any] | None]] = {}
        self.holds(GROUP_ID, {"id": GROUP_ID, "tags": TAGS})

    def holds(self, resource_id: str, *answers: dict[str, Any] | None) -> "FakeArm":
        self.resources[resource_id.lower()] = list(answers)
        return self

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        answers = self.resources.get(resource_id.lower(), [None])
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def act(self, path: str, api_version: str, body: Any = None) -> None:
        self.asked.append((path, body))


class FakeEngine:
    """A stack whose state is a document; imports and repairs change it as the real engine does."""

    stack = "dev"
    environment: dict[str, str]

    def __init__(self, project: Path) -> None:
        self.project = project
        (project / "Pulumi.yaml").write_text("name: sluice\n")
        self.environment = {"PULUMI_BACKEND_URL": f"file://{project}", "ARM_SUBSCRIPTION_ID": SUBSCRIPTION}
        self.resources: list[dict[str, Any]] = [{"urn": PARENT, "type": "sluice:index:Endpoint"}]
        self.pending: list[dict[str, Any]] = []
        self.planned: list[Change] = []
        self.imported: list[ImportedResource] = []
        self.refreshed: list[str] = []
        self.refuses: str | None = None
        self.file_unreadable = False

    def export(self) -> dict[str, Any]:
        return copy.deepcopy({"deployment": {"resources": self.resources, "pending_operations": self.pending}})

    def import_(self, state: dict[str, Any]) -> None:
        self.resources, self.pending = state["deployment"]["resources"], state["deployment"]["pending_operations"]

    def import_resources(self, resources: list[ImportedResource]) -> Outcome:
        self.imported += resources
        self.resources += [{"urn": item.urn, "type": item.type, "id": item.id} for item in resources]
        return Outcome()

    def preview(self) -> Preview:
        if self.refuses:
            raise EngineRefused(self.refuses)
        known = {resource["urn"] for resource in self.resources}
        return Preview(changes=tuple(change for change in self.planned if change.urn not in known))

    def refresh(self, *, targets: list[str]) -> Outcome:
        self.refreshed += targets
        return Outcome()

    def config(self) -> dict[str, Any]:
        if self.file_unreadable:
            raise EngineUnavailable("pulumi config --json of stack dev ended with exit code 1: invalid YAML file")
        return {}


@pytest.fixture
def engine(tmp_path: Path) -> FakeEngine:
    return FakeEngine(tmp_path)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(adoption, "POLL_SECONDS", 0.0)


def live(status: str = "Succeeded", tags: dict[str, str] | None = None) -> dict[str, Any]:
    return {"id": ENDPOINT_ID, "tags": TAGS if tags is None else tags, "properties": {"provisioningState": status}}


def creating(**inputs: Any) -> dict[str, Any]:
    resource = {"urn": URN, "type": ENDPOINT, "custom": True, "parent": PARENT, "provider": PROVIDER}
    return {"type": "creating", "resource": {**resource, "inputs": {**INPUTS, **inputs}}}


def planned(urn: str = URN, **inputs: Any) -> Change:
    return Change(
        op="create", urn=urn, type=ENDPOINT, name="fraud", parent=PARENT, provider=PROVIDER, inputs={**INPUTS, **inputs}
    )


def repaired(engine: FakeEngine, arm: FakeArm, wait_seconds: float = 60, refused: Exception | None = None) -> Report:
    return recover(
        engine,  # type: ignore[arg-type]  # plays the engine
        arm,
        wait_seconds=wait_seconds,
        rule=LockRule(),
        stack_file_error=lambda: refused,
    )


def test_a_create_that_azure_finished_enters_the_state_under_its_parent(engine: FakeEngine) -> None:
    engine.pending = [creating()]
    report = repaired(engine, FakeArm().holds(ENDPOINT_ID, live()))
    (entry,) = engine.imported
    assert (entry.urn, entry.id, entry.parent_urn, entry.version) == (URN, ENDPOINT_ID, PARENT, "3.29.0")
    assert engine.pending == []
    assert not report.left


def test_a_create_that_azure_still_works_on_is_waited_for(engine: FakeEngine) -> None:
    engine.pending = [creating()]
    report = repaired(engine, FakeArm().holds(ENDPOINT_ID, live("Creating"), live("Creating"), live()))
    assert len(engine.imported) == 1
    assert any("waiting for Azure" in text for text in report.done)


def test_waiting_ends_with_an_error_that_has_the_fix(engine: FakeEngine) -> None:
    engine.pending = [creating()]
    with pytest.raises(WaitingError, match="Run this command again later"):
        repaired(engine, FakeArm().holds(ENDPOINT_ID, live("Creating")), wait_seconds=0)


def test_a_create_that_never_reached_azure_is_forgotten(engine: FakeEngine) -> None:
    engine.pending = [creating()]
    repaired(engine, FakeArm())
    assert engine.imported == []
    assert engine.pending == []


def test_a_create_that_a_later_update_was_refused_is_found_by_preview(engine: FakeEngine) -> None:
    engine.planned = [planned()]
    repaired(engine, FakeArm().holds(ENDPOINT_ID, live()))
    assert [item.id for item in engine.imported] == [ENDPOINT_ID]


def test_what_carries_another_stacks_tags_is_not_taken_over(engine: FakeEngine) -> None:
    engine.planned = [planned()]
    arm = FakeArm().holds(ENDPOINT_ID, live(tags={"sluice:stack": "prod", "sluice:team": "payments"}))
    report = repaired(engine, arm)
    assert engine.imported == []
    assert "does not have the tags of stack dev" in report.left[0]


@pytest.mark.parametrize(("team", "taken_over"), [("payments", True), ("fraud", False)])
def test_a_zone_tells_whose_it_is_with_keys_that_azure_dns_keeps(
    engine: FakeEngine, team: str, taken_over: bool
) -> None:
    zone, kind = "privatelink.api.azureml.ms", "azure-native:privatedns:PrivateZone"
    urn, zone_id = URN.replace(ENDPOINT, kind), f"{GROUP_ID}/providers/Microsoft.Network/privateDnsZones/{zone}"
    tags = {"sluice-stack": "dev", "sluice-team": "payments"}
    inputs = {"resourceGroupName": "rg", "privateZoneName": zone, "tags": tags}
    engine.planned = [
        Change(op="create", urn=urn, type=kind, name="zone", parent=PARENT, provider=PROVIDER, inputs=inputs)
    ]
    live = {"id": zone_id, "tags": {**tags, "sluice-team": team}, "properties": {"provisioningState": "Succeeded"}}
    report = repaired(engine, FakeArm().holds(zone_id, live))
    assert [item.id for item in engine.imported] == ([zone_id] if taken_over else [])
    assert bool(report.left) is not taken_over


def test_without_tags_of_its_own_the_resource_group_tells_whose_it_is(engine: FakeEngine) -> None:
    engine.planned = [planned(tags=None)]
    foreign = FakeArm().holds(ENDPOINT_ID, live(tags={})).holds(GROUP_ID, {"id": GROUP_ID, "tags": {}})
    assert repaired(engine, foreign).left
    assert engine.imported == []
    repaired(engine, FakeArm().holds(ENDPOINT_ID, live(tags={})))
    assert len(engine.imported) == 1


def test_in_a_group_that_was_given_the_resource_around_it_tells_whose_it_is(engine: FakeEngine) -> None:
    engine.planned = [planned(tags=None)]
    given = FakeArm().holds(ENDPOINT_ID, live(tags={})).holds(GROUP_ID, {"id": GROUP_ID, "tags": {"owner": "hub"}})
    assert repaired(engine, given.holds(WORKSPACE_ID, {"id": WORKSPACE_ID, "tags": {"sluice:stack": "prod"}})).left
    assert engine.imported == []
    repaired(engine, given.holds(WORKSPACE_ID, {"id": WORKSPACE_ID, "tags": TAGS}))
    assert [item.id for item in engine.imported] == [ENDPOINT_ID]


def test_a_role_on_something_that_was_given_is_the_stacks_by_its_name(engine: FakeEngine) -> None:
    kind, hub = (
        "azure-native:authorization:RoleAssignment",
        f"{GROUP_ID}-hub/providers/Microsoft.Storage/storageAccounts/st",
    )
    assignment = f"{hub}/providers/Microsoft.Authorization/roleAssignments/9f0c"
    inputs = {"scope": hub, "roleAssignmentName": "9f0c"}
    engine.planned = [
        Change(
            op="create",
            urn=URN.replace(ENDPOINT, kind),
            type=kind,
            name="role",
            parent=PARENT,
            provider=PROVIDER,
            inputs=inputs,
        )
    ]
    repaired(engine, FakeArm().holds(assignment, {"id": assignment, "properties": {}}))
    assert [item.id for item in engine.imported] == [assignment]


def test_a_name_that_only_the_update_will_know_waits_for_the_next_preview(engine: FakeEngine) -> None:
    engine.planned = [planned(workspaceName=adoption.UNKNOWN)]
    repaired(engine, FakeArm().holds(ENDPOINT_ID, live()))
    assert engine.imported == []


def test_a_finished_replacement_is_kept_with_the_inputs_it_was_made_from(engine: FakeEngine) -> None:
    old = {"urn": URN, "type": ENDPOINT, "id": ENDPOINT_ID, "inputs": {"release": "old"}, "pendingReplacement": True}
    engine.resources.append(old)
    engine.pending = [creating(release="new")]
    repaired(engine, FakeArm().holds(ENDPOINT_ID, live()))
    kept = next(resource for resource in engine.resources if resource["urn"] == URN)
    assert "pendingReplacement" not in kept
    assert kept["inputs"]["release"] == "new"
    assert engine.refreshed == [URN]
    assert engine.imported == []


def test_a_program_that_refuses_is_left_to_a_person_and_pending_creates_are_still_adopted(engine: FakeEngine) -> None:
    engine.pending = [creating()]
    engine.refuses = "weights sum to 95"
    report = repaired(engine, FakeArm().holds(ENDPOINT_ID, live()))
    assert len(engine.imported) == 1
    assert report.left[0].startswith("weights sum to 95")
    assert "sluice recover --stack dev" in report.left[0]


def test_a_refused_stack_file_is_reported_with_every_problem_and_without_the_engines_words(engine: FakeEngine) -> None:
    engine.refuses = "pulumi preview of stack dev was refused"
    refused = UsageError("The config of stack dev has 2 problems")
    report = repaired(engine, FakeArm(), refused=refused)
    assert report.left == [f"{refused}\nCorrect that, then run `sluice recover --stack dev` again."]


def test_a_stack_file_that_cannot_be_read_is_reported_after_the_dead_updates_lock_is_removed(
    engine: FakeEngine,
) -> None:
    engine.file_unreadable = True
    file = write_lock(engine, ended_process(), socket.gethostname())
    refused = UsageError("Pulumi.dev.yaml cannot be read")
    with pytest.raises(UsageError, match=r"Pulumi\.dev\.yaml cannot be read"):
        repaired(engine, FakeArm(), refused=refused)
    assert not file.exists()


def test_an_engine_that_fails_for_another_reason_is_reported_as_it_is(engine: FakeEngine) -> None:
    engine.file_unreadable = True
    with pytest.raises(EngineUnavailable, match="pulumi config"):
        repaired(engine, FakeArm())


def ended_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def write_lock(engine: FakeEngine, pid: int, host: str) -> Path:
    folder = engine.project / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    folder.mkdir(parents=True)
    file = folder / "x.json"
    content = {"pid": pid, "username": "ann", "hostname": host, "timestamp": datetime.now(UTC).isoformat()}
    file.write_text(json.dumps(content))
    return file


def test_a_dead_updates_lock_goes_and_a_living_ones_stays(engine: FakeEngine) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    file = write_lock(engine, process.pid, socket.gethostname())
    with pytest.raises(WaitingError, match="is running"):
        repaired(engine, FakeArm())
    assert file.exists()
    process.communicate(b"\n")
    report = repaired(engine, FakeArm())
    assert not file.exists()
    assert "removed the lock of a dead update" in report.done[0]


def test_another_machines_lock_stays(engine: FakeEngine) -> None:
    file = write_lock(engine, 1, "elsewhere")
    with pytest.raises(WaitingError, match="pulumi cancel --stack dev"):
        repaired(engine, FakeArm())
    assert file.exists()


@pytest.mark.parametrize("content", ["{}", '{"pid": "x"}'])
def test_a_lock_without_an_owner_stays_and_its_file_is_named(engine: FakeEngine, content: str) -> None:
    file = write_lock(engine, 1, "elsewhere")
    file.write_text(content)
    with pytest.raises(WaitingError) as refused:
        repaired(engine, FakeArm())
    assert file.exists()
    assert f"is locked by {file}, which names no owner" in str(refused.value)
    assert "another machine" not in str(refused.value)


def test_nothing_to_repair_changes_nothing(engine: FakeEngine) -> None:
    report = repaired(engine, FakeArm())
    assert (report.done, report.left, engine.imported) == ([], [], [])


def remembered(declared: dict[str, Any], live: dict[str, Any], kind: str = "OnlineEndpoint") -> dict[str, Any]:
    return adoption.inputs_for_state(f"azure-native:machinelearningservices:{kind}", declared, live)


def test_what_is_alike_is_remembered_as_declared_and_what_the_service_adds_is_not() -> None:
    declared = {"location": "westeurope", "properties": {"properties": {}, "access": "Enabled", "ids": ["/A", "/b"]}}
    live = {"location": "westeurope", "kind": "Managed", "properties": {"access": "enabled", "ids": ["/B", "/a"]}}
    assert remembered(declared, live | {"etag": "x"}) == declared


def test_what_differs_is_remembered_as_it_is_live_so_that_the_next_update_shows_it() -> None:
    declared = {"properties": {"size": "F4", "scoring": "a.py", "note": "new"}, "tags": {"a": "1"}}
    live = {"properties": {"size": "DS3", "scoring": "a.py"}, "tags": {"a": "1", "b": "2"}}
    assert remembered(declared, live) == {
        "properties": {"size": "DS3", "scoring": "a.py"},
        "tags": {"a": "1", "b": "2"},
    }


@pytest.mark.parametrize(
    ("declared", "live", "kept"),
    [
        ({"blue": 100}, {"blue": 50, "green": 50}, {"blue": 50, "green": 50}),
        ({"blue": 100}, {"blue": 100, "green": 0}, {"blue": 100}),
        ({}, {"green": 20}, {"green": 20}),
        (None, {"green": 20}, {"green": 20}),
    ],
)
def test_live_weights_are_never_hidden(declared: Any, live: Any, kept: Any) -> None:
    given = {} if declared is None else {"mirrorTraffic": declared}
    assert remembered({"properties": given}, {"properties": {"mirrorTraffic": live}}) == {
        "properties": {"mirrorTraffic": kept}
    }


def test_a_value_that_only_the_update_knows_and_a_secret_are_taken_from_azure() -> None:
    declared = {"insights": adoption.UNKNOWN, "password": "[secret]"}
    assert remembered(declared, {"insights": "/id", "password": "x"}) == {"insights": "/id", "password": "x"}


def test_an_asset_named_by_its_content_is_what_was_declared() -> None:
    declared = {"properties": {"modelUri": "azureml://Subscriptions/x"}}
    assert remembered(declared, {"properties": {"modelUri": "other spelling"}}, "ModelVersion") == declared


def workspace(status: str | None, mode: str = "AllowInternetOutbound") -> dict[str, Any]:
    network = {"isolationMode": mode, "status": status and {"status": status}}
    return {
        "id": WORKSPACE_ID,
        "tags": TAGS,
        "properties": {"provisioningState": "Succeeded", "managedNetwork": network},
    }


WORKSPACE_TYPE = "azure-native:machinelearningservices:Workspace"
HELD = {"urn": "urn::ws", "type": WORKSPACE_TYPE, "id": WORKSPACE_ID}


@pytest.mark.parametrize("before", ["Inactive", None])
def test_a_managed_network_that_was_never_provisioned_is_provisioned(engine: FakeEngine, before: str | None) -> None:
    engine.resources.append(HELD)
    arm = FakeArm().holds(WORKSPACE_ID, workspace(before), workspace(before), workspace("Active"))
    report = recover(engine, arm, wait_seconds=1, rule=LockRule())  # type: ignore[arg-type]  # the played engine
    assert arm.asked == [(f"{WORKSPACE_ID}/provisionManagedNetwork", {"includeSpark": False})]
    assert report.done == [f"provisioned the managed network of {WORKSPACE_ID}"]
    assert report.left == []


@pytest.mark.parametrize("live_workspace", [workspace("Active"), workspace(None, "Disabled")])
def test_a_network_that_is_active_or_none_is_left_alone(engine: FakeEngine, live_workspace: dict[str, Any]) -> None:
    engine.resources.append(HELD)
    arm = FakeArm().holds(WORKSPACE_ID, live_workspace)
    assert recover(engine, arm, wait_seconds=1, rule=LockRule()).done == []  # type: ignore[arg-type]  # the played engine
    assert arm.asked == []


def test_a_network_that_stays_inactive_is_left_with_the_command(engine: FakeEngine) -> None:
    engine.resources.append(HELD)
    arm = FakeArm().holds(WORKSPACE_ID, workspace("Inactive"))
    (left,) = recover(engine, arm, wait_seconds=1, rule=LockRule()).left  # type: ignore[arg-type]  # the played engine
    assert "its status is still Inactive" in left
    assert "sluice recover --stack dev" in left


def test_what_was_deleted_behind_the_back_leads_to_a_refresh_and_not_to_taking_protection_off(
    engine: FakeEngine,
) -> None:
    group = {"urn": "urn::rg", "type": "azure-native:resources:ResourceGroup", "id": GROUP_ID, "protect": True}
    engine.resources += [group, HELD]
    engine.refuses = "rg cannot be deleted because it is protected: pulumi state unprotect 'urn::rg'"
    arm = FakeArm().holds(GROUP_ID, None)
    (left,) = recover(engine, arm, wait_seconds=1, rule=LockRule()).left  # type: ignore[arg-type]  # the played engine
    assert left.startswith(f"Azure no longer has {GROUP_ID}, which the state still lists")
    assert "pulumi up --refresh --stack dev" in left
    assert "unprotect" not in left


def test_what_the_dead_update_was_deleting_and_azure_deleted_is_forgotten(engine: FakeEngine) -> None:
    endpoint = {"urn": URN, "type": ENDPOINT, "id": ENDPOINT_ID, "parent": PARENT}
    engine.resources.append(endpoint)
    engine.pending = [{"type": "deleting", "resource": endpoint}]
    report = repaired(engine, FakeArm())
    assert engine.resources == [{"urn": PARENT, "type": "sluice:index:Endpoint"}]
    assert report.left == []
    assert any("removed from the state, because Azure has deleted it" in text for text in report.done)


def test_without_azure_nothing_is_left_to_a_person(engine: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The program would be refused because it cannot read, and that would count as something to settle."""
    engine.refuses = "cannot read the workspace from Azure"
    arm = FakeArm()

    def away(resource_id: str, api_version: str) -> None:
        raise UnavailableError("Azure does not answer")

    monkeypatch.setattr(arm, "get", away)
    with pytest.raises(UnavailableError):
        recover(engine, arm, wait_seconds=1, rule=LockRule())  # type: ignore[arg-type]  # the played engine


def test_what_a_killed_update_put_into_a_scope_of_another_subscription_is_found_there(engine: FakeEngine) -> None:
    kind = "azure-native:monitor:PrivateLinkScopedResource"
    urn = f"urn:pulumi:dev::sluice::sluice:index:MonitorScope${kind}::platform-monitor-logs"
    provider = (
        "urn:pulumi:dev::sluice::pulumi:providers:azure-native::subscription-00000000-0000-4000-8000-000000000011"
    )
    engine.resources.append({"urn": provider, "type": "pulumi:providers:azure-native"})
    inputs = {"resourceGroupName": "rg-hub", "scopeName": "ampls-hub", "name": "log-payments-dev-abcdef"}
    scoped_id = (
        "/subscriptions/00000000-0000-4000-8000-000000000011/resourceGroups/rg-hub/providers/Microsoft.Insights/"
        "privateLinkScopes/ampls-hub/scopedResources/log-payments-dev-abcdef"
    )
    resource = {"urn": urn, "type": kind, "custom": True, "parent": PARENT, "provider": f"{provider}::id"}
    engine.pending = [{"type": "creating", "resource": {**resource, "inputs": inputs}}]
    repaired(engine, FakeArm().holds(scoped_id, {"id": scoped_id, "properties": {"provisioningState": "Succeeded"}}))
    (entry,) = engine.imported
    assert (entry.id, entry.provider_urn) == (scoped_id, provider)
