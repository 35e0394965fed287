"""The weights in the text of a stack file: whatever its style, an edit changes the named values and nothing else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from command_errors import UsageError
from rollout.declaration.stack_text import WeightLines, edit_lines, read_lines
from rollout.split import Split

ROOT = Path(__file__).parents[3]
HEAD = "config:\n  sluice:rollout:\n    fraud:\n"
CANARY = Split(traffic={"blue": 90, "green": 10})
MIRROR = Split(traffic={"blue": 100}, mirror={"green": 20})


def edited(text: str, to: Split = CANARY, stable: str | None = None) -> str:
    return edit_lines(text, "fraud", "Pulumi.dev.yaml", to, stable)


@pytest.mark.parametrize(
    ("before", "to", "after"),
    [
        ("      traffic: {blue: 100} # live\n", CANARY, "      traffic: {blue: 90, green: 10} # live\n"),
        (
            "      traffic: {blue: 90, green: 10}\n",
            Split(traffic={"blue": 100}),
            "      traffic: {blue: 100, green: 0}\n",
        ),
        (
            "      traffic: {blue: 100, # was amber's\n        amber: 0 }\n      plan: {}",
            MIRROR,
            "      traffic: {blue: 100, # was amber's\n        amber: 0 }\n      mirror: {green: 20}\n      plan: {}",
        ),
        ('      traffic: {"blue":100,}\n', CANARY, '      traffic: {"blue":90, green: 10,}\n'),
        ("      traffic: {}\n", CANARY, "      traffic: {blue: 90, green: 10}\n"),
        ("      traffic: { # none\n      }\n", CANARY, "      traffic: {blue: 90, green: 10 # none\n      }\n"),
        ("      traffic:\n      plan: {}\n", CANARY, "      traffic: {blue: 90, green: 10}\n      plan: {}\n"),
        ("      traffic: ~ # none\n", CANARY, "      traffic: {blue: 90, green: 10} # none\n"),
        ("      plan: {}\n", MIRROR, "      traffic: {blue: 100}\n      mirror: {green: 20}\n      plan: {}\n"),
        (
            "      traffic:\n        'blue': 100  # live\n\n      # how\n      plan: {}",
            MIRROR,
            "      traffic:\n        'blue': 100  # live\n      mirror: {green: 20}\n\n      # how\n      plan: {}",
        ),
        (
            "      traffic:\n        blue: 100\n        # the end",
            CANARY,
            "      traffic:\n        blue: 90\n        green: 10\n        # the end",
        ),
        (
            "      ? traffic\n      : ? blue\n        : 100\n",
            CANARY,
            "      ? traffic\n      : ? blue\n        : 90\n        green: 10\n",
        ),
        ("      traffic: {blue: &all 100}\n", CANARY, "      traffic: {blue: &all 90, green: 10}\n"),
        ("      traffic: &all {blue: !!int 100}\n", CANARY, "      traffic: &all {blue: !!int 90, green: 10}\n"),
        ("      traffic: {blue: 100} # 🦆 ä\n", CANARY, "      traffic: {blue: 90, green: 10} # 🦆 ä\n"),
        (
            "      mirror: {green: 20}\n      traffic: {blue: 100}\n",
            CANARY,
            "      mirror: {green: 0}\n      traffic: {blue: 90, green: 10}\n",
        ),
    ],
)
def test_values_are_replaced_where_they_stand(before: str, to: Split, after: str) -> None:
    assert edited(HEAD + before, to) == HEAD + after


def test_line_ends_stay_as_they_are() -> None:
    text = f"{HEAD}      traffic:\n        blue: 100\n      plan: {{}}\n".replace("\n", "\r\n")
    after = edited(text, Split(traffic={"blue": 90, "green": 10}, mirror={"amber": 5}))
    lines = [
        "      traffic:",
        "        blue: 90",
        "        green: 10",
        "      mirror: {amber: 5}",
        "      plan: {}",
        "",
    ]
    assert after == HEAD.replace("\n", "\r\n") + "\r\n".join(lines)


def test_a_section_in_flow_style_stays_in_one_line() -> None:
    text = 'config: {"sluice:rollout": {fraud: {traffic: {blue: 100}}, other: {traffic: {blue: 100}}}}'
    after = 'config: {"sluice:rollout": {fraud: {stable: blue, traffic: {blue: 100}, mirror: {green: 20}}, '
    assert edited(text, MIRROR, "blue") == f"{after}other: {{traffic: {{blue: 100}}}}}}}}"


def test_the_stable_colour_moves_only_when_it_is_named() -> None:
    text = f"{HEAD}      stable: blue # since May\n      traffic: {{blue: 0, green: 100}}\n"
    to = Split(traffic={"green": 100})
    assert edited(text, to) == text
    assert edited(text, to, "green") == text.replace("stable: blue", "stable: green")


def test_a_name_that_yaml_would_read_as_something_else_is_quoted() -> None:
    after = edited(f"{HEAD}      traffic: {{blue: 100}}\n", Split(traffic={"blue": 50, "off": 50}), "off")
    assert after == f'{HEAD}      stable: "off"\n      traffic: {{blue: 50, "off": 50}}\n'


def test_values_that_a_merge_brings_are_overridden_in_place() -> None:
    text = f"base: &base {{traffic: {{blue: 100, amber: 0}}}}\n{HEAD}      <<: *base\n      plan: {{}}\n"
    entry = "      traffic: {blue: 90, amber: 0, green: 10}\n"
    assert edited(text) == text.replace("      <<", f"{entry}      <<")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"{HEAD}      traffic: {{blue: &all 100}}\n      mirror: {{}}\n      plan: {{max: *all}}\n", "traffic.blue"),
        (f"{HEAD}      traffic: &all {{blue: 100}}\n    other: {{traffic: *all}}\n", "fraud.traffic"),
        (f"{HEAD.rstrip()} &all\n      traffic: {{blue: 100}}\n    other: *all\n", "rollout.fraud"),
        (f"x: &all 100\n{HEAD}      traffic: {{blue: *all}}\n", "traffic.blue"),
    ],
)
def test_a_value_that_an_alias_shares_is_refused_with_its_place(text: str, place: str) -> None:
    with pytest.raises(UsageError, match=rf"^Pulumi.dev.yaml: sluice:\S*{place} is an anchor with an alias \(line \d"):
        edited(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"{HEAD}      traffic: {{blue: 100, blue: 0}}\n", "line 4: the key 'blue' is written twice"),
        (f"{HEAD}      traffic: {{blue: 100}}\n    fraud: {{}}\n", "line 5: the key 'fraud' is written twice"),
        (f"{HEAD}      traffic: {{blue: '100'}}\n", "must hold whole percents by deployment"),
        (f"{HEAD}      traffic: [blue]\n", "must hold whole percents by deployment"),
        (f"{HEAD}      stable: [blue]\n", "stable must be the name of a deployment"),
        ("config: {}\n", "has no section sluice:rollout.fraud of its own"),
        ("- a\n", "it must hold keys and values"),
        ("config: [\n", "cannot be read"),
        ("a: 1\n---\nb: 2\n", "cannot be read"),
        (f"{HEAD}      traffic: {{blue: 0, <<: *nothing}}\n", "undefined alias"),
        (f"{HEAD}      traffic: &own {{blue: 0, <<: *own}}\n", "is an anchor with an alias"),
    ],
)
def test_what_cannot_be_edited_is_refused(text: str, reason: str) -> None:
    with pytest.raises(UsageError, match=reason):
        edited(text)


@pytest.mark.parametrize("stack", ["dev", "prod"])
def test_the_repositorys_own_files_can_be_edited(stack: str) -> None:
    text = (ROOT / f"Pulumi.{stack}.yaml").read_text()
    after = edit_lines(text, "fraud-detection", "x", CANARY)
    assert after == text.replace("traffic: {blue: 100}", "traffic: {blue: 90, green: 10}")


# Any file, any split

NAMES = st.sampled_from(["blue", "green", "amber", "on", "null", "b-2"])
PERCENTS = st.integers(0, 100)
COMMENTS = st.sampled_from(["", "  # why, {not}: a value", " #"])
LEAVES = st.one_of(
    st.integers(), st.booleans(), st.none(), st.text("aäß🦆: #'\"{}[],&*!|>%@`\n\t-", max_size=8), st.floats()
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab:c", min_size=1), inner, max_size=3)
)


@st.composite
def sections(draw: st.DrawFn, indent: str, quote: str) -> list[str]:
    """The lines of an endpoint's section in block style: its entries in any order, some of them absent."""
    entries: dict[str, list[str]] = {}
    if draw(st.booleans()):
        entries["stable"] = [f"stable: {quote}blue{quote}{draw(COMMENTS)}"]
    for name in ("traffic", "mirror"):
        weights = draw(st.dictionaries(NAMES, PERCENTS, max_size=3))
        style = draw(st.sampled_from(["flow", "block", "many lines", "null", "absent"]))
        pairs = [f'"{colour}": {weight}' for colour, weight in weights.items()]
        if style == "flow" or (not pairs and style in ("block", "many lines")):
            entries[name] = [f"{name}: {{{', '.join(pairs)}}}{draw(COMMENTS)}"]
        elif style == "block":
            entries[name] = [f"{name}:{draw(COMMENTS)}", *(f"   {pair}{draw(COMMENTS)}" for pair in pairs)]
        elif style == "many lines":
            entries[name] = [f"{name}: {{{draw(COMMENTS)}", *(f"   {pair},{draw(COMMENTS)}" for pair in pairs), "  }"]
        elif style == "null":
            entries[name] = [f"{name}:{draw(COMMENTS)}"]
    plan = draw(VALUES)
    block, flow = (
        yaml.safe_dump({"plan": plan}, default_flow_style=False),
        f"plan: {json.dumps(plan, ensure_ascii=False)}",
    )
    other = draw(st.sampled_from([block, flow]))
    entries["plan"] = other.strip("\n").split("\n")
    order = draw(st.permutations(list(entries)))
    blank = draw(st.sampled_from([[], [""], ["# between"]]))
    return [f"{indent}{line}" if line else "" for name in order for line in [*entries[name], *blank]]


@st.composite
def files(draw: st.DrawFn) -> str:
    """A stack file with an endpoint `fraud` among other values, in many styles."""
    quote = draw(st.sampled_from(["", "'", '"']))
    lines = ["# the stack", f"config:{draw(COMMENTS)}"]
    before, after = draw(VALUES), draw(VALUES)
    lines += [f"  {line}" for line in yaml.safe_dump({"sluice:before": before}).strip("\n").split("\n")]
    lines += [
        f"  {quote}sluice:rollout{quote}:{draw(COMMENTS)}",
        f"    fraud:{draw(COMMENTS)}",
        *draw(sections("      ", quote)),
    ]
    lines += [f"  {line}" for line in yaml.safe_dump({"sluice:after": after}).strip("\n").split("\n")]
    text = "\n".join(lines) + draw(st.sampled_from(["", "\n", "\n\n# end\n"]))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


@st.composite
def splits(draw: st.DrawFn) -> Split:
    return Split(
        traffic=draw(st.dictionaries(NAMES, PERCENTS)), mirror=draw(st.dictionaries(NAMES, PERCENTS, max_size=1))
    )


def rest_of(text: str) -> Any:
    """Everything but the three lines, as a tree of tags and values; YAML's not-a-number equals itself here."""
    content = yaml.safe_load(text)
    for name in ("traffic", "mirror", "stable"):
        content["config"]["sluice:rollout"]["fraud"].pop(name, None)
    return repr(content)


@given(text=files(), to=splits(), stable=st.none() | NAMES)
def test_in_any_file_only_the_named_values_differ(text: str, to: Split, stable: str | None) -> None:
    before = read_lines(text, "fraud", "x")
    after = edited(text, to, stable)
    assert read_lines(after, "fraud", "x") == WeightLines(split=to, stable=before.stable if stable is None else stable)
    assert rest_of(after) == rest_of(text)
    assert [line.partition("#")[2] for line in text.splitlines() if "#" in line] == [
        line.partition("#")[2] for line in after.splitlines() if "#" in line
    ]
    assert ("\r\n" in after) == ("\r\n" in text)
    assert after.count("\r") in (0, after.count("\n"))
    assert edited(after, to, stable) == after


@given(text=files(), to=splits())
def test_a_colour_keeps_its_entry_when_its_weight_goes_to_0(text: str, to: Split) -> None:
    def entries(text: str) -> dict[str, dict[str, int]]:
        section = yaml.safe_load(text)["config"]["sluice:rollout"]["fraud"]
        return {name: section.get(name) or {} for name in ("traffic", "mirror")}

    before, after = entries(text), entries(edited(text, to))
    for name in before:
        assert before[name].keys() <= after[name].keys()
