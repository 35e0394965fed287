"""delivery/promotion/promote.py: which release is promoted, under which colour, and everything that refuses it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import yaml

from delivery.promotion.promote import Promotion, plan_promotion
from delivery.promotion.promotion_request import PromotionRefused, PromotionRequest
from delivery.promotion.promotion_text import text_of, title_of
from delivery.proofs.rollout_proof import Place, proof_in
from delivery.proofs.verification import Verifier
from models.proof import Proof, parse_proofs, proofs_text
from models.release_document import ReleaseDocument
from models.spec import AutoscaleSpec
from rollout.record.event import Kind
from rollout_config import PlanSettings
from tests.delivery.promotions import (
    DEV,
    MODEL,
    NOW,
    PROD,
    PROOFS,
    RELEASE,
    REQUEST,
    FakeReleases,
    Tip,
    document,
    plan,
    proven,
    record,
    spec,
    tip,
)
from tests.delivery.records import HOST, ID, content_of, done, end
from tests.rollout.record.rollouts import PLAN, Story


def refused(main: Tip, request: PromotionRequest = REQUEST, releases: FakeReleases | None = None) -> str:
    with pytest.raises(PromotionRefused) as error:
        plan(main, request, releases)
    assert error.value.exit_code == 2
    assert str(error.value).startswith(f"{request.endpoint} was not promoted from ")
    return "\n".join(error.value.reasons)


def prod_colours(promotion: Promotion) -> Any:
    text = promotion.files["Pulumi.prod.yaml"]
    return yaml.safe_load(text)["config"]["sluice:endpoints"][MODEL]["deployments"]


# -- what is promoted ------------------------------------------------------------------------------------------------


def test_what_serves_in_dev_is_pinned_in_prod_with_the_size_of_prods_stable_colour_and_no_weight() -> None:
    promotion = plan(tip())
    assert list(promotion.files) == [RELEASE.path, PROOFS, "Pulumi.prod.yaml"]
    assert promotion.files[RELEASE.path] == RELEASE.text()
    (proof,) = parse_proofs(promotion.files[PROOFS], PROOFS, content=RELEASE.short)
    assert (proof.rollout, proof.content, proof.requests) == (ID, RELEASE.content, 1200)
    added = (
        "        green:\n"
        f'          release: "{RELEASE.short}"\n'
        "          instances: 3\n"
        "          sku: Standard_DS3_v2\n"
        "          autoscale: {min: 3, max: 10, default: 3}\n"
    )
    assert promotion.files["Pulumi.prod.yaml"] == PROD.replace("  sluice:rollout:", f"{added}  sluice:rollout:")


def test_a_second_promotion_changes_nothing() -> None:
    main = tip()
    main.files |= {name: text.encode() for name, text in plan(main).files.items()}
    releases = FakeReleases()
    again = plan(main, releases=releases)
    assert (again.files, again.colour) == ({}, "green")
    assert not releases.asked  # neither frozen again nor loaded


def test_a_colour_that_dev_pins_needs_no_file_of_the_folder() -> None:
    dev = DEV.replace("green: {", f'green: {{release: "{RELEASE.short}", ')
    main = tip(record(proven()), {RELEASE.path: RELEASE.text().encode()}, dev=dev)
    releases = FakeReleases(contents={})
    assert list(plan(main, releases=releases).files) == [PROOFS, "Pulumi.prod.yaml"]
    assert releases.asked == ["read blue None"]


def test_the_newest_of_several_proofs_counts() -> None:
    later = "20261128T140000Z-green"
    story = proven(id=later)
    promotion = plan(tip(record(proven()), record(story, later)))
    assert promotion.proven.proof.rollout == later


def test_a_later_rollout_that_was_rolled_back_leaves_the_proof_of_what_serves() -> None:
    later = "20261128T140000Z-blue"
    bad = done(id=later, colour="blue")
    end(bad, 1500, "rolled_back")
    assert plan(tip(record(proven()), record(bad, later))).proven.proof.rollout == ID


def test_while_a_canary_has_weight_in_dev_the_release_before_it_is_promoted() -> None:
    dev = DEV.replace("{blue: 0, green: 100}", "{blue: 10, green: 90}")
    assert plan(tip(dev=dev)).proven.colour == "green"


def test_an_invalid_line_of_the_same_stack_is_replaced_and_others_stay() -> None:
    proof = proof_in(content_of(proven()), ID, Place(project="sluice", stack="dev", endpoint=MODEL))
    assert isinstance(proof, Proof)
    other = replace(proof, stack="test")
    before = proofs_text([replace(proof, requests=9), other])
    promotion = plan(tip(record(proven()), {PROOFS: before.encode()}))
    assert promotion.files[PROOFS] == proofs_text([other, proof])


# -- the colour ------------------------------------------------------------------------------------------------------


def prod_with(colours: str, traffic: str = "{blue: 100}", stable: str = "blue") -> str:
    section = {"deployments": yaml.safe_load(colours)}
    return yaml.safe_dump(
        {
            "config": {
                "sluice:endpoints": {MODEL: section},
                "sluice:rollout": {MODEL: {"stable": stable, "traffic": yaml.safe_load(traffic)}},
            }
        }
    )


@pytest.mark.parametrize(
    ("prod", "colour"),
    [
        (prod_with("{blue: {}}"), "green"),
        (prod_with("{blue: {}, green: {}}"), "green"),  # at 0 %, so it takes the release
        (prod_with("{blue: {}, green: {}}", "{green: 100}", "green"), "amber"),
        (prod_with("{blue: {}, green: {}, amber: {}}", "{blue: 90, green: 10}"), "violet"),
        (prod_with("{green: {}, amber: {}, violet: {}}", "{green: 100}", "green"), "blue"),
        (prod_with("{blue: {}, green: {}, amber: {}, violet: {}}", "{green: 100}", "green"), "blue"),
    ],
)
def test_the_colour_is_devs_or_the_first_free_one(prod: str, colour: str) -> None:
    assert plan(tip(prod=prod)).colour == colour


def test_a_colour_that_is_asked_for_is_taken() -> None:
    promotion = plan(tip(), replace(REQUEST, colour="canary-2"))
    assert prod_colours(promotion)["canary-2"]["release"] == RELEASE.short


def test_a_colour_with_another_release_gets_this_one_and_keeps_nothing_that_was_allowed_for_the_old_one() -> None:
    old = "{release: 0000000000000000, allow_unproven: fixes INC-4711, allow_live_change: true, instances: 9}"
    promotion = plan(tip(prod=prod_with(f"{{blue: {{instances: 3}}, green: {old}}}")))
    assert prod_colours(promotion)["green"] == {"release": RELEASE.short, "instances": 3, "sku": "Standard_DS3_v2"}


@pytest.mark.parametrize(
    ("colour", "said"),
    [
        ("blue", "blue cannot take another release: it has 100 % of the live requests in prod"),
        (
            "Green",
            '--colour must be 3 to 32 lower-case letters, digits and single hyphens, a letter first, got "Green"',
        ),
    ],
)
def test_a_colour_that_cannot_take_it_is_refused(colour: str, said: str) -> None:
    assert said in refused(tip(), replace(REQUEST, colour=colour))


def test_a_release_that_prod_has_under_another_colour_is_not_pinned_twice() -> None:
    prod = prod_with(f"{{blue: {{}}, green: {{release: '{RELEASE.short}'}}}}")
    assert "prod has this release already, as green" in refused(tip(prod=prod), replace(REQUEST, colour="amber"))


def test_four_colours_that_are_all_needed_leave_none_free() -> None:
    prod = prod_with("{blue: {}, green: {}, amber: {}, violet: {}}", "{blue: 40, green: 20, amber: 20, violet: 20}")
    assert "no colour of prod is free (blue: it has 40 % of the live requests in prod;" in refused(tip(prod=prod))


def rollout_in_prod(until: int) -> dict[str, bytes]:
    """Green from dev replaced blue in prod; the record ends after so many events."""
    later = "20261127T150000Z-green"
    story = done(stack="prod", id=later)
    return record(replace_events(story, until), later, "prod")


def replace_events(story: Story, until: int) -> Story:
    story.events = story.events[:until]
    return story


def test_a_colour_of_a_rollout_that_is_under_way_in_prod_is_not_replaced() -> None:
    """Green is at 0 % there, because the rollout prepares it."""
    prod = prod_with("{blue: {}, green: {}}")
    main = tip(record(proven()), rollout_in_prod(1), prod=prod)
    assert plan(main).colour == "amber"
    said = refused(main, replace(REQUEST, colour="green"))
    assert "the rollout 20261127T150000Z-green is under way with it" in said


def test_the_way_back_of_a_rollout_that_has_ended_is_kept_for_its_window() -> None:
    prod = prod_with("{blue: {}, green: {}}", "{green: 100}", "green")
    main = tip(record(proven()), rollout_in_prod(99), prod=prod)
    assert "blue cannot take another release: it is the way back of the rollout" in refused(
        main, replace(REQUEST, colour="blue")
    )
    assert plan(main, replace(REQUEST, colour="blue"), now=NOW + 24 * 3600).colour == "blue"


def test_the_weights_of_prods_own_branch_count_where_it_has_one() -> None:
    """The source branch still says blue 100; the pipeline has moved on to green."""
    main = tip(prod=prod_with("{blue: {}, green: {}}").replace("config:\n", "config:\n  sluice:branch: sluice/prod\n"))
    branch = tip(prod=prod_with("{blue: {}, green: {}}", "{green: 100}", "green"))
    verifier = Verifier(files_of=lambda stack: main, project="sluice", arm_host=HOST)
    request = replace(REQUEST, colour="blue")
    promotion = plan_promotion(request, main, FakeReleases(), verifier, lambda stack: branch, now=NOW)
    assert promotion.colour == "blue"


# -- its size --------------------------------------------------------------------------------------------------------


def test_a_size_that_prods_stable_colour_has_from_its_own_file_is_written_out() -> None:
    releases = FakeReleases(stable=spec("Standard_DS3_v2", 4))
    promotion = plan(tip(prod=prod_with("{blue: {}}")), releases=releases)
    assert prod_colours(promotion)["green"] == {"release": RELEASE.short, "instances": 4, "sku": "Standard_DS3_v2"}

    autoscale = AutoscaleSpec(min_instances=2, max_instances=5, target_cpu_percent=60)
    releases = FakeReleases(stable=spec("Standard_F2s_v2", 1, autoscale=autoscale))
    promotion = plan(tip(prod=prod_with("{blue: {}}")), releases=releases)
    assert prod_colours(promotion)["green"] == {
        "release": RELEASE.short,
        "autoscale": {"min": 2, "max": 5, "default": 2, "target_cpu_percent": 60},
    }


def test_values_of_variables_that_prod_overrides_are_carried_over_if_the_release_has_the_variable() -> None:
    prod = prod_with("{blue: {environment_variables: {DB: {secure: abc}, OLD: x}}}")
    promotion = plan(tip(prod=prod))
    assert prod_colours(promotion)["green"]["environment_variables"] == {"DB": {"secure": "abc"}}
    assert "dev overrides none; prod overrides DB" in text_of(promotion)
    assert "abc" not in text_of(promotion)


# -- refusals --------------------------------------------------------------------------------------------------------


def test_the_same_stack_twice_is_refused() -> None:
    assert "name the same stack" in refused(tip(), replace(REQUEST, target="dev"))


def test_an_unknown_target_or_endpoint_is_refused() -> None:
    assert "there is no Pulumi.test.yaml" in refused(tip(), replace(REQUEST, target="test"))
    prod = prod_with("{blue: {}}").replace(MODEL, "churn")
    assert f"Pulumi.prod.yaml declares no endpoint {MODEL}" in refused(tip(prod=prod))
    said = refused(tip(), replace(REQUEST, endpoint="churn"))
    assert said == "no colour of churn has live weight in Pulumi.dev.yaml on main of origin"


def test_a_target_without_a_stable_colour_is_refused() -> None:
    assert "names no stable colour" in refused(tip(prod=prod_with("{blue: {}}", stable="red")))


def test_an_endpoint_without_weight_in_dev_is_refused() -> None:
    dev = DEV.replace("{blue: 0, green: 100}", "{blue: 0}")
    assert f"no colour of {MODEL} has live weight in Pulumi.dev.yaml on main of origin" in refused(tip(dev=dev))


def test_without_any_rollout_there_is_no_proof() -> None:
    main = tip()
    del main.files[f"rollouts/dev/{MODEL}/{ID}.jsonl"]
    said = refused(main)
    assert f"no rollout on main of origin proves what serves in dev (green {RELEASE.short})" in said
    assert f"sluice rollout run {MODEL} --stack dev" in said


def test_a_bad_release_is_not_promoted_and_the_reason_is_its_rollout() -> None:
    story = proven()
    end(story, 1500, "rolled_back")
    said = refused(tip(record(story)))
    assert f"the rollout {ID} proves nothing: it ended as rolled back: the last step baked" in said


def test_a_rehearsals_rollout_is_not_promoted() -> None:
    assert "its arm host is localhost:1" in refused(tip(record(proven(arm_host="localhost:1"))))


def test_what_dev_serves_by_hand_is_not_promoted_on_the_proof_of_another_release() -> None:
    said = refused(tip(), releases=FakeReleases(contents={"green": "9" * 64}))
    assert f"the rollout {ID} proved {RELEASE.short}, which does not serve in dev now" in said


def test_files_of_a_serving_colour_that_cannot_be_read_are_named() -> None:
    assert "green, which serves in dev, cannot be read: there is no green.yml" in refused(
        tip(), releases=FakeReleases(contents={})
    )


def test_a_document_that_was_edited_is_refused() -> None:
    edited = RELEASE.text().replace("dev.example", "evil.example")
    said = refused(tip(record(proven()), {RELEASE.path: edited.encode()}))
    assert "is not a valid release document" in said


def test_a_document_of_another_content_is_refused() -> None:
    said = refused(tip(), releases=FakeReleases(frozen=document({"x": 1})))
    assert f"but {RELEASE.content} was proven" in said


def test_an_asset_of_one_workspace_is_not_promoted() -> None:
    bound = document(environment="azureml:sklearn:3")
    releases = FakeReleases(contents={"green": bound.content}, frozen=bound)
    said = refused(tip(record(proven(bound))), releases=releases)
    assert "its environment is azureml:sklearn:3, an asset of one workspace" in said


def test_proofs_that_a_person_edited_are_refused() -> None:
    assert "line 1 is not JSON" in refused(tip(record(proven()), {PROOFS: b"looks good\n"}))


def test_a_broken_record_of_prod_is_refused() -> None:
    broken = {f"rollouts/prod/{MODEL}/20261127T150000Z-green.jsonl": b"nonsense\n"}
    assert "cannot be read, so it is not known which colours a rollout needs" in refused(tip(record(proven()), broken))


def test_every_reason_comes_at_once() -> None:
    bound = document(environment="azureml:sklearn:3")
    releases = FakeReleases(contents={"green": bound.content}, frozen=bound)
    said = refused(tip(record(proven(bound))), replace(REQUEST, colour="blue"), releases)
    assert len(said.splitlines()) == 2


# -- what the reviewer reads -----------------------------------------------------------------------------------------


def test_the_text_says_what_was_proven_where_by_which_record_and_what_differs() -> None:
    promotion = plan(tip())
    assert title_of(promotion) == f"Promote {MODEL} {RELEASE.short} to prod as green"
    assert (
        text_of(promotion)
        == f"""\
**green enters fraud-detection in prod at 0 %.** It is the release `{RELEASE.short}`, which serves in dev as green. \
Nothing else changes.

### Proof

- Rollout `{ID}` in dev, ended well at 2026-11-27 14:23 UTC
- 3 of 1,200 requests failed (0.25%), from real callers; no gate was skipped; approved by grace
- Record `rollouts/dev/{MODEL}/{ID}.jsonl`, verified on main at `ffffffffffff`
- Content `{RELEASE.content}`, document `{RELEASE.path}` (commit `c0c0c0c0c0c0`)

### What differs in prod

- Size: 3 to 10 instances of Standard_DS3_v2 (in dev: 1 × Standard_F2s_v2)
- Environment variables: those of the release, in both stacks
- Network: private (in dev: public)
- Environment: the same version in a registry
- Files of model and code: the same, byte for byte

After the merge, a rollout gives it weight step by step: `sluice rollout run {MODEL} --stack prod`.
"""
    )


def test_the_text_names_the_mode_of_a_network_that_the_stack_file_describes() -> None:
    prod = PROD.replace("network: private", "network: {mode: private, address_space: 10.1.0.0/22}")
    assert "- Network: private (in dev: public)" in text_of(plan(tip(prod=prod)))


def test_the_text_says_what_is_weaker_about_a_proof() -> None:
    load = PlanSettings.from_values({**PLAN.as_values(), "load": {"rpm": 120}})
    story = proven(plan=load, synthetic=True)
    story.events.pop()
    story.at(1300, Kind.PROMOTED, by="ada", reason="fixes INC-4711")
    end(story, 1400, requests=0, errors=0)
    text = text_of(plan(tip(record(story))))
    assert "0 of 0 requests failed, sent by the rollout itself (synthetic)" in text
    assert "a person skipped the evidence of error&#95;rate" in text


@pytest.mark.parametrize(
    ("release", "said"),
    [
        (document(image="example.com/serve@sha256:abc"), "the same image, byte for byte"),
        (document(image="example.com/serve:1"), "the same definition, built once in each workspace"),
    ],
)
def test_the_text_says_whether_the_environment_is_the_same_bytes(release: ReleaseDocument, said: str) -> None:
    releases = FakeReleases(contents={"green": release.content}, frozen=release)
    assert said in text_of(plan(tip(record(proven(release))), releases=releases))


def test_names_cannot_write_markdown_or_mention_anyone() -> None:
    story = proven(approver="@everyone [x](http://evil)")
    promotion = plan(tip(record(story)))
    assert "approved by &#64;<!-- -->everyone &#91;x&#93;&#40;http://evil&#41;" in text_of(promotion)
    assert "approved by @everyone [x](http://evil)" in text_of(promotion, str)
