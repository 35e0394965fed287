"""Releases on the real engine: a pin changes nothing, and a stack's own value is a secret from end to end."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from tests.integration.rehearsal import MODEL, Azure, Stack, copy_project
from tests.integration.settled import Settled

pytestmark = pytest.mark.integration

IDENTITY = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")


def commit(project: Path, message: str) -> None:
    for command in (["add", "-A", "models"], [*IDENTITY, "commit", "-qm", message]):
        subprocess.run(["git", "-C", str(project), *command], check=True)


@pytest.fixture
def team(simulated: Settled, tmp_path: Path) -> Stack:
    """The dev stack as blue serves it, in a repository of its own."""
    azure: Azure = simulated.restored()
    project = copy_project(tmp_path / "team")
    subprocess.run(["git", "init", "-q", "-b", "main", str(project)], check=True)
    commit(project, "The model")
    return Stack(azure, "dev", project=project)


def test_a_pin_of_what_serves_previews_empty_and_frees_the_folder(team: Stack) -> None:
    pinned = json.loads(team.sluice("release", "pin", MODEL, "blue", "--stack", "dev", "--json").stdout)
    assert pinned["set"] == {"release": pinned["content"][:16]}
    preview = team.engine.preview()
    assert preview.is_empty, list(map(str, preview.changes))
    commit(team.project, "Pin blue")

    folder = team.project / "models" / MODEL
    score = folder / "src" / "score.py"
    score.write_text(score.read_text() + "\n# the next release\n")
    (folder / "blue.yml").unlink()
    commit(team.project, "The next release")
    team.publish()
    preview = team.engine.preview()
    assert {change.name for change in preview.changes if change.type.endswith("OnlineDeployment")} == {
        f"{MODEL}-green-deployment"
    }, list(map(str, preview.changes))
    team.engine.up()
    assert team.live_traffic() == {"blue": 100}
    tags = {
        name: team.azure.get(f"{team.names.endpoint_id(team.names.endpoint(MODEL))}/deployments/{name}")["tags"]
        for name in ("blue", "green")
    }
    assert tags["blue"]["sluice:content"] == pinned["content"][:16]
    assert tags["green"]["sluice:content"] != tags["blue"]["sluice:content"]
    assert team.engine.preview().is_empty


def test_a_stacks_own_value_reaches_the_deployment_and_nothing_prints_it(team: Stack) -> None:
    secret = "postgres-4711"
    key = f"sluice:endpoints.{MODEL}.deployments.green.environment_variables.OMP_NUM_THREADS"
    command = ["pulumi", "--non-interactive", "config", "set", "--path", key, "--secret", secret]
    subprocess.run([*command, "--config-file", str(team.file)], cwd=team.project, env=team.environment, check=True)
    assert secret not in team.file.read_text()
    declared = yaml.safe_load(team.file.read_text())["config"]["sluice:endpoints"][MODEL]["deployments"]["green"]
    assert set(declared["environment_variables"]["OMP_NUM_THREADS"]) == {"secure"}
    shown = subprocess.run(
        ["pulumi", "--non-interactive", "preview", "--diff"],
        cwd=team.project,
        env=team.environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"{MODEL}-green-deployment" in shown.stdout
    assert secret not in shown.stdout + shown.stderr
    team.engine.up()
    green = team.azure.get(f"{team.names.endpoint_id(team.names.endpoint(MODEL))}/deployments/green")
    assert green["properties"]["environmentVariables"]["OMP_NUM_THREADS"] == secret
    assert secret not in json.dumps(team.engine.export())
    assert team.engine.preview().is_empty
    listed = team.sluice("release", "list", "--stack", "dev", "--json", expect=None)
    assert secret not in listed.stdout + listed.stderr


def test_another_stack_gets_the_bytes_from_the_commit_or_from_the_first_ones_storage(team: Stack) -> None:
    """By then the folder has moved on, and at last nothing has the old bytes but the storage of dev."""
    pinned = json.loads(team.sluice("release", "pin", MODEL, "blue", "--stack", "dev", "--json").stdout)
    folder = team.project / "models" / MODEL
    (folder / "src" / "score.py").write_text("def init():\n    pass\n\n\ndef run(raw_data):\n    return []\n")
    commit(team.project, "The next release")
    twin = Stack(team.azure, "twin", project=team.project)
    twin.deployment("blue", **pinned["set"])
    twin.engine.up()  # the platform; deployments wait for published files
    twin.publish("blue")
    again = twin.sluice("release", "publish", MODEL, "--stack", "twin", "--deployment", "blue")
    assert "nothing was uploaded" in again.stdout

    shutil.rmtree(team.project / ".git")  # history is gone
    third = Stack(team.azure, "third", project=team.project)
    third.deployment("blue", **pinned["set"])
    third.engine.up()
    command = ("release", "publish", MODEL, "--stack", "third", "--deployment", "blue")
    refused = third.sluice(*command, expect=2)
    assert "the bytes of score.py of release" in refused.stderr
    assert "Give --from STACK" in refused.stderr
    shutil.copy2(team.file, third.file.with_name(team.file.name))
    third.sluice(*command, "--from", "dev")
    for stack in (twin, third):
        stack.settle()
        place = f"{stack.names.endpoint_id(stack.names.endpoint(MODEL))}/deployments/blue"
        assert stack.azure.get(place)["tags"]["sluice:content"] == pinned["content"][:16]


def test_a_folder_that_is_in_no_repository_cannot_be_pinned(team: Stack) -> None:
    shutil.rmtree(team.project / ".git")
    refused = team.sluice("release", "pin", MODEL, "blue", "--stack", "dev", expect=2)
    assert "is in no git repository" in refused.stderr
