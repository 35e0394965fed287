"""A problem as the line that a person reads."""

from __future__ import annotations

import pytest

from problem import Problem, did_you_mean


def test_a_key_of_the_stack_file_begins_the_sentence() -> None:
    problem = Problem(
        "sluice:network", "must be public or private, got 3", "Run: pulumi config set sluice:network public"
    )
    assert (
        str(problem) == "sluice:network must be public or private, got 3. Run: pulumi config set sluice:network public"
    )


@pytest.mark.parametrize(
    ("what", "fix", "line"),
    [
        ("instance_count is missing", "Write 1 or more", "shop/blue.yml: instance_count is missing. Write 1 or more."),
        ("it is wrong.", "Correct it.", "shop/blue.yml: it is wrong. Correct it."),
        ("it is wrong", "Did you mean x?", "shop/blue.yml: it is wrong. Did you mean x?"),
        ("it is wrong", "", "shop/blue.yml: it is wrong."),
    ],
)
def test_a_file_stands_before_the_sentence(what: str, fix: str, line: str) -> None:
    assert str(Problem("instance_count", what, fix, file="shop/blue.yml")) == line


def test_a_name_that_is_close_to_a_known_one_is_offered() -> None:
    assert did_you_mean("gren", ["blue", "green"]) == " Did you mean green?"
    assert did_you_mean("x", ["blue", "green"]) == ""
