"""Approvals, from the dispatch to the record, on both git servers. The job needs no engine and no cloud."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rollout.record.chain import Chain
from rollout.record.event import Kind
from tests.pipelines.server import Run, System
from tests.pipelines.team import MODEL, ROOT, Team, told

pytestmark = pytest.mark.slow
ROLLOUT = "20261127T140000Z-green"
RECORD = f"rollouts/prod/{MODEL}/{ROLLOUT}.jsonl"


@pytest.fixture(params=["github", "azure-devops"])
def ours(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Team]:
    """A team whose rollout in prod waits for a reviewer of its first step."""
    system: System = request.param
    made = Team(None, system, tmp_path)
    made.server.merge(made.propose("waiting", "A rollout that waits", asks_for_an_approval), by="ana")
    yield made
    made.narrative.save(request.node.name)
    made.close()


def asks_for_an_approval(work: Path) -> None:
    """Write the record of a rollout that ada has started."""
    first = json.loads((ROOT / "tests" / "rollout" / "report" / "done.jsonl").read_text().splitlines()[0])
    started = first["data"]
    started["plan"]["steps"][0]["approve"] = True
    chain = Chain(work / RECORD)
    for kind, data in (
        (Kind.STARTED, started),
        (Kind.APPROVAL_REQUESTED, {"step": 0, "run": None}),
        (Kind.HELD, {"hold": "approval", "reason": "step 1 needs approval"}),
    ):
        chain.append(kind, data, 1_795_788_000)


def ask(team: Team, *, step: str = "1", by: str | None = None) -> Run:
    """Dispatch the approval as `deliver` does: with a job's token, unless a person does it."""
    account = by or {"github": "github-actions[bot]", "azure-devops": "shop Build Service (acme)"}[team.server.system]
    run = team.server.dispatch("sluice-approve", by=account, stack="prod", endpoint=MODEL, rollout=ROLLOUT, step=step)
    team.goes_on()
    return run


def approvals(team: Team) -> list[tuple[str, bool]]:
    """Who approved, and whether without a review."""
    events = [event["data"] for event in team.events("prod") if event["kind"] == "approved"]
    return [(data["by"], data["unreviewed"]) for data in events]


def delivered(team: Team) -> int:
    """How many deliveries the approval has started."""
    return len([ended for ended in team.runner.ended if ended.pipeline == "sluice-deliver"])


def test_the_reviewer_of_the_run_is_in_the_record_and_the_delivery_goes_on(ours: Team) -> None:
    run = ask(ours)
    assert run.waiting == "prod-approval"
    assert approvals(ours) == []
    ended = ours.approves(run)
    assert [each.code for each in ended if each.pipeline == "sluice-approve"] == [0], told(ended)
    assert approvals(ours) == [(ours.account("bo"), False)]
    assert delivered(ours) == 1, told(ended)


@pytest.mark.story
def test_a_rejected_run_approves_nothing(ours: Team) -> None:
    ended = ours.approves(ask(ours), "rejected")
    assert [(each.code, each.refusal) for each in ended] == [(None, "rejected")]
    assert approvals(ours) == []
    assert delivered(ours) == 0


@pytest.mark.story
def test_a_review_of_another_step_approves_nothing(ours: Team) -> None:
    ended = ours.approves(ask(ours, step="2"))
    assert [each.code for each in ended] == [2], told(ended)
    assert "asks about step 2" in ended[0].output
    assert approvals(ours) == []


@pytest.mark.story
def test_without_reviewers_a_bot_is_refused_and_another_person_counts_as_unreviewed(ours: Team) -> None:
    ours.server.environments["prod-approval"].reviewers = False
    ask(ours)
    assert [ended.code for ended in ours.runner.ended] == [2], told(ours.runner.ended)
    assert "needs a person" in ours.runner.ended[0].output
    assert approvals(ours) == []
    ask(ours, by=ours.account("bo"))
    assert approvals(ours) == [(ours.account("bo"), True)], told(ours.runner.ended)
