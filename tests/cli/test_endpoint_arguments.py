"""Where the arguments of a command lead to: an endpoint by its place, names that are none."""

import argparse

import pytest

from cli.endpoint_arguments import find_endpoint
from command_errors import UsageError


def test_a_place_that_is_named_outright_needs_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE", raising=False)
    options = argparse.Namespace(
        endpoint="fraud-live", stack=None, resource_group="rg", workspace="ws", subscription="s"
    )
    address = find_endpoint(options)
    assert address.id.endswith("/workspaces/ws/onlineEndpoints/fraud-live")
    flags = "--subscription s --resource-group rg --workspace ws"
    assert address.logs_command(None) == f"sluice deployment-logs fraud-live DEPLOYMENT {flags}"


@pytest.mark.parametrize("wanted", ["../x", "a b", "a\nb", "", "ü"])
def test_what_is_no_name_never_becomes_a_path(wanted: str) -> None:
    options = argparse.Namespace(endpoint=wanted, stack="dev", resource_group=None, workspace=None)
    with pytest.raises(UsageError, match="letters, digits and dashes"):
        find_endpoint(options)
