"""The fix for a wrong value states what to write: the intended value, if that is clear."""

from datetime import date
from typing import Any

import pytest

from models.values import check_shapes, check_strings, check_whole


def whole(value: Any, *bounds: int) -> str:
    (problem,) = check_whole("instance_count", {"instance_count": value}, *bounds)
    return problem.fix


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        ("2", "Write instance_count: 2, without quotes"),
        (" 12 ", "Write instance_count: 12, without quotes"),
        (2.0, "Write instance_count: 2, without a fraction"),
        ("0", "Write 1 or more"),
        ("two", "Write 1 or more"),
        (1.5, "Write 1 or more"),
        (True, "Write 1 or more"),
        (None, "Write 1 or more"),
        (-3, "Write 1 or more"),
        (float("inf"), "Write 1 or more"),
    ],
)
def test_a_number_written_as_something_else_is_told_how_to_write_it(value: Any, fix: str) -> None:
    assert whole(value) == fix


def test_bounds_are_kept_in_the_advice() -> None:
    assert whole("70", 1, 100) == "Write instance_count: 70, without quotes"
    assert whole("101", 1, 100) == "Write 1 to 100"


@pytest.mark.parametrize(
    ("value", "fix"),
    [
        (None, 'Write the intended string (owner: "..."), or remove the line'),
        (7, 'Put it in quotes: owner: "7"'),
        (True, 'Put it in quotes: owner: "true"'),
        (date(2026, 1, 2), 'Put it in quotes: owner: "2026-01-02"'),
        ({"a": 1}, "Write one string, for example JSON in quotes: owner: '{\"a\": 1}'"),
    ],
)
def test_no_advice_tells_anybody_to_write_what_is_not_meant(value: Any, fix: str) -> None:
    (problem,) = check_strings("tags", {"owner": value})
    assert (problem.where, problem.fix) == ("tags.owner", fix)


def test_a_key_that_is_no_string_is_named_as_the_key() -> None:
    (problem,) = check_strings("tags", {3: "x"})
    assert problem.what == "tags has the key 3 (int), but keys must be strings"
    assert problem.fix == 'Put the key in quotes: "3": ...'


@pytest.mark.parametrize(
    ("field", "value", "fix"),
    [
        ("model", ["a"], "Write a reference (a string) or a mapping"),
        ("code_configuration", "src", "Write a mapping"),
        ("liveness_probe", [1], "Write a mapping"),
        ("name", 5, 'Write name: "5", with quotes'),
        ("instance_type", None, "Write a string"),
    ],
)
def test_another_kind_of_value_is_named_with_the_kind_that_it_must_be(field: str, value: Any, fix: str) -> None:
    (problem,) = check_shapes({field: value})
    assert problem.where == field
    assert problem.fix.startswith(fix)


def test_right_kinds_are_not_reported() -> None:
    assert not list(check_shapes({"model": "azureml:m:1", "environment": {}, "name": "blue", "tags": {}}))
