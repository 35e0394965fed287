"""The table of long-running protocols has a line for every request that can start an operation."""

import pytest

from localazure.arm.long_running import LOCATION, PROTOCOLS, Body, Header
from localazure.arm.namespaces import EXTRA_SHAPES
from localazure.catalog import RESOURCE_TYPES

USED = [
    (family, method)
    for one in (*RESOURCE_TYPES, *EXTRA_SHAPES)
    for family, method in ((one.operation, "PUT"), (one.deletion, "DELETE"))
    if family is not None and (family, method) != (LOCATION, "PUT")  # ends at once here
]


@pytest.mark.parametrize(("family", "method"), sorted(set(USED)))
def test_every_family_of_the_catalog_has_an_answer(family, method):
    assert method in PROTOCOLS[family].answers


@pytest.mark.parametrize("family", PROTOCOLS)
def test_every_answer_leads_to_the_operation_and_states_when_to_ask_again(family):
    for request, answer in PROTOCOLS[family].answers.items():
        assert {Header.STATUS, Header.RESULT} & set(answer.headers), request
        assert len({Header.FRACTION, Header.WHOLE, Header.MILLISECONDS} & set(answer.headers)) == 1, request
        assert (answer.status == 202) or answer.body is Body.RESOURCE, request
