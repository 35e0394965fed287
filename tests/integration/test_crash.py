"""An update killed at any moment: `sluice recover` repairs the stack, the next update converges, nothing is orphaned.

Azure is held at the moment while the engine is killed, and continues afterwards. Plain Pulumi leaves a lock, and then
reports "cannot create already existing resource" for everything that Azure finished in the meantime.
"""

import itertools
import random
from typing import Any

import pytest

from rollout.errors import EngineLocked, EngineUnavailable
from tests.integration.rehearsal import MODEL, Azure, Stack, processes_with
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

WORKSPACES = "microsoft.machinelearningservices/workspaces"
ENDPOINTS = f"{WORKSPACES}/onlineEndpoints"
DEPLOYMENTS = f"{ENDPOINTS}/deployments"
Scope = dict[str, Any]
NEW_STACKS = (f"new{number}" for number in itertools.count())


def sent(type_: str, method: str = "PUT") -> Scope:
    """The request has been sent; Azure processes it after the kill."""
    return {"kind": "hold", "when": "before", "type": type_, "method": method, "count": 1}


def accepted(type_: str, method: str = "PUT") -> Scope:
    """The request has taken effect; its answer is lost."""
    return {"kind": "hold", "when": "after", "type": type_, "method": method, "count": 1}


def under_way(type_: str, method: str = "PUT") -> Scope:
    """The engine has the answer and polls; the operation ends after the kill."""
    return {"kind": "operation-never-ends", "type": type_, "method": method, "count": 1}


def recovered(stack: Stack) -> str:
    """Recover, and check that the dead update's processes are gone too; return what the command printed.

    The program may refuse until the model's files are published, now that there is a workspace to publish them to.
    """
    done = stack.sluice("recover", "--stack", stack.name, expect=None)
    if done.returncode == 3 and "never published" in done.stderr:
        stack.publish()
        done = stack.sluice("recover", "--stack", stack.name, expect=None)
    assert done.returncode == 0, done.stderr
    require_no_orphans(stack)
    return done.stderr


def require_no_orphans(stack: Stack) -> None:
    """Language host, program and plugin watch the engine and end when it ends."""
    marker = f"PULUMI_OPTION_CONFIG_FILE={stack.file}"
    wait_until(lambda: not processes_with(marker), "orphaned processes")


def require_converged(stack: Stack) -> None:
    stack.settle()
    preview = stack.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))


@pytest.fixture
def new(simulated_azure: Azure) -> Stack:
    """A stack that was never brought up."""
    return Stack(simulated_azure, next(NEW_STACKS))


@pytest.fixture
def crash(simulated_azure: Azure) -> Stack:
    """A settled stack: blue at 100 %, green at 0 %."""
    return Stack(simulated_azure, "dev")


@pytest.mark.parametrize(
    ("moment", "type_"),
    [
        (accepted("resourceGroups"), "azure-native:resources:ResourceGroup"),
        (sent("storageAccounts"), "azure-native:storage:StorageAccount"),
        (under_way(WORKSPACES), "azure-native:machinelearningservices:Workspace"),
    ],
    ids=["group", "storage", "workspace"],
)
def test_killed_while_the_platform_is_made(new: Stack, moment: Scope, type_: str) -> None:
    assert new.kill_at(new.azure.moment(**moment))
    with pytest.raises((EngineLocked, EngineUnavailable)):  # the latter when the kill came in the middle of a write
        new.engine.up()
    recovered(new)
    assert not list(new.azure.folder.glob(f"state/.pulumi/locks/organization/sluice/{new.name}/*.json"))
    state = new.engine.export()["deployment"]["resources"]
    assert type_ in [resource["type"] for resource in state], "what Azure finished is adopted"


@pytest.mark.parametrize("moment", [sent(ENDPOINTS), under_way(ENDPOINTS)], ids=["sent", "under way"])
def test_killed_while_the_endpoint_is_made_and_the_platform_converges_and_serves(new: Stack, moment: Scope) -> None:
    assert new.kill_at(new.azure.moment(**moment))
    recovered(new)
    require_converged(new)
    assert new.live_traffic() == {"blue": 100}


@pytest.mark.parametrize(
    "moment", [sent(DEPLOYMENTS), accepted(DEPLOYMENTS), under_way(DEPLOYMENTS)], ids=["sent", "accepted", "under way"]
)
def test_killed_while_a_deployment_is_made(crash: Stack, moment: Scope) -> None:
    crash.deployment("amber", instances=1)
    assert crash.kill_at(crash.azure.moment(**moment))
    recovered(crash)
    require_converged(crash)
    assert crash.live_deployments()["amber"]["properties"]["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    "moment", [sent(ENDPOINTS), accepted(ENDPOINTS), under_way(ENDPOINTS)], ids=["sent", "accepted", "under way"]
)
def test_killed_while_weights_change(crash: Stack, moment: Scope) -> None:
    crash.weights(blue=60, green=40)
    assert crash.kill_at(crash.azure.moment(**moment))
    recovered(crash)
    require_converged(crash)
    assert crash.live_traffic() == {"blue": 60, "green": 40}


@pytest.mark.parametrize(
    "moment", [under_way(DEPLOYMENTS, "DELETE"), under_way(DEPLOYMENTS, "PUT")], ids=["deleted", "created"]
)
def test_killed_while_a_deployment_is_replaced(crash: Stack, moment: Scope) -> None:
    crash.deployment("green", instances=1, sku="Standard_F2s_v2")
    assert crash.kill_at(crash.azure.moment(**moment))
    recovered(crash)
    require_converged(crash)
    green = crash.live_deployments()["green"]["properties"]
    assert (green["instanceType"], green["provisioningState"]) == ("Standard_F2s_v2", "Succeeded")
    assert crash.live_traffic() == {"blue": 100}


def test_attributes_cut_short_by_a_kill_are_repaired(crash: Stack) -> None:
    """Observed after a kill during a write of the state: every command ended with this error."""
    attributes = crash.azure.folder / "state" / ".pulumi" / "stacks" / "sluice" / f"{crash.name}.json.attrs"
    attributes.write_text("")
    with pytest.raises(EngineUnavailable, match="EOF"):
        crash.engine.preview()
    assert attributes.name in recovered(crash)
    assert crash.engine.preview().is_empty


def test_killed_while_everything_is_deleted(dev: Stack) -> None:
    dev.weights(blue=0, green=0)
    dev.engine.up()
    assert dev.kill_at(dev.azure.moment(**under_way(WORKSPACES, "DELETE")), operation="destroy")
    recovered(dev)
    dev.engine.destroy()
    require_nothing_left(dev)


def require_nothing_left(stack: Stack) -> None:
    """Neither in the state, nor in Azure, nor as a process."""
    assert not stack.engine.export()["deployment"].get("resources")
    assert stack.azure.request("GET", stack.names.resource_group_id, api_version="2021-04-01")[0] == 404
    assert not processes_with(f"{stack.azure.home.path}/deployments/{stack.names.endpoint(MODEL)}/")


def test_killed_again_and_again_at_requests_of_chance(new: Stack) -> None:
    """Kill, recover and repeat until the update succeeds; a failing run has its seed in the message."""
    seed = random.randrange(10**6)
    chance = random.Random(seed)
    try:
        for _ in range(3):
            moment: Scope = {"method": "PUT", "after": chance.randrange(25), "when": chance.choice(["before", "after"])}
            if not new.kill_at(new.azure.moment("hold", count=1, **moment)):
                break
            recovered(new)
        new.up()
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error
