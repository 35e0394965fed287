"""What people say to a rollout, typed: the event is in the record, the answer names what comes next."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cli import main as command
from naming import Names
from rollout.record.chain import Chain, record_folder
from rollout.record.event import Kind
from tests.rollout.states import NOON, PLAN

SUBSCRIPTION = "11111111-1111-1111-1111-111111111111"
STACK_FILE = f"""
config:
  azure-native:location: westeurope
  azure-native:subscriptionId: {SUBSCRIPTION}
  sluice:team: shop
  sluice:network: public
  sluice:endpoints: {{fraud: {{deployments: {{blue: {{}}, green: {{}}}}}}}}
  sluice:rollout: {{fraud: {{stable: blue, traffic: {{blue: 100}}, plan: {{preset: canary}}}}}}
"""
BASELINE: dict[str, Any] = {"traffic": {"blue": 100}, "mirror": {}}
Run = Callable[[str], int]


@pytest.fixture
def chain(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Chain:
    """The record of a rollout that has just started, beside a stack file outside of the repository."""
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))
    monkeypatch.setenv("ARM_CLOUD_METADATA_URL", "http://127.0.0.1:9/none")
    for name in ("GITHUB_ACTIONS", "TF_BUILD"):
        monkeypatch.delenv(name, raising=False)
    chain = Chain(record_folder(tmp_path, "dev", "fraud") / "20261128T120000Z-green.jsonl")
    chain.append(
        Kind.STARTED,
        {
            "id": "20261128T120000Z-green",
            "project": "sluice",
            "stack": "dev",
            "endpoint": "fraud",
            "workspace": Names(team="shop", stack="dev", subscription_id=SUBSCRIPTION).workspace,
            "subscription": SUBSCRIPTION,
            "arm_host": "management.azure.com",
            "commit": None,
            "actor": "ana",
            "run": None,
            "colour": "green",
            "stable": "blue",
            "colours": {name: {"release": f"{name}-r", "content": f"{name}-c"} for name in ("blue", "green")},
            "baseline": BASELINE,
            "plan": PLAN.as_values(),
            "plan_digest": "0" * 64,
            "grain": 60,
            "settle": 120,
            "synthetic": False,
        },
        NOON,
    )
    return chain


@pytest.fixture
def run(chain: Chain) -> Run:
    return lambda text: command.main(["rollout", *text.split(), "--stack", "dev"])


def last(chain: Chain) -> tuple[Kind, dict[str, Any]]:
    event = Chain(chain.path).events[-1]
    return event.kind, dict(event.data)


def test_pause_and_resume_are_in_the_record(run: Run, chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pause fraud --reason lunch") == 0
    kind, data = last(chain)
    assert (kind, data["reason"]) == (Kind.PAUSED, "lunch")
    assert data["by"]
    assert "sluice rollout resume fraud --stack dev" in capsys.readouterr().out
    assert run("pause fraud") == 0
    assert "nothing to do" in capsys.readouterr().out
    assert run("resume fraud") == 0
    assert last(chain)[0] is Kind.RESUMED


def test_the_answer_is_available_as_json(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("pause fraud --json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert (answer["rollout"], answer["recorded"]) == ("20261128T120000Z-green", True)


def test_what_is_refused_adds_nothing(run: Run, chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    for text in ("approve fraud", "reject fraud", "promote fraud"):
        assert run(text) == 2
    assert "--reason" in capsys.readouterr().err
    assert len(Chain(chain.path).events) == 1


def test_a_bot_cannot_approve(
    run: Run, chain: Chain, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    chain.append(Kind.APPROVAL_REQUESTED, {"step": 0, "run": None}, NOON)
    variables = {"TF_BUILD": "True", "BUILD_REQUESTEDFOR": "shop Build Service (acme)", "BUILD_REASON": "Manual"}
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert run("approve fraud") == 2
    assert "SYSTEM_ACCESSTOKEN" in capsys.readouterr().err, "without the token, no review can be read"
    monkeypatch.setattr("rollout.people.actor.read_run_reviews", lambda variables: ())
    assert run("approve fraud") == 2
    assert "which is a bot" in capsys.readouterr().err
    monkeypatch.setenv("BUILD_REQUESTEDFOR", "Bo")
    assert run("approve fraud") == 0
    assert last(chain)[1]["unreviewed"]


def test_replan_takes_the_plan_of_the_stack_file(run: Run, chain: Chain) -> None:
    assert run("resume fraud --replan") == 0
    kind, data = last(chain)
    assert (kind, data["drift"], data["plan"]["preset"]) == (Kind.RESUMED, "replan", "canary")


def test_a_broken_record_takes_no_word_but_a_way_back(
    run: Run, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    with chain.path.open("a") as stream:
        stream.write('{"edited": true}\n')
    assert run("pause fraud") == 2
    assert "is broken at line 2" in capsys.readouterr().err


def test_the_record_of_another_stack_is_refused(run: Run, chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    chain.path.write_text(chain.path.read_text().replace('"stack":"dev"', '"stack":"prod"'))
    assert run("pause fraud") == 2
    assert "is the record of another rollout" in capsys.readouterr().err


def test_a_stack_file_outside_of_the_repository_cannot_be_committed(
    run: Run, chain: Chain, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("pause fraud --commit") == 2
    assert "leave out --commit" in capsys.readouterr().err
    assert len(Chain(chain.path).events) == 1


def test_status_and_history_read_the_record_when_azure_does_not_answer(
    run: Run, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resource_manager.client.ATTEMPTS", 1)
    assert run("status fraud") == 0
    said = capsys.readouterr().out
    assert "20261128T120000Z-green   prepare" in said
    assert "live weights are not known" in said
    assert run("history fraud") == 0
    assert "blue → green" in capsys.readouterr().out


def test_a_report_is_one_file(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = tmp_path / "page.html"
    assert run(f"report fraud -o {page}") == 0
    assert str(page) in capsys.readouterr().out
    assert "20261128T120000Z-green" in page.read_text()
    assert run(f"report fraud -o {page} --id 20261128T120000Z-green --json") == 0
    assert run("report fraud --id other") == 2
    assert "(known: 20261128T120000Z-green)" in capsys.readouterr().err


def test_another_runner_that_pushed_first_is_followed_and_the_word_is_said_again(
    run: Run, chain: Chain, tmp_path: Path
) -> None:
    origin, other = tmp_path.parent / f"{tmp_path.name}-origin", tmp_path.parent / f"{tmp_path.name}-other"
    git(tmp_path, "init", "-q", "-b", "main")
    git(tmp_path, "config", "user.name", "Ana")
    git(tmp_path, "config", "user.email", "ana@example.com")
    (tmp_path / ".gitignore").write_text(".lock\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "clone", "-q", "--bare", str(tmp_path), str(origin))
    git(tmp_path, "remote", "add", "origin", str(origin))
    git(tmp_path, "clone", "-q", str(origin), str(other))
    theirs = Chain(other / chain.path.relative_to(tmp_path))
    theirs.append(Kind.NOTED, {"what": "test", "text": "another runner was here"}, NOON + 1)
    git(other, "-c", "user.name=Bo", "-c", "user.email=bo@example.com", "commit", "-qam", "theirs")
    git(other, "push", "-q", "origin", "main")
    assert run("pause fraud --push --reason lunch") == 0
    git(other, "pull", "-q")
    assert [event.kind for event in Chain(theirs.path).events] == [Kind.STARTED, Kind.NOTED, Kind.PAUSED]
    message = git(other, "log", "-1", "--format=%B")
    assert message.startswith("rollout(fraud): paused in dev")
    assert "Rollout: 20261128T120000Z-green" in message


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout
