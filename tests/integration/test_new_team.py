"""A new team, from `sluice new` to a served request; then it leaves, and comes back under its own name."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from localazure.identity import SUBSCRIPTION_ID
from naming import Names
from tests.integration.rehearsal import Azure, Stack, copy_project

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
        self.sluice("new", "team", name, "--location", "westeurope", "--environments", "dev,prod", *options)
        shutil.copy2(self.checkout / f"Pulumi.{stack}.yaml", self.file)

    def serve(self) -> None:
        """Do what the output `next` says until the endpoint is settled."""
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


def test_a_new_teams_sample_really_serves(azure: Azure, tmp_path: Path) -> None:
    team = Team(azure, tmp_path, "marketing")
    team.serve()
    request = team.checkout / "models" / KEY / "sample-request.json"
    said = team.sluice("invoke", KEY, "--request-file", str(request), "--stack", team.name).stdout
    assert json.loads(said) == {"predictions": [0, 1]}
    assert team.engine.preview().is_empty
    group = azure.request("GET", team.names.resource_group_id, api_version="2021-04-01")[1]
    assert group["name"] == "rg-marketing-dev"
    assert group["tags"]["sluice:environment"] == "dev"
