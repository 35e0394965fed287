"""The messages of commits: one line that says what happened, trailers that say where it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from rollout.change.commit_message import change_message, closing_message, withdrawal_message
from rollout.decision.order import Direction, Order, Outcome
from rollout.people.actor import Actor
from rollout.record.fold import fold
from rollout.record.state import RolloutState
from rollout.report.summary import sentence
from rollout.split import Split
from tests.rollout.change.world import BACK, FORWARD, TEN
from tests.rollout.record.rollouts import BLUE, GREEN, Story

ADA = Actor(name="ada", run="https://ci.example.com/1")
MIRROR = Split(traffic={"blue": 100}, mirror={"green": 20})


@pytest.fixture
def state(tmp_path: Path) -> RolloutState:
    return fold(Story().events)


def order(start: Split, to: Split, **other: object) -> Order:
    given: dict[str, object] = {"direction": Direction.FORWARD, "step": 0, "why": "every gate passed"}
    return Order(start=start, to=to, **(given | other))  # type: ignore[arg-type]  # a mixed bag of fields


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (FORWARD, "green 0 → 10 % in prod"),
        (BACK, "green 10 → 0 % in prod"),
        (order(BLUE, MIRROR), "green mirrors 0 → 20 % in prod"),
        (order(MIRROR, TEN), "green 0 → 10 % in prod"),
        (order(GREEN, GREEN, stable="green"), "green becomes stable in prod"),
        (
            order(GREEN, TEN, direction=Direction.RESTORE),
            "weights of the record restored (blue 90 %, green 10 %) in prod",
        ),
        (order(BLUE, TEN, direction=Direction.ADOPT), "weights of Azure adopted (blue 90 %, green 10 %) in prod"),
    ],
)
def test_the_first_commit_says_what_changes(state: RolloutState, change: Order, subject: str) -> None:
    assert change_message(state, change, ADA).subject == f"rollout(fraud-detection): {subject}"


@pytest.mark.parametrize(
    ("change", "subject"),
    [
        (FORWARD, "blue 90 %, green 10 % in prod"),
        (BACK, "green rolled back from 10 %: error_rate 64:1"),
        (order(MIRROR, BLUE, why="no", outcome=Outcome.ROLLED_BACK), "green rolled back from a mirror of 20 %: no"),
        (order(TEN, BLUE, why="by ada", outcome=Outcome.ABORTED), "green aborted from 10 %: by ada"),
        (order(TEN, BLUE, why="by ada", outcome=Outcome.SUPERSEDED), "green superseded from 10 %: by ada"),
        (order(GREEN, GREEN, stable="green", outcome=Outcome.DONE), "done, green is stable"),
    ],
)
def test_the_last_commit_says_how_it_ended(state: RolloutState, change: Order, subject: str) -> None:
    assert closing_message(state, change, ADA).subject == f"rollout(fraud-detection): {subject}"


def test_trailers_name_rollout_step_weights_evidence_and_actor(state: RolloutState) -> None:
    change = order(BLUE, TEN, evidence="sha256:ab", verdicts={"error_rate": "pass", "latency_p95": "pass"})
    assert dict(change_message(state, change, ADA).trailers) == {
        "Rollout": "20261127T140000Z-green",
        "Step": "1 of 3",
        "From": "blue 100 %",
        "To": "blue 90 %, green 10 %",
        "Evidence": "sha256:ab",
        "Verdicts": "error_rate pass, latency_p95 pass",
        "Actor": "ada",
        "Run": "https://ci.example.com/1",
    }
    assert change_message(state, BACK, ADA).trailers["Step"] == "before the first"


def test_a_long_reason_is_cut_to_one_line(state: RolloutState) -> None:
    subject = withdrawal_message(state, FORWARD, ADA, "the preview shows\n" + "more " * 60).subject
    assert subject.startswith("rollout(fraud-detection): withdrawn: the preview shows more more")
    assert len(subject) < 150
    assert subject.endswith("…")


def test_only_the_last_commit_of_a_rollout_explains_it(state: RolloutState) -> None:
    assert closing_message(state, BACK, ADA).body == sentence(state)
    assert closing_message(state, FORWARD, ADA).body == ""
    assert change_message(state, BACK, ADA).body == ""
