"""Weights by hand: which of the three sides may differ before an update."""

from __future__ import annotations

import pytest

from delivery.run.stray_weights import Sides, problems_of
from rollout.split import Split

BLUE, BOTH, GREEN = (Split(traffic=given) for given in ({"blue": 100}, {"blue": 90, "green": 10}, {"green": 100}))


@pytest.mark.parametrize(
    ("live", "declared", "state", "refused"),
    [
        (BLUE, BLUE, BLUE, False),
        (BLUE, BOTH, BLUE, False),  # an update is pending
        (BOTH, BOTH, BLUE, False),  # a killed update, or break-glass: the state follows
        (BOTH, BLUE, BLUE, True),
        (GREEN, BOTH, BLUE, True),
        (BLUE, BOTH, None, True),
        (None, BLUE, None, False),  # the first deployment
        (None, BLUE, BLUE, False),  # deleted by hand: not about weights
    ],
)
def test_live_weights_must_be_those_of_the_file_or_of_the_state(
    live: Split | None, declared: Split, state: Split | None, refused: bool
) -> None:
    found = list(problems_of(Sides(endpoint="e", live=live, declared=declared, state=state), "dev"))
    assert bool(found) is refused
    if refused:
        assert "changed by hand" in found[0]
        assert "`pulumi up --refresh --stack dev`" in found[0]


def test_a_file_that_moves_weights_under_a_rollout_is_refused_with_both_sides() -> None:
    sides = Sides(endpoint="e", live=BOTH, declared=BLUE, state=BOTH, recorded=BOTH)
    (found,) = problems_of(sides, "dev")
    assert found.startswith("Pulumi.dev.yaml gives e blue 100 % while a rollout of it is under way at blue 90 %")
    assert not list(problems_of(Sides(endpoint="e", live=BOTH, declared=BOTH, state=BOTH, recorded=BOTH), "dev"))
