"""Stories of delivery, on both git servers: pipelines as written, the real engine, a local Azure.

`make test` runs the first one, on GitHub with branches of the stacks, and three that need no engine on each server
(`test_refusals.py`, `test_approvals.py`); `make stories` runs all. Where only one stack matters, a person starts its
delivery by hand: a push would start that of the other one too.
"""

import signal
from collections.abc import Callable
from functools import partial

import pytest

from tests.pipelines.held_request import HeldRequest
from tests.pipelines.repository import git
from tests.pipelines.team import MODEL, Team, both, by_job, told
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
MakeTeam = Callable[..., Team]
REASON = "a customer is waiting for this fix"
SYSTEMS = pytest.mark.parametrize("system", ["github", "azure-devops"])


@pytest.mark.parametrize(
    ("system", "stack_branches"),
    [("github", True), pytest.param("azure-devops", False, marks=pytest.mark.story)],
    ids=["github", "azure-devops"],
)
def test_a_better_model_is_proven_in_dev_promoted_approved_and_serves_in_prod(
    team: MakeTeam, system: str, stack_branches: bool
) -> None:
    ours = team(system, stack_branches=stack_branches)
    request = ours.propose("better-model", "A better model", ours.adds_green())
    checks = ours.checks(request)
    assert [ended.code for ended in checks.values()] == [0] * len(checks), told(list(checks.values()))
    assert len(checks) == 3, checks.keys()
    assert len(request.comments) == 2

    delivered = ours.merges(request)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert ours.traffic("prod") == {"blue": 100}
    promotion = ours.promotion()
    assert promotion is not None, told(delivered)

    checks = ours.checks(promotion)
    assert [ended.code for ended in checks.values()] == [0] * len(checks), told(list(checks.values()))
    delivered = ours.merges(promotion)
    (run,) = ours.server.waiting()
    assert ours.traffic("prod") == {"blue": 100}, told(delivered)
    delivered = ours.approves(run)
    assert ours.traffic("prod") == {"green": 100}, told(delivered)
    (approved,) = [event["data"] for event in ours.events("prod") if event["kind"] == "approved"]
    assert (approved["by"], approved["unreviewed"]) == (ours.account("bo"), False)
    assert ours.served("prod", "green") == ours.documented("prod", "green")

    for stack in ("dev", "prod"):
        assert "green: 100" in ours.server.file(f"Pulumi.{stack}.yaml", ours.branch(stack))
    records = {each.branch: each for each in ours.server.pull_requests if each.branch.startswith("record/")}
    assert sorted(records) == (["record/dev", "record/prod"] if stack_branches else [])
    for record in records.values():
        assert not git(ours.server.origin, "ls-tree", ours.branch(record.branch.removeprefix("record/")), ".github")
        ours.lands(record)
    assert "green: 100" in ours.server.file("Pulumi.prod.yaml")


@SYSTEMS
@pytest.mark.story
def test_a_bad_model_goes_back_and_is_not_promoted(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.breaks("dev", "green")
    ours.lands(ours.propose("worse-model", "A worse model", ours.adds_green()))
    delivered = ours.delivers("dev")
    assert ours.traffic("dev") == {"blue": 100}, told(delivered)
    ended = ours.events("dev")[-1]
    assert (ended["kind"], ended["data"]["outcome"]) == ("ended", "rolled_back"), told(delivered)
    assert [each.code for each in delivered] == [1], told(delivered)
    assert ours.promotion() is None
    refused = ours.sluice("promote", MODEL, "--from", "dev", "--to", "prod", "--colour", "green")
    assert refused.returncode in (1, 2), refused.stdout + refused.stderr

    again = ours.hour()
    assert ours.traffic("dev") == {"blue": 100}, told(again)
    assert ours.events("dev")[-1] == ended, "a content that has a record is not started again"


@SYSTEMS
@pytest.mark.story
def test_a_hotfix_gets_weight_without_a_proof_until_a_reviewer_says_no(team: MakeTeam, system: str) -> None:
    ours = team(system)
    green = ours.adds_green("prod", instances=3, allow_unproven=REASON)
    hotfix = ours.propose("hotfix", "Green at once", both(green, ours.plans("prod", approve=True)))
    ours.checks(hotfix)
    (comment,) = [text for text in ours.comments(hotfix) if "prod" in text.partition("\n")[0]]
    assert REASON in comment
    ours.lands(hotfix)
    delivered = ours.delivers("prod")
    (run,) = ours.server.waiting()
    assert ours.traffic("prod") == {"blue": 100}, told(delivered)

    delivery = ours.in_background(lambda: ours.approves(run))
    wait_until(lambda: ours.traffic("prod").get("green") == 50, "half of the requests")
    wait_until(ours.goes_on, "the question about the second step")
    (run,) = ours.server.waiting()
    ours.approves(run, "rejected")
    delivered = delivery()
    assert ours.traffic("prod") == {"blue": 100}, told(delivered)
    started, *events = ours.events("prod")
    assert started["data"]["allow_unproven"] == REASON
    assert [event["data"]["by"] for event in events if event["kind"] == "rejected"] == [ours.account("bo")]
    assert events[-1]["data"]["outcome"] == "rolled_back", told(delivered)
    assert ours.server.waiting() == []


@SYSTEMS
@pytest.mark.story
def test_a_pull_request_of_a_fork_gets_no_identity_and_no_comment(team: MakeTeam, system: str) -> None:
    ours = team(system)
    for environment in ours.server.environments.values():
        environment.secrets["PULUMI_CONFIG_PASSPHRASE"] = "must stay here"
    request = ours.propose("from-a-fork", "Green from outside", ours.adds_green(), fork=True)
    checks = ours.checks(request)
    assert {ended.pipeline for ended in checks.values()} == {"sluice-check", "sluice-preview-fork"}
    assert [ended.code for ended in checks.values()] == [0] * 3, told(list(checks.values()))
    assert request.comments == []
    assert not [ended for ended in checks.values() if "must stay here" in ended.output + ended.summary]
    assert "green" in checks["preview-fork-dev" if system == "github" else "preview_dev"].output


@SYSTEMS
@pytest.mark.story
def test_runners_are_killed_at_each_step_of_a_delivery_and_the_next_one_finishes(team: MakeTeam, system: str) -> None:
    ours = team(system, stack_branches=True)
    hold = ours.azure.moment
    ours.lands(ours.propose("better-model", "A better model", ours.adds_green()))
    for step, moment in {
        "it pushes sluice/dev": HeldRequest(ours.server, "POST", "/git-receive-pack"),
        "it publishes the model": hold(type="blobs", method="PUT", count=1),
        "it creates green": hold(type="onlineEndpoints/deployments", method="PUT", count=1),
        "it has given green weight": hold(type="onlineEndpoints", method="PUT", count=1, when="after"),
        "it opens the promotion": HeldRequest(ours.server, "POST", "/pull[a-z]*"),
    }.items():
        killed = ours.is_killed_at(moment, "dev")
        ours.tells(f"the runner is gone while {step}", killed)
        assert [ended.code for ended in killed] == [-signal.SIGKILL], told(killed)
    delivered = ours.delivers("dev")
    assert {ended.code for ended in delivered} == {0}, told(delivered)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert len(ours.records("dev")) == 1
    outcomes = [event["data"]["outcome"] for event in ours.events("dev") if event["kind"] == "ended"]
    assert outcomes == ["done"]
    assert sorted(each.branch for each in ours.server.pull_requests[1:])[1:] == ["record/dev"], told(delivered)
    assert ours.promotion() is not None, told(delivered)


@SYSTEMS
@pytest.mark.story
def test_a_rollback_does_not_wait_for_a_delivery(team: MakeTeam, system: str) -> None:
    ours = team(system)
    edit = both(ours.adds_green(), ours.plans("dev", bake="10m"))
    ours.lands(ours.propose("better-model", "A better model", edit))
    ours.starts("dev")
    delivery = ours.in_background(ours.runner.work)
    wait_until(lambda: ours.traffic("dev").get("green") == 50, "half of the requests")
    ours.server.dispatch(
        "sluice-rollback", by=ours.account("bo"), stack="dev", endpoint=MODEL, reason="a customer calls"
    )
    rolled_back = ours.goes_on()
    assert [ended.code for ended in rolled_back if ended.pipeline == "sluice-rollback"] == [0], told(rolled_back)
    assert ours.traffic("dev") == {"blue": 100}
    delivered = delivery()
    assert ours.traffic("dev") == {"blue": 100}, told(delivered)
    ended = ours.events("dev")[-1]["data"]
    assert ended["outcome"] == "rolled_back", told(delivered)
    assert ended["reason"].endswith(": a customer calls"), ended


@SYSTEMS
@pytest.mark.story
def test_two_runners_and_a_merge_meet_in_one_rollout(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.lands(ours.propose("better-model", "A better model", both(ours.adds_green(), ours.plans("dev", bake="15s"))))
    deliveries = []
    for runner in (ours.runner, ours.runner_of_its_own()):
        ours.starts("dev")
        event = ours.server.next_event()
        assert event is not None
        deliveries.append(ours.in_background(partial(runner.run, event)))
    wait_until(lambda: ours.traffic("dev").get("green") == 50, "half of the requests")
    ours.lands(ours.propose("more-room", "Two instances of blue", ours.resizes("dev", "blue", 2)))
    delivered = [ended for delivery in deliveries for ended in delivery()]
    ours.tells("two runners deliver this at once", delivered)
    delivered += ours.goes_on()
    assert {ended.code for ended in delivered} == {0}, told(delivered)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert ours.stacks["dev"].live_deployments()["blue"]["sku"]["capacity"] == 2, told(delivered)
    assert "instances: 2" in ours.server.file("Pulumi.dev.yaml")
    assert len(ours.records("dev")) == 1, told(delivered)
    assert [event["data"]["outcome"] for event in ours.events("dev") if event["kind"] == "ended"] == ["done"]
    assert len([each for each in ours.server.pull_requests if each.branch.startswith("promote/")]) == 1


@SYSTEMS
@pytest.mark.story
def test_what_dev_proved_serves_in_prod_after_main_was_rewritten_and_dev_removed_and_is_not_taken_back_while_it_serves(
    team: MakeTeam, system: str
) -> None:
    ours = team(system)
    ours.lands(ours.propose("better-model", "A better model", ours.adds_green()))
    delivered = ours.delivers("dev")
    promotion = ours.promotion()
    assert promotion is not None, told(delivered)
    ours.takes_down("dev")
    ours.lands(promotion)
    ours.squashes_main()
    verified = ours.sluice("release", "verify", "--proofs")
    assert verified.returncode == 0, verified.stdout + verified.stderr

    ours.delivers("prod")
    (run,) = ours.server.waiting()
    delivered = ours.approves(run)
    assert ours.traffic("prod") == {"green": 100}, told(delivered)
    assert ours.served("prod", "green") == ours.documented("prod", "green")

    revert = ours.propose("revert", "Take the promotion back", ours.removes("prod", "green"))
    event = ours.server.pull_request_event(revert)
    event.pipeline = "sluice-preview"
    previewed = ours.runner.run(event)
    ours.tells("the revert is previewed", previewed)
    assert by_job(previewed)["preview-prod" if system == "github" else "preview_prod"].code == 2, told(previewed)
    (comment,) = [text for text in ours.comments(revert) if "prod" in text.partition("\n")[0]]
    ours.narrative.comment(comment)
    assert "green" in comment
    ours.lands(revert)
    delivered = ours.delivers("prod")
    assert [ended.code for ended in delivered] == [2], told(delivered)
    assert ours.traffic("prod") == {"green": 100}, told(delivered)
