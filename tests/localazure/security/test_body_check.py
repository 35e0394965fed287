"""The form of a body is checked against the shapes of the catalog before any behaviour reads it."""

from __future__ import annotations

from typing import Any

import pytest

from localazure.arm.body_check import check_body
from localazure.errors import BadRequest

COMPUTE = "Microsoft.MachineLearningServices/workspaces/computes"
NETWORK = "Microsoft.Network/virtualNetworks"


def refusal(arm_type: str, body: dict[str, Any]) -> str:
    """The message; empty for a body that is accepted."""
    try:
        check_body(arm_type, body)
    except BadRequest as refused:
        return refused.message
    return ""


@pytest.mark.parametrize(
    ("arm_type", "body", "problem"),
    [
        (NETWORK, {"properties": {"subnets": "x"}}, "properties.subnets must be a list"),
        (NETWORK, {"properties": {"subnets": [None]}}, "properties.subnets[0] must not be null"),
        (NETWORK, {"properties": {"subnets": [3]}}, "properties.subnets[0] must be an object"),
        (NETWORK, {"properties": []}, "properties must be an object"),
        (NETWORK, {"location": {}}, "location must be a single value"),
        (NETWORK, {"tags": {"a": []}}, "tags.a must be a single value"),
        (COMPUTE, {"properties": {"computeType": "AmlCompute", "properties": []}}, "properties.properties must be an"),
    ],
)
def test_a_wrong_form_is_named(arm_type: str, body: dict[str, Any], problem: str) -> None:
    assert problem in refusal(arm_type, body)


@pytest.mark.parametrize(
    ("arm_type", "body"),
    [
        (NETWORK.upper(), {"location": "x", "properties": {"subnets": None}, "unknown": []}),
        (NETWORK, {"location": 5, "tags": None}),
        (COMPUTE, {"properties": {"computeType": "other", "properties": []}}),
        ("Microsoft.Unknown/things", {"properties": 5}),
        ("Microsoft.ManagedIdentity/userAssignedIdentities", {}),
    ],
)
def test_what_the_catalog_does_not_list_is_not_checked(arm_type: str, body: dict[str, Any]) -> None:
    assert refusal(arm_type, body) == ""
