"""Shares, odds and names as people read them."""

import pytest

from rollout.evidence.wording import Names, odds, share


@pytest.mark.parametrize(
    ("value", "words"),
    [(0.0, "0 %"), (0.0045, "0.45 %"), (0.0111, "1.1 %"), (0.29, "29 %"), (0.0996, "10 %"), (1.0, "100 %")],
)
def test_a_share_is_told_in_percent(value: float, words: str) -> None:
    assert share(value) == words


@pytest.mark.parametrize(
    ("evidence", "words"),
    [
        (0.0, "under 0.1:1"),
        (0.23, "0.2:1"),
        (9.96, "10:1"),
        (64.2, "64:1"),
        (4000, "4,000:1"),
        (1e9, "over 1,000,000:1"),
    ],
)
def test_evidence_is_told_as_odds(evidence: float, words: str) -> None:
    assert odds(evidence) == words


def test_stable_colours_are_named_together() -> None:
    assert Names.of("green", ("amber", "blue")) == Names(canary="green", stable="amber and blue")
    assert Names.of("green", ()).stable == "stable"
