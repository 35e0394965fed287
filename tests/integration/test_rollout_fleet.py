"""`sluice rollout fleet` on the real engine: two stacks, one after another; killed in the first, gone on in a clone."""

import contextlib
import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from rehearsal.faults import add_fault
from tests.integration.drill import TEN, callers, git
from tests.integration.rehearsal import MODEL, ROOT, SLUICE, Azure, Stack, copy_project
from tests.waiting import wait_until

pytestmark = pytest.mark.integration

PLAN = {
    "steps": [{"weight": weight, "bake": "5s"} for weight in (10, 50, 100)],
    "gates": {"error_rate": {"max": 0.02, "vs_stable": 1.5}},
    "min_requests": 20,
}
FLEET = {
    "waves": [
        {"name": "pilot", "rollouts": [{"endpoint": MODEL, "stack": "dev"}], "bake": "1s"},
        {"name": "north", "rollouts": [{"endpoint": MODEL, "stack": "north"}]},
    ]
}


class Regions:
    """A clone of the repository with the files of two stacks."""

    def __init__(self, azure: Azure, folder: Path) -> None:
        self.dev, self.north = Stack(azure, "dev"), Stack(azure, "north")
        self.north.settle()
        self.north.deployment("green", instances=1)
        self.north.engine.up()
        self.folder = folder
        self.project = copy_project(folder / "work")
        for stack in self.stacks:
            stack.edit(lambda config: config["sluice:rollout"][MODEL].update(plan=PLAN))
            shutil.copy2(stack.file, self.project / stack.file.name)
        (self.project / "fleet.yaml").write_text(yaml.safe_dump(FLEET))
        (self.project / ".gitignore").write_text((ROOT / ".gitignore").read_text() + ".venv\n")
        identity = folder / "gitconfig"
        identity.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
        shell = {**self.dev.environment, "GIT_CONFIG_GLOBAL": str(identity), "GIT_CONFIG_NOSYSTEM": "1"}
        self.environment = shell | {"PULUMI_OPTION_CONFIG_FILE": str(self.project / self.dev.file.name)}
        self.origin = folder / "origin.git"
        self.git("init", "-q", "-b", "main")
        self.git("add", ".")
        self.git("commit", "-qm", "Two regions")
        git(folder, self.environment, "clone", "-q", "--bare", str(self.project), str(self.origin))
        self.git("remote", "add", "origin", f"file://{self.origin}")

    @property
    def stacks(self) -> tuple[Stack, Stack]:
        return self.dev, self.north

    def git(self, *arguments: str) -> str:
        return git(self.project, self.environment, *arguments)

    def clone(self) -> None:
        """Go on from a fresh, shallow clone of what was pushed."""
        self.project = self.folder / "clone"
        git(self.folder, self.environment, "clone", "-q", "--depth=1", f"file://{self.origin}", str(self.project))
        (self.project / ".venv").symlink_to(ROOT / ".venv")
        self.environment |= {"PULUMI_OPTION_CONFIG_FILE": str(self.project / self.dev.file.name)}

    def begin(self) -> "subprocess.Popen[str]":
        with (self.folder / "fleet.log").open("w") as log:
            return subprocess.Popen(
                [str(SLUICE), "rollout", "fleet", "fleet.yaml", "--commit", "--push"],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
            )

    def fleet(self, *flags: str, expect: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(SLUICE), "rollout", "fleet", "fleet.yaml", *flags],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    def progress(self, expect: int = 0) -> list[str]:
        values: dict[str, Any] = json.loads(self.fleet("--status", "--json", expect=expect).stdout)
        return [one["progress"] for wave in values["waves"] for one in wave["rollouts"]]


@pytest.fixture
def regions(simulated_azure: Azure, tmp_path: Path) -> Iterator[Regions]:
    regions = Regions(simulated_azure, tmp_path)
    with contextlib.ExitStack() as load:
        for stack in regions.stacks:
            load.enter_context(callers(stack))
        yield regions


def test_a_killed_fleet_goes_on_in_a_clone_and_a_failure_keeps_the_waves_before(regions: Regions) -> None:
    assert regions.progress() == ["waiting", "waiting"]
    process = regions.begin()
    try:
        wait_until(lambda: regions.dev.live_traffic() == TEN or process.poll() is not None, "the first step")
    finally:
        process.kill()
        process.wait()
    assert regions.north.live_traffic() == {"blue": 100}

    regions.clone()
    add_fault(
        regions.dev.azure.home, kind="errors", name=f"{regions.north.names.endpoint(MODEL)}/green", share_percent=60
    )
    failed = regions.fleet("--commit", "--push", expect=1)
    assert regions.dev.live_traffic() == {"green": 100}
    assert regions.north.live_traffic() == {"blue": 100}
    assert f"To take it back: sluice rollout rollback {MODEL} --stack dev" in failed.stdout
    assert regions.progress(expect=1) == ["done", "failed"]
    assert len(list((regions.project / "rollouts" / "dev" / MODEL).glob("*.jsonl"))) == 1
    assert regions.git("ls-remote", "origin", "refs/heads/main").split()[0] == regions.git("rev-parse", "HEAD")
    for stack in regions.stacks:
        file = str(regions.project / stack.file.name)
        stack.environment = {**regions.environment, "PULUMI_STACK": stack.name, "PULUMI_OPTION_CONFIG_FILE": file}
        stack.project = regions.project
        done = stack.sluice("rollout", "status", MODEL, "--stack", stack.name, "--json", expect=None)
        weights = json.loads(done.stdout)["weights"]
        assert weights["declared"] == weights["live"] == weights["record"]
