"""An update killed at any moment: `sluice recover` repairs the stack, the next update converges, nothing is orphaned.

Issue: plain Pulumi leaves a lock, and "cannot create already existing resource" for whatever Azure finished meanwhile.
"""

import random
import time
from collections.abc import Callable

import pytest

from rollout.errors import EngineLocked, EngineUnavailable
from rollout.events import ENDPOINT_TYPE, Change
from tests.integration.rehearsal import MODEL, Azure, Stack, processes_with

pytestmark = pytest.mark.integration

WORKSPACE_TYPE = "azure-native:machinelearningservices:Workspace"
DEPLOYMENT_TYPE = "azure-native:machinelearningservices:OnlineDeployment"


def creating(type_: str) -> Callable[[Change], bool]:
    return lambda change: change.op == "create" and change.type == type_


def replacing(type_: str) -> Callable[[Change], bool]:
    return lambda change: change.op in ("create-replacement", "delete-replaced") and change.type == type_


def updating(type_: str) -> Callable[[Change], bool]:
    return lambda change: change.op == "update" and change.type == type_


def recovered(stack: Stack) -> str:
    """Recover, and see that the dead update's processes are gone too; returns what the command said.

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
    """Language host, program and plugin watch the engine and end with it."""
    marker = f"PULUMI_OPTION_CONFIG_FILE={stack.file}"
    deadline = time.monotonic() + 15
    while left := processes_with(marker):
        assert time.monotonic() < deadline, f"orphaned: {left}"
        time.sleep(0.1)


def require_converged(stack: Stack) -> None:
    stack.settle()
    preview = stack.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))


@pytest.fixture(scope="module")
def crash(azure: Azure) -> Stack:
    return Stack(azure, "crash")


@pytest.mark.parametrize(
    ("type_", "later_seconds"),
    [
        ("azure-native:resources:ResourceGroup", 0.0),
        ("azure-native:storage:StorageAccount", 0.05),
        (WORKSPACE_TYPE, 0.0),
        (ENDPOINT_TYPE, 0.0),
    ],
)
def test_killed_while_the_platform_is_made(crash: Stack, type_: str, later_seconds: float) -> None:
    """In one chain: each case starts from what the one before left, so that every case is reached in seconds."""
    if crash.kill_when(creating(type_), later_seconds=later_seconds) is None:
        # The kill of the case before came when the engine had gone on to this resource: then recovery adopted it.
        state = crash.engine.export()["deployment"]["resources"]
        assert type_ in [resource["type"] for resource in state], "neither made now nor adopted before"
        return
    with pytest.raises((EngineLocked, EngineUnavailable)):  # the latter when the kill came in the middle of a write
        crash.engine.up()
    recovered(crash)
    assert not list(crash.azure.folder.glob("state/.pulumi/locks/organization/sluice/crash/*.json"))


def test_the_platform_converges_and_serves(crash: Stack) -> None:
    require_converged(crash)
    assert crash.live_traffic() == {"blue": 100}


@pytest.mark.parametrize(("colour", "later_seconds"), [("green", 0.0), ("amber", 1.0)])
def test_killed_while_a_deployment_is_made(crash: Stack, colour: str, later_seconds: float) -> None:
    crash.deployment(colour, instances=1)
    assert crash.kill_when(creating(DEPLOYMENT_TYPE), later_seconds=later_seconds)
    recovered(crash)
    require_converged(crash)
    assert crash.live_deployments()[colour]["properties"]["provisioningState"] == "Succeeded"


def test_killed_while_weights_change(crash: Stack) -> None:
    crash.weights(blue=60, green=40)
    assert crash.kill_when(updating(ENDPOINT_TYPE))
    recovered(crash)
    require_converged(crash)
    assert crash.live_traffic() == {"blue": 60, "green": 40}
    crash.weights(blue=100, green=0)
    crash.engine.up()


@pytest.mark.parametrize(("size", "later_seconds"), [("Standard_F2s_v2", 0.0), ("Standard_F4s_v2", 0.5)])
def test_killed_while_a_deployment_is_replaced(crash: Stack, size: str, later_seconds: float) -> None:
    crash.deployment("green", instances=1, sku=size)
    assert crash.kill_when(replacing(DEPLOYMENT_TYPE), later_seconds=later_seconds)
    recovered(crash)
    require_converged(crash)
    green = crash.live_deployments()["green"]["properties"]
    assert (green["instanceType"], green["provisioningState"]) == (size, "Succeeded")
    assert crash.live_traffic() == {"blue": 100}


def test_attributes_cut_short_by_a_kill_are_repaired(crash: Stack) -> None:
    """Seen after a kill in the middle of a write of the state: every command ended with this error."""
    attributes = crash.azure.folder / "state" / ".pulumi" / "stacks" / "sluice" / "crash.json.attrs"
    attributes.write_text("")
    with pytest.raises(EngineUnavailable, match="EOF"):
        crash.engine.preview()
    assert "crash.json.attrs" in recovered(crash)
    assert crash.engine.preview().is_empty


def test_killed_while_everything_is_deleted(crash: Stack) -> None:
    crash.weights(blue=0, green=0)
    crash.engine.up()
    assert crash.kill_when(lambda change: change.op == "delete" and change.type == WORKSPACE_TYPE, operation="destroy")
    recovered(crash)
    crash.engine.destroy()
    require_nothing_left(crash)


def require_nothing_left(stack: Stack) -> None:
    """Neither in the state, nor in Azure, nor as a process."""
    assert not stack.engine.export()["deployment"].get("resources")
    assert stack.azure.request("GET", stack.names.resource_group_id, api_version="2021-04-01")[0] == 404
    assert not processes_with(f"{stack.azure.home.path}/deployments/{stack.names.endpoint(MODEL)}/")


def test_killed_again_and_again_at_moments_of_chance(azure: Azure) -> None:
    """Killed, recovered, tried again until it comes through; the seed of a failing run is in its message."""
    seed = random.randrange(10**6)
    chance, stack = random.Random(seed), Stack(azure, "chance")
    try:
        for _ in range(3):
            if not stack.kill_after(chance.uniform(0.8, 3.5)):
                break
            recovered(stack)
        stack.up()
    except Exception as error:
        raise AssertionError(f"seed {seed}") from error
