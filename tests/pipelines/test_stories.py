"""Stories of delivery, on both git servers: pipelines as written, the real engine, a local Azure.

`make test` runs the first one on each server, and those of `test_refusals.py` and `test_approvals.py`; `make stories`
runs all of them.
"""

import signal
from collections.abc import Callable

import pytest

from tests.pipelines.held_request import HeldRequest
from tests.pipelines.repository import git
from tests.pipelines.team import MODEL, Team, both, by_job, told
from tests.waiting import wait_until

pytestmark = pytest.mark.integration
MakeTeam = Callable[..., Team]
REASON = "a customer is waiting for this fix"
SYSTEMS = pytest.mark.parametrize("system", ["github", "azure-devops"])


@SYSTEMS
def test_a_better_model_is_proven_in_dev_promoted_approved_and_serves_in_prod(team: MakeTeam, system: str) -> None:
    ours = team(system)
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


@SYSTEMS
@pytest.mark.story
def test_a_bad_model_goes_back_and_is_not_promoted(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.breaks("dev", "green")
    delivered = ours.merges(ours.propose("worse-model", "A worse model", ours.adds_green()))
    assert ours.traffic("dev") == {"blue": 100}, told(delivered)
    ended = ours.events("dev")[-1]
    assert (ended["kind"], ended["data"]["outcome"]) == ("ended", "rolled_back"), told(delivered)
    assert by_job(delivered)["deliver-dev" if system == "github" else "deliver_dev"].code == 1, told(delivered)
    assert ours.promotion() is None
    refused = ours.sluice("promote", MODEL, "--from", "dev", "--to", "prod", "--colour", "green")
    assert refused.returncode in (1, 2), refused.stdout + refused.stderr

    again = ours.hour()
    assert ours.traffic("dev") == {"blue": 100}, told(again)
    assert ours.events("dev")[-1] == ended, "a content that has a record is not started again"


@SYSTEMS
@pytest.mark.story
def test_a_reviewer_says_no_and_prod_goes_back(team: MakeTeam, system: str) -> None:
    ours = team(system)
    hotfix = ours.propose("hotfix", "Green at once", ours.adds_green("prod", instances=3, allow_unproven=REASON))
    ours.checks(hotfix)
    (comment,) = [text for text in ours.comments(hotfix) if "prod" in text.partition("\n")[0]]
    assert REASON in comment
    delivered = ours.merges(hotfix)
    (run,) = ours.server.waiting()
    ours.approves(run, "rejected")
    delivered = ours.hour()
    assert ours.traffic("prod") == {"blue": 100}, told(delivered)
    (rejected,) = [event["data"] for event in ours.events("prod") if event["kind"] == "rejected"]
    assert rejected["by"] == ours.account("bo")
    assert ours.events("prod")[-1]["data"]["outcome"] != "done"
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
    ours.server.merge(ours.propose("better-model", "A better model", ours.adds_green()), by="bo")
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
    delivered = ours.hour()
    assert {ended.code for ended in delivered} == {0}, told(delivered)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert len(ours.records("dev", "sluice/dev")) == 1
    outcomes = [event["data"]["outcome"] for event in ours.events("dev", "sluice/dev") if event["kind"] == "ended"]
    assert outcomes == ["done"]
    assert sorted(each.branch for each in ours.server.pull_requests[1:])[1:] == ["record/dev"], told(delivered)
    assert ours.promotion() is not None, told(delivered)


@SYSTEMS
@pytest.mark.story
def test_a_rollback_does_not_wait_for_a_delivery(team: MakeTeam, system: str) -> None:
    ours = team(system)
    edit = both(ours.adds_green(), ours.bakes("dev", "10m"))
    delivery = ours.in_background(lambda: ours.merges_only(ours.propose("better-model", "A better model", edit)))
    wait_until(lambda: ours.traffic("dev").get("green") == 50, "half of the requests")
    ours.server.dispatch(
        "sluice-rollback", by=ours.account("bo"), stack="dev", endpoint=MODEL, reason="a customer calls"
    )
    rolled_back = ours.runner.work()
    assert [ended.code for ended in rolled_back if ended.pipeline == "sluice-rollback"] == [0], told(rolled_back)
    assert ours.traffic("dev") == {"blue": 100}
    delivered = delivery()
    assert ours.traffic("dev") == {"blue": 100}, told(delivered)
    ended = ours.events("dev")[-1]["data"]
    assert ended["outcome"] == "rolled_back", told(delivered)
    assert ended["reason"].endswith(": a customer calls"), ended


@SYSTEMS
@pytest.mark.story
def test_main_is_squashed_and_rewritten_and_a_proof_stays_valid(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.merges(ours.propose("better-model", "A better model", ours.adds_green()))
    tree = git(ours.server.origin, "rev-parse", "main^{tree}").strip()
    alone = git(ours.server.origin, "commit-tree", tree, "-m", "everything", environment=ours.identity("bo")).strip()
    git(ours.server.origin, "update-ref", "refs/heads/main", alone)
    done = ours.sluice("release", "verify", "--proofs", ref=str(ours.promotion().branch))
    assert done.returncode == 0, done.stdout + done.stderr


@SYSTEMS
@pytest.mark.story
def test_two_runners_deliver_the_same_merge_and_one_rollout_ends_once(team: MakeTeam, system: str) -> None:
    ours = team(system)
    merge = ours.server.merge(ours.propose("better-model", "A better model", ours.adds_green()), by="bo")
    other = ours.runner_of_its_own()
    second = ours.in_background(lambda: other.run(merge))
    delivered = [*ours.runner.run(merge), *second(), *ours.goes_on()]
    ours.tells("two runners deliver the same merge at once", delivered)
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    assert len(ours.records("dev")) == 1, told(delivered)
    assert [event["data"]["outcome"] for event in ours.events("dev") if event["kind"] == "ended"] == ["done"]
    assert {ended.code for ended in delivered} == {0}, told(delivered)
    promotions = [each for each in ours.server.pull_requests if each.branch.startswith("promote/")]
    assert len(promotions) == 1, told(delivered)


@SYSTEMS
@pytest.mark.story
def test_a_merge_during_a_rollout_is_deployed_and_the_rollout_goes_on(team: MakeTeam, system: str) -> None:
    ours = team(system)
    better = ours.propose("better-model", "A better model", both(ours.adds_green(), ours.bakes("dev", "30s")))
    delivery = ours.in_background(lambda: ours.merges_only(better))
    wait_until(lambda: ours.traffic("dev").get("green") == 50, "half of the requests")
    merge = ours.server.merge(
        ours.propose("more-room", "Two instances of blue", ours.resizes("dev", "blue", 2)), by="bo"
    )
    delivered = delivery()
    assert ours.traffic("dev") == {"green": 100}, told(delivered)
    (outcome,) = [event["data"]["outcome"] for event in ours.events("dev") if event["kind"] == "ended"]
    assert outcome == "done", told(delivered)
    assert ours.stacks["dev"].live_deployments()["blue"]["sku"]["capacity"] == 2, told(delivered)
    declared = ours.server.file("Pulumi.dev.yaml")
    assert "instances: 2" in declared, declared
    delivered = ours.runner.run(merge)
    ours.tells("the run of the second merge comes late", delivered)
    assert {ended.code for ended in delivered} == {0}, told(delivered)
    assert len(ours.records("dev")) == 1


@SYSTEMS
@pytest.mark.story
def test_a_reverted_promotion_is_refused_while_the_colour_has_weight(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.merges(ours.propose("better-model", "A better model", ours.adds_green()))
    promotion = ours.promotion()
    assert promotion is not None
    ours.merges(promotion)
    (run,) = ours.server.waiting()
    ours.approves(run)
    assert ours.traffic("prod") == {"green": 100}

    revert = ours.propose("revert", "Take the promotion back", ours.reverts(promotion))
    checks = ours.checks(revert)
    job = "preview-prod" if system == "github" else "preview_prod"
    assert checks[job].code == 2, told(list(checks.values()))
    (comment,) = [text for text in ours.comments(revert) if "prod" in text.partition("\n")[0]]
    assert "green" in comment
    delivered = ours.merges(revert)
    assert by_job(delivered)["deliver-prod" if system == "github" else "deliver_prod"].code == 2, told(delivered)
    assert ours.traffic("prod") == {"green": 100}, told(delivered)


@SYSTEMS
@pytest.mark.story
def test_a_hotfix_goes_to_prod_without_a_proof_and_its_record_says_why(team: MakeTeam, system: str) -> None:
    ours = team(system)
    hotfix = ours.propose("hotfix", "Green at once", ours.adds_green("prod", instances=3, allow_unproven=REASON))
    ours.merges(hotfix)
    (run,) = ours.server.waiting()
    delivered = ours.approves(run)
    assert ours.traffic("prod") == {"green": 100}, told(delivered)
    started, *_ = ours.events("prod")
    assert started["data"]["allow_unproven"] == REASON
    assert ours.traffic("dev") == {"blue": 100}


@SYSTEMS
@pytest.mark.story
def test_dev_is_removed_and_what_it_has_proven_is_promoted_all_the_same(team: MakeTeam, system: str) -> None:
    ours = team(system)
    ours.merges(ours.propose("better-model", "A better model", ours.adds_green()))
    promotion = ours.promotion()
    assert promotion is not None
    dev = ours.stacks["dev"]
    emptied = dev.live_endpoint()
    emptied["properties"]["traffic"] = {}
    assert ours.azure.request("PUT", dev.endpoint_id, emptied)[0] in (200, 201)
    removed = ours.sluice("remove", "--stack", "dev", "--yes")
    assert removed.returncode == 0, removed.stdout + removed.stderr
    ours.narrative.tell("ana takes dev down: `sluice remove --stack dev`")

    ours.server.merge(promotion, by="bo")
    ours.server.dispatch("sluice-deliver", by=ours.account("bo"), stack="prod")
    delivered = ours.runner.work()
    (run,) = ours.server.waiting()
    ours.server.review(run, "approved", by=ours.account("bo"))
    delivered += ours.runner.work()
    assert ours.traffic("prod") == {"green": 100}, told(delivered)
    assert ours.served("prod", "green") == ours.documented("prod", "green")
    ours.narrative.jobs(delivered)
