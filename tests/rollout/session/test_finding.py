"""Where the endpoint of a command is, also when the stack file does not say it any more."""

from pathlib import Path
from typing import Any

import pytest

from command_errors import UsageError
from resource_manager.client import ArmClient
from rollout.record.chain import Chain, record_folder
from rollout.record.event import Kind
from rollout.session.finding import site_at, site_to_go_back
from rollout.session.session import Session
from settings import SettingsError
from tests.rollout.record.rollouts import T0, started

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
WORKSPACE = (
    f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/mlw-shop"
)
FRAUD = f"{WORKSPACE}/onlineEndpoints/fraud-dev-0a1b2c"
STACK_FILE = """
config:
  azure-native:location: westeurope
  sluice:team: shop
  sluice:network: public
  sluice:endpoints: {fraud: {deployments: {blue: {}}}}
  sluice:rollout: {fraud: {stable: blue, traffic: {blue: 100}}}
"""
SESSION = Session(
    say=print,
    locks_of=lambda engine, say: pytest.fail("no locks"),
    colours_of=lambda *_: {},
    require_quota=lambda *_: pytest.fail("no quota"),
)


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    monkeypatch.setenv("ARM_SUBSCRIPTION_ID", SUBSCRIPTION)
    return file


def record(file: Path, **change: Any) -> None:
    chain = Chain(record_folder(file.parent, "dev", "fraud") / "20261127T140000Z-green.jsonl")
    chain.append(Kind.STARTED, {**started(), "stack": "dev", "endpoint": "fraud", "endpoint_id": FRAUD, **change}, T0)


def test_a_good_stack_file_says_it(file: Path) -> None:
    site = site_to_go_back(SESSION, "dev", "fraud")
    assert site.is_declared
    assert site == site_at(SESSION, "dev", "fraud")
    assert site.address.word == "fraud"


@pytest.mark.parametrize("text", ["config: [", STACK_FILE.replace("sluice:team", "sluice:teem"), "config: {}"])
def test_with_a_broken_stack_file_the_record_says_it(file: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(text)
    record(file)
    site = site_to_go_back(SESSION, "dev", "fraud")
    assert (site.endpoint_id, site.endpoint_name, site.is_declared) == (FRAUD, "fraud-dev-0a1b2c", False)
    assert site.address.subscription_id == SUBSCRIPTION
    assert "the stack file is left aside, and the way back goes on at fraud-dev-0a1b2c: " in capsys.readouterr().out
    with pytest.raises(UsageError):
        _ = site.settings


def test_an_endpoint_that_was_taken_out_of_the_stack_file_is_found(file: Path) -> None:
    file.write_text(STACK_FILE.replace("fraud:", "credit:"))
    record(file)
    assert site_to_go_back(SESSION, "dev", "fraud").endpoint_id == FRAUD


def listed(monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    """Azure has one workspace of the stack, with these endpoints, and one of another stack."""
    answers = {
        f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/workspaces": [
            {"id": WORKSPACE, "tags": {"sluice:stack": "dev"}},
            {"id": f"{WORKSPACE}-prod", "tags": {"sluice:stack": "prod"}},
        ],
        f"{WORKSPACE}/onlineEndpoints": [{"id": f"{WORKSPACE}/onlineEndpoints/{name}", "name": name} for name in names],
    }
    monkeypatch.setattr(ArmClient, "get_all", lambda self, path, version: answers[path])


def test_without_a_record_azure_says_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write_text("config: [")
    record(file, stack="prod")  # of another stack: it says nothing
    listed(monkeypatch, "credit-dev-3d4e5f", "fraud-dev-0a1b2c")
    assert site_to_go_back(SESSION, "dev", "fraud").endpoint_id == FRAUD
    listed(monkeypatch, "scores")
    assert site_to_go_back(SESSION, "dev", "fraud").endpoint_name == "scores"


def test_a_slip_in_the_key_names_no_other_endpoint(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fraud = site_at(SESSION, "dev", "fraud")
    listed(monkeypatch, fraud.endpoint_name)
    monkeypatch.setattr(
        "stacks.live_endpoint.find_endpoint_id", lambda arm, subscription, stack, key: fraud.endpoint_id
    )
    with pytest.raises(UsageError, match=r"stack dev declares no endpoint frad .*Did you mean fraud\?"):
        site_to_go_back(SESSION, "dev", "frad")


def test_a_slip_in_the_key_is_told_though_azure_shows_no_such_endpoint(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed(monkeypatch)
    with pytest.raises(UsageError, match=r"stack dev declares no endpoint frad .*Did you mean fraud\?"):
        site_to_go_back(SESSION, "dev", "frad")


@pytest.mark.parametrize("names", [(), ("scores", "credit-dev-3d4e5f"), ("fraud-dev-1", "fraud-dev-2")])
def test_an_endpoint_that_azure_does_not_show_clearly_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    file.write_text("config: [")
    listed(monkeypatch, *names)
    with pytest.raises(UsageError, match="endpoint fraud of stack dev was not found in subscription"):
        site_to_go_back(SESSION, "dev", "fraud")


def test_without_record_and_subscription_the_error_is_that_of_the_file(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file.write_text(STACK_FILE.replace("sluice:team", "sluice:teem"))
    for name in ("ARM_SUBSCRIPTION_ID", "AZURE_SUBSCRIPTION_ID"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(SettingsError, match="teem"):
        site_to_go_back(SESSION, "dev", "fraud")
