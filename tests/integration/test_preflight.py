"""`sluice preflight` against the local Azure: the worst moment of a stack, before and after it exists."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.integration.rehearsal import MODEL, Azure, Stack

pytestmark = pytest.mark.integration
SCALE = {"min": 1, "max": 3, "default": 1, "rules": {"cpu": {"above": 70}}}


@pytest.fixture(scope="module")
def limited(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    """A subscription with 20 cores of the family that the sample uses."""
    azure = Azure.started(tmp_path_factory.mktemp("limited"), "--compute", "simulated", "--quota", "DSv2=20")
    yield azure
    azure.stop()


def test_a_plan_is_compared_with_the_quota_before_anything_exists_and_after(limited: Azure) -> None:
    stack = Stack(limited, "plan")
    stack.deployment("blue", sku="Standard_DS3_v2", instances=1)
    first = json.loads(stack.sluice("preflight", "--stack", "plan", "--json").stdout)
    assert first["limits"] == [
        {"what": "standardDSv2Family", "others": 0, "needed": 8, "limit": 20, "short": 0},
        {"what": "endpoints", "others": 0, "needed": 1, "limit": 100, "short": 0},
        {"what": "deployments", "others": 0, "needed": 1, "limit": 500, "short": 0},
    ]
    stack.settle()
    stack.deployment("green", sku="Standard_DS3_v2", autoscale=SCALE)
    short = stack.sluice("preflight", "--stack", "plan", expect=1).stdout
    name = stack.names.endpoint(MODEL)
    assert "standardDSv2Family           0      24     20  short by 4" in short
    assert f"  {name}/green: 3 x Standard_DS3_v2, 16 cores, with the reserve for upgrades" in short
    assert "QuotaMenuBlade" in short
    refused = stack.sluice("rollout", "start", MODEL, "--stack", "plan", expect=1)
    assert "standardDSv2Family: 4 more than the limit of 20" in refused.stderr
    stack.deployment("green", sku="Standard_DS3_v2", autoscale=SCALE | {"max": 2})
    assert "20     20  ok" in stack.sluice("preflight", "--stack", "plan").stdout


def test_what_others_use_counts(limited: Azure) -> None:
    Stack(limited, "neighbour").settle()
    stack = Stack(limited, "late")
    stack.deployment("green", instances=1)
    found = json.loads(stack.sluice("preflight", "--stack", "late", "--json", expect=1).stdout)
    rows = {row["what"]: row for row in found["limits"]}
    assert rows["standardDSv2Family"]["others"] >= 8
    assert rows["endpoints"]["others"] >= 1
