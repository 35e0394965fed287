"""A rollout in one sentence: what failed, by which evidence, who saw it, and how long the way back took."""

from __future__ import annotations

import pytest

from rollout.decision.order import Outcome
from rollout.record.event import Kind
from rollout.record.fold import fold
from rollout.report.summary import duration, seconds_back, sentence
from tests.rollout.record.rollouts import Story, interval

FAILED = (
    "error_rate: green failed 9 of 31 requests (29 %), blue 3 of 268 (1.1 %): "
    "evidence 64:1 against 20:1 for more than 1 %"
)


def evidence(story: Story, start: int, minutes: int, *, failed: int = 0) -> None:
    """Minutes of 54 requests to blue and 6 to green each, in which green fails some."""
    intervals = [interval(start + 60 * i, errors={"green": failed}) for i in range(minutes)]
    story.at(start + 60 * minutes + 120, Kind.EVIDENCE, intervals=intervals, results={})


def ended(story: Story, second: int, outcome: Outcome, reason: str) -> None:
    story.at(
        second,
        Kind.ENDED,
        outcome=outcome.value,
        reason=reason,
        requests=0,
        errors=0,
        evidence={},
        synthetic=False,
        evidence_skipped=False,
        approved_by=[],
    )


def failing(**other: object) -> Story:
    story = Story(**other)
    story.move(60, 0, applied=20)
    evidence(story, 120, 5, failed=2)
    story.at(600, Kind.VERDICT, gate="error_rate", reason=FAILED)
    return story


def test_a_rollback_is_explained_by_the_failed_gate() -> None:
    story = failing()
    story.move(600, -1, applied=9)
    ended(story, 609, Outcome.ROLLED_BACK, FAILED)
    assert sentence(fold(story.events)) == (
        "green failed 9 of 31 requests (29 %), blue 3 of 268 (1.1 %): evidence 64:1 against 20:1 for more than 1 %; "
        "30 callers saw green; back at 0 % in 9 s."
    )


def test_a_rollback_under_way_has_the_facts_that_are_known() -> None:
    story = failing()
    assert sentence(fold(story.events)).endswith("; 30 callers saw green so far; on the way back to 0 %.")
    intent = story.move(601, -1)
    story.at(680, Kind.BREAK_GLASS, intent=intent.seq, by="ada", why="locked", weights={"traffic": {"blue": 100}})
    assert sentence(fold(story.events)).endswith("; back at 0 % in 1m 20s, without the engine.")


def test_a_persons_rollback_has_the_reason_and_the_counts() -> None:
    story = Story()
    story.move(60, 0, applied=20)
    evidence(story, 120, 5)
    story.at(600, Kind.ROLLBACK_REQUESTED, by="ada", reason="looks odd.", outcome="rolled_back", keep_weights=False)
    story.move(601, -1, applied=9)
    ended(story, 610, Outcome.ROLLED_BACK, "ada: looks odd.")
    assert sentence(fold(story.events)) == (
        "rolled back: ada: looks odd; green failed 0 of 30 requests (0 %), blue 0 of 270 (0 %); 30 callers saw green; "
        "back at 0 % in 10 s."
    )


def test_without_weight_no_caller_saw_it() -> None:
    story = Story()
    ended(story, 90, Outcome.ABORTED, "ada: wrong model")
    assert (
        sentence(fold(story.events)) == "aborted: ada: wrong model; green failed 0 of 0 requests; no caller saw green."
    )


def test_an_abort_may_keep_the_weights() -> None:
    story = Story()
    story.move(60, 0, applied=20)
    story.at(600, Kind.ROLLBACK_REQUESTED, by="ada", reason="", outcome="aborted", keep_weights=True)
    ended(story, 601, Outcome.ABORTED, "ada")
    assert sentence(fold(story.events)).endswith("; the weights stay at blue 90 %, green 10 %.")


def test_a_finished_rollout_has_the_counts_of_both_colours() -> None:
    story = Story()
    for second, step in ((60, 0), (660, 1), (1260, 2)):
        story.move(second, step, applied=20)
        evidence(story, second + 60, 5)
    ended(story, 1900, Outcome.DONE, "all steps passed")
    assert sentence(fold(story.events)) == (
        "green is stable after 31m 40s: it failed 0 of 90 requests (0 %), blue 0 of 810 (0 %); 90 callers saw green."
    )


def test_a_running_rollout_names_its_step_and_what_holds_it() -> None:
    story = Story(synthetic=True)
    assert sentence(fold(story.events)).startswith("green has no weight yet;")
    story.move(60, 0, applied=20)
    evidence(story, 120, 5)
    story.at(600, Kind.PROMOTED, by="bob", reason="night")
    story.at(601, Kind.HELD, hold="inconclusive", reason="too few requests.")
    assert sentence(fold(story.events)) == (
        "green gets 10 % (step 1 of 3) and failed 0 of 30 requests (0 %), blue 0 of 270 (0 %); "
        "30 requests were sent to it by the rollout itself (synthetic); bob skipped evidence; "
        "held (inconclusive): too few requests."
    )


def test_mirrored_copies_reach_no_caller() -> None:
    plan = Story().plan.as_values() | {"steps": [{"mirror": 20, "bake": "5m"}, {"weight": 100, "bake": "5m"}]}
    story = Story(type(Story().plan).from_values(plan))
    story.move(60, 0, applied=20)
    evidence(story, 120, 5, failed=2)
    assert sentence(fold(story.events)).startswith(
        "green gets copies of 20 % (step 1 of 2) and failed 10 of 30 requests"
    )
    story.at(600, Kind.VERDICT, gate="error_rate", reason=FAILED)
    assert "no caller saw green so far" in sentence(fold(story.events))


def test_a_rollout_that_never_went_back_has_no_way_back() -> None:
    story = Story()
    story.move(60, 0, applied=20)
    assert seconds_back(fold(story.events)) is None


@pytest.mark.parametrize(("seconds", "text"), [(9, "9 s"), (60, "1m 00s"), (3599, "59m 59s"), (11_400, "3h 10m")])
def test_a_duration_has_two_units_at_most(seconds: int, text: str) -> None:
    assert duration(seconds) == text
