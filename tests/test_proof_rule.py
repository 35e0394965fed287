"""`limits.require_proof`: which rise of a weight needs a proof, by example and as properties over arbitrary states."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from declared_change import DeclaredChange
from endpoint_state import DeclaredDeployment, DeclaredEndpoint, LiveDeployment, LiveEndpoint, LiveState, Provenance
from problem import Problem
from proof_rule import proof_problems
from stack_config import Limits
from transitions import TransitionError, validate_transition

COLOURS = ("blue", "green", "amber")
PIN = "0123456789abcdef"
PROVEN = Provenance(pin=PIN, proven_in=frozenset({"dev"}))
UNPROVEN = (
    Provenance(),
    Provenance(pin=PIN),
    Provenance(pin=PIN, proven_in=frozenset({"test"})),
    Provenance(proven_in=frozenset({"dev"})),
    Provenance(pin=PIN, problem="x.proofs.jsonl cannot be read."),
)
EXCUSED = Provenance(allow_unproven="fixes the outage INC-4711")
DEV = Limits(require_proof="dev", max_step=100)

Weights = Mapping[str, int]


def live(traffic: Weights, mirror: Weights | None = None) -> LiveState:
    """An endpoint with these weights, and three healthy colours whose release is their own name."""
    endpoint = LiveEndpoint(
        name="fraud-detection-prod",
        provisioning_state="Succeeded",
        auth_mode="Key",
        traffic=traffic,
        mirror=mirror or {},
        deployments={
            name: LiveDeployment(name=name, provisioning_state="Succeeded", release=name, instances=1)
            for name in COLOURS
        },
    )
    return LiveState(workspace_exists=True, endpoint=endpoint)


def declared(traffic: Weights, mirror: Weights | None = None, **colours: Provenance) -> DeclaredEndpoint:
    """These weights in the stack file; a colour without a provenance is not pinned."""
    return DeclaredEndpoint(
        stack="prod",
        key="fraud-detection",
        name="fraud-detection-prod",
        auth_mode="Key",
        traffic=traffic,
        mirror=mirror or {},
        deployments={
            name: DeclaredDeployment(release=name, provenance=colours.get(name, Provenance())) for name in COLOURS
        },
    )


def refused(
    state: LiveState, wanted: DeclaredEndpoint, *, stable: str | None = "blue", limits: Limits = DEV
) -> list[str]:
    return [str(problem) for problem in proof_problems(DeclaredChange(state, wanted, stable, limits))]


def program_problems(state: LiveState, wanted: DeclaredEndpoint, stable: str | None) -> tuple[Problem, ...]:
    """What the program refuses; none if the update may run."""
    try:
        validate_transition(state, wanted, stable, DEV)
    except TransitionError as error:
        return error.problems
    return ()


SERVES = live({"blue": 100})


@pytest.mark.parametrize("provenance", UNPROVEN)
def test_a_colour_without_a_proof_gets_no_weight(provenance: Provenance) -> None:
    (said,) = refused(SERVES, declared({"blue": 90, "green": 10}, green=provenance))
    assert said.startswith(
        "sluice:rollout.fraud-detection.traffic.green must not rise from 0 to 10 without a proof of dev "
        "(sluice:limits.require_proof): "
    )
    assert "sluice promote fraud-detection --from dev --to prod" in said
    assert "set allow_unproven: <reason> for green in Pulumi.prod.yaml" in said


@pytest.mark.parametrize(
    ("provenance", "said"),
    [
        (UNPROVEN[0], "it is not pinned to a release."),
        (UNPROVEN[1], "its release 0123456789abcdef is proven in no stack."),
        (UNPROVEN[2], "its release 0123456789abcdef is proven in test."),
        (UNPROVEN[4], "x.proofs.jsonl cannot be read."),
    ],
)
def test_the_refusal_says_what_is_missing(provenance: Provenance, said: str) -> None:
    assert (
        f"(sluice:limits.require_proof): {said} Roll" in refused(SERVES, declared({"green": 100}, green=provenance))[0]
    )


def test_a_mirrored_copy_needs_a_proof_too() -> None:
    (said,) = refused(SERVES, declared({"blue": 100}, {"green": 20}))
    assert said.startswith("sluice:rollout.fraud-detection.mirror.green must not rise from 0 to 20")
    assert not refused(SERVES, declared({"blue": 100}, {"green": 20}, green=PROVEN))


@pytest.mark.parametrize("provenance", [PROVEN, EXCUSED])
def test_a_proven_or_excused_colour_gets_weight(provenance: Provenance) -> None:
    assert not refused(SERVES, declared({"blue": 90, "green": 10}, green=provenance))


def test_the_first_colour_of_an_endpoint_without_weight_needs_no_proof() -> None:
    assert not refused(live({}), declared({"green": 100}), stable=None)
    assert not refused(LiveState(workspace_exists=False), declared({"green": 100}), stable=None)


def test_two_colours_at_once_are_not_the_first_one() -> None:
    said = refused(live({}), declared({"green": 50, "amber": 50}, amber=PROVEN), stable=None)
    assert [one.split()[0] for one in said] == ["sluice:rollout.fraud-detection.traffic.green"]


def test_a_mirror_alone_is_weight() -> None:
    assert refused(live({}, {"amber": 10}), declared({"green": 100}), stable=None)


def test_a_rise_of_a_colour_that_serves_already_needs_a_proof() -> None:
    assert refused(live({"blue": 90, "green": 10}), declared({"blue": 80, "green": 20}))
    assert not refused(live({"blue": 80, "green": 20}), declared({"blue": 90, "green": 10}))


def test_without_the_limit_nothing_needs_a_proof() -> None:
    assert not refused(SERVES, declared({"green": 100}), limits=Limits(max_step=100))


def test_the_program_refuses_it_together_with_everything_else() -> None:
    with pytest.raises(TransitionError) as error:
        validate_transition(SERVES, declared({"blue": 40, "green": 60}), "blue", Limits(require_proof="dev"))
    assert len(error.value.problems) == 2  # no proof, and too large a step


# -- properties ------------------------------------------------------------------------------------------------------


@st.composite
def splits(draw: st.DrawFn) -> tuple[Weights, Weights]:
    """Live weights that sum to 0 or 100, and perhaps a mirror to a colour without."""
    names = draw(st.lists(st.sampled_from(COLOURS), unique=True, max_size=3))
    cuts = (
        sorted(draw(st.lists(st.integers(0, 100), min_size=len(names) - 1, max_size=len(names) - 1))) if names else []
    )
    shares = [after - before for before, after in zip([0, *cuts], [*cuts, 100], strict=True)] if names else []
    traffic = dict(zip(names, shares, strict=True))
    idle = [name for name in COLOURS if not traffic.get(name)]
    mirror = {draw(st.sampled_from(idle)): draw(st.integers(0, 50))} if idle and draw(st.booleans()) else {}
    return traffic, mirror


PROVENANCES = st.sampled_from([*UNPROVEN, PROVEN, EXCUSED])
STABLE = st.none() | st.sampled_from(COLOURS)


@given(splits(), splits(), st.fixed_dictionaries(dict.fromkeys(COLOURS, PROVENANCES)), STABLE)
def test_exactly_the_unproven_rises_outside_the_list_are_refused(
    before: tuple[Weights, Weights],
    after: tuple[Weights, Weights],
    provenances: dict[str, Provenance],
    stable: str | None,
) -> None:
    getting = {name for weights in after for name, weight in weights.items() if weight}
    serves = any(weight for weights in before for weight in weights.values())
    expected = {
        f"sluice:rollout.fraud-detection.{section}.{name}"
        for section, old, new in zip(("traffic", "mirror"), before, after, strict=True)
        for name, weight in new.items()
        if weight > old.get(name, 0)
        and name != stable
        and (serves or len(getting) > 1)
        and provenances[name] not in (PROVEN, EXCUSED)
    }
    event(f"{len(expected)} refused")
    change = DeclaredChange(live(*before), declared(*after, **provenances), stable, DEV)
    assert {problem.where for problem in proof_problems(change)} == expected


@given(splits(), splits(), st.fixed_dictionaries(dict.fromkeys(COLOURS, PROVENANCES)), st.sampled_from(COLOURS))
def test_no_way_back_to_the_stable_colour_is_refused(
    before: tuple[Weights, Weights], lower: tuple[Weights, Weights], provenances: dict[str, Provenance], stable: str
) -> None:
    """Every other colour keeps its weight or loses some, and the stable one gets what is left."""
    kept = {name: min(weight, lower[0].get(name, 0)) for name, weight in before[0].items() if name != stable}
    traffic = {**kept, stable: 100 - sum(kept.values())}
    mirror = {name: min(weight, lower[1].get(name, 0)) for name, weight in before[1].items() if not traffic.get(name)}
    state = live(*before)
    wanted = declared(traffic, mirror, **provenances)
    assert refused(state, wanted, stable=stable) == []
    assert program_problems(state, wanted, stable) == ()


@given(splits(), splits(), st.fixed_dictionaries(dict.fromkeys(COLOURS, PROVENANCES)), STABLE)
def test_the_program_lets_no_unproven_rise_pass(
    before: tuple[Weights, Weights],
    after: tuple[Weights, Weights],
    provenances: dict[str, Provenance],
    stable: str | None,
) -> None:
    state, wanted = live(*before), declared(*after, **provenances)
    problems = set(proof_problems(DeclaredChange(state, wanted, stable, DEV)))
    assert problems <= set(program_problems(state, wanted, stable))


@given(splits(), splits(), STABLE)
def test_with_every_colour_proven_the_limit_changes_nothing(
    before: tuple[Weights, Weights], after: tuple[Weights, Weights], stable: str | None
) -> None:
    wanted = declared(*after, **dict.fromkeys(COLOURS, PROVEN))
    assert refused(live(*before), wanted, stable=stable) == []
    assert refused(live(*before), replace(wanted, deployments={}), stable=stable) == []
