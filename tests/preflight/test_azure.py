"""What is read of Azure's answers: only the dedicated cores of the whole subscription, and only of this region."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from command_errors import CommandError, UnavailableError
from exit_codes import ExitCode
from naming import Names
from preflight.azure import QuotaUnreadable, read_available, read_live
from preflight.demand import Machines
from preflight.verdict import Usage, family_key

NAMES = Names(team="payments", stack="prod", subscription_id="0000")
USAGES = "/subscriptions/0000/providers/Microsoft.MachineLearningServices/locations/westeurope/usages"
DSV2 = family_key("standardDSv2Family")


def usage(
    shown: str, current: int, limit: int, *, type: str = "vmFamily", below: str = "", **name: str
) -> dict[str, Any]:
    """A row as in Microsoft's example of the answer."""
    return {
        "id": f"/subscriptions/0000{below}/usages/{shown.replace(' ', '_')}",
        "type": f"Microsoft.MachineLearningServices/{type}/usages",
        "currentValue": current,
        "limit": limit,
        "name": {"localizedValue": shown, "value": shown, **name},
        "unit": "Count",
    }


DEDICATED = "Standard DSv2 Family Cluster Dedicated vCPUs"
IN_WORKSPACE = "/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/one"
ANSWER = [
    usage("Clusters", 7, 100, type="totalCores"),
    usage("Total Cluster Dedicated Regional vCPUs", 14, 24, type="dedicatedCores"),
    usage(DEDICATED, 12, 24),
    usage(DEDICATED, 2, 3, type="workspaces", below=IN_WORKSPACE),
    usage("Total Cluster LowPriority Regional vCPUs", 18, 50, type="lowPriorityCores"),
    usage("Standard DSv2 Family Cluster LowPriority vCPUs", 18, -1),
    usage(DEDICATED, 1, -1, type="vmFamily/lowPriorityCores"),  # users report rows that differ in their type only
    usage("Standard ESv3 Family Cluster Dedicated vCPUs", 0, 0, value="standardESv3Family"),
]


class Arm:
    """Answers by path; resources by type."""

    def __init__(self, answers: Mapping[str, Any], resources: Mapping[str, list[str]] | None = None) -> None:
        self.answers = answers
        self.resources = resources or {}

    def get(self, resource_id: str, api_version: str) -> dict[str, Any] | None:
        raise AssertionError(resource_id)

    def get_all(self, path: str, api_version: str, query: Mapping[str, str] | None = None) -> list[dict[str, Any]]:
        if path.endswith("/resources"):
            assert query is not None
            kind = query["$filter"].split("'")[1].partition("/")[2]
            return [{"location": location} for location in self.resources.get(kind, [])]
        answer = self.answers.get(path, [])
        if isinstance(answer, Exception):
            raise answer
        return list(answer)


def test_low_priority_workspaces_and_totals_are_left_out() -> None:
    found = read_available(Arm({USAGES: ANSWER}), "0000", "westeurope")
    assert found.cores == {DSV2: Usage(current=12, limit=24), "esv3": Usage(current=0, limit=0)}


def test_endpoints_and_deployments_of_the_region_are_counted_of_both_kinds() -> None:
    resources = {
        "workspaces/onlineEndpoints": ["westeurope", "West Europe", "northeurope"],
        "workspaces/batchEndpoints": ["westeurope"],
        "workspaces/onlineEndpoints/deployments": ["westeurope"] * 4,
        "workspaces/batchEndpoints/deployments": ["northeurope"],
    }
    found = read_available(Arm({USAGES: ANSWER}, resources), "0000", "westeurope")
    assert (found.endpoints, found.deployments) == (3, 4)


@pytest.mark.parametrize(
    "answer",
    [
        UnavailableError("Azure does not answer"),
        CommandError("Azure answered 403 to GET"),
        [],
        [usage("Clusters", 7, 100, type="totalCores")],
        [{"name": DEDICATED, "currentValue": "many"}],
    ],
)
def test_what_cannot_be_read_is_not_enough_quota(answer: Any) -> None:
    with pytest.raises(QuotaUnreadable) as caught:
        read_available(Arm({USAGES: answer}), "0000", "westeurope")
    assert caught.value.exit_code == ExitCode.UNAVAILABLE


def test_what_the_stack_has_is_read_with_its_nodes_and_without_kubernetes() -> None:
    endpoint = NAMES.endpoint_id("fraud")
    deployments = [
        {"name": "blue", "kind": "Managed", "sku": {"capacity": 3}, "properties": {"instanceType": "Standard_DS3_v2"}},
        {"name": "edge", "kind": "Kubernetes", "sku": {"capacity": 9}, "properties": {"instanceType": "small"}},
    ]
    cluster = {"vmSize": "Standard_DS3_v2", "currentNodeCount": 2}
    computes = [
        {"name": "cpu", "properties": {"computeType": "AmlCompute", "properties": cluster}},
        {"name": "aks", "properties": {"computeType": "Kubernetes", "properties": {"namespace": "default"}}},
    ]
    answers = {
        f"{NAMES.workspace_id}/onlineEndpoints": [{"name": "fraud"}],
        f"{endpoint}/deployments": deployments,
        f"{NAMES.workspace_id}/computes": computes,
    }
    live = read_live(Arm(answers), NAMES)
    assert live.machines == (
        Machines(what="fraud/blue", size="Standard_DS3_v2", count=3),
        Machines(what="cpu", size="Standard_DS3_v2", count=2, reserves=False),
    )
    assert live.deployments == {"fraud": 2}


def test_a_stack_that_does_not_exist_has_nothing() -> None:
    live = read_live(Arm({}), NAMES)
    assert (live.machines, live.endpoints) == ((), frozenset())
