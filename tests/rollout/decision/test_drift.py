"""What differs between Azure, the stack file and the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from endpoint_state import LiveDeployment, LiveEndpoint
from rollout.decision.drift import compare, standing_of
from rollout.decision.order import Direction, Intent, Order
from rollout.decision.situation import DriftKind, Standing
from rollout.ports import Declared
from rollout.split import Split
from tests.rollout.record.rollouts import BLUE
from tests.rollout.states import PLAN, state_of

TENTH = Split(traffic={"blue": 90, "green": 10})
MIRRORED = Split(traffic={"blue": 100}, mirror={"green": 20})
OTHER = Split(traffic={"blue": 60, "green": 40})
ORDER = Order(start=BLUE, to=TENTH, direction=Direction.FORWARD, step=0, why="")
STATE = state_of(weights=TENTH, step=0)


def live(split: Split = TENTH, state: str = "Succeeded", **deployments: Any) -> LiveEndpoint:
    default = {
        name: LiveDeployment(name=name, provisioning_state="Succeeded", release=f"{name}-release", instances=3)
        for name in ("blue", "green")
    }
    changed = {name: one for name, one in {**default, **deployments}.items() if one is not None}
    return LiveEndpoint(
        name="fraud",
        provisioning_state=state,
        auth_mode="key",
        traffic=split.traffic,
        mirror=split.mirror,
        deployments=changed,
        changed_by="bob",
        changed_at="2026-11-27T14:03:00Z",
    )


def declared(split: Split = TENTH, stable: str | None = "blue", *names: str) -> Declared:
    return Declared(split=split, stable=stable, deployments={name: {} for name in names or ("blue", "green")})


def test_where_all_agree_nothing_differs() -> None:
    assert compare(live(), declared(), STATE) == compare(live(), declared(stable=None), STATE)
    assert compare(live(), declared(), STATE).drift == ()


@pytest.mark.parametrize(
    ("actual", "said", "kinds"),
    [
        (OTHER, TENTH, [DriftKind.LIVE]),
        (TENTH, OTHER, [DriftKind.DECLARED]),
        (OTHER, OTHER, [DriftKind.LIVE, DriftKind.DECLARED]),
    ],
)
def test_each_side_that_differs_from_the_record_is_named(actual: Split, said: Split, kinds: list[DriftKind]) -> None:
    found = compare(live(actual), declared(said), STATE).drift
    assert [one.kind for one in found] == kinds
    assert all((one.live, one.declared, one.record) == (actual, said, TENTH) for one in found)


def test_the_author_of_a_foreign_change_is_named() -> None:
    (one,) = compare(live(OTHER), declared(), STATE).drift
    assert (one.who, one.when) == ("bob", "2026-11-27T14:03:00Z")
    assert one.text == (
        "Azure has blue 60 %, green 40 %, the rollout set blue 90 %, green 10 % (changed by bob at "
        "2026-11-27T14:03:00Z)"
    )


def test_a_lost_mirror_is_told_apart() -> None:
    (one,) = compare(live(BLUE), declared(MIRRORED), state_of(weights=MIRRORED)).drift
    assert one.kind is DriftKind.MIRROR


def test_stable_in_the_file_is_compared() -> None:
    (one,) = compare(live(), declared(stable="green"), STATE).drift
    assert one.kind is DriftKind.DECLARED
    assert "stable: green" in one.text


def test_the_weights_of_an_open_change_are_no_drift() -> None:
    state = replace(STATE, weights=BLUE, open_intent=Intent(seq=3, at=0, order=ORDER))
    for split in (BLUE, TENTH):
        assert compare(live(split), declared(split), state).drift == ()
    assert [one.kind for one in compare(live(OTHER), declared(), state).drift] == [DriftKind.LIVE]


@pytest.mark.parametrize(
    ("green", "problem"),
    [
        (None, "green is gone"),
        (LiveDeployment(name="green", provisioning_state="Failed", release="green-release"), "green is Failed"),
        (LiveDeployment(name="green", provisioning_state="Succeeded", release="x"), "green has another release"),
        (LiveDeployment(name="green", provisioning_state="Succeeded"), "no release tag"),
    ],
)
def test_a_new_colour_that_is_not_the_one_that_started_is_a_problem(green: LiveDeployment | None, problem: str) -> None:
    found = compare(live(green=green), declared(), STATE)
    assert found.canary_problem is not None
    assert problem in found.canary_problem
    assert found.stable_problem is None


@pytest.mark.parametrize("blue", [None, LiveDeployment(name="blue", provisioning_state="Failed")])
def test_a_stable_colour_that_cannot_serve_is_no_way_back(blue: LiveDeployment | None) -> None:
    assert compare(live(blue=blue), declared(), STATE).stable_problem is not None


def test_another_release_of_the_stable_colour_is_drift() -> None:
    blue = LiveDeployment(name="blue", provisioning_state="Succeeded", release="b2")
    assert [one.kind for one in compare(live(blue=blue), declared(), STATE).drift] == [DriftKind.STABLE_RELEASE]


def test_instances_and_running_updates_of_deployments_are_no_drift() -> None:
    busy = LiveDeployment(name="blue", provisioning_state="Updating", release="blue-release", instances=9)
    found = compare(live(blue=busy), declared(), STATE)
    assert (found.drift, found.canary_problem, found.stable_problem) == ((), None, None)


def test_an_undeclared_deployment_without_weight_is_noted() -> None:
    teal = LiveDeployment(name="teal", provisioning_state="Succeeded")
    found = compare(live(teal=teal), declared(), STATE)
    assert (found.drift, len(found.notes)) == ((), 1)
    assert found.notes[0].startswith("teal is in Azure at 0 %, and the stack file does not declare it")


def test_an_edited_plan_is_noted_and_changes_nothing() -> None:
    edited = PLAN.model_copy(update={"on_incident": "rollback"})
    assert compare(live(), replace(declared(), plan=PLAN), STATE) == compare(live(), declared(), STATE)
    found = compare(live(), replace(declared(), plan=edited), STATE)
    assert found.drift == ()
    assert "the stack file's plan differs from the frozen one" in found.notes[0]
    assert "sluice rollout resume fraud-detection --stack prod --replan" in found.notes[0]


ID = "/subscriptions/0/resourceGroups/rg/providers/Microsoft.ManagedIdentity/userAssignedIdentities/id-one"
KNOWN = replace(STATE, auth_mode="AADToken", identity_ids=frozenset({ID}))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"auth_mode": "Key"}, "the endpoint's auth mode is Key, at the start it was AADToken (changed by bob at "),
        (
            {"identity_ids": frozenset({f"{ID}-two"})},
            "the endpoint's identities are id-one-two, at the start they were id-one (changed by bob at ",
        ),
        ({"identity_ids": frozenset()}, "the endpoint's identities are none, at the start they were id-one "),
    ],
)
def test_another_auth_mode_or_identity_is_drift(change: dict[str, Any], text: str) -> None:
    same = replace(live(), auth_mode="aadtoken", identity_ids=frozenset({ID.lower()}))
    assert compare(same, declared(), KNOWN).drift == ()
    (found,) = compare(replace(same, **change), declared(), KNOWN).drift
    assert (found.kind, found.who) == (DriftKind.SETTINGS, "bob")
    assert found.text.startswith(text)
    assert "pulumi up --refresh --stack prod" in found.text


def test_a_record_that_does_not_know_auth_mode_and_identity_compares_neither() -> None:
    assert compare(replace(live(), auth_mode="Key", identity_ids=frozenset({ID})), declared(), STATE).drift == ()


def test_an_endpoint_that_is_gone_is_drift_and_pending_changes_are() -> None:
    assert [one.kind for one in compare(None, declared(), STATE).drift] == [DriftKind.ENDPOINT]
    pending = replace(STATE, pending=("update alert",))
    assert [one.kind for one in compare(live(), declared(), pending).drift] == [DriftKind.PENDING]


@pytest.mark.parametrize(
    ("endpoint", "standing"),
    [
        (live(TENTH), Standing.TO),
        (live(BLUE), Standing.FROM),
        (live(OTHER), Standing.OTHER),
        (None, Standing.OTHER),
        (live(TENTH, "Updating"), Standing.UPDATING),
        (live(BLUE, "Failed"), Standing.FAILED),
        (live(TENTH, "Failed"), Standing.TO),
    ],
)
def test_azure_says_how_far_an_open_change_is(endpoint: LiveEndpoint | None, standing: Standing) -> None:
    assert standing_of(Intent(seq=3, at=0, order=ORDER), endpoint) is standing
