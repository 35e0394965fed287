"""A stack in a landing zone on the real engine: it uses what it is given, and leaves it there when it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localazure.identity import SUBSCRIPTION_ID, TENANT_ID
from rollout.engine import PulumiEngine
from rollout.errors import EngineRefused
from tests.id_token_issuer import AUDIENCE, ISSUER, IdTokenIssuer
from tests.integration.landing_zone import LandedStack, make_landing_zone
from tests.integration.rehearsal import ROOT, Azure, Stack

pytestmark = pytest.mark.integration
VERSIONS = {
    "resource_group": "2024-03-01",
    "log_analytics": "2023-09-01",
    "registry": "2023-07-01",
    "vault": "2023-07-01",
    "storage": "2023-05-01",
}


def shown(azure: Azure, ids: dict[str, str]) -> dict[str, Any]:
    """What was given, as Azure shows it."""
    found = {}
    for key, resource_id in ids.items():
        status, body = azure.request("GET", resource_id, api_version=VERSIONS[key])
        assert status == 200, (key, body)
        found[key] = {name: value for name, value in body.items() if name not in ("etag", "systemData")}
    return found


def test_a_stack_uses_what_it_is_given_and_leaves_it(simulated_azure: Azure) -> None:
    ids = make_landing_zone(simulated_azure, "bring")
    before = shown(simulated_azure, ids)
    stack = LandedStack(simulated_azure, "bring", ids)
    assert stack.settle()
    assert stack.live_traffic() == {"blue": 100}
    workspace = simulated_azure.get(stack.names.workspace_id)["properties"]
    assert workspace["storageAccount"] == ids["storage"]
    assert workspace["containerRegistry"] == ids["registry"]
    assert stack.engine.preview().is_empty
    stack.engine.refresh()
    assert stack.engine.preview().is_empty
    owned = {one["type"] for one in stack.engine.export()["deployment"]["resources"]}
    assert not [one for one in owned if one.endswith(("ResourceGroup", "Registry", "Vault", "StorageAccount"))]
    stack.weights(blue=0)
    stack.engine.up()
    said = stack.sluice("remove", "--stack", stack.name, "--yes").stderr
    assert "not part of this stack" not in said
    assert shown(simulated_azure, ids) == before
    assert stack.in_group() == []


def test_a_private_stack_creates_no_network_where_it_is_given_a_subnet(simulated_azure: Azure) -> None:
    ids = make_landing_zone(simulated_azure, "closed", private=True)
    stack = LandedStack(simulated_azure, "closed", ids, like="prod")
    stack.edit(lambda config: config.update({"sluice:network": {"mode": "private", "dns": "none"}}))
    stack.settle()
    assert stack.live_traffic() == {"blue": 100}
    assert stack.engine.preview().is_empty
    stack.engine.refresh()
    assert stack.engine.preview().is_empty
    assert "Microsoft.Network/virtualNetworks" not in stack.in_group()
    assert stack.in_group().count("Microsoft.Network/privateEndpoints") == 5
    network = stack.engine.outputs()["workspace"]["network"]
    assert network["subnets"] == {"endpoints": ids["subnet"]}


def test_endpoints_go_into_the_workspace_of_another_stack_and_leave_its_own_alone(simulated_azure: Azure) -> None:
    host = Stack(simulated_azure, "dev")
    before = host.snapshot()
    guest = LandedStack(simulated_azure, "guest", {"workspace": host.names.workspace_id})
    guest.settle()
    assert guest.live_traffic() == {"blue": 100}
    assert guest.endpoint_id.startswith(host.names.workspace_id)
    assert guest.engine.preview().is_empty
    guest.engine.refresh()
    assert guest.engine.preview().is_empty
    assert "Microsoft.MachineLearningServices/workspaces" not in guest.in_group()
    guest.weights(blue=0)
    guest.engine.up()
    guest.sluice("remove", "--stack", guest.name, "--yes")
    assert simulated_azure.request("GET", guest.names.resource_group_id, api_version="2021-04-01")[0] == 404
    assert simulated_azure.request("GET", guest.endpoint_id)[0] == 404
    assert host.snapshot() == before


def test_everything_that_does_not_fit_is_one_error_before_anything_is_made(simulated_azure: Azure) -> None:
    ids = make_landing_zone(simulated_azure, "unfit")
    body = {"location": "eastus", "sku": {"name": "Standard_LRS"}, "kind": "StorageV2", "properties": {}}
    other = ids["storage"] + "2"
    assert simulated_azure.request("PUT", other, body, "2023-05-01")[0] in (200, 201, 202)
    stack = LandedStack(simulated_azure, "unfit", {**ids, "storage": other, "registry": f"{ids['registry']}gone"})
    with pytest.raises(EngineRefused) as caught:
        stack.engine.preview()
    refused = str(caught.value)
    assert "has 3 problems; nothing was changed" in refused
    assert "sluice:existing.registry must name a container registry that exists" in refused
    assert "sluice:existing.storage must be in the region of the workspace, westeurope, got eastus" in refused
    assert "sluice:existing.storage must not allow shared keys" in refused
    assert stack.in_group() == []


def test_doctor_names_the_roles_that_a_given_identity_lacks_and_its_commands_bring_them(
    simulated_azure: Azure,
) -> None:
    ids = make_landing_zone(simulated_azure, "roles")
    identity = f"{ids['resource_group']}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/hub"
    assert simulated_azure.request("PUT", identity, {"location": "westeurope"}, "2023-01-31")[0] == 201
    stack = LandedStack(simulated_azure, "roles", {**ids, "workspace_identity": identity})

    def findings() -> dict[str, dict[str, str]]:
        said = stack.sluice("doctor", "--stack", stack.name, "--json", expect=None).stdout
        return {one["check"]: one for one in json.loads(said)}

    found = findings()
    assert {name: found[name]["health"] for name in ("providers", "rights", "endpoint names")} == {
        "providers": "good",
        "rights": "good",
        "endpoint names": "good",
    }
    lacking = found["workspace identity"]
    assert lacking["health"] == "problem"
    for command in lacking["fix"].split(" && "):
        words = command.split()
        principal, role, scope = (
            words[words.index(option) + 1] for option in ("--assignee-object-id", "--role", "--scope")
        )
        grant = {"principalId": principal, "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
        assert simulated_azure.request("PUT", path, {"properties": grant}, "2022-04-01")[0] == 201
    assert findings()["workspace identity"]["health"] == "good"


CONTRIBUTOR, RBAC_ADMINISTRATOR = "b24988ac-6180-42a0-ab88-20f7382dd24c", "f58310d9-a9f6-439a-9e8d-f62e7b41a168"
SUBJECT = "repo:octo/models:environment:team"


def make_pipeline(azure: Azure, group: str) -> dict[str, str]:
    """An identity whose jobs have rights in one group only; returns the variables of such a job."""
    hub = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-identities"
    own = f"{hub}/providers/Microsoft.ManagedIdentity/userAssignedIdentities/pipeline"
    assert azure.request("PUT", hub, {"location": "westeurope"}, "2024-03-01")[0] == 201
    shown = azure.request("PUT", own, {"location": "westeurope"}, "2023-01-31")[1]["properties"]
    credential = {"properties": {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}}
    assert azure.request("PUT", f"{own}/federatedIdentityCredentials/github", credential, "2023-01-31")[0] == 201
    for role in (CONTRIBUTOR, RBAC_ADMINISTRATOR):
        grant = {"principalId": shown["principalId"], "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        path = f"{group}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
        assert azure.request("PUT", path, {"properties": grant}, "2022-04-01")[0] == 201
    return {"AZURE_CLIENT_ID": shown["clientId"], "AZURE_TENANT_ID": TENANT_ID}


def test_a_caller_with_rights_in_the_given_group_only_previews_and_deploys(tmp_path: Path) -> None:
    with IdTokenIssuer() as issuer:
        key = issuer.write_public_key(tmp_path / "key.pem")
        azure = Azure.started(tmp_path / "azure", "--compute", "simulated", f"--oidc-issuer={ISSUER}={key}")
        try:
            group = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-team"
            assert azure.request("PUT", group, {"location": "westeurope"}, "2024-03-01")[0] == 201
            issuer.subject = SUBJECT
            pipeline = issuer.github() | make_pipeline(azure, group)
            stack = LandedStack(azure, "team", {"resource_group": group})
            engine = PulumiEngine(ROOT, "team", stack.environment | pipeline)
            assert engine.preview().changes
            engine.up()
            stack.publish()
            engine.up()
            engine.up()
            assert stack.live_traffic() == {"blue": 100}
            assert engine.preview().is_empty
            assert "Microsoft.MachineLearningServices/workspaces" in stack.in_group()
            alone = LandedStack(azure, "alone", {})
            with pytest.raises(EngineRefused, match=r"rg-payments-alone .*AuthorizationFailed"):
                PulumiEngine(ROOT, "alone", alone.environment | pipeline).preview()
        finally:
            azure.stop()
