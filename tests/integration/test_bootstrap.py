"""An environment from its bootstrap to its first update, on the real engine: the pipeline's identities have what they
need and nothing by which they could get more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from localazure.identity import SUBSCRIPTION_ID, TENANT_ID
from rehearsal.stack_copy import create_stack
from rollout.engine import PulumiEngine
from rollout.errors import EngineError
from rollout.events import Outcome
from tests.id_token_issuer import ISSUER, IdTokenIssuer
from tests.integration.rehearsal import ROOT, Azure, Stack

pytestmark = pytest.mark.integration
PREFIX = "repo:acme@1/models@2"
NAME = "payments-test"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/rg-payments-test"
OWNER, PULL = "8e3af657-a8ff-443c-a75c-2fe8c4bcb635", "7f951dda-4ed3-4680-a7ca-43fe172d538d"
CONFIG = {
    "azure-native:location": "westeurope",
    "bootstrap:team": "payments",
    "bootstrap:environment": "test",
    "bootstrap:github": {"subject_prefixes": [PREFIX]},
    "bootstrap:protect": False,
}
PROJECT = f"name: probe\nruntime: {{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}\n"
GRANTS = f"""
import json, pulumi, uuid
from pulumi_azure_native import authorization
role, principal, kind, scope = json.loads(pulumi.Config().require("grant"))
authorization.RoleAssignment(
    "grant", role_assignment_name=str(uuid.uuid5(uuid.NAMESPACE_URL, role + principal)), scope=scope,
    role_definition_id="/subscriptions/{SUBSCRIPTION_ID}/providers/Microsoft.Authorization/roleDefinitions/" + role,
    principal_id=principal, principal_type=kind)
"""


class Environment:
    """A bootstrapped environment, and engines that run as its identities."""

    def __init__(self, azure: Azure, issuer: IdTokenIssuer, folder: Path) -> None:
        self.azure, self.issuer, self.folder = azure, issuer, folder
        (folder / "state").mkdir()
        self.shell = azure.environment() | {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
        project = folder / "bootstrap"
        project.mkdir()
        (project / "Pulumi.yaml").write_text("name: sluice-bootstrap\nruntime: python\n")
        file = project / f"Pulumi.{NAME}.yaml"
        file.write_text(yaml.safe_dump({"config": CONFIG}))
        create_stack(project, NAME, self.shell)
        own = self.shell | {"PULUMI_OPTION_CONFIG_FILE": str(file)}
        self.engine = PulumiEngine(ROOT / "bootstrap", NAME, own)
        self.engine.up()
        self.outputs = self.engine.outputs()

    def names(self, job: str) -> dict[str, str]:
        """The variables of a pipeline's job, whose ID token the issuer then gives."""
        self.issuer.subject = f"{PREFIX}:environment:{NAME}{'-preview' if job == 'preview' else ''}"
        client = {"AZURE_CLIENT_ID": self.outputs[f"{job}_client_id"], "AZURE_TENANT_ID": TENANT_ID}
        return self.issuer.github() | client

    def grant(self, role: str, principal: str, kind: str, scope: str = GROUP) -> Outcome:
        """Assign a role as the deploying identity."""
        project = self.folder / role / kind
        project.mkdir(parents=True, exist_ok=True)
        (project / "Pulumi.yaml").write_text(PROJECT)
        (project / "__main__.py").write_text(GRANTS)
        create_stack(project, "dev", self.shell)
        engine = PulumiEngine(project, "dev", self.shell | self.names("deploy"))
        engine.config_set("probe:grant", json.dumps([role, principal, kind, scope]))
        return engine.up()


@pytest.fixture(scope="module")
def environment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Environment]:
    folder = tmp_path_factory.mktemp("bootstrap")
    with IdTokenIssuer() as issuer:
        key = issuer.write_public_key(folder / "key.pem")
        azure = Azure.started(folder / "azure", "--compute", "simulated", f"--oidc-issuer={ISSUER}={key}")
        yield Environment(azure, issuer, folder)
        azure.stop()


def test_a_second_update_of_a_bootstrap_changes_nothing(environment: Environment) -> None:
    assert environment.engine.preview().is_empty
    assert environment.engine.preview(refresh=True).is_empty
    assert environment.outputs["resource_group"] == GROUP
    assert environment.outputs["backend"].startswith("azblob://state?storage_account=stpayments")
    assert environment.outputs["secrets_provider"].endswith(".vault.localhost/keys/pulumi-secrets")


@pytest.mark.parametrize(
    ("role", "principal", "kind", "scope"),
    [
        (OWNER, "11111111-1111-4111-8111-111111111111", "ServicePrincipal", GROUP),
        (PULL, "11111111-1111-4111-8111-111111111111", "User", GROUP),
        (PULL, "11111111-1111-4111-8111-111111111111", "ServicePrincipal", f"/subscriptions/{SUBSCRIPTION_ID}"),
    ],
    ids=["an owner", "a person", "outside the group"],
)
def test_who_deploys_cannot_give_rights_that_the_stack_does_not_give(
    environment: Environment, role: str, principal: str, kind: str, scope: str
) -> None:
    with pytest.raises(EngineError, match=r"AuthorizationFailed.*roleassignments/(write|read)"):
        environment.grant(role, principal, kind, scope)


def test_who_deploys_gives_identities_the_roles_of_the_stack(environment: Environment) -> None:
    granted = environment.grant(PULL, "22222222-2222-4222-8222-222222222222", "ServicePrincipal")
    assert [change.op for change in granted.done if change.type.endswith(":RoleAssignment")] == ["create"]


def test_the_program_runs_as_the_pipelines_identities_in_the_group_that_bootstrap_made(
    environment: Environment,
) -> None:
    stack = Stack(environment.azure, NAME)

    def edit(config: dict[str, Any]) -> None:
        config["sluice:environment"] = "test"
        config["sluice:existing"] = {"resource_group": GROUP}
        config["sluice:endpoints"] = {"fraud-detection": {}}  # a deployment would have to be published first
        config.pop("sluice:rollout", None)

    stack.edit(edit)
    preview = PulumiEngine(ROOT, NAME, stack.environment | environment.names("preview"))
    assert {change.op for change in preview.preview().changes if change.custom} == {"create"}
    with pytest.raises(EngineError, match=r"AuthorizationFailed"):
        preview.up()
    deploy = PulumiEngine(ROOT, NAME, stack.environment | environment.names("deploy"))
    deploy.up()
    assert deploy.preview().is_empty
    environment.names("preview")
    assert preview.preview().is_empty
    environment.names("deploy")
    deploy.destroy()


def test_a_bootstrap_is_destroyed_to_nothing(environment: Environment) -> None:
    """The last test of the module."""
    environment.engine.destroy()
    for group in (GROUP, f"{GROUP}-bootstrap"):
        assert environment.azure.request("GET", group, api_version="2021-04-01")[0] == 404
