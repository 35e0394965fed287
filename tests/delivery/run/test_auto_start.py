"""`plan.start: auto`: exactly one new, healthy colour at 0 % starts, and nothing else."""

from __future__ import annotations

import pytest

from delivery.run.auto_start import Candidate, candidate
from endpoint_state import LiveDeployment, LiveEndpoint
from rollout.people.start_facts import Colour, PastRollout
from rollout.split import Split

BLUE = Split(traffic={"blue": 100})


def colours(*names: str) -> dict[str, Colour]:
    return {name: Colour(release=f"{name}-release", content=f"{name}-content") for name in names}


def live(**states: str) -> LiveEndpoint:
    deployments = {name: LiveDeployment(name=name, provisioning_state=state) for name, state in states.items()}
    return LiveEndpoint(name="e", provisioning_state="Succeeded", auth_mode="Key", deployments=deployments)


def past(colour: str, *baseline: str) -> PastRollout:
    names = (colour, *baseline)
    return PastRollout(id="r", colour=colour, contents={name: f"{name}-content" for name in names}, outcome="done")


@pytest.mark.parametrize(
    ("declared", "names", "before", "states", "expected"),
    [
        (BLUE, ("blue", "green"), [], {"blue": "Succeeded", "green": "Succeeded"}, Candidate("green")),
        (BLUE, ("blue", "green"), [], {"blue": "Succeeded", "green": "Creating"}, "is new and not healthy"),
        (BLUE, ("blue", "green"), [], {"blue": "Succeeded", "green": "Failed"}, "is new and not healthy"),
        (BLUE, ("blue", "green"), [], {"blue": "Succeeded"}, "is new and not healthy"),
        (BLUE, ("blue", "green", "red"), [], {"green": "Succeeded", "red": "Failed"}, "several colours at 0 % are new"),
        (BLUE, ("blue",), [], {"blue": "Succeeded"}, None),
        (BLUE, ("blue", "green"), [past("green", "blue")], {"green": "Succeeded"}, None),
        (BLUE, ("blue", "green"), [past("red", "green")], {"green": "Succeeded"}, None),
        (Split(), ("green",), [], {"green": "Succeeded"}, None),
        (BLUE, ("blue", "green", "red"), [past("red", "blue")], {"green": "Succeeded"}, Candidate("green")),
    ],
)
def test_what_starts(
    declared: Split,
    names: tuple[str, ...],
    before: list[PastRollout],
    states: dict[str, str],
    expected: Candidate | str | None,
) -> None:
    found = candidate(declared=declared, colours=colours(*names), past=before, live=live(**states))
    if isinstance(expected, str):
        assert isinstance(found, str)
        assert expected in found
    else:
        assert found == expected


def test_an_endpoint_that_does_not_exist_starts_nothing() -> None:
    assert isinstance(candidate(declared=BLUE, colours=colours("blue", "green"), past=[], live=None), str)
