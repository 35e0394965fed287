"""strict_yaml.py: whatever is wrong with the input is a YAMLError."""

from __future__ import annotations

import pytest
import yaml

from strict_yaml import DEEPEST, read_yaml


def test_ordinary_values_are_read_as_pyyaml_reads_them() -> None:
    text = "{a: 1, b: 1.5, c: yes, d: 2001-01-01, e: [x, null], f: 0x1f}"
    assert read_yaml(text) == yaml.safe_load(text)
    assert read_yaml("") is None


@pytest.mark.parametrize(
    "value", ["2001-99-99", "0b_", "0x_", "9" * 5000, '!!int ""', "!!bool x", "!!float x", "!!timestamp x"]
)
def test_a_value_that_its_type_does_not_have_is_named_with_its_place(value: str) -> None:
    with pytest.raises(yaml.MarkedYAMLError, match=r"is not a valid \w+") as caught:
        read_yaml(f"a: 1\nb: {value}")
    assert caught.value.problem_mark.line == 1


@pytest.mark.parametrize("text", ["[" * 100_000, "a: " + "{a: " * 50_000, "- " * 50_000 + "a", "? " * 50_000])
def test_deep_nesting_does_not_end_the_process(text: str) -> None:
    with pytest.raises(yaml.YAMLError, match="nested too deeply"):
        read_yaml(text)


def test_long_lines_and_many_brackets_are_not_deep() -> None:
    assert read_yaml(f"{{a: {'x' * 2 * DEEPEST}, b: [{'[], ' * 2 * DEEPEST}]}}")["a"] == "x" * 2 * DEEPEST


def test_what_else_is_wrong_with_a_long_text_is_said() -> None:
    with pytest.raises(yaml.YAMLError, match="expected"):
        read_yaml(f"{{a: {'x' * 2 * DEEPEST}, b: [}}")
