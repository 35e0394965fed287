"""Two identities of a pipeline on the real engine: one previews, the other deploys, each with its roles only."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from localazure.identity import SUBSCRIPTION_ID, TENANT_ID
from rollout.engine import PulumiEngine
from rollout.errors import EngineError
from tests.id_token_issuer import AUDIENCE, ISSUER, IdTokenIssuer
from tests.integration.rehearsal import ROOT, SLUICE, Azure

pytestmark = pytest.mark.integration
READER, CONTRIBUTOR = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c"
GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/team"
IDENTITIES = f"{GROUP}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
PROJECT = f"name: probe\nruntime: {{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}\n"
PROGRAM = """
from pulumi_azure_native import storage
storage.StorageAccount("account", account_name="teamstore", resource_group_name="team", location="westeurope",
                       kind="StorageV2", sku=storage.SkuArgs(name="Standard_LRS"))
"""


class Pipeline:
    """A repository whose jobs are known by their environment, and a stack in a folder."""

    def __init__(self, azure: Azure, issuer: IdTokenIssuer, folder: Path) -> None:
        self.azure, self.issuer, self.folder = azure, issuer, folder
        (folder / "state").mkdir()
        (folder / "Pulumi.yaml").write_text(PROJECT)
        (folder / "__main__.py").write_text(PROGRAM)
        azure.request("PUT", GROUP, {"location": "westeurope"}, "2021-04-01")
        self.shell = azure.environment() | {"PULUMI_BACKEND_URL": f"file://{folder / 'state'}"}
        PulumiEngine(folder, "dev", self.shell)._checked("stack", "init")

    def identity(self, environment: str, role: str) -> dict[str, str]:
        """Make an identity for the jobs of an environment, by ARM; returns the variables of such a job."""
        body: dict[str, Any] = {"location": "westeurope"}
        shown = self.azure.request("PUT", f"{IDENTITIES}/{environment}", body, "2023-01-31")[1]["properties"]
        properties = {"issuer": ISSUER, "subject": self.subject(environment), "audiences": [AUDIENCE]}
        credential = f"{IDENTITIES}/{environment}/federatedIdentityCredentials/github"
        assert self.azure.request("PUT", credential, {"properties": properties}, "2023-01-31")[0] == 201
        grant = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid4()}"
        properties = {"principalId": shown["principalId"], "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        assert self.azure.request("PUT", grant, {"properties": properties}, "2022-04-01")[0] == 201
        return {"AZURE_CLIENT_ID": shown["clientId"], "AZURE_TENANT_ID": TENANT_ID}

    @staticmethod
    def subject(environment: str) -> str:
        return f"repo:octo/models:environment:{environment}"

    def engine(self, environment: str, names: dict[str, str]) -> PulumiEngine:
        """The engine as a job of the environment runs it."""
        self.issuer.subject = self.subject(environment)
        return PulumiEngine(self.folder, "dev", self.shell | self.issuer.github() | names)


@pytest.fixture
def pipeline(tmp_path: Path) -> Iterator[Pipeline]:
    with IdTokenIssuer() as issuer:
        key = issuer.write_public_key(tmp_path / "key.pem")
        azure = Azure.started(tmp_path / "azure", "--compute", "simulated", f"--oidc-issuer={ISSUER}={key}")
        project = tmp_path / "project"
        project.mkdir()
        yield Pipeline(azure, issuer, project)
        azure.stop()


def test_one_identity_previews_and_only_the_other_deploys(pipeline: Pipeline) -> None:
    reader = pipeline.identity("dev-preview", READER)
    deployer = pipeline.identity("dev", CONTRIBUTOR)
    preview = pipeline.engine("dev-preview", reader).preview()
    assert [change.op for change in preview.changes if change.custom] == ["create"]
    with pytest.raises(EngineError, match=f"AuthorizationFailed.*{reader['AZURE_CLIENT_ID']}.*storageaccounts/write"):
        pipeline.engine("dev-preview", reader).up()
    with pytest.raises(EngineError, match="AADSTS700213"):
        pipeline.engine("dev-preview", deployer).up()
    pipeline.engine("dev", deployer).up()
    assert pipeline.engine("dev-preview", reader).preview().is_empty
    assert pipeline.engine("dev", deployer).preview().is_empty


def test_a_key_file_that_is_none_starts_nothing(tmp_path: Path) -> None:
    import subprocess

    words = ["local", "start", "--home", str(tmp_path / "home"), "--oidc-issuer", f"{ISSUER}=missing.pem"]
    done = subprocess.run([str(SLUICE), *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert f"{tmp_path / 'missing.pem'} cannot be read: No such file" in done.stderr
    assert not (tmp_path / "home" / "server.json").exists()
