"""Which endpoint a command means: by key or by Azure name, computed from the stack file, without its outputs."""

from pathlib import Path

import pytest

from endpoint_client.address import EndpointAddress, endpoint_of

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
