"""A stack is taken down so that its names can be used again, even if an earlier run was killed.

Issue: after `pulumi destroy` Azure keeps the names, and the next `up` fails; `state unprotect --all` also removes the
protection of what serves.
"""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rehearsal.faults import add_fault, clear_faults, wait_until_held
from rollout.errors import EngineFailed
from tests.integration.rehearsal import ROOT, Azure, Stack, processes_with

pytestmark = pytest.mark.integration

SLUICE = Path(sys.executable).with_name("sluice")


@pytest.fixture(scope="module")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """Deployments here answer without processes: these tests do not concern models."""
    azure = Azure.started(tmp_path_factory.mktemp("simulated"), "--compute=simulated")
    yield azure
    azure.stop()


def settled(azure: Azure, name: str, like: str) -> Stack:
    stack = Stack(azure, name, like=like)
    stack.settle()
    return stack


def emptied(stack: Stack) -> str:
    """Set the weights to 0 and remove the stack; return what the command printed."""
    stack.weights(blue=0)
    stack.engine.up()
    return removed(stack)


def removed(stack: Stack) -> str:
    said = stack.sluice("remove", "--stack", stack.name, "--yes").stderr
    assert not stack.engine.export()["deployment"].get("resources")
    assert stack.azure.request("GET", stack.names.resource_group_id, api_version="2021-04-01")[0] == 404
    return said


def kill_while_held(stack: Stack, type_: str, when: str) -> None:
    """Start a removal, and kill -9 all its processes while Azure holds its DELETE of such a resource."""
    fault = add_fault(stack.azure.home, kind="hold", type=type_, method="DELETE", when=when, count=1)
    process = subprocess.Popen(
        [str(SLUICE), "remove", "--stack", stack.name, "--yes"],
        cwd=ROOT,
        env=stack.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_until_held(stack.azure.home, fault["number"])
    finally:
        process.kill()
        process.wait()
        for pid in processes_with(f"PULUMI_OPTION_CONFIG_FILE={stack.file}"):
            os.kill(pid, signal.SIGKILL)
        clear_faults(stack.azure.home)


def test_a_public_stack_comes_up_again_under_the_same_names(simulated: Azure) -> None:
    stack = settled(simulated, "again", "dev")
    before = stack.engine.export()
    refused = stack.sluice("remove", "--stack", stack.name, "--yes", expect=2)
    assert "serves: blue 100" in refused.stderr
    assert stack.engine.export() == before
    said = emptied(stack)
    assert "All its names are free" in said
    stack.engine.up()
    assert stack.azure.request("GET", stack.names.workspace_id)[0] == 200


@pytest.mark.parametrize(
    ("type_", "when"),
    [("Microsoft.MachineLearningServices/workspaces", "after"), ("Microsoft.KeyVault/vaults", "before")],
)
def test_the_run_after_a_killed_one_finishes(simulated: Azure, type_: str, when: str) -> None:
    """The command deletes the workspace, the engine the vault; Azure has not begun the deletion, or has finished it."""
    stack = Stack(simulated, f"killed-{when}", like="dev")
    stack.weights(blue=0)
    stack.engine.up()
    kill_while_held(stack, type_, when)
    assert "All its names are free" in removed(stack)


def test_locks_refuse_a_plain_destroy_and_are_the_first_that_a_removal_deletes(simulated: Azure) -> None:
    stack = Stack(simulated, "locked", like="dev")
    stack.edit(lambda config: config.update({"sluice:locks": True, "sluice:endpoints": {}, "sluice:rollout": {}}))
    stack.engine.up()
    assert stack.engine.preview().is_empty
    vault = f"{stack.names.resource_group_id}/providers/Microsoft.KeyVault/vaults/{stack.names.key_vault}"
    for target, version in ((vault, "2023-07-01"), (stack.names.resource_group_id, "2021-04-01")):
        status, answer = simulated.request("DELETE", target, api_version=version)
        assert (status, answer["error"]["code"]) == (409, "ScopeLocked")
    group_lock = f"{stack.names.resource_group_id}/providers/Microsoft.Authorization/locks/audit"
    status, _ = simulated.request("PUT", group_lock, {"properties": {"level": "CanNotDelete"}}, "2020-05-01")
    assert status == 201
    refused = stack.sluice("remove", "--stack", stack.name, "--yes", expect=2)
    assert f"az lock delete --ids {group_lock}" in refused.stderr
    assert simulated.request("DELETE", group_lock, api_version="2020-05-01")[0] == 200
    assert "All its names are free" in removed(stack)


def test_a_private_stack_needs_the_next_generation_and_the_error_names_it(simulated: Azure) -> None:
    stack = Stack(simulated, "closed", like="prod")
    stack.weights(blue=0)
    stack.engine.up()
    said = removed(stack)
    assert f"Still taken: key vault {stack.names.key_vault} until " in said
    assert "add the line `sluice:generation: 2` to Pulumi.closed.yaml" in said
    with pytest.raises(EngineFailed, match="sluice:generation: 2"):
        stack.engine.up()
    removed(stack)
    stack.edit(lambda config: config.update({"sluice:generation": 2}))
    stack.engine.up()


def test_after_a_plain_destroy_a_public_stack_needs_the_next_generation_too(simulated: Azure) -> None:
    stack = Stack(simulated, "plain", like="dev")
    stack.weights(blue=0)
    stack.engine.up()
    stack.engine.destroy()
    with pytest.raises(EngineFailed, match="sluice:generation: 2"):
        stack.engine.up()
    stack.edit(lambda config: config.update({"sluice:generation": 2}))
    stack.engine.up()
