"""Which faults can be asked for, what they match, how often and how long they act; no server, a clock of the tests."""

from __future__ import annotations

from typing import Any

import pytest

from localazure.faults.fault import MEANINGS, NEEDS_BY, Fault, FaultError, Kind, Subject, read_fault
from localazure.faults.registry import MAX_FAULTS, Faults
from localazure.faults.subjects import operation_subject, request_subject, score_subject

WORKSPACE = "/subscriptions/s/resourceGroups/rg1/providers/Microsoft.MachineLearningServices/workspaces/ws1"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/Fraud-Dev"
TYPES = (
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints",
    "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments",
    "Microsoft.Resources/resourceGroups",
)
BLUE = request_subject("PUT", f"{ENDPOINT}/deployments/blue")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def read(**document: Any) -> Fault:
    return read_fault(document, TYPES)


def problems_of(document: Any) -> str:
    with pytest.raises(FaultError) as caught:
        read_fault(document, TYPES)
    return str(caught.value)


def test_every_kind_is_described_and_can_be_set() -> None:
    for kind in Kind:
        assert MEANINGS[kind]
        by = {"by_seconds": 1} if kind in NEEDS_BY else {}
        assert read(kind=str(kind), **by).kind is kind


def test_a_refusal_lists_everything_that_is_wrong() -> None:
    text = problems_of({"kind": "slow", "share_percent": 101, "count": 0, "colour": "red", "method": "PUT"})
    about_method = "slow does not take method"
    for part in ("'colour' is not a field", "share_percent must be", "count must be", about_method, "needs by"):
        assert part in text


@pytest.mark.parametrize("document", [None, [], "500", {}, {"kind": None}, {"kind": ["500"]}, {"kind": {}}])
def test_what_is_no_fault_is_refused(document: Any) -> None:
    assert problems_of(document)


@pytest.mark.parametrize("value", [True, "1", -1, 1.5, float("nan"), float("inf"), 10**400, [], {}])
def test_a_count_is_a_positive_whole_number(value: Any) -> None:
    assert "count must be a whole number" in problems_of({"kind": "500", "count": value})


def test_a_type_is_known_or_refused_with_the_nearest_one() -> None:
    assert read(kind="500", type="ONLINEENDPOINTS/deployments").type
    assert "Did you mean 'onlineendpoints'?" in problems_of({"kind": "500", "type": "onlineEndpoint"})
    assert "deployments only" in problems_of({"kind": "unhealthy", "type": "onlineEndpoints"})
    assert "type must be a string of at most 1000 characters" in problems_of({"kind": "500", "type": 5})


@pytest.mark.parametrize(
    ("scope", "hit"),
    [
        ({}, True),
        ({"type": "deployments"}, True),
        ({"type": "onlineEndpoints"}, False),
        ({"type": "ments"}, False),
        ({"type": "Microsoft.MachineLearningServices/workspaces/onlineEndpoints/deployments"}, True),
        ({"name": "BLUE"}, True),
        ({"name": "fraud-dev/blue"}, True),
        ({"name": "other/blue"}, False),
        ({"name": "lue"}, False),
        ({"name": "fraud-dev"}, False),
        ({"method": "PUT"}, True),
        ({"method": "GET"}, False),
        ({"type": "deployments", "name": "blue", "method": "PUT"}, True),
    ],
)
def test_a_scope_is_a_type_a_name_and_a_method(scope: dict[str, str], hit: bool) -> None:
    assert Fault(kind=Kind.ERROR, **scope).matches(BLUE) is hit


@pytest.mark.parametrize(
    ("method", "path", "type_", "names"),
    [
        ("GET", f"{WORKSPACE}/onlineEndpoints", "workspaces/onlineendpoints", ("ws1",)),
        ("POST", f"{ENDPOINT}/listKeys", "workspaces/onlineendpoints", ("ws1", "Fraud-Dev")),
        ("GET", "/subscriptions/s/resourceGroups/rg%31", "microsoft.resources/resourcegroups", ("rg1",)),
        ("GET", "/subscriptions", "microsoft.resources/resourcegroups", ()),
        ("PUT", "/acc1/box/a/b%20c", "blobservices/containers/blobs", ("acc1", "box", "a/b c")),
        ("PUT", "/acc1", "blobservices/containers/blobs", ("acc1",)),
        ("GET", "/subscriptions/s/providers", "microsoft.resources/resourcegroups", ()),
    ],
)
def test_a_request_is_about_a_type_and_names(method: str, path: str, type_: str, names: tuple[str, ...]) -> None:
    subject = request_subject(method, path)
    assert subject.type.endswith(type_)
    assert subject.names == names


def test_a_poll_is_no_resource_and_a_score_belongs_to_its_endpoint_too() -> None:
    path = "/subscriptions/s/providers/Microsoft.MachineLearningServices/locations/here/mfeOperationsStatus/o1"
    poll, score = request_subject("GET", path), score_subject("Fraud", "blue", "POST")
    assert Fault(kind=Kind.ERROR, type="polls", name="o1").matches(poll)
    assert not Fault(kind=Kind.ERROR, type="onlineEndpoints").matches(poll)
    for name in ("fraud", "blue", "fraud/blue", ""):
        assert Fault(kind=Kind.ERROR, type="score", name=name).matches(score)
    assert not Fault(kind=Kind.ERROR, type="score", name="green").matches(score)
    assert not Fault(kind=Kind.ERROR).matches(score)


def test_what_is_asked_in_vain_is_refused() -> None:
    assert "type score stands for requests" in problems_of({"kind": "operation-fails", "type": "score"})
    assert "from 500 to 599" in problems_of({"kind": "500", "status": 404})
    assert "does not take status" in problems_of({"kind": "409", "status": 500})
    assert read(kind="500", status=503, type="Polls").status == 503


def test_an_operation_is_about_its_target() -> None:
    subject = operation_subject("Microsoft.X/y.delete", ENDPOINT)
    assert (subject.names, subject.method) == (("ws1", "Fraud-Dev"), "DELETE")
    assert operation_subject("Microsoft.X/y.regenerateKeys", ENDPOINT).method == "POST"


def test_a_count_ends_a_fault_and_after_spares_the_first() -> None:
    faults = Faults()
    assert not faults
    faults.add(Fault(kind=Kind.ERROR, count=2, after=1))
    assert [faults.take({Kind.ERROR}, BLUE) is not None for _ in range(5)] == [False, True, True, False, False]
    assert not faults
    assert faults.describe() == []


def test_time_ends_a_fault() -> None:
    clock = Clock()
    faults = Faults(clock)
    active = faults.add(Fault(kind=Kind.ERROR, for_seconds=10))
    assert faults.take({Kind.ERROR}, BLUE) is active
    clock.now += 9.9
    assert faults.describe()[0]["ends_in_seconds"] == pytest.approx(0.1)
    clock.now += 0.2
    assert faults.take({Kind.ERROR}, BLUE) is None
    assert not faults.holds(active, hit=1)
    assert not faults


def test_a_share_is_by_chance() -> None:
    dice = iter([0.0, 0.29, 0.3, 0.99])
    faults = Faults(chance=lambda: next(dice))
    faults.add(Fault(kind=Kind.ERRORS, share_percent=30))
    assert [faults.take({Kind.ERRORS}, BLUE) is not None for _ in range(4)] == [True, True, False, False]
    assert (faults.describe()[0]["seen"], faults.describe()[0]["hits"]) == (4, 2)


def test_only_the_asked_kinds_are_counted_and_the_oldest_acts() -> None:
    faults = Faults()
    first, second = faults.add(Fault(kind=Kind.ERROR, count=1)), faults.add(Fault(kind=Kind.CONFLICT))
    assert faults.take({Kind.DELAY}, BLUE) is None
    assert faults.take({Kind.ERROR, Kind.CONFLICT}, BLUE) is first
    assert faults.take({Kind.ERROR, Kind.CONFLICT}, BLUE) is second


def test_a_hold_lasts_until_it_is_cleared_though_its_count_is_used_up() -> None:
    faults = Faults()
    active = faults.add(Fault(kind=Kind.OPERATION_NEVER_ENDS, count=1))
    assert faults.take({Kind.OPERATION_NEVER_ENDS}, BLUE) is active
    assert faults.take({Kind.OPERATION_NEVER_ENDS}, BLUE) is None
    assert faults.holds(active, hit=1)
    assert faults.clear(active.number) == 1
    assert not faults.holds(active, hit=1)


def test_only_a_hold_states_when_it_acts() -> None:
    assert read(kind="hold").when == "before"
    assert read(kind="hold", when="after").when == "after"
    assert "when must be before or after, got 'later'" in problems_of({"kind": "hold", "when": "later"})
    assert "does not take when" in problems_of({"kind": "500", "when": "after"})
    assert "stands for requests" not in str(read(kind="hold", type="polls"))


def test_a_hold_acts_at_its_moment_only() -> None:
    faults = Faults()
    active = faults.add(Fault(kind=Kind.HOLD, when="after"))
    assert faults.take({Kind.HOLD}, BLUE, "before") is None
    assert faults.take({Kind.HOLD}, BLUE, "after") is active
    assert active.seen == 1


def test_a_release_lets_go_what_is_held_and_holds_what_comes_later() -> None:
    faults = Faults()
    active = faults.add(Fault(kind=Kind.HOLD, count=2))
    assert faults.release(99) is None
    assert faults.take({Kind.HOLD}, BLUE, "before") is active
    active.standing.add(1)
    assert faults.holds(active, hit=1)
    assert faults.release(active.number) == 1
    assert not faults.holds(active, hit=1)
    faults.take({Kind.HOLD}, BLUE, "before")
    assert faults.holds(active, hit=2)
    assert faults.take({Kind.HOLD}, BLUE, "before") is None, "it is used up, and holds what it holds"
    assert faults.holds(active, hit=2)
    faults.release(active.number)
    assert faults.describe() == [], "the last release ends a fault that is used up"


def test_time_and_a_stop_end_a_hold() -> None:
    clock = Clock()
    faults = Faults(clock)
    active = faults.add(Fault(kind=Kind.HOLD, for_seconds=10))
    faults.take({Kind.HOLD}, BLUE, "before")
    assert faults.holds(active, hit=1)
    clock.now += 10
    assert not faults.holds(active, hit=1)
    other = faults.add(Fault(kind=Kind.HOLD))
    faults.take({Kind.HOLD}, BLUE, "before")
    faults.close()
    assert not faults.holds(other, hit=1)


def test_clearing_and_the_limit() -> None:
    faults = Faults()
    for _ in range(MAX_FAULTS):
        faults.add(Fault(kind=Kind.ERROR))
    with pytest.raises(ValueError, match="clear some"):
        faults.add(Fault(kind=Kind.ERROR))
    assert faults.clear(5) == 1
    assert faults.clear(5) == 0
    assert faults.clear() == MAX_FAULTS - 1


def test_a_subject_without_names_is_not_hit_by_a_name() -> None:
    assert not Fault(kind=Kind.ERROR, name="x").matches(Subject("t", ()))
