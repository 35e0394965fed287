"""delivery/releases/listing.py: the rows of `sluice release list`."""

from __future__ import annotations

from delivery.releases.listing import Row, rows_of
from rollout.record.event import Kind
from tests.delivery.promotions import DEV, MODEL, PROD, PROOFS, RELEASE, Tip, plan, proven, record, tip
from tests.delivery.records import BLUE, ID, end

CONTENTS = {"blue": BLUE, "green": RELEASE.content}


def rows(main: Tip, stack: str = "dev") -> dict[str, Row]:
    return {row.colour: row for row in rows_of(stack, main, lambda endpoint, colour: CONTENTS.get(colour))}


def test_a_colour_that_a_rollout_brought_shows_since_when_by_whom_and_on_which_evidence() -> None:
    green = rows(tip())["green"]
    assert (green.weight, green.stable, green.content, green.pinned) == (100, True, RELEASE.short, False)
    assert (green.since, green.by, green.rollout) == ("2026-11-27T14:11:45Z", "ada", ID)
    assert green.proof == f"rollout {ID}"


def test_a_colour_that_lost_its_weight_in_a_rollout_is_at_0_since_then() -> None:
    blue = rows(tip())["blue"]
    assert (blue.weight, blue.since, blue.proof) == (0, "2026-11-27T14:11:45Z", "none")


def test_a_promoted_colour_shows_the_proof_of_the_other_stack() -> None:
    main = tip()
    main.files |= {name: text.encode() for name, text in plan(main).files.items()}
    found = rows(main, "prod")
    assert found["blue"].content == BLUE[:16]
    green = found["green"]
    assert (green.weight, green.content, green.pinned, green.since) == (0, RELEASE.short, True, None)
    assert green.proof == f"dev {ID}"


def test_weights_that_no_rollout_set_have_no_author() -> None:
    by_hand = rows(tip(dev=DEV.replace("{blue: 0, green: 100}", "{blue: 40, green: 60}")))["green"]
    assert (by_hand.weight, by_hand.since, by_hand.by, by_hand.rollout) == (60, None, None, None)


def test_a_rollout_that_was_rolled_back_is_no_evidence() -> None:
    story = proven()
    story.move(1500, -1, applied=5)
    end(story, 1510, "rolled_back")
    blue = rows(tip(record(story), dev=DEV.replace("{blue: 0, green: 100}", "{blue: 100}")))["blue"]
    assert (blue.weight, blue.rollout, blue.proof) == (100, ID, "none")


def test_a_reason_for_having_no_proof_is_shown() -> None:
    prod = PROD.replace("        blue:\n", "        blue:\n          allow_unproven: fixes INC-4711\n")
    assert rows(tip(prod=prod), "prod")["blue"].proof == "none: fixes INC-4711"


def test_a_mirror_is_shown_beside_the_weight() -> None:
    dev = DEV.replace("traffic: {blue: 0, green: 100}", "traffic: {green: 100}, mirror: {blue: 20}")
    assert rows(tip(dev=dev))["blue"].mirror == 20


def test_proofs_that_cannot_be_read_and_contents_that_are_not_known_are_shown_as_such() -> None:
    main = tip(record(proven()), {PROOFS: b"nonsense\n"})
    assert rows(main)["green"].proof == "cannot be read"
    unknown = next(iter(rows_of("prod", main, lambda endpoint, colour: None)))
    assert (unknown.content, unknown.proofs) == (None, ())


def test_the_proof_of_another_endpoint_does_not_count() -> None:
    main = tip()
    (line,) = plan(main).files[PROOFS].splitlines()
    main.files[PROOFS] = f"{line}\n".replace(MODEL, "churn").encode()
    assert rows(main)["green"].proofs == ()


def test_a_record_that_cannot_be_read_leaves_the_one_before() -> None:
    main = tip(record(proven()), {f"rollouts/dev/{MODEL}/20261128T140000Z-blue.jsonl": b"nonsense\n"})
    assert rows(main)["green"].rollout == ID


def test_a_running_rollout_shows_who_started_it() -> None:
    story = proven()
    story.events = story.events[:4]  # at 10 %
    assert story.events[2].kind is Kind.APPLIED
    green = rows(tip(record(story), dev=DEV.replace("{blue: 0, green: 100}", "{blue: 90, green: 10}")))["green"]
    assert (green.weight, green.by, green.proof) == (10, "ada", "none")
