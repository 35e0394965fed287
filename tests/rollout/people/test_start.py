"""The start of a rollout: the colour that it chooses, what refuses it, and the event that opens its record."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from endpoint_state import LiveDeployment, LiveEndpoint, Provenance
from rollout.decision.order import Outcome
from rollout.evidence.intervals import Counts
from rollout.people.actor import Actor
from rollout.people.start import StartRefused, StartRequest, chosen_colour, start
from rollout.people.start_facts import Colour, PastRollout, Place, StartFacts
from rollout.record.event import Event, Kind
from rollout.split import Split, split_at
from rollout_config import PlanSettings
from stack_config import Limits

NOON = 1_795_867_200  # 2026-11-28T12:00:00Z
PLAN = PlanSettings.from_values(
    {
        "steps": [{"weight": 10, "bake": "5m"}, {"weight": 50, "bake": "5m"}, {"weight": 100, "bake": "5m"}],
        "gates": {"error_rate": {"max": 0.01, "vs_stable": 1.5}},
    }
)
PLACE = Place(
    project="sluice",
    stack="prod",
    endpoint="fraud-detection",
    workspace="mlw-payments-prod",
    subscription="0000",
    arm_host="management.azure.com",
    endpoint_id="/subscriptions/0000/fraud",
)
COLOURS = {
    name: Colour(release=f"{name}-release", content=f"{name}-content", instances=3) for name in ("blue", "green")
}


def deployment(name: str, **change: Any) -> LiveDeployment:
    values = {"provisioning_state": "Succeeded", "release": f"{name}-release", "instances": 3, **change}
    return LiveDeployment(name=name, **values)


LIVE = LiveEndpoint(
    name="fraud-detection-prod-abc123",
    provisioning_state="Succeeded",
    auth_mode="key",
    traffic={"blue": 100},
    deployments={name: deployment(name) for name in COLOURS},
)
READY = StartFacts(
    place=PLACE,
    plan=PLAN,
    declared=Split(traffic={"blue": 100}),
    stable="blue",
    colours=COLOURS,
    live=LIVE,
    limits=Limits(),
)
ANA = StartRequest(actor=Actor(name="ana", run="https://ci/7"))


def past(colour: str = "green", outcome: str | None = "rolled_back", **contents: str) -> PastRollout:
    return PastRollout(
        id=f"20261101T000000Z-{colour}",
        colour=colour,
        contents=contents or {colour: f"{colour}-content"},
        outcome=outcome,
    )


def started(facts: StartFacts, request: StartRequest = ANA) -> dict[str, Any]:
    return start(facts, request, now=NOON, grain=60, commit="abc")


def reasons(facts: StartFacts, request: StartRequest = ANA) -> tuple[str, ...]:
    with pytest.raises(StartRefused) as refusal:
        started(facts, request)
    assert refusal.value.exit_code == 2
    return refusal.value.reasons


def test_the_first_event_names_everything_that_the_record_needs_later() -> None:
    data = started(READY)
    assert data.pop("plan")["steps"][0] == {"weight": 10, "bake": "5m", "approve": False}
    assert len(data.pop("plan_digest")) == 64
    assert data == {
        "id": "20261128T120000Z-green",
        "project": "sluice",
        "stack": "prod",
        "endpoint": "fraud-detection",
        "workspace": "mlw-payments-prod",
        "subscription": "0000",
        "arm_host": "management.azure.com",
        "endpoint_id": "/subscriptions/0000/fraud",
        "commit": "abc",
        "actor": "ana",
        "run": "https://ci/7",
        "colour": "green",
        "stable": "blue",
        "colours": {
            "blue": {"release": "blue-release", "content": "blue-content"},
            "green": {"release": "green-release", "content": "green-content"},
        },
        "baseline": {"traffic": {"blue": 100}, "mirror": {}},
        "grain": 60,
        "settle": 120,
        "synthetic": False,
        "auth_mode": "key",
        "identities": [],
        "allow_unproven": None,
    }


# -- which colour


def test_without_to_the_one_new_colour_at_0_percent_is_chosen() -> None:
    assert chosen_colour(READY, None) == ("green", [])


def test_a_colour_that_a_record_knows_as_canary_is_not_chosen() -> None:
    facts = replace(READY, past=(past(),))
    assert chosen_colour(facts, None)[0] is None
    assert "green is in 20261101T000000Z-green" in reasons(facts)[0]


def test_a_colour_that_was_once_a_baseline_is_not_chosen() -> None:
    """Blue after green was promoted: it is at 0 %, but it is the old version."""
    facts = replace(
        READY,
        declared=Split(traffic={"green": 100}),
        stable="green",
        live=replace(LIVE, traffic={"green": 100}),
        past=(past(outcome="done", blue="blue-content", green="green-content"),),
    )
    assert "blue is in" in reasons(facts)[0]


def test_known_content_under_another_name_is_not_chosen() -> None:
    facts = replace(READY, past=(past("teal", teal="green-content"),))
    assert chosen_colour(facts, None)[0] is None


def test_several_new_colours_are_listed() -> None:
    colours = COLOURS | {"amber": Colour(release="a", content="a")}
    assert "amber, green" in reasons(replace(READY, colours=colours))[0]


def test_no_colour_at_0_percent_says_how_to_add_one() -> None:
    facts = replace(READY, colours={"blue": COLOURS["blue"]})
    assert "Add the new version as another deployment in Pulumi.prod.yaml" in reasons(facts)[0]


def test_to_names_a_colour_that_a_record_knows() -> None:
    assert started(replace(READY, past=(past(),)), replace(ANA, to="green"))["colour"] == "green"


def test_an_unknown_colour_is_refused_with_the_known_ones() -> None:
    assert "(declared: blue, green)" in reasons(READY, replace(ANA, to="grene"))[0]


# -- what refuses a start


def refused_by(change: Mapping[str, Any], request: StartRequest = ANA) -> str:
    (reason,) = reasons(replace(READY, **change), request)
    return reason


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"plan": None}, "plan: {preset: canary}"),
        ({"stable": None}, "Name the colour to fall back to"),
        ({"past": (past("teal", None),)}, "20261101T000000Z-teal has not ended"),
        ({"broken": ("rollouts/prod/x.jsonl",)}, "cannot be read"),
        ({"live": None}, "does not exist in Azure. Run `pulumi up --stack prod`"),
        ({"pending": ("update X y",)}, "other changes are pending: update X y"),
        ({"unfit": ("the plan is bad.",)}, "the plan is bad."),
        ({"live": replace(LIVE, provisioning_state="Updating")}, "the endpoint is Updating"),
    ],
)
def test_each_of_these_alone_refuses_a_start(change: Mapping[str, Any], said: str) -> None:
    assert said in refused_by(change)


@pytest.mark.parametrize(
    ("green", "said"),
    [
        ({"provisioning_state": "Failed"}, "green is Failed in Azure, not Succeeded"),
        ({"provisioning_state": "Creating"}, "green is Creating"),
        ({"release": "other"}, "green has release other in Azure"),
        ({"release": None}, "green has no release tag in Azure"),
    ],
)
def test_a_colour_that_is_not_healthy_or_not_as_declared_refuses_a_start(green: dict[str, Any], said: str) -> None:
    live = replace(LIVE, deployments={"blue": deployment("blue"), "green": deployment("green", **green)})
    assert said in refused_by({"live": live})


def test_a_colour_that_is_not_in_azure_refuses_a_start() -> None:
    live = replace(LIVE, deployments={"blue": deployment("blue")})
    assert "green does not exist in Azure" in refused_by({"live": live})


def test_a_colour_with_weight_refuses_a_start() -> None:
    weights = {"blue": 90, "green": 10}
    facts = {"declared": Split(traffic=weights), "live": replace(LIVE, traffic=weights)}
    assert "green is not at 0 %: the stack file says blue 90 %, green 10 %" in refused_by(
        facts, replace(ANA, to="green")
    )


def test_live_weights_that_differ_from_the_declared_ones_are_drift_with_both_sides_and_the_author() -> None:
    live = replace(LIVE, traffic={"blue": 80, "green": 20}, changed_by="cy@example.com", changed_at="2026-11-28T11:00Z")
    reason = refused_by({"live": live})
    assert reason.startswith("drift: Pulumi.prod.yaml says blue 100 %, Azure has blue 80 %, green 20 %")
    assert "last changed by cy@example.com at 2026-11-28T11:00Z" in reason


def test_a_stable_colour_with_another_release_than_declared_refuses_a_start() -> None:
    live = replace(LIVE, deployments={"blue": deployment("blue", release="old"), "green": deployment("green")})
    assert "blue has release old in Azure" in refused_by({"live": live})


def test_a_stable_colour_above_its_own_ceiling_refuses_a_start_and_says_which_ceiling_would_work() -> None:
    reason = refused_by({"last_hour": {"blue": Counts(requests=1000, errors=50)}})
    assert "blue failed 50 of 1000 requests in the last hour (5.0%)" in reason
    assert "raise the ceiling above 5.0%" in reason


def test_a_stable_colour_that_may_be_at_its_ceiling_does_not_refuse_a_start() -> None:
    assert started(replace(READY, last_hour={"blue": Counts(requests=1000, errors=14)}))


def test_an_aborted_release_stays_barred_until_again() -> None:
    facts = {"past": (past(outcome=Outcome.ABORTED),)}
    again = replace(ANA, to="green")
    assert "was aborted in 20261101T000000Z-green. Give --again" in refused_by(facts, again)
    assert started(replace(READY, **facts), replace(again, again=True))


def test_an_aborted_release_is_known_by_its_content_whatever_the_colour_is_called() -> None:
    facts = {"past": (past("teal", Outcome.ABORTED, teal="green-content"),)}
    assert "was aborted" in refused_by(facts, replace(ANA, to="green"))


def test_a_release_that_ended_well_after_an_abort_is_not_barred() -> None:
    facts = replace(READY, past=(past(outcome=Outcome.ABORTED), past(outcome=Outcome.ROLLED_BACK)))
    assert started(facts, replace(ANA, to="green"))


def test_a_baseline_that_one_update_could_not_restore_refuses_a_start() -> None:
    """Amber would have to rise from 0 to 60 %, and only the stable colour may rise by more than max_step."""
    weights = {"blue": 40, "amber": 60}
    amber = Colour(release="amber-release", content="amber-content", instances=3)
    facts = {
        "declared": Split(traffic=weights),
        "colours": COLOURS | {"amber": amber},
        "live": replace(LIVE, traffic=weights, deployments={**LIVE.deployments, "amber": deployment("amber")}),
    }
    reason = refused_by(facts)
    assert reason.startswith("from green 100 % one update could not restore amber 60 %, blue 40 %")
    assert "max_step" in reason


# -- require_proof

DEV = Limits(require_proof="dev")


def with_provenance(**given: Provenance) -> dict[str, Colour]:
    return {name: replace(colour, provenance=given.get(name, Provenance())) for name, colour in COLOURS.items()}


def test_a_colour_without_the_proof_that_the_stack_requires_is_not_started() -> None:
    reason = refused_by({"limits": DEV})
    assert reason.startswith("green has no proof of dev (sluice:limits.require_proof): it is not pinned to a release.")
    assert "sluice promote fraud-detection --from dev --to prod" in reason

    proven = Provenance(pin="0" * 16, proven_in=frozenset({"dev"}))
    assert started(replace(READY, limits=DEV, colours=with_provenance(green=proven)))["allow_unproven"] is None


def test_the_record_says_why_a_colour_was_started_without_a_proof() -> None:
    excused = with_provenance(green=Provenance(allow_unproven="fixes the outage INC-4711"))
    assert started(replace(READY, limits=DEV, colours=excused))["allow_unproven"] == "fixes the outage INC-4711"


def test_a_baseline_of_two_colours_needs_proofs_for_its_way_back() -> None:
    """From 100 % green, amber would have to rise again, and only the stable colour may do that without a proof."""
    weights = {"blue": 60, "amber": 40}
    proven = Provenance(pin="0" * 16, proven_in=frozenset({"dev"}))
    amber = Colour(release="amber-release", content="amber-content", instances=3)
    facts = {
        "limits": DEV,
        "declared": Split(traffic=weights),
        "colours": with_provenance(green=proven) | {"amber": amber},
        "live": replace(LIVE, traffic=weights, deployments={**LIVE.deployments, "amber": deployment("amber")}),
    }
    for reason in reasons(replace(READY, **facts)):
        assert "one update could not restore amber 40 %, blue 60 %" in reason
        assert "without a proof of dev" in reason
    amber = replace(amber, provenance=proven)
    assert started(replace(READY, **facts | {"colours": with_provenance(green=proven) | {"amber": amber}}))


def test_all_reasons_come_at_once() -> None:
    live = replace(LIVE, traffic={"blue": 99, "green": 1}, deployments={"blue": deployment("blue")})
    facts = replace(READY, live=live, stable=None, pending=("update X",), past=(past("teal", None),))
    assert len(reasons(facts)) == 5


@given(blue=st.integers(0, 100), max_step=st.integers(1, 100))
def test_a_rollout_that_starts_can_be_taken_back_from_every_step_in_one_update(blue: int, max_step: int) -> None:
    weights = {"blue": blue, "amber": 100 - blue}
    colours = COLOURS | {"amber": Colour(release="amber-release", content="amber-content", instances=3)}
    live = replace(LIVE, traffic=weights, deployments={**LIVE.deployments, "amber": deployment("amber")})
    facts = replace(
        READY, colours=colours, live=live, declared=Split(traffic=weights), limits=Limits(max_step=max_step)
    )
    try:
        started(facts)
    except StartRefused:
        return
    for step in PLAN.steps:
        split = split_at(facts.declared, "green", step)
        assert facts.declared.percent_of("amber") - split.percent_of("amber") <= max_step


def event(seq: int, kind: Kind, data: dict[str, Any]) -> Event:
    return Event(seq=seq, at=NOON, kind=kind, data=data)


def test_a_record_is_summed_up_by_its_first_and_its_last_event() -> None:
    first = event(0, Kind.STARTED, started(READY))
    rollout = PastRollout.of([first])
    assert rollout == PastRollout(
        id="20261128T120000Z-green", colour="green", contents={"blue": "blue-content", "green": "green-content"}
    )
    done = PastRollout.of([first, event(1, Kind.ENDED, {"outcome": "done"})])
    assert done is not None
    assert (done.outcome, done.content) == ("done", "green-content")
    assert PastRollout.of([]) is None


@pytest.mark.parametrize(("given_back", "refused"), [(False, True), (True, False)])
def test_a_floor_that_the_last_rollout_has_not_given_back_comes_first(given_back: bool, refused: bool) -> None:
    colours = {"amber": {"release": "r", "content": "amber-content"}}
    floor = {"deployment": "blue", "minimum": 8, "was": {"autoscale.min": 3}, "now": {"autoscale.min": 8}}
    told = [
        (Kind.STARTED, {"id": "20261127T120000Z-amber", "colour": "amber", "colours": colours}),
        (Kind.RESERVED, floor),
        (Kind.ENDED, {"outcome": "rolled_back"}),
        *([(Kind.RETURNED, {"deployment": "blue", "values": {}, "left": []})] if given_back else []),
    ]
    past = PastRollout.of([Event(seq=seq, at=NOON, kind=kind, data=data) for seq, (kind, data) in enumerate(told)])
    assert past is not None
    facts = replace(READY, past=[past])
    if not refused:
        start(facts, StartRequest(actor=Actor(name="ada")), now=NOON, grain=60, commit=None)
        return
    with pytest.raises(StartRefused, match="has not given back the autoscale floor of blue"):
        start(facts, StartRequest(actor=Actor(name="ada")), now=NOON, grain=60, commit=None)


# -- colours that idle


def test_a_colour_that_idles_is_not_rolled_out_because_its_instances_have_to_start_first() -> None:
    colours = {**COLOURS, "green": replace(COLOURS["green"], idle_instances=1)}
    assert reasons(replace(READY, colours=colours)) == (
        "green may have 1 of its 3 instances at 0 % "
        "(sluice:endpoints.fraud-detection.deployments.green.autoscale.idle_instances), and needs all of them before "
        "it gets weight. Remove the line from Pulumi.prod.yaml, run `pulumi up --stack prod`, and wait until Azure has "
        "started them.",
    )


def test_the_colour_that_loses_its_weight_must_not_idle_because_the_step_would_change_its_instances() -> None:
    colours = {**COLOURS, "blue": replace(COLOURS["blue"], idle_instances=1)}
    (reason,) = reasons(replace(READY, colours=colours))
    assert reason.startswith("blue would lose instances with its last weight")
    assert "`retire: scale_down` in the plan leaves it one instance" in reason


def test_another_colour_may_idle() -> None:
    amber = Colour(release="amber-release", content="old", instances=3, idle_instances=1)
    facts = replace(READY, colours={**COLOURS, "amber": amber}, past=[past("amber", "done", amber="old")])
    assert started(facts)["colour"] == "green"
