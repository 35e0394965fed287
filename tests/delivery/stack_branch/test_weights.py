"""Whose weights win in a sync: a table, and properties over any two sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.stack_branch.weights import Conflict, Sides, as_values, from_values, merged
from rollout.declaration.stack_text import WeightLines
from rollout.split import Split


def lines(stable: str = "blue", **traffic: int) -> WeightLines:
    return WeightLines(split=Split(traffic=traffic), stable=stable)


BLUE = lines(blue=100)
CANARY = lines(blue=90, green=10)
GREEN = lines("green", green=100)
BY_HAND = lines(blue=50, green=50)
SOME = st.sampled_from([None, BLUE, CANARY, GREEN, BY_HAND])


@pytest.mark.parametrize(
    ("sides", "expected"),
    [
        # the first sync, or a new endpoint
        (Sides(source=BLUE, synced=None, branch=None), BLUE),
        # the source branch has not changed
        (Sides(source=BLUE, synced=BLUE, branch=CANARY), CANARY),
        # the echo of a record pull request, while the next rollout runs
        (Sides(source=GREEN, synced=BLUE, branch=CANARY, left=(GREEN,), is_open=True), CANARY),
        # a person's decision
        (Sides(source=BY_HAND, synced=BLUE, branch=GREEN, left=(GREEN,)), BY_HAND),
        # nothing to decide
        (Sides(source=GREEN, synced=BLUE, branch=GREEN, is_open=True), GREEN),
        # the endpoint is gone
        (Sides(source=None, synced=BLUE, branch=BLUE), None),
    ],
)
def test_the_lines_of_the_branch_and_of_the_source(sides: Sides, expected: WeightLines | None) -> None:
    assert merged(sides) == expected


@pytest.mark.parametrize("source", [BY_HAND, None])
def test_a_person_who_changes_weights_during_a_rollout_is_asked(source: WeightLines | None) -> None:
    with pytest.raises(Conflict) as caught:
        merged(Sides(source=source, synced=BLUE, branch=CANARY, is_open=True))
    assert (caught.value.source, caught.value.branch) == (source, CANARY)


@given(source=SOME, synced=SOME, branch=SOME, left=st.lists(st.sampled_from([GREEN, BLUE]), max_size=2))
def test_an_open_rollout_keeps_its_weights_or_a_person_is_asked(
    source: WeightLines | None, synced: WeightLines | None, branch: WeightLines | None, left: list[WeightLines]
) -> None:
    try:
        result = merged(Sides(source=source, synced=synced, branch=branch, left=tuple(left), is_open=True))
    except Conflict:
        assert source != branch
    else:
        assert result == branch


def test_lines_survive_the_file() -> None:
    mirrored = WeightLines(split=Split(traffic={"blue": 100}, mirror={"green": 20}), stable="blue")
    assert from_values(as_values(mirrored)) == mirrored


@pytest.mark.parametrize("values", [None, {"traffic": {}}, {"stable": 1, "traffic": {}, "mirror": {}}])
def test_lines_that_are_not_lines_are_refused(values: object) -> None:
    with pytest.raises(ValueError, match="must"):
        from_values(values)
