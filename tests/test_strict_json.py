"""strict_json.py: JSON that has one meaning."""

from __future__ import annotations

import json

import pytest

from strict_json import read_json


def test_ordinary_values_are_read() -> None:
    values = {"a": [1, 1.5, True, None, "é", {}], "b": {"a": "\U0001f600"}}
    assert read_json(json.dumps(values)) == values


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", r"it is not JSON \(Expecting value at character 0\)"),
        ("{} x", r"it is not JSON \(Extra data at character 3\)"),
        ("[" * 100_000, "it is nested too deeply"),
        ('{"a": 1, "b": {"c": 1, "c": 2}}', 'it has the key "c" twice'),
        ("[NaN]", "it has NaN in place of a number"),
        ("[-Infinity]", "it has -Infinity in place of a number"),
        ("[1e999]", "it has a number that is too large"),
        ("9" * 5000, "it has a number that is too large"),
        (r'"\ud800"', "it has half of a character"),
    ],
)
def test_everything_else_is_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_json(text)
