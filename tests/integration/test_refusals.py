"""Bad input on the real engine, without a preview: one error with every reason, and no change to the state or Azure.

Each rule and its message have unit tests; this module has one example of each place that can refuse. Every test starts
with the same settled stack.
"""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from localazure.identity import SUBSCRIPTION_ID
from naming import Names
from rollout.errors import EngineRefused
from tests.integration.rehearsal import MODEL, Azure, Stack, copy_project

pytestmark = pytest.mark.integration

Config = dict[str, Any]
ENDPOINT = Names(team="payments", stack="dev", subscription_id=SUBSCRIPTION_ID).endpoint(MODEL)


def rollout(**lines: Any) -> Callable[[Config], None]:
    return lambda config: config["sluice:rollout"][MODEL].update(lines)


def deployments(config: Config) -> dict[str, Any]:
    found: dict[str, Any] = config["sluice:endpoints"][MODEL]["deployments"]
    return found


def remove_blue(config: Config) -> None:
    del deployments(config)["blue"]
    config["sluice:rollout"][MODEL].update(stable="green", traffic={"green": 0})


def remove_the_endpoint(config: Config) -> None:
    config["sluice:endpoints"], config["sluice:rollout"] = {}, {}


def rename_the_endpoint(config: Config) -> None:
    config["sluice:endpoints"][MODEL]["name"] = "another-name"


def new_colour_with_weight(config: Config) -> None:
    deployments(config)["amber"] = {"instances": 1}
    config["sluice:rollout"][MODEL]["traffic"] = {"blue": 90, "amber": 10}


def everything_in_the_file(config: Config) -> None:
    deployments(config)["blue"].update(instances=0, sku="Standard_NC6")
    deployments(config)["green"] = {"autoscale": {"min": 3, "max": 2, "default": 2}}
    config["sluice:rollout"][MODEL]["traffic"] = {"blue": "90", "green": 33.5, "Pink": -1, "gren": True}
    config["sluice:endpoints"][MODEL]["name"] = "n" * 33
    config["sluice:teem"] = "typo"
    config["slucie:limits"] = {"max_step": 10}
    del config["sluice:network"]


def everything_at_once(config: Config) -> None:
    """Missing files and values that Azure would reject, in one error."""
    remove_blue(config)
    deployments(config)["lilac"] = {}
    config["sluice:endpoints"]["credit-risk"] = {"deployments": {"blue": {}}}
    config["azure-native:location"] = "northeurope"


STACK_FILE: dict[str, tuple[Callable[[Config], Any], tuple[str, ...]]] = {
    "weights that sum to 95": (rollout(traffic={"blue": 90, "green": 5}), ("95 (blue=90, green=5)",)),
    "everything in the file": (
        everything_in_the_file,
        (
            "blue.instances must be at least 1, got 0",
            "Standard_NC6, which Azure retired on",
            "autoscale.max must not be below min, got max=2, min=3",
            'traffic.blue must be a whole number of percent from 0 to 100, got "90"',
            "got 33.5",
            "got -1",
            "got true",
            "Names are lower-case",
            "Did you mean green?",
            "name must have at most 32 characters",
            "sluice:teem is not a known key",
            "Did you mean sluice:limits?",
            "sluice:network is missing",
        ),
    ),
    "a jump beyond the limit": (rollout(traffic={"blue": 20, "green": 80}), ("green must not rise by more than 50",)),
    "a new colour with weight": (new_colour_with_weight, ("amber does not exist in Azure yet",)),
    "a mirror to the live colour": (rollout(mirror={"blue": 10}), ("blue must be 0 while blue has live weight",)),
    "removal of a live colour": (remove_blue, ("blue must stay declared",)),
    "another size under live weight": (
        lambda config: deployments(config)["blue"].update(sku="Standard_F4s_v2"),
        ("blue must keep its release", "allow_live_change"),
    ),
    "removal of a live endpoint": (remove_the_endpoint, (f'no longer declares the endpoint "{ENDPOINT}"',)),
    "another name for a live endpoint": (rename_the_endpoint, (f'no longer declares the endpoint "{ENDPOINT}"',)),
    "another team": (
        lambda config: config.update({"sluice:team": "fraud"}),
        ('got "fraud" and "dev"', f"onlineEndpoints/{ENDPOINT} has weights (blue=100)"),
    ),
    "everything at once": (
        everything_at_once,
        (
            "models/credit-risk/: the model's folder does not exist",
            "lilac.yml: deployment lilac has no file",
            "blue must stay declared",
            "must name every deployment that has live weight",
            'azure-native:location must stay "westeurope"',
        ),
    ),
}


@pytest.mark.parametrize("case", STACK_FILE)
def test_a_stack_file_is_refused_with_every_reason_and_nothing_changes(two_colours: Stack, case: str) -> None:
    stack, (change, reasons) = two_colours, STACK_FILE[case]
    good = stack.file.read_text()
    try:
        stack.edit(change)
        refusal = refused_update(stack)
        assert refusal.without(*reasons) == [], refusal.error
        assert refusal.after == refusal.before
    finally:
        stack.file.write_text(good)


def edit(file: str, **fields: Any) -> Callable[[Path], Any]:
    """A change of one az ml file."""

    def change(folder: Path) -> None:
        path = folder / file
        path.write_text(yaml.safe_dump({**yaml.safe_load(path.read_text()), **fields}, sort_keys=False))

    return change


def every_file(folder: Path) -> None:
    edit("endpoint.yml", traffic={"blue": 100})(folder)
    edit("green.yml", instance_typ="Standard_DS3_v2")(folder)
    shutil.rmtree(folder / "artefacts" / "blue")
    (folder / "src" / "score.py").write_text("def init():\n    pass\n")


def break_yaml(folder: Path) -> None:
    (folder / "blue.yml").write_text("model: [\n")
    (folder / "green.yml").write_text("a: &a\n  b: *a\n")


def other_artefact(folder: Path) -> None:
    (folder / "artefacts" / "blue" / "about.json").write_text("{}")


FILES: dict[str, tuple[Callable[[Path], Any], tuple[str, ...]]] = {
    "every file": (
        every_file,
        (
            "endpoint.yml: traffic is {'blue': 100}, but weights belong to the stack",
            "green.yml: az ml refuses the file: instance_typ: Unknown field",
            "blue.yml: model.path is './artefacts/blue', which does not exist",
            "score.py defines no run()",
        ),
    ),
    "broken YAML": (break_yaml, ("blue.yml: the YAML cannot be read: line 2", "green.yml: the YAML is nested more")),
    "another model of a live colour": (
        other_artefact,
        ("blue must keep its release", f"sluice release publish {MODEL} --stack dev"),
    ),
    "another auth mode and identity of a live endpoint": (
        edit("endpoint.yml", auth_mode="aml_token", identity={"type": "system_assigned"}),
        ("must not change its auth mode from Key to AMLToken", "must not change its identity from"),
    ),
}


@pytest.fixture
def checkout(two_colours: Stack, azure: Azure, tmp_path: Path) -> Stack:
    """The same stack with its own copy of the model files."""
    project = copy_project(tmp_path / "checkout")
    return Stack(azure, two_colours.name, project=project)


@pytest.mark.parametrize("case", FILES)
def test_model_files_are_refused_with_every_reason_and_nothing_changes(checkout: Stack, case: str) -> None:
    change, reasons = FILES[case]
    change(checkout.project / "models" / MODEL)
    refusal = refused_update(checkout)
    assert refusal.without(*reasons) == [], refusal.error
    assert refusal.after == refusal.before


def test_a_preview_is_refused_like_an_update(two_colours: Stack) -> None:
    stack, good = two_colours, two_colours.file.read_text()
    try:
        stack.edit(remove_blue)
        with pytest.raises(EngineRefused, match="blue must stay declared"):
            stack.engine.preview()
    finally:
        stack.file.write_text(good)


def test_what_serves_is_not_destroyed(two_colours: Stack) -> None:
    """With a preview, as a person types it: the engine finds the protection before it deletes anything."""
    before = two_colours.snapshot()
    pulumi = shutil.which("pulumi", path=two_colours.environment["PATH"])
    done = subprocess.run(
        [str(pulumi), "--non-interactive", "destroy", "--yes"],
        cwd=two_colours.project,
        env=two_colours.environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode != 0
    assert "protected" in done.stdout + done.stderr
    assert two_colours.snapshot() == before


@dataclass(frozen=True)
class Refusal:
    """The one error of a refused update, and the state and Azure before and after it."""

    error: str
    before: object
    after: object

    def without(self, *reasons: str) -> list[str]:
        """The reasons that are missing from the error."""
        return [reason for reason in ("nothing was changed", *reasons) if reason not in self.error]


def refused_update(stack: Stack) -> Refusal:
    before = stack.snapshot()
    with pytest.raises(EngineRefused) as refused:
        stack.engine.up(skip_preview=True)
    (error,) = refused.value.errors
    assert "Traceback" not in error
    return Refusal(error, before, stack.snapshot())
