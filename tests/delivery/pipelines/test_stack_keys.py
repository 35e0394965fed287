"""The keys that delivery needs in stack files: added in place, and only where a team has chosen nothing."""

from pathlib import Path

import pytest
import yaml

from command_errors import UsageError
from delivery.pipelines.stack_keys import Addition, wanted_keys, with_keys

ROOT = Path(__file__).resolve().parents[3]
STACKS = ("dev", "test", "prod")
FILE = """# the stack
config:
  # where
  azure-native:location: westeurope
  sluice:limits:
    max_step: 25  # percent
  sluice:rollout:
    shop: {stable: blue, traffic: {blue: 100}, plan: {preset: canary}}
    mail:
      plan:
        # careful
        preset: careful
"""


def added(stack: str, text: str = FILE, *, branches: bool = False) -> list[str]:
    return [str(addition) for addition in wanted_keys(text, stack, STACKS, branches=branches)]


def test_each_place_in_the_chain_gets_its_keys() -> None:
    plans = [f"sluice:rollout.{name}.plan.{{}}" for name in ("shop", "mail")]
    start = [plan.format("start: auto") for plan in plans]
    assert added("dev") == [
        start[0],
        plans[0].format("promote_to: test"),
        start[1],
        plans[1].format("promote_to: test"),
    ]
    assert added("test")[0] == "sluice:limits.require_proof: dev"
    assert added("prod") == ["sluice:limits.require_proof: test", "sluice:limits.require_pinned: true", *start]


def test_with_branches_each_stack_has_one_and_follows_the_stack_before() -> None:
    assert added("dev", branches=True)[0] == "sluice:branch: sluice/dev"
    assert added("prod", branches=True)[:2] == ["sluice:branch: sluice/prod", "sluice:after: test"]


def test_a_choice_of_the_team_stays() -> None:
    chosen = FILE.replace("preset: careful", "preset: careful\n        start: manual\n        promote_to: null")
    assert not [key for key in added("dev", chosen) if ".mail." in key]


@pytest.mark.parametrize("stack", STACKS)
def test_comments_and_order_stay_and_a_second_run_adds_nothing(stack: str) -> None:
    edited = with_keys(FILE, wanted_keys(FILE, stack, STACKS, branches=True), "Pulumi.x.yaml")
    kept = iter(edited.splitlines())
    assert all(line in kept for line in FILE.splitlines() if "shop" not in line)  # a subsequence
    assert wanted_keys(edited, stack, STACKS, branches=True) == []


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_stack_files_of_this_repository_lack_them_and_can_take_them(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    assert not {"sluice:branch", "sluice:after"} & yaml.safe_load(text)["config"].keys()
    assert "require_" not in text
    edited = with_keys(text, wanted_keys(text, stack, ("dev", "prod"), branches=False), "x")
    assert yaml.safe_load(edited)["config"]["sluice:rollout"]["fraud-detection"]["plan"]["start"] == "auto"


def test_a_form_that_cannot_be_edited_is_refused_with_the_line_to_add() -> None:
    shared = "config:\n  a: &l {max_step: 1}\n  sluice:limits: *l\n"
    with pytest.raises(UsageError, match=r"(?s)sluice:limits.* Add it yourself: sluice:limits\.require_proof: dev"):
        with_keys(shared, [Addition(path=("config", "sluice:limits", "require_proof"), value="dev")], "Pulumi.x.yaml")


def test_windows_line_ends_stay() -> None:
    text = FILE.replace("\n", "\r\n")
    edited = with_keys(text, wanted_keys(text, "prod", STACKS, branches=True), "x")
    assert edited.count("\n") == edited.count("\r\n")
