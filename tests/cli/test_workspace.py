"""Which endpoint a command means: by key or by Azure name, computed from the stack file, without its outputs."""

import argparse
from pathlib import Path

import pytest

from cli.workspace import EndpointAddress, endpoint_of, find_endpoint
from command_errors import UsageError

STACK_FILE = """
config:
  azure-native:location: westeurope
  azure-native:subscriptionId: s
  sluice:team: shop
  sluice:network: public
  sluice:endpoints: {fraud: {name: fraud-live, deployments: {blue: {}}}}
"""


@pytest.fixture(autouse=True)
def stack_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "Pulumi.dev.yaml"
    file.write_text(STACK_FILE)
    monkeypatch.setenv("PULUMI_OPTION_CONFIG_FILE", str(file))


@pytest.mark.parametrize("wanted", ["fraud", "fraud-live"])
def test_key_and_azure_name_both_find_it_without_outputs_or_engine(
    wanted: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    address = endpoint_of("dev", wanted)
    assert address == EndpointAddress("s", "rg-shop-dev", "mlw-shop-dev", "fraud-live", wanted, "--stack dev")
    assert address.logs_command("blue") == f"sluice deployment-logs {wanted} blue --stack dev"


def test_a_place_that_is_named_outright_needs_no_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PULUMI_OPTION_CONFIG_FILE")
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
