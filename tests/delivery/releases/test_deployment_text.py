"""delivery/releases/deployment_text.py: a deployment of a stack file, written in place."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from command_errors import UsageError
from delivery.releases.deployment_text import edit_deployment

BLOCK = """\
# prod
config:
  sluice:endpoints:
    fraud:   # ours
      deployments:
        blue:
          instances: 3  # three zones
          sku: Standard_DS3_v2
          autoscale: {min: 3, max: 10, default: 3}
        # the others are retired
    churn: {deployments: {blue: {}}}
  sluice:rollout:
    fraud: {stable: blue, traffic: {blue: 100}}
"""
FLOW = "config:\n  sluice:endpoints:\n    fraud: {deployments: {blue: {sku: S, instances: 1}}}  # end\n"
PIN = "0123456789abcdef"
VALUES = {"release": PIN, "instances": 3, "sku": "Standard_DS3_v2", "autoscale": {"min": 3, "max": 10, "default": 3}}


def edit(text: str, values: dict[str, Any], colour: str = "green") -> str:
    return edit_deployment(text, "fraud", colour, values, "Pulumi.prod.yaml")


def deployments(text: str) -> Any:
    return yaml.safe_load(text)["config"]["sluice:endpoints"]["fraud"]["deployments"]


def test_a_new_colour_is_written_behind_the_others_in_their_style() -> None:
    added = (
        "        green:\n"
        '          release: "0123456789abcdef"\n'
        "          instances: 3\n"
        "          sku: Standard_DS3_v2\n"
        "          autoscale: {min: 3, max: 10, default: 3}\n"
    )
    assert edit(BLOCK, VALUES) == BLOCK.replace("        # the others", f"{added}        # the others")


def test_a_new_colour_in_flow_style_stays_on_the_line() -> None:
    assert edit(FLOW, {"release": PIN, "instances": 2}) == FLOW.replace(
        "instances: 1}", 'instances: 1}, green: {release: "0123456789abcdef", instances: 2}'
    )


def test_an_edit_that_says_what_is_there_changes_no_byte() -> None:
    once = edit(BLOCK, VALUES)
    assert edit(once, VALUES) == once
    assert edit(once, {"environment_variables": None}) == once


def test_single_keys_of_a_colour_are_replaced_added_and_removed_where_they_stand() -> None:
    edited = edit(BLOCK, {"release": PIN, "sku": "Standard_F4s_v2", "autoscale": None}, "blue")
    expected = BLOCK.replace("sku: Standard_DS3_v2", "sku: Standard_F4s_v2").replace(
        "          autoscale: {min: 3, max: 10, default: 3}\n", '          release: "0123456789abcdef"\n'
    )
    assert edited == expected


def test_a_block_value_is_replaced_by_one_line() -> None:
    text = BLOCK.replace(
        "autoscale: {min: 3, max: 10, default: 3}", "autoscale:\n            min: 3\n            max: 10  # quota"
    )
    edited = edit(text, {"autoscale": {"min": 1, "max": 2, "default": 1}}, "blue")
    assert "          autoscale: {min: 1, max: 2, default: 1}  # quota\n" in edited
    assert edit(text, {"autoscale": None}, "blue") == text.replace(
        "          autoscale:\n            min: 3\n            max: 10  # quota\n", ""
    )


@pytest.mark.parametrize("empty", ["green: {}", "green:", "green: ~", "green: null  # new"])
def test_an_empty_colour_gets_its_keys(empty: str) -> None:
    text = BLOCK.replace("        # the others", f"        {empty}\n        # the others")
    edited = edit(text, VALUES)
    assert deployments(edited)["green"] == VALUES
    assert ("# new" in edited) == ("# new" in empty)


def test_line_ends_and_a_byte_order_mark_stay() -> None:
    text = "\ufeff" + BLOCK.replace("\n", "\r\n")
    edited = edit(text, VALUES)
    assert edited.startswith("\ufeff")
    assert "\n" not in edited.replace("\r\n", "")
    assert deployments(edited.removeprefix("\ufeff"))["green"] == VALUES


def test_a_pin_that_a_reader_could_take_for_a_number_is_quoted() -> None:
    assert '"12345678e1234567"' in edit(BLOCK, {"release": "12345678e1234567"})


def test_a_value_that_an_alias_shares_is_not_changed_in_its_other_place() -> None:
    text = BLOCK.replace("        blue:\n", "        blue: &all\n").replace("{blue: {}}", "{blue: *all}")
    with pytest.raises(UsageError, match="cannot be edited without changing something else"):
        edit(text, {"instances": 5}, "blue")
    assert deployments(edit(text, VALUES))["green"] == VALUES  # beside it there is no harm


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("config: [", "Pulumi.prod.yaml cannot be read"),
        ("config: {}\n", "declares no deployments of the endpoint fraud"),
        ("config: {sluice:endpoints: {fraud: {deployments: []}}}\n", "deployments must be a mapping"),
        (BLOCK.replace("        # the others are retired\n", "        blue: {}\n"), "is written twice"),
    ],
)
def test_a_file_that_cannot_be_edited_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edit(text, {"instances": 5}, "blue")


VALUE = st.recursive(
    st.integers(0, 99) | st.booleans() | st.text("abc: {}[]#'\"-\\ é0e", max_size=6),
    lambda inner: st.dictionaries(st.sampled_from("pqr"), inner, max_size=2) | st.lists(inner, max_size=2),
    max_leaves=4,
)


@given(
    st.sampled_from([BLOCK, FLOW]),
    st.sampled_from(["blue", "green", "on"]),
    st.dictionaries(st.sampled_from(["release", "instances", "sku", "autoscale", "x"]), VALUE | st.none(), min_size=1),
)
def test_any_values_are_written_so_that_they_are_read_back_and_nothing_else_changes(
    text: str, colour: str, values: dict[str, Any]
) -> None:
    before = yaml.safe_load(text)
    edited = edit(text, values, colour)
    wanted = {**deployments(text).get(colour, {}), **values}
    after = yaml.safe_load(edited)
    assert deployments(edited).pop(colour) == {name: value for name, value in wanted.items() if value is not None}
    for data in (before, after):
        data["config"]["sluice:endpoints"]["fraud"]["deployments"].pop(colour, None)
    assert before == after
    assert [line for line in text.splitlines() if line.lstrip().startswith("#")] == [
        line for line in edited.splitlines() if line.lstrip().startswith("#")
    ]
