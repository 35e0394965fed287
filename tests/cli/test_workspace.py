"""Which endpoint a command means: by key or by Azure name, from the stack's outputs."""

import pytest

from cli.errors import UsageError
from cli.workspace import EndpointAddress, address_in

WORKSPACE = "/subscriptions/s/resourcegroups/rg/providers/Microsoft.MachineLearningServices/workspaces/ws"
ID = f"{WORKSPACE}/onlineEndpoints/fraud-dev"
OUTPUTS = {"fraud": {"id": ID}, "waiting": {"id": None}}


@pytest.mark.parametrize("wanted", ["fraud", "fraud-dev"])
def test_key_and_azure_name_both_find_it(wanted: str) -> None:
    assert address_in(OUTPUTS, wanted, "dev") == EndpointAddress("s", "rg", "ws", "fraud-dev")


def test_an_endpoint_that_is_not_deployed_is_refused_with_those_that_are() -> None:
    with pytest.raises(UsageError, match=r"no deployed endpoint 'waiting'; it has: fraud\."):
        address_in(OUTPUTS, "waiting", "dev")
