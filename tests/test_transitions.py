"""Which changes of an endpoint are allowed: the rules by example, then as properties over arbitrary states.

Invariants: a refusal lists everything; an accepted change gives weight only to deployments that exist and can serve;
nothing is reset by omission; the stable colour can be restored in one step from every state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from declared_change import HEALTHY
from endpoint_state import (
    DeclaredDeployment,
    DeclaredEndpoint,
    LiveDeployment,
    LiveEndpoint,
    LiveState,
    Provenance,
    Transition,
)
from stack_config import Limits
from transitions import TransitionError, validate_removal, validate_transition

IDENTITY = "/subscriptions/s/resourcegroups/rg/providers/microsoft.managedidentity/userassignedidentities/id"
STATES = ("Succeeded", "Scaling", "Updating", "Creating", "Failed", "Deleting", "Canceled")
COLOURS = ("blue", "green", "amber")


def live(
    traffic: Mapping[str, int] | None = None,
    mirror: Mapping[str, int] | None = None,
    *,
    state: str = "Succeeded",
    auth_mode: str = "Key",
    identity_ids: frozenset[str] = frozenset({IDENTITY}),
    **deployments: str | LiveDeployment,
) -> LiveState:
    """Return an endpoint with these deployments, given by provisioning state; their release is their own name."""
    found = {
        name: LiveDeployment(name=name, provisioning_state=given, release=name) if isinstance(given, str) else given
        for name, given in deployments.items()
    }
    endpoint = LiveEndpoint(
        name="fraud-detection-prod",
        provisioning_state=state,
        auth_mode=auth_mode,
        identity_ids=identity_ids,
        traffic=traffic or {},
        mirror=mirror or {},
        deployments=found,
    )
    return LiveState(workspace_exists=True, endpoint=endpoint)


def declared(
    traffic: Mapping[str, object] | None = None,
    mirror: Mapping[str, object] | None = None,
    *,
    deployments: tuple[str, ...] = ("blue", "green"),
    **releases: DeclaredDeployment,
) -> DeclaredEndpoint:
    """Return the endpoint as the stack file declares it; every deployment's release is its own name unless given."""
    return DeclaredEndpoint(
        stack="prod",
        key="fraud-detection",
        name="fraud-detection-prod",
        auth_mode="Key",
        identity_ids=frozenset({IDENTITY}),
        traffic=traffic or {},  # type: ignore[arg-type]  # wrong types are what some tests are about
        mirror=mirror or {},  # type: ignore[arg-type]  # the same
        deployments={name: releases.get(name, DeclaredDeployment(release=name)) for name in deployments},
    )


def accept(state: LiveState, wanted: DeclaredEndpoint, stable: str | None = "blue", **limits: int) -> Transition:
    return validate_transition(state, wanted, stable, Limits(**limits))


def refuse(state: LiveState, wanted: DeclaredEndpoint, stable: str | None = "blue", **limits: int) -> list[str]:
    with pytest.raises(TransitionError) as refusal:
        validate_transition(state, wanted, stable, Limits(**limits))
    return [str(problem) for problem in refusal.value.problems]


ROLLOUT = "sluice:rollout.fraud-detection"
DEPLOYMENTS = "sluice:endpoints.fraud-detection.deployments"
NOTHING = LiveState(workspace_exists=False)
WORKSPACE = LiveState(workspace_exists=True)


# -- from nothing until settled --------------------------------------------------------------------------------------


def test_without_a_workspace_deployments_and_weights_wait():
    step = accept(NOTHING, declared({"blue": 100}))
    assert (step.traffic, step.mirror, step.deployments, step.settled) == ({}, {}, (), False)
    assert step.next == "pulumi up --stack prod"
    assert step.waiting == (
        "deployments wait for the workspace: blue, green",
        "live weights wait (blue=100): the endpoint does not exist in Azure yet",
    )


def test_deployments_wait_for_the_managed_network_and_the_next_command_provisions_it():
    step = accept(LiveState(workspace_exists=True, network_status="Inactive"), declared({"blue": 100}))
    assert (step.deployments, step.traffic, step.settled) == ((), {}, False)
    assert step.next == "sluice recover --stack prod"
    assert step.waiting[0] == (
        "deployments wait for the workspace's managed network, which is Inactive in Azure, not Active: blue, green"
    )


def test_what_exists_stays_declared_without_a_managed_network_and_one_that_failed_is_not_tried_again():
    state = replace(live({"blue": 100}, blue="Succeeded", green="Failed"), network_status="Inactive")
    step = accept(state, declared({"blue": 100}, deployments=("blue", "green", "amber")))
    assert (step.deployments, step.replaced, step.traffic) == (("blue", "green"), frozenset(), {"blue": 100})
    assert step.waiting[0].endswith("not Active: green, amber")


def test_a_deployment_is_not_replaced_without_a_managed_network():
    state = replace(live({"blue": 100}, blue="Succeeded", green="Succeeded"), network_status="Inactive")
    (error,) = refuse(state, declared({"blue": 100}, green=DeclaredDeployment(release="other")))
    assert error.startswith(f"{DEPLOYMENTS}.green must keep its release while the workspace's managed network is Inact")
    assert "Run sluice recover --stack prod, which provisions the network" in error


@pytest.mark.parametrize("status", ["Active", "active", None])
def test_a_network_that_is_ready_or_that_there_is_none_of_holds_nothing_back(status):
    step = accept(LiveState(workspace_exists=True, network_status=status), declared())
    assert (step.deployments, step.next) == (("blue", "green"), None)


def test_an_endpoint_to_be_created_gets_deployments_but_no_weights():
    step = accept(WORKSPACE, declared({"blue": 100}))
    assert (step.traffic, step.deployments, step.settled) == ({}, ("blue", "green"), False)


def test_an_endpoint_without_declared_weights_settles_at_once():
    step = accept(WORKSPACE, declared())
    assert (step.settled, step.next, step.waiting) == (True, None, ())


def test_a_stack_without_deployments_settles_without_a_workspace():
    assert accept(NOTHING, declared(deployments=()), stable=None).settled


@pytest.mark.parametrize("state", ["Creating", "Updating", "Failed", "Canceled"])
def test_first_weights_wait_for_a_deployment_that_is_not_healthy(state):
    step = accept(live(blue=state), declared({"blue": 100}))
    assert (step.traffic, step.settled) == ({}, False)
    assert step.replaced == ({"blue"} if state == "Failed" else set())


def test_first_weights_wait_for_all_of_their_deployments():
    step = accept(live(blue="Succeeded"), declared({"blue": 90, "green": 10}))
    assert step.traffic == {}
    assert step.waiting == ("live weights wait (blue=90, green=10): green does not exist in Azure yet",)


def test_first_weights_are_not_bound_by_the_step_limit():
    step = accept(live(green="Succeeded"), declared({"green": 100}), stable=None, max_step=10)
    assert (step.traffic, step.settled) == ({"green": 100}, True)


def test_a_mirror_waits_alone_when_the_live_weights_can_be_given():
    step = accept(live(blue="Succeeded", green="Creating"), declared({"blue": 100}, {"green": 20}))
    assert (step.traffic, step.mirror) == ({"blue": 100}, {})
    assert step.waiting == ("mirrored weights wait (green=20): green is Creating in Azure, not Succeeded",)


def test_weights_wait_for_a_release_that_is_replaced_in_this_update():
    step = accept(live(blue="Succeeded"), declared({"blue": 100}, blue=DeclaredDeployment(release="new")))
    assert (step.traffic, step.replaced, step.settled) == ({}, {"blue"}, False)


# -- promotion and the way back --------------------------------------------------------------------------------------


def test_a_promotion_changes_the_weights_and_nothing_else():
    step = accept(
        live({"blue": 90, "green": 10}, blue="Succeeded", green="Succeeded"), declared({"blue": 50, "green": 50})
    )
    assert step == Transition(traffic={"blue": 50, "green": 50}, mirror={}, deployments=("blue", "green"))
    assert step.settled


def test_zeros_are_left_out_because_azure_lists_no_zeros():
    step = accept(
        live({"blue": 90, "green": 10}, blue="Succeeded", green="Succeeded"), declared({"blue": 100, "green": 0})
    )
    assert step.traffic == {"blue": 100}


def test_a_colour_that_scales_out_can_be_promoted():
    assert accept(live({"blue": 100}, blue="Succeeded", green="Scaling"), declared({"blue": 90, "green": 10})).settled


@pytest.mark.parametrize("weight", [10, 50])
def test_a_step_up_to_the_limit_is_allowed(weight):
    wanted = {"blue": 100 - weight, "green": weight}
    step = accept(live({"blue": 100}, blue="Succeeded", green="Succeeded"), declared(wanted))
    assert (step.traffic, step.settled) == (wanted, True)


def test_a_step_beyond_the_limit_is_refused():
    errors = refuse(live({"blue": 100}, blue="Succeeded", green="Succeeded"), declared({"green": 100}))
    assert errors == [
        f"{ROLLOUT}.traffic.green must not rise by more than 50 percent in one update (sluice:limits.max_step), "
        "got 0 to 100. Take a smaller step in Pulumi.prod.yaml; only the stable deployment (blue) may take a larger "
        "one."
    ]


def test_the_stable_colour_may_jump_back():
    step = accept(live({"green": 100}, blue="Succeeded", green="Succeeded"), declared({"blue": 100}), max_step=1)
    assert (step.traffic, step.settled) == ({"blue": 100}, True)


def test_without_a_stable_colour_every_increase_is_bound():
    assert refuse(live({"green": 100}, blue="Succeeded", green="Succeeded"), declared({"blue": 100}), stable=None)


def test_a_serving_stable_colour_takes_all_back_whatever_an_operation_on_it_came_to():
    """A refused delete leaves a serving deployment Failed (recorded); traffic can still return to it."""
    for state in ("Failed", "Updating", "Canceled"):
        step = accept(live({"blue": 90, "green": 10}, blue=state, green="Succeeded"), declared({"blue": 100}))
        assert step.traffic == {"blue": 100}


def test_a_stable_colour_that_serves_nothing_must_be_healthy():
    errors = refuse(live({"green": 100}, blue="Updating", green="Succeeded"), declared({"blue": 100}))
    assert f"{ROLLOUT}.traffic.blue must be 0 for now, got 100: blue is Updating in Azure" in errors[0]


def test_weights_that_stay_or_fall_are_allowed_for_an_unhealthy_colour():
    same = accept(live({"blue": 50, "green": 50}, blue="Failed", green="Updating"), declared({"blue": 50, "green": 50}))
    less = accept(live({"blue": 90, "green": 10}, blue="Succeeded", green="Failed"), declared({"blue": 100}))
    assert (same.traffic, less.traffic) == ({"blue": 50, "green": 50}, {"blue": 100})


def test_weight_for_a_colour_that_does_not_exist_yet_is_refused_on_an_endpoint_that_serves():
    errors = refuse(live({"blue": 100}, blue="Succeeded"), declared({"blue": 90, "green": 10}))
    assert errors == [
        f"{ROLLOUT}.traffic.green must be 0 for now, got 10: green does not exist in Azure yet. Set it to 0 in "
        "Pulumi.prod.yaml, run pulumi up --refresh --stack prod (without --refresh, Pulumi does not notice a "
        "deployment that was deleted by hand), and raise it in a later update, when the deployment is Succeeded."
    ]


def test_mirroring_to_a_colour_that_does_not_exist_yet_is_refused():
    errors = refuse(live({"blue": 100}, blue="Succeeded"), declared({"blue": 100}, {"green": 20}))
    assert f"{ROLLOUT}.mirror.green must be 0 for now, got 20" in errors[0]


@pytest.mark.parametrize("state", ["Creating", "Updating", "Failed", "Canceled"])
def test_weight_for_an_unhealthy_colour_is_refused(state):
    errors = refuse(live({"blue": 100}, blue="Succeeded", green=state), declared({"blue": 90, "green": 10}))
    assert len(errors) == 1
    assert f"{ROLLOUT}.traffic.green must be 0 for now, got 10" in errors[0]


def test_a_new_release_and_weight_for_it_in_one_update_are_refused():
    state = live({"blue": 100}, blue="Succeeded", green="Succeeded")
    errors = refuse(state, declared({"blue": 90, "green": 10}, green=DeclaredDeployment(release="new")))
    assert "green gets another release and is replaced in this update" in errors[0]


def test_a_mirrored_colour_can_be_promoted_and_its_mirror_dropped_in_one_update():
    state = live({"blue": 100}, {"green": 20}, blue="Succeeded", green="Succeeded")
    assert accept(state, declared({"blue": 90, "green": 10})).mirror == {}


def test_too_few_instances_for_live_weight_are_refused_before_and_after_the_endpoint_exists():
    wanted = declared({"blue": 90, "green": 10}, green=DeclaredDeployment(release="green", instances=2))
    for state in (NOTHING, live({"blue": 100}, blue="Succeeded", green="Succeeded")):
        errors = refuse(state, wanted, min_live_instances=3)
        assert errors == [
            f"{DEPLOYMENTS}.green must have at least 3 instances (sluice:limits.min_live_instances) with 10 percent of "
            "the live requests, got 2. Raise instances (autoscale.min) in Pulumi.prod.yaml."
        ]


def test_too_few_instances_do_not_block_a_lower_weight_but_fewer_instances_do():
    few = LiveDeployment(name="green", provisioning_state="Succeeded", release="green", instances=2)
    state = live({"blue": 50, "green": 50}, blue="Succeeded", green=few)
    same, fewer = (DeclaredDeployment(release="green", instances=count) for count in (2, 1))
    accept(state, declared({"blue": 60, "green": 40}, green=same), min_live_instances=3)
    assert refuse(state, declared({"blue": 60, "green": 40}, green=fewer), min_live_instances=3)


# -- nothing is reset by omission ------------------------------------------------------------------------------------


def with_image(image: str, name: str = "green") -> DeclaredDeployment:
    return DeclaredDeployment(release=name, unpinned_image=image)


PINNED_RULE = (
    'must use an image with a version (sluice:limits.require_pinned), got "x:latest" in models/fraud-detection/'
)


@pytest.mark.parametrize(
    ("state", "traffic", "mirror"),
    [
        (live({"blue": 100}, blue="Succeeded"), {"blue": 100}, {}),  # created
        (live({"blue": 100}, blue="Succeeded", green="Failed"), {"blue": 100}, {}),  # recreated
        (live({"blue": 100}, blue="Succeeded", green="Succeeded"), {"blue": 90, "green": 10}, {}),
        (live({"blue": 90, "green": 10}, blue="Succeeded", green="Succeeded"), {"blue": 80, "green": 20}, {}),
        (live({"blue": 100}, blue="Succeeded", green="Succeeded"), {"blue": 100}, {"green": 10}),
        (LiveState(workspace_exists=False), {}, {}),
    ],
)
def test_an_image_without_a_version_is_refused_where_it_would_start_or_get_more(state, traffic, mirror):
    wanted = declared(traffic, mirror, green=with_image("x:latest"))
    (problem,) = refuse(state, wanted, require_pinned=True)
    assert problem.startswith(f"sluice:endpoints.fraud-detection.deployments.green {PINNED_RULE}green.yml.")
    accept(state, wanted)  # only if the stack file requests it


def test_a_package_without_an_exact_version_is_refused_by_the_same_rule():
    state = live({"blue": 100}, blue="Succeeded", green="Succeeded")
    green = DeclaredDeployment(release="green", unpinned_packages=("python=3.11", "pip"))
    (problem,) = refuse(state, declared({"blue": 90, "green": 10}, green=green), require_pinned=True)
    assert problem == (
        "sluice:endpoints.fraud-detection.deployments.green must name an exact version in every line of its conda file "
        '(sluice:limits.require_pinned), got "python=3.11", "pip" in the conda file of '
        "models/fraud-detection/green.yml. Write name==1.2.3, in conda and in pip lines."
    )
    accept(state, declared({"blue": 90, "green": 10}, green=green))
    pinned = replace(green, provenance=Provenance(pin="0123456789abcdef0"))
    (problem,) = refuse(state, declared({"blue": 90, "green": 10}, green=pinned), require_pinned=True)
    assert "in the conda file of models/fraud-detection/releases/0123456789abcdef.json" in problem


def test_an_image_without_a_version_may_stay_and_fall_and_be_the_way_back():
    both = live({"blue": 40, "green": 60}, blue="Succeeded", green="Succeeded")
    images = {"blue": with_image("x", "blue"), "green": with_image("x:latest")}
    for traffic in ({"blue": 40, "green": 60}, {"blue": 60, "green": 40}, {"blue": 100, "green": 0}):
        accept(both, declared(traffic, **images), require_pinned=True)
    first = live({}, blue="Succeeded", green="Succeeded")
    (problem,) = refuse(first, declared({"blue": 100}, **images), require_pinned=True)
    assert problem.startswith("sluice:endpoints.fraud-detection.deployments.blue must use an image")


@pytest.mark.parametrize("traffic", [{}, {"green": 0}])
def test_an_endpoint_that_serves_is_not_reset_by_adopting_it(traffic):
    errors = refuse(live({"blue": 100}, blue="Succeeded", green="Succeeded"), declared(traffic))
    assert errors == [
        f"{ROLLOUT}.traffic must name every deployment that has live weight; blue=100 is missing. "
        "Declare these weights, or {blue: 0} to stop serving, in Pulumi.prod.yaml."
    ]


def test_an_imported_endpoint_keeps_its_traffic():
    step = accept(
        live({"blue": 70, "green": 30}, blue="Succeeded", green="Succeeded"), declared({"blue": 70, "green": 30})
    )
    assert (step.traffic, step.settled) == ({"blue": 70, "green": 30}, True)


def test_serving_is_stopped_by_naming_every_live_colour_with_zero():
    state = live({"blue": 90, "green": 10}, blue="Succeeded", green="Succeeded")
    assert accept(state, declared({"blue": 0, "green": 0})).traffic == {}
    assert refuse(state, declared({"blue": 0}))


# -- deployments -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("traffic", "mirror"), [({"blue": 90, "green": 10}, {}), ({"blue": 100}, {"green": 10})])
def test_a_deployment_with_live_or_mirror_weight_is_not_removed(traffic, mirror):
    state = live(traffic, mirror, blue="Succeeded", green="Succeeded")
    errors = refuse(state, declared({"blue": 100}, deployments=("blue",)))
    assert len(errors) == 1
    assert errors[0].startswith(f"{DEPLOYMENTS}.green must stay declared while it gets ")
    assert "Declare it again in Pulumi.prod.yaml, set its weight to 0, run pulumi up --stack prod" in errors[0]


def test_a_deployment_at_zero_is_removed():
    state = live({"blue": 100}, blue="Succeeded", green="Succeeded")
    assert accept(state, declared({"blue": 100}, deployments=("blue",))).deployments == ("blue",)


def test_traffic_can_be_taken_from_a_foreign_deployment():
    theirs = LiveDeployment(name="theirs", provisioning_state="Succeeded")
    step = accept(live({"theirs": 100}, blue="Succeeded", theirs=theirs), declared({"blue": 100}))
    assert step.traffic == {"blue": 100}


@pytest.mark.parametrize(("traffic", "mirror"), [({"blue": 90, "green": 10}, {}), ({"blue": 100}, {"green": 10})])
def test_another_release_under_live_or_mirror_weight_is_refused(traffic, mirror):
    state = live(traffic, mirror, blue="Succeeded", green="Succeeded")
    wanted = declared(traffic, mirror, green=DeclaredDeployment(release="fedcba9876543210"))
    errors = refuse(state, wanted)
    assert len(errors) == 1
    assert errors[0].startswith(f"{DEPLOYMENTS}.green must keep its release while it gets 10 percent of ")
    assert "got fedcba987654 in place of green" in errors[0]
    assert "run sluice release pin fraud-detection green --stack prod: it is then that release" in errors[0]
    assert "allow_live_change: true" in errors[0]


def test_lowering_to_zero_and_changing_the_release_are_two_updates():
    state = live({"blue": 90, "green": 10}, blue="Succeeded", green="Succeeded")
    assert refuse(state, declared({"blue": 100}, green=DeclaredDeployment(release="new")))


def test_a_live_release_changes_in_place_where_the_stack_file_allows_it():
    state = live({"blue": 100}, blue="Succeeded")
    step = accept(state, declared({"blue": 100}, blue=DeclaredDeployment(release="new", allow_live_change=True)))
    assert (step.traffic, step.replaced) == ({"blue": 100}, set())


def test_a_live_deployment_without_a_release_tag_is_not_overwritten():
    unknown = LiveDeployment(name="blue", provisioning_state="Succeeded")
    errors = refuse(live({"blue": 100}, blue=unknown), declared({"blue": 100}))
    assert "it has no sluice:release tag" in errors[0]
    assert "release pin" not in errors[0]  # nothing says what it runs, so nothing can be pinned


@pytest.mark.parametrize(
    "green", ["Failed", LiveDeployment(name="green", provisioning_state="Succeeded", release="old")]
)
def test_at_zero_a_failed_or_changed_deployment_is_replaced(green):
    step = accept(live({"blue": 100}, blue="Succeeded", green=green), declared({"blue": 100}))
    assert (step.replaced, step.settled) == ({"green"}, True)


def test_a_failed_deployment_that_still_serves_is_not_replaced():
    assert accept(live({"blue": 100}, blue="Failed"), declared({"blue": 100})).replaced == frozenset()


def test_a_deployment_that_is_being_deleted_is_waited_for():
    errors = refuse(live({"blue": 100}, blue="Succeeded", green="Deleting"), declared({"blue": 100}))
    assert errors == [
        f"{DEPLOYMENTS}.green is being deleted in Azure. Wait until it is gone, then run pulumi up --stack prod again."
    ]


# -- endpoints -------------------------------------------------------------------------------------------------------


def test_auth_mode_and_identity_of_a_serving_endpoint_do_not_change():
    state = live({"blue": 100}, auth_mode="AMLToken", identity_ids=frozenset(), blue="Succeeded")
    errors = refuse(state, declared({"blue": 100}))
    assert len(errors) == 2
    assert "must not change its auth mode from AMLToken to Key while it serves (blue=100)" in errors[0]
    assert "must not change its identity from a system-assigned identity to /subscriptions/s/" in errors[1]


def test_a_mirror_alone_keeps_auth_mode_and_identity():
    state = live({}, {"green": 10}, auth_mode="AMLToken", blue="Succeeded", green="Succeeded")
    assert "while it serves (green=10)" in refuse(state, declared())[0]


def test_an_endpoint_that_serves_nothing_is_replaced_for_another_identity_and_weights_wait():
    step = accept(live(identity_ids=frozenset(), blue="Succeeded"), declared({"blue": 100}))
    assert (step.replaces_endpoint, step.traffic, step.replaced) == (True, {}, {"blue"})
    assert step.waiting == ("live weights wait (blue=100): the endpoint is replaced in this update",)


def test_case_of_auth_mode_and_identity_does_not_matter():
    state = live({"blue": 100}, auth_mode="key", identity_ids=frozenset({IDENTITY.upper()}), blue="Succeeded")
    assert not accept(state, declared({"blue": 100})).replaces_endpoint


@pytest.mark.parametrize("state", ["Creating", "Deleting"])
def test_an_endpoint_in_an_unfinished_state_is_waited_for(state):
    errors = refuse(live(state=state), declared({"blue": 100}))
    assert f'is still {state} in Azure ("fraud-detection-prod") and cannot be changed until that' in errors[0]


def test_an_endpoint_whose_creation_failed_must_be_deleted():
    errors = refuse(live(state="Failed"), declared({"blue": 100}))
    assert "az ml online-endpoint delete --name fraud-detection-prod" in errors[0]


def test_a_failed_update_of_a_serving_endpoint_does_not_block_the_way_back():
    state = live({"blue": 50, "green": 50}, state="Failed", blue="Succeeded", green="Failed")
    step = accept(state, declared({"blue": 100}))
    assert (step.traffic, step.settled) == ({"blue": 100}, True)


def test_an_endpoint_that_serves_is_not_removed_or_renamed():
    serving = live({"blue": 90, "green": 10}).endpoint
    idle = replace(live().endpoint, name="idle-prod")
    with pytest.raises(TransitionError) as refusal:
        validate_removal([serving, idle], {"fraud-prod"}, stack="prod")
    (problem,) = refusal.value.problems
    assert problem.where == "sluice:endpoints"
    assert 'no longer declares the endpoint "fraud-detection-prod", which has live weights blue=90, green=10' in str(
        problem
    )


def test_a_mirror_alone_keeps_an_endpoint_from_being_removed():
    with pytest.raises(TransitionError):
        validate_removal([live({}, {"green": 5}).endpoint], set(), stack="prod")


def test_a_declared_endpoint_may_serve_and_an_idle_one_may_be_removed():
    serving = live({"blue": 100}).endpoint
    idle, removed = replace(live({"blue": 0}).endpoint, name="idle-prod"), replace(serving, name="removed-prod")
    with pytest.raises(TransitionError) as refusal:
        validate_removal([serving, idle, removed], {serving.name}, stack="prod")
    assert [str(problem).partition(",")[0] for problem in refusal.value.problems] == [
        'sluice:endpoints no longer declares the endpoint "removed-prod"'
    ]


# -- weights that are wrong whatever is live -------------------------------------------------------------------------

HEALTHY_PAIR = live({"blue": 100}, blue="Succeeded", green="Succeeded")


@pytest.mark.parametrize(
    ("weight", "shown"), [(33.5, "33.5"), ("90", '"90"'), (True, "true"), (-1, "-1"), (101, "101"), (None, "null")]
)
def test_only_whole_percents_are_weights(weight, shown):
    errors = refuse(HEALTHY_PAIR, declared({"blue": 100, "green": weight}))
    assert errors[0] == (
        f"{ROLLOUT}.traffic.green must be a whole number of percent from 0 to 100, got {shown}. "
        "Fix it in Pulumi.prod.yaml."
    )


@pytest.mark.parametrize(("blue", "total"), [(90, 95), (96, 101), (1, 6)])
def test_weights_sum_to_0_or_100(blue, total):
    assert refuse(HEALTHY_PAIR, declared({"blue": blue, "green": 5})) == [
        f"{ROLLOUT}.traffic must sum to 0 or 100 percent, got {total} (blue={blue}, green=5). "
        "Fix it in Pulumi.prod.yaml."
    ]


@pytest.mark.parametrize(
    ("name", "hint"), [("gren", "Did you mean green? "), ("Green", "Did you mean green? Names are")]
)
def test_weights_name_declared_deployments_only(name, hint):
    errors = refuse(HEALTHY_PAIR, declared({"blue": 90, name: 10}))
    assert errors[0].startswith(f"{ROLLOUT}.traffic.{name} names a deployment that {DEPLOYMENTS} does not declare")
    assert hint in errors[0]


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ({"green": 10, "amber": 10}, "must name exactly one deployment, got 2 (green=10, amber=10)"),
        ({"green": 51}, "must be at most 50 percent (Azure's limit), got 51"),
        ({"blue": 10}, "must be 0 while blue has live weight, got 10 (live 100)"),
        ({"green": 1.5}, "must be a whole number of percent from 0 to 100, got 1.5"),
    ],
)
def test_a_mirror_copies_to_one_other_colour_and_at_most_half(mirror, expected):
    state = live({"blue": 100}, blue="Succeeded", green="Succeeded", amber="Succeeded")
    errors = refuse(state, declared({"blue": 100}, mirror, deployments=COLOURS))
    assert expected in errors[0]


def test_a_stack_may_mirror_less():
    errors = refuse(HEALTHY_PAIR, declared({"blue": 100}, {"green": 30}), max_mirror=20)
    assert "must be at most 20 percent (sluice:limits.max_mirror), got 30" in errors[0]


def test_a_mirror_needs_live_requests():
    assert (
        "it copies live requests, and there are none" in refuse(live(green="Succeeded"), declared({}, {"green": 10}))[0]
    )


def test_kubernetes_endpoints_do_not_mirror():
    errors = refuse(HEALTHY_PAIR, replace(declared({"blue": 100}, {"green": 10}), kubernetes=True))
    assert "Kubernetes endpoints cannot mirror" in errors[0]


def test_stable_is_a_declared_deployment():
    assert (
        f'{ROLLOUT}.stable must be a deployment of {DEPLOYMENTS} (blue, green), got "red"'
        in refuse(HEALTHY_PAIR, declared({"blue": 100}), stable="red")[0]
    )


def test_every_violation_is_reported_at_once():
    state = live({"blue": 90, "amber": 10}, auth_mode="AADToken", blue="Succeeded", amber="Succeeded", green="Failed")
    wanted = declared({"blue": 20, "green": 85}, {"green": 60}, blue=DeclaredDeployment(release="new"))
    errors = refuse(state, wanted, stable="red")
    keys = [error.split(" ")[0] for error in errors]
    assert keys == sorted(keys)
    assert sorted(set(keys)) == [
        "sluice:endpoints.fraud-detection",
        f"{DEPLOYMENTS}.amber",
        f"{DEPLOYMENTS}.blue",
        f"{ROLLOUT}.mirror.green",
        f"{ROLLOUT}.stable",
        f"{ROLLOUT}.traffic",
        f"{ROLLOUT}.traffic.green",
    ]
    assert sum(key == f"{ROLLOUT}.traffic.green" for key in keys) == 2  # failed, and too large a step


# -- properties ------------------------------------------------------------------------------------------------------


@st.composite
def splits(draw: st.DrawFn, names: tuple[str, ...]) -> dict[str, int]:
    """Weights that sum to 0 or 100."""
    if not names or draw(st.integers(0, 4)) == 0:
        return dict.fromkeys(draw(st.sets(st.sampled_from(names))), 0) if names else {}
    cuts = sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1)))
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)]
    return dict(zip(names, shares, strict=True))


@st.composite
def live_states(draw: st.DrawFn) -> LiveState:
    if draw(st.integers(0, 9)) == 0:
        return LiveState(workspace_exists=draw(st.booleans()))
    names = tuple(draw(st.sets(st.sampled_from(COLOURS))))
    traffic = draw(splits(tuple(sorted(names))))
    free = [name for name in names if not traffic.get(name)]
    mirror = {draw(st.sampled_from(free)): draw(st.integers(0, 50))} if free and any(traffic.values()) else {}
    state = live(
        traffic,
        mirror,
        state=draw(st.sampled_from(["Succeeded"] * 9 + ["Updating", "Failed", "Creating", "Deleting"])),
        auth_mode=draw(st.sampled_from(["Key"] * 9 + ["AMLToken"])),
        **{
            name: LiveDeployment(
                name=name,
                provisioning_state=draw(st.sampled_from(("Succeeded",) * 5 + STATES)),
                release=draw(st.sampled_from([name] * 5 + [None])),
                instances=draw(st.integers(1, 3)),
            )
            for name in names
        },
    )
    return state


@st.composite
def changes(draw: st.DrawFn) -> tuple[LiveState, DeclaredEndpoint]:
    """A live state and a declaration that keeps most rules: most rules concern declarations that are nearly valid."""
    state = draw(live_states())
    found = state.endpoint.deployments if state.endpoint else {}
    names = tuple(sorted(found)) if draw(st.booleans()) else tuple(sorted(draw(st.sets(st.sampled_from(COLOURS)))))
    traffic = draw(splits(names if draw(st.integers(0, 9)) else COLOURS))
    idle = [name for name in names if not traffic.get(name)]
    kept = {name: weight for name, weight in (state.endpoint.mirror if state.endpoint else {}).items() if name in idle}
    mirror = {draw(st.sampled_from(idle)): draw(st.integers(0, 55))} if idle and draw(st.integers(0, 2)) == 0 else kept
    return state, declared(
        traffic,
        mirror,
        deployments=names,
        **{
            name: DeclaredDeployment(
                release=draw(st.sampled_from([(found[name].release if name in found else None) or name] * 6 + ["new"])),
                allow_live_change=draw(st.integers(0, 3)) == 0,
                instances=draw(st.integers(1, 3)),
            )
            for name in names
        },
    )


limits_strategy = st.builds(
    Limits,
    max_step=st.sampled_from((1, 10, 50, 100)),
    max_mirror=st.sampled_from((20, 50)),
    min_live_instances=st.sampled_from((1, 1, 3)),
)
stable_strategy = st.sampled_from((None, *COLOURS))


@given(changes(), stable_strategy, limits_strategy)
def test_what_is_accepted_keeps_the_laws(change, stable, limits):
    state, wanted = change
    try:
        step = validate_transition(state, wanted, stable, limits)
    except TransitionError:
        event("refused")
        return
    event("accepted" if step.settled else "accepted, waits")
    endpoint = state.endpoint
    before = {name: weight for name, weight in endpoint.traffic.items() if weight} if endpoint else {}
    declared_weights = {name: weight for name, weight in wanted.traffic.items() if weight}
    assert sum(step.traffic.values()) in (0, 100)
    assert sum(step.mirror.values()) <= 50
    assert len(step.mirror) <= 1
    assert not step.traffic.keys() & step.mirror.keys()
    for name, weight in step.traffic.items():
        found = endpoint.deployments[name]
        rises = weight > before.get(name, 0)
        assert name in step.deployments
        assert name not in step.replaced
        assert not rises or found.state in HEALTHY or (name == stable and name in before)
        assert not (before and rises and name != stable) or weight - before.get(name, 0) <= limits.max_step
        assert not rises or name == stable or wanted.deployments[name].instances >= limits.min_live_instances
    carrying = {*before, *(name for name, weight in endpoint.mirror.items() if weight)} if endpoint else set()
    for name in carrying:
        ours = endpoint.deployments[name].release is not None
        assert name in wanted.deployments or not ours
        assert name not in step.replaced
        if name in wanted.deployments and not wanted.deployments[name].allow_live_change:
            assert wanted.deployments[name].release == endpoint.deployments[name].release
    assert not (carrying and step.replaces_endpoint)
    assert step.traffic in ({}, declared_weights)
    assert step.settled == (step.next is None)
    if before:
        assert step.traffic == declared_weights
        assert step.traffic or set(before) <= wanted.traffic.keys()
    if step.settled:
        assert step.traffic == declared_weights
        assert set(step.deployments) == set(wanted.deployments)


@given(live_states(), st.sampled_from(COLOURS), limits_strategy)
def test_back_to_a_healthy_stable_colour_is_one_step_from_everywhere(state, stable, limits):
    endpoint = state.endpoint
    if endpoint is None or endpoint.state in ("creating", "deleting") or endpoint.auth_mode != "Key":
        return  # nothing to restore, or Azure accepts no operation now, or another rule refuses
    blue = endpoint.deployments.get(stable)
    if blue is None or blue.state not in HEALTHY or blue.release is None:
        return
    if any(deployment.state == "deleting" for deployment in endpoint.deployments.values()):
        return
    # The file still declares what is live, and only the weights are written back.
    names = {name: found for name, found in endpoint.deployments.items() if found.release is not None}
    wanted = declared(
        {stable: 100},
        deployments=tuple(names),
        **{
            name: DeclaredDeployment(release=found.release or "", instances=found.instances or 1)
            for name, found in names.items()
        },
    )
    step = validate_transition(state, wanted, stable, limits)
    assert (step.traffic, step.mirror, step.settled) == ({stable: 100}, {}, True)


@given(changes(), stable_strategy, limits_strategy)
def test_after_an_accepted_update_the_same_declaration_settles(change, stable, limits):
    """Once Azure has done what was declared, the next update gives the weights, and the one after is empty."""
    state, wanted = change
    for _ in range(3):
        try:
            step = validate_transition(state, wanted, stable, limits)
        except TransitionError:
            return
        state = after(step, wanted)
    again = validate_transition(state, wanted, stable, limits)
    assert again.settled
    assert not again.replaced
    assert not again.replaces_endpoint


def after(step: Transition, wanted: DeclaredEndpoint) -> LiveState:
    """Return what Azure has after a successful update."""
    return live(
        step.traffic,
        step.mirror,
        **{
            name: LiveDeployment(
                name=name,
                provisioning_state="Succeeded",
                release=wanted.deployments[name].release,
                instances=wanted.deployments[name].instances,
            )
            for name in step.deployments
        },
    )


@given(changes(), stable_strategy, limits_strategy, st.sampled_from([33.5, "90", True, -1, 101]))
def test_a_wrong_weight_is_reported_beside_whatever_else_is_wrong(change, stable, limits, wrong):
    state, wanted = change

    def errors(endpoint: DeclaredEndpoint) -> set[str]:
        try:
            validate_transition(state, endpoint, stable, limits)
        except TransitionError as refusal:
            return {problem.where for problem in refusal.problems}
        return set()

    spoiled = replace(wanted, traffic={**wanted.traffic, "blue": wrong})
    kept = {
        key for key in errors(wanted) if ".traffic" not in key and ".deployments." not in key and ".mirror" not in key
    }
    assert errors(spoiled) >= kept | {f"{ROLLOUT}.traffic.blue"}


# -- the instances of a colour at 0 percent ----------------------------------------------------------------------------

SCALED = DeclaredDeployment(release="green", instances=3, scales=True)


def with_instances(count: int, state: str = "Succeeded") -> LiveDeployment:
    return LiveDeployment(name="green", provisioning_state=state, release="green", instances=count)


@pytest.mark.parametrize(("idles", "and_remove"), [(True, " and remove idle_instances"), (False, "")])
def test_a_colour_gets_its_first_weight_when_autoscale_has_started_its_least_instances(idles: bool, and_remove: str):
    wanted = declared({"blue": 90, "green": 10}, green=replace(SCALED, idles=idles))
    assert accept(live({"blue": 100}, blue="Succeeded", green=with_instances(3)), wanted).settled
    assert refuse(live({"blue": 100}, blue="Succeeded", green=with_instances(2)), wanted) == [
        f"{ROLLOUT}.traffic.green must be 0 for now, got 10: green has too few instances in Azure: 2, and "
        f"autoscale.min is 3. Set it to 0{and_remove} in Pulumi.prod.yaml, run pulumi up --stack prod, and raise "
        "the weight when Azure has started the instances."
    ]


def test_too_few_instances_are_not_named_where_something_else_is_in_the_way():
    (problem,) = refuse(
        live({"blue": 100}, blue="Succeeded", green=with_instances(1, "Failed")),
        declared({"blue": 90, "green": 10}, green=SCALED),
    )
    assert "gets another release" in problem or "has failed and is replaced" in problem


def test_the_stable_colour_may_come_back_with_few_instances():
    """The way back stays open, whatever autoscale has left of it."""
    state = live({"blue": 100}, blue="Succeeded", green=with_instances(1))
    assert accept(state, declared({"green": 100}, green=SCALED), stable="green").traffic == {"green": 100}


def test_a_colour_that_has_weight_may_get_more_while_autoscale_is_below_its_minimum():
    state = live({"blue": 90, "green": 10}, blue="Succeeded", green=with_instances(1))
    assert accept(state, declared({"blue": 50, "green": 50}, green=SCALED)).settled


def test_where_nothing_serves_the_first_weight_waits_for_the_instances():
    state = live({}, blue="Succeeded", green=with_instances(1))
    step = accept(state, declared({"green": 100}, green=SCALED), stable=None)
    assert step.waiting == (
        "live weights wait (green=100): green has too few instances in Azure: 1, and autoscale.min is 3",
    )
    assert step.traffic == {}
