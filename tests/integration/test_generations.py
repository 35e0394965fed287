"""What a stack may not change while it exists, and the names that Azure keeps: possible only with a new generation.

The stacks have no endpoints, because these tests concern the platform.
"""

from typing import Any

import pytest

from rollout.errors import EngineFailed, EngineRefused
from tests.integration.rehearsal import Azure, Stack

pytestmark = pytest.mark.integration

PRIVATE = {"mode": "private", "address_space": "10.90.0.0/22"}


def platform(azure: Azure, name: str, **config: Any) -> Stack:
    """A stack without endpoints, up."""
    stack = Stack(azure, name)
    stack.edit(lambda file: file.update({"sluice:endpoints": {}, "sluice:rollout": {}}))
    change(stack, **config)
    stack.engine.up()
    return stack


def change(stack: Stack, **config: Any) -> None:
    """Set keys of the stack file."""
    stack.edit(lambda file: file.update({f"sluice:{key}": value for key, value in config.items()}))


def resources(stack: Stack) -> dict[str, Any]:
    """The resources of the state by their logical names."""
    found = stack.engine.export()["deployment"]["resources"]
    return {one["urn"].rsplit("::", 1)[-1]: one for one in found if one["type"].startswith("azure-native:")}


def test_after_a_plain_destroy_the_error_names_the_line_by_which_the_stack_comes_up_again(azure: Azure) -> None:
    stack = platform(azure, "again")
    stack.engine.destroy()
    with pytest.raises(EngineFailed, match=r"Write the line `sluice:generation: 2` into Pulumi\.again\.yaml"):
        stack.engine.up()
    change(stack, generation=2)
    stack.engine.up()
    assert stack.engine.outputs()["workspace"]["name"] == "mlw-payments-again-g2"
    assert stack.engine.preview().is_empty


def test_another_network_and_redundancy_are_refused_together_and_come_with_the_next_generation(azure: Azure) -> None:
    stack = platform(azure, "open")
    before = resources(stack)
    change(stack, network=PRIVATE, storage={"redundancy": "zrs"})
    with pytest.raises(EngineRefused) as refused:
        stack.engine.preview()
    message = str(refused.value)
    assert 'sluice:network must stay "public" while the stack exists, got "private"' in message
    assert 'sluice:storage.redundancy must stay "lrs" while the stack exists, got "zrs"' in message
    with pytest.raises(EngineRefused):
        stack.engine.up()
    assert resources(stack).keys() == before.keys()
    change(stack, generation=2)
    stack.engine.up()
    after = resources(stack)
    assert after["platform-group"]["id"] == before["platform-group"]["id"]
    assert after["platform-storage-account"]["inputs"]["sku"] == {"name": "Standard_ZRS"}
    assert after["platform-ml-workspace"]["inputs"]["publicNetworkAccess"] == "Disabled"
    assert stack.engine.preview().is_empty


def test_a_private_stack_stays_private_and_no_resource_is_planned_to_go(azure: Azure) -> None:
    """Forty-two deletions were once planned without a warning."""
    stack = platform(azure, "shut", network=PRIVATE)
    assert stack.engine.preview().is_empty
    change(stack, network="public")
    with pytest.raises(EngineRefused, match='sluice:network must stay "private" while the stack exists, got "public"'):
        stack.engine.preview()
    network = azure.get(
        f"{stack.names.resource_group_id}/providers/Microsoft.Network/virtualNetworks/vnet-payments-shut"
    )
    assert network["tags"]["sluice:stack"] == "shut"
