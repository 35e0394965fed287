"""A new team, from `sluice new` to a served request, as docs/new-team.md shows; then it leaves, and comes back."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from localazure.identity import SUBSCRIPTION_ID
from naming import Names
from tests.integration.rehearsal import ROOT, SLUICE, Azure, Stack, copy_project

pytestmark = pytest.mark.integration

KEY = "churn"


class Team(Stack):
    """A stack whose file `sluice new team` has written."""

    def __init__(self, azure: Azure, folder: Path, name: str, *options: str) -> None:
        self.checkout = copy_project(folder / "checkout")
        (self.checkout / "bootstrap").mkdir(exist_ok=True)
        stack = f"{name}-dev"
        super().__init__(azure, stack, project=self.checkout)
        self.names = Names(team=name, stack=stack, environment="dev", subscription_id=SUBSCRIPTION_ID)
        self.team, self.options = name, options
        self.write()

    def write(self, *more: str) -> None:
        """`sluice new team`; the rehearsal's copy of the stack file becomes the new one."""
        where = ("--location", "westeurope", "--environments", "dev")
        self.sluice("new", "team", self.team, *where, *self.options, *more)
        shutil.copy2(self.checkout / f"Pulumi.{self.name}.yaml", self.file)

    def serve(self) -> None:
        """Do what the output `next` says until the endpoint is settled."""
        if not (self.checkout / "models" / KEY).exists():
            self.sluice("new", "endpoint", KEY, "--from", "sklearn")

        def declare(config: dict[str, Any]) -> None:
            config["sluice:endpoints"] = {KEY: {"deployments": {"blue": {}}}}
            config["sluice:rollout"] = {KEY: {"stable": "blue", "traffic": {"blue": 100}}}

        self.edit(declare)
        for _ in range(4):
            self.engine.up()
            output = self.engine.outputs()["endpoints"][KEY]
            if output["settled"]:
                return
            if "release publish" in output["next"]:
                self.sluice("release", "publish", KEY, "--stack", self.name)
        raise AssertionError("the endpoint is not settled")


def test_the_commands_of_the_walkthrough_lead_from_a_clean_clone_to_a_served_request(tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
    (clone / ".venv").symlink_to(ROOT / ".venv")
    page = (clone / "docs" / "new-team.md").read_text()
    section = page.partition("\n## On the local Azure")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 4
    path = f"{SLUICE.parent}{os.pathsep}{os.environ['PATH']}"
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
    environment = kept | {"PATH": path, "SLUICE_LOCAL_HOME": str(tmp_path / "home")}
    try:
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(blocks)],
            cwd=clone,
            env=environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    finally:
        subprocess.run([str(SLUICE), "local", "stop"], cwd=clone, env=environment, capture_output=True)
    assert json.dumps({"predictions": [0, 1]}) in done.stdout
    assert "All its names are free" in done.stderr


def test_a_team_leaves_nothing_but_the_names_that_it_lists_and_comes_back_with_the_next_generation(
    simulated_azure: Azure, tmp_path: Path
) -> None:
    azure = simulated_azure
    team = Team(azure, tmp_path, "research", "--address-space", "10.91.0.0/20")
    assert "no stack file says sluice:team: unknown" in team.sluice("remove", "team", "unknown", expect=2).stderr
    team.serve()
    before = team.engine.export()
    refused = team.sluice("remove", "team", "research", "--yes", expect=2)
    assert f"{team.names.endpoint(KEY)} serves: blue 100" in refused.stderr
    assert team.engine.export() == before

    team.edit(lambda config: config["sluice:rollout"][KEY].update(traffic={"blue": 0}))
    team.engine.up()
    said = team.sluice("remove", "team", "research", "--yes").stderr
    assert not team.engine.export()["deployment"].get("resources")
    assert azure.request("GET", team.names.resource_group_id, api_version="2021-04-01")[0] == 404
    kept = [line for line in said.splitlines() if line.startswith("Still taken: ")]
    assert len(kept) == 1
    assert kept[0].startswith(f"Still taken: key vault {team.names.key_vault} until ")
    deleted = f"/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.KeyVault/deletedVaults"
    status, vaults = azure.request("GET", deleted, api_version="2023-07-01")
    assert status == 200
    assert [one["name"] for one in vaults["value"]] == [team.names.key_vault]

    assert (
        "Pulumi.research-dev.yaml exists already"
        in team.sluice("new", "team", "research", "--location", "westeurope", "--environments", "dev", expect=2).stderr
    )
    for folder in (team.checkout, team.checkout / "bootstrap"):
        (folder / "Pulumi.research-dev.yaml").unlink()
    team.write("--generation", "2")
    team.serve()
    workspace = team.engine.outputs()["workspace"]["name"]
    assert workspace == "mlw-research-dev-g2"
    assert team.engine.preview().is_empty
