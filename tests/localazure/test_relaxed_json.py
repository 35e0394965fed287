"""Comments and bare keys in template deployments; no input, however hostile, takes long."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from localazure.relaxed_json import strict_json
from localazure.server import MAX_BODY_BYTES

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=10,
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{template: {"a": 1}}', {"template": {"a": 1}}),
        ("{ template : [true, null, false] }", {"template": [True, None, False]}),
        ('{"a": 1, // one\r\n "b": 2} // end', {"a": 1, "b": 2}),
        ('/* head */ {"a": /* in\n between */ "b"}', {"a": "b"}),
        (
            r'{"url": "https://x//y", "c": "/* no */ \" template: "}',
            {"url": "https://x//y", "c": '/* no */ " template: '},
        ),
        ("{\"a\": \"[concat('x', parameters('y'))]\"}", {"a": "[concat('x', parameters('y'))]"}),
    ],
)
def test_what_resource_manager_reads_is_read(text, value):
    assert json.loads(strict_json(text)) == value


@given(VALUES)
def test_json_stays_what_it_is(value):
    text = json.dumps(value)
    assert strict_json(text) == text
    raw = json.dumps(value, ensure_ascii=False)
    assert json.loads(strict_json(raw)) == value


@pytest.mark.parametrize("text", ['{"a": 1', "{a", '"open', "/* open", "{template: {", "// only"])
def test_what_is_no_document_does_not_become_one(text):
    with pytest.raises(ValueError):  # noqa: PT011  (json's own, whatever it says)
        json.loads(strict_json(text))


@pytest.mark.parametrize("piece", ["/*", '"', "a", "a ", "\\", "//", '"\\', "a: ", '\\"'])
def test_a_hostile_text_of_a_quarter_of_the_greatest_length_is_read_once(piece):
    text = piece * (MAX_BODY_BYTES // 4 // len(piece))
    assert len(strict_json(text)) <= 3 * len(text)  # if the time grew faster than the text, it would never end
