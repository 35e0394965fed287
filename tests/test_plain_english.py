"""Phrases that must not come back: each has a plain equivalent that a native technical writer would use."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PHRASES = (
    r"a text",
    r"affair",
    r"anew",
    r"bool is none",
    r"furnish(ed)?",
    r"it keeps how it was started",
    r"manners",
    r"must be a? ?text",
    r"must say who gets",
    r"none of the \w+'s",
    r"leave out the quotes",
    r"law \d",
    r"made again",
    r"must stay as they were while",
    r"nobody(?!@|-)",
    r"not before the",
    r"nothing in the program knows",
    r"or remove it: then one is made",
    r"scoring plane",
    r"somebody( else)?'s",
    r"takes no other change until",
    r"that is none",
    r"the words are (ours|our own)",
    r"to whom it is for",
    r"which is a text",
    r"who knows what they do",
    r"whoever",
)
"""Regular expressions, in any case, between word boundaries. Add every phrase that a review finds."""

PATHS = (".", ":!tests/test_plain_english.py", ":!models/*/src/*")
"""What is read, as git names it. The code of a model is part of its release: other words would be another release."""

ALLOWED = frozenset({("tests/models/test_example.py", "must be a text")})
"""(path, phrase as found, in lower case) that stays, such as the recorded text of an Azure error."""

_PATTERN = re.compile(rf"\b(?:{'|'.join(PHRASES)})\b", re.IGNORECASE)


def found_in(text: str) -> list[str]:
    """Every unwanted phrase in a text, in lower case. Line breaks and comment signs count as spaces."""
    return [match.group().lower() for match in _PATTERN.finditer(re.sub(r"\s+(?:#\s+)?", " ", text))]


def tracked() -> list[str]:
    """Tracked prose and source."""
    command = ["git", "-C", str(ROOT), "ls-files", "--", *PATHS]
    names = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    return [name for name in names if name.endswith((".py", ".md", ".yml", "Makefile")) and (ROOT / name).is_file()]


def test_the_repository_is_written_in_plain_english() -> None:
    found = {(name, phrase) for name in tracked() for phrase in found_in((ROOT / name).read_text(encoding="utf-8"))}
    assert found - ALLOWED == set()


@pytest.mark.parametrize(
    "planted",
    [
        "# The name must be a text.",
        "# Keys are set\n    # anew.",
        "losing it costs time only, so its errors are nobody's",
        "Time on the way is none of the model's.",
        "Who knows what they do sets allow_live_change: true for it",
    ],
)
def test_a_planted_phrase_is_found(planted: str) -> None:
    assert found_in(planted)


def test_plain_words_pass() -> None:
    assert not found_in("if value is None: a textual context renewed in a manner that a caller accepts")
