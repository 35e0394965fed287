"""`sluice rollout` as it is typed: its subcommands, their options, wrong use."""

import argparse
import json
from pathlib import Path

import pytest

from cli import main as command
from cli import rollout
from rollout_config import PlanSettings

READING = ("plan", "power", "status", "watch", "history", "report")
WRITING = ("start", "run", "pause", "resume", "approve", "reject", "promote", "rollback", "abort")
STACK_FILE = """
config:
  azure-native:location: westeurope
  azure-native:subscriptionId: 11111111-1111-1111-1111-111111111111
  sluice:team: shop
  sluice:network: public
  sluice:endpoints: {fraud: {deployments: {blue: {}, green: {}}}}
  sluice:rollout: {fraud: {stable: blue, traffic: {blue: 100}}}
"""


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stack file outside of the repository; no Azure answers."""
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "http://127.0.0.1:9/none")
    return file


def parsed(text: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    rollout.add_arguments(parser)
    return parser.parse_args(text.split())


@pytest.mark.parametrize("verb", READING)
def test_a_command_that_reads_takes_no_commit(verb: str) -> None:
    assert parsed(f"{verb} fraud --stack dev --json").endpoint == "fraud"
    with pytest.raises(SystemExit):
        parsed(f"{verb} fraud --commit")


@pytest.mark.parametrize("verb", WRITING)
def test_a_command_that_writes_can_commit_and_push(verb: str) -> None:
    options = parsed(f"{verb} fraud --stack dev --commit --push --json")
    assert (options.commit, options.push, options.json) == (True, True, True)


def test_step_takes_an_endpoint_or_all_and_a_time() -> None:
    assert parsed("step --all --stack prod --for 50m --commit --push").seconds == 3000
    assert parsed("step fraud").seconds is None


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("50m", 3000), ("2h", 7200)])
def test_times_have_a_unit(text: str, seconds: int) -> None:
    assert parsed(f"step fraud --for {text}").seconds == seconds


@pytest.mark.parametrize(
    "text",
    [
        "step fraud --for 50",
        "step fraud --for 0m",
        "plan fraud --rpm 0",
        "plan fraud --rpm many",
        "rollback fraud --to blue=90",
        "rollback fraud --to blue",
        "rollback fraud --to blue=50,blue=50",
        "resume fraud --restore --adopt",
        "backtest fraud",
    ],
)
def test_wrong_options_are_wrong_use(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        parsed(text)
    assert ended.value.code == 2
    assert "error:" in capsys.readouterr().err


def test_weights_by_hand_are_a_sum_of_100() -> None:
    assert parsed("rollback fraud --to blue=90,amber=10").to == {"blue": 90, "amber": 10}


@pytest.mark.parametrize("words", ["step --stack dev", "step fraud --all --stack dev"])
def test_step_needs_either_an_endpoint_or_all(words: str, stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["rollout", *words.split()]) == 2
    assert "name an ENDPOINT, or give --all" in capsys.readouterr().err


def test_an_endpoint_that_the_stack_does_not_declare_is_refused(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["rollout", "status", "fraude", "--stack", "dev"]) == 2
    assert "declares no endpoint fraude (declared: fraud). Did you mean fraud?" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["status", "watch", "report", "pause", "resume", "approve", "step"])
def test_an_endpoint_without_a_rollout_says_how_to_start_one(
    verb: str, stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["rollout", verb, "fraud", "--stack", "dev"]) == 2
    assert "sluice rollout run fraud --stack dev" in capsys.readouterr().err


def test_without_a_rollout_there_is_nothing_to_step_and_no_history(
    stack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(["rollout", "step", "--all", "--stack", "dev", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []
    assert command.main(["rollout", "history", "fraud", "--stack", "dev", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == []


def test_a_fleet_is_read_before_anything_else(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stack.with_name("fleet.yaml")
    file.write_text("waves: [{name: pilot, rollouts: [{endpoint: fraude, stack: dev}, {endpoint: frau, stack: dev}]}]")
    assert command.main(["rollout", "fleet", str(file), "--status"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("sluice: the fleet cannot start:\nstack dev declares no endpoint fraude (declared: fraud).")
    assert "stack dev declares no endpoint frau (declared: fraud)." in said
    file.write_text("wave: []")
    assert command.main(["rollout", "fleet", str(file)]) == 2
    assert "fleet.yaml: wave is not a known key (known here: waves). Did you mean waves?" in capsys.readouterr().err


def test_a_fleet_of_several_stacks_has_a_file_for_each(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = stack.with_name("fleet.yaml")
    file.write_text(
        "waves: [{name: pilot, rollouts: [{endpoint: fraud, stack: dev}]},"
        " {name: north, rollouts: [{endpoint: fraud, stack: north}]}]"
    )
    assert command.main(["rollout", "fleet", str(file), "--status"]) == 2
    assert "Pulumi.north.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("verb", ["plan", "power"])
def test_a_plan_for_a_colour_that_is_not_declared_is_refused(
    verb: str, stack: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.rollout_plan._plan", lambda site: PlanSettings(preset="canary"))
    assert command.main(["rollout", verb, "fraud", "--stack", "dev", "--to", "purple"]) == 2
    assert (
        '--to names "purple", which Pulumi.dev.yaml does not declare for fraud (declared: ' in capsys.readouterr().err
    )


def test_a_plan_that_is_missing_is_named(stack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["rollout", "plan", "fraud", "--stack", "dev"]) == 2
    assert "sluice:rollout.fraud.plan is missing in Pulumi.dev.yaml" in capsys.readouterr().err
