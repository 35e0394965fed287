"""delivery/proofs/rollout_proof.py: what a record proves, and every reason why one proves nothing."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from delivery.proofs.rollout_proof import NoProof, Place, proof_in
from models.proof import Proof
from rollout.decision.order import Outcome
from rollout.record.event import Event, Kind
from rollout_config import PlanSettings
from tests.delivery.records import BLUE, CONTENT, HOST, ID, SUBSCRIPTION, content_of, done, end
from tests.rollout.record.rollouts import PLAN, T0, Story

PLACE = Place(
    project="sluice", stack="dev", endpoint="fraud-detection", subscription=SUBSCRIPTION, arm_host=HOST
)  # where `done` took place


def read(story: Story, place: Place = PLACE) -> Proof | NoProof:
    return proof_in(content_of(story), ID, place)


def reasons(story: Story, place: Place = PLACE) -> str:
    found = read(story, place)
    assert isinstance(found, NoProof)
    return "\n".join(found.reasons)


def test_a_rollout_that_ended_well_proves_its_content() -> None:
    story = done()
    ended = story.events[-1]
    assert read(story) == Proof(
        stack="dev",
        endpoint="fraud-detection",
        rollout=ID,
        head=ended.digest,
        content=CONTENT,
        deployment="a" * 16,
        requests=1200,
        errors=3,
        synthetic=False,
        approvers=("grace",),
    )


def test_what_follows_the_end_and_changes_nothing_leaves_the_proof_as_it_is() -> None:
    story = done()
    before = read(story)
    story.at(1500, Kind.NOTED, what="report", text="written")
    story.at(9000, Kind.RETIRED, what="kept", deployment="blue")
    assert read(story) == before


def test_a_rollout_with_load_of_its_own_is_synthetic() -> None:
    plan = PlanSettings.from_values({**PLAN.as_values(), "load": {"rpm": 120}})
    found = read(done(plan, synthetic=True))
    assert isinstance(found, Proof)
    assert found.synthetic


def test_a_promotion_by_hand_names_every_gate_that_it_skipped() -> None:
    story = done()
    story.events.pop()
    story.at(1300, Kind.PROMOTED, by="ada", reason="fixes INC-4711")
    end(story, 1400)
    found = read(story)
    assert isinstance(found, Proof)
    assert found.skipped_gates == ("error_rate",)


def test_an_approval_without_a_review_says_so() -> None:
    found = read(done(approver="mallory", unreviewed=True))
    assert isinstance(found, Proof)
    assert found.approvers == ("mallory (unreviewed)",)


def test_a_rollout_that_is_under_way_proves_nothing() -> None:
    story = done()
    story.events.pop()
    assert reasons(story) == "it has not ended (phase bake)"


@pytest.mark.parametrize("outcome", ["rolled_back", "aborted", "superseded"])
def test_a_rollout_that_ended_otherwise_proves_nothing(outcome: str) -> None:
    story = done()
    story.events.pop()
    end(story, 1400, outcome)
    assert reasons(story) == f"it ended as {outcome.replace('_', ' ')}: the last step baked"


@pytest.mark.parametrize("outcome", [Outcome.ROLLED_BACK, Outcome.ABORTED])
def test_a_rollout_that_went_back_after_its_end_proves_nothing(outcome: Outcome) -> None:
    story = done()
    story.at(1500, Kind.ROLLBACK_REQUESTED, by="ada", reason="bad scores", outcome=outcome.value, keep_weights=False)
    assert reasons(story) == "it ended well, but is on its way back: ada: bad scores"
    end(story, 1600, outcome.value)
    assert reasons(story).startswith(f"it ended as {outcome.value.replace('_', ' ')}")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("project", "other", "its project is other, but must be sluice"),
        ("stack", "test", "its stack is test, but must be dev"),
        ("endpoint", "churn", "its endpoint is churn, but must be fraud-detection"),
        ("subscription", "1" * 36, f"its subscription is {'1' * 36}, but must be {SUBSCRIPTION}"),
        ("arm_host", "localhost:8443", f"its arm host is localhost:8443, but must be {HOST}"),
        ("id", "20261127T140001Z-green", f"its id is 20261127T140001Z-green, but must be {ID}"),
    ],
)
def test_a_record_of_another_place_proves_nothing_here(name: str, value: str, said: str) -> None:
    assert reasons(done(**{name: value})) == said


def test_what_is_not_known_of_a_place_is_not_compared() -> None:
    story = done(subscription="1" * 36, arm_host="elsewhere")
    assert isinstance(read(story, replace(PLACE, subscription=None, arm_host=None)), Proof)


def test_a_record_without_a_content_digest_proves_nothing() -> None:
    colours: dict[str, dict[str, Any]] = {"blue": {"release": "b" * 16, "content": BLUE}, "green": {"release": None}}
    said = reasons(done(colours=colours))
    assert "it has no content digest of green (64 hexadecimal digits), got None" in said
    assert "it has no release digest of green" in said


def test_a_record_of_a_release_that_a_person_adopted_on_the_way_is_about_the_adopted_one() -> None:
    story = done()
    story.events.pop()
    adopted = {"green": {"release": "e" * 16, "content": "ef" * 32}}
    story.at(1390, Kind.RESUMED, by="ada", reason=None, drift="adopt", plan=None, colours=adopted)
    end(story, 1400)
    found = read(story)
    assert isinstance(found, Proof)
    assert (found.content, found.deployment) == ("ef" * 32, "e" * 16)


@pytest.mark.parametrize("requests", [None, -1, "1200", True])
def test_an_end_without_counts_proves_nothing(requests: object) -> None:
    story = done()
    story.events.pop()
    end(story, 1400, requests=requests)
    assert "must count requests and errors" in reasons(story)


def test_a_record_whose_last_line_was_cut_off_proves_nothing() -> None:
    found = proof_in(content_of(done())[:-20], ID, PLACE)
    assert found == NoProof(reasons=("its last line has no end: the record was cut off",))


@given(st.data())
def test_no_line_of_a_record_can_be_edited_removed_or_moved(data: st.DataObject) -> None:
    lines = content_of(done()).splitlines(keepends=True)
    at = data.draw(st.integers(0, len(lines) - 2))
    what = data.draw(st.sampled_from(["edit", "remove", "move"]))
    if what == "edit":
        lines[at] = lines[at].replace(b'"at":"2026', b'"at":"2025')
    elif what == "remove":
        del lines[at]
    else:
        lines[at], lines[at + 1] = lines[at + 1], lines[at]
    assert isinstance(proof_in(b"".join(lines), ID, PLACE), NoProof)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text(max_size=4),
    lambda values: st.lists(values, max_size=2) | st.dictionaries(st.text(max_size=4), values, max_size=2),
    max_leaves=4,
)


@given(st.data())
def test_a_forged_record_with_nonsense_in_it_is_refused_and_is_no_defect(data: st.DataObject) -> None:
    """A forger can write a perfect chain around any values."""
    events = done().events
    at = data.draw(st.integers(0, len(events) - 1))
    name = data.draw(st.sampled_from(sorted(events[at].data)))
    nonsense = data.draw(JSON)
    forged: list[Event] = []
    for event in events:
        values = {**event.data, name: nonsense} if event.seq == at else event.data
        forged.append(replace(event, data=values, prev=forged[-1].digest if forged else event.prev))
    content = "".join(f"{event.line()}\n" for event in forged).encode()
    found = proof_in(content, ID, PLACE)
    if isinstance(found, Proof):
        assert (found.rollout, found.stack) == (ID, "dev")
        assert json.loads(found.line())


def test_the_story_of_these_tests_begins_at_the_time_of_its_id() -> None:
    assert done().events[0].at == T0
