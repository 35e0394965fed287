"""The product's credentials against the local token service, from the ID token to a request that a role permits."""

import uuid

import pytest

from command_errors import CommandError, UnavailableError
from credentials.engine_login import engine_environment
from credentials.login import azure_credential
from localazure import identity
from resource_manager.client import ArmClient
from tests.id_token_issuer import AUDIENCE, ISSUER, SUBJECT, IdTokenIssuer
from tests.localazure.conftest import FakePlane, LocalAzure
from tests.localazure.platform_bodies import GROUP, PROVIDERS

pytestmark = pytest.mark.integration
OWN = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"
READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"
SCOPE = "https://management.azure.com/.default"


class Job:
    """A pipeline's job: its issuer, its identity on a local Azure, and the variables of its steps."""

    def __init__(self, azure, issuer):
        self.azure, self.issuer = azure, issuer
        azure.request("PUT", GROUP, {"location": "westeurope"})
        shown = azure.request("PUT", OWN, {"location": "westeurope"}, "2023-01-31").json()["properties"]
        self.object_id = shown["principalId"]
        properties = {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}
        azure.request("PUT", f"{OWN}/federatedIdentityCredentials/job", {"properties": properties}, "2023-01-31")
        self.login = {
            "AZURE_CLIENT_ID": shown["clientId"],
            "AZURE_TENANT_ID": identity.TENANT_ID,
            "AZURE_AUTHORITY_HOST": azure.https,
            "ARM_DISABLE_INSTANCE_DISCOVERY": "true",
            "ARM_CLOUD_METADATA_URL": f"{azure.https}/metadata/endpoints?api-version=2019-05-01",
            "SSL_CERT_FILE": azure.trust,
            "REQUESTS_CA_BUNDLE": azure.trust,
        }

    def grant(self, role):
        path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
        properties = {"principalId": self.object_id, "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        assert self.azure.request("PUT", path, {"properties": properties}, "2022-04-01").ok


@pytest.fixture
def job(tmp_path, monkeypatch):
    with IdTokenIssuer() as issuer:
        azure = LocalAzure(tmp_path / "home", FakePlane(), oidc_keys={ISSUER: issuer.public_key})
        made = Job(azure, issuer)
        for name, value in made.login.items():
            monkeypatch.setenv(name, value)
        yield made
        azure.close()


@pytest.fixture(params=["github", "azure_devops"])
def variables(request, job, monkeypatch):
    """The variables of one of the two systems, set."""
    given = getattr(job.issuer, request.param)()
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    return given


def test_a_job_of_either_system_reads_azure_with_its_identitys_role(job, variables):
    with pytest.raises(CommandError, match="AuthorizationFailed: The client"):
        ArmClient().get(GROUP, "2021-04-01")
    job.grant(READER)
    found = ArmClient().get(GROUP, "2021-04-01")
    assert found is not None
    assert found["id"] == GROUP


def test_every_new_access_token_rests_on_a_new_id_token(job, variables):
    credential = azure_credential()
    first = credential.get_token(SCOPE)
    assert credential.get_token(SCOPE).token == first.token
    assert len(job.issuer.issued) == 1, "a token that lasts is kept"
    credential.get_token("https://storage.azure.com/.default")
    assert len(job.issuer.issued) == 2
    assert len(set(job.issuer.issued)) == 2


def test_an_expired_id_token_is_an_error_with_entras_own_words(job, variables):
    job.issuer.seconds = -1
    with pytest.raises(UnavailableError, match=r"AADSTS700024: Client assertion is not within its valid time range"):
        ArmClient().get(GROUP, "2021-04-01")


def test_an_id_token_of_another_environment_is_an_error_that_names_its_subject(job, variables):
    job.issuer.subject = SUBJECT.replace("prod", "dev")
    with pytest.raises(UnavailableError, match=r"AADSTS700213: .*environment:dev"):
        ArmClient().get(GROUP, "2021-04-01")


def test_without_an_id_token_the_error_names_the_permission(job, monkeypatch):
    for name, value in job.issuer.github().items():
        monkeypatch.setenv(name, value)
    job.issuer.answers = [403]
    with pytest.raises(UnavailableError, match=r"GitHub gave no ID token .*id-token: write"):
        ArmClient().get(GROUP, "2021-04-01")


def test_the_engines_token_file_logs_in_with_the_librarys_workload_credential(job, variables):
    from azure.identity import WorkloadIdentityCredential

    with engine_environment(variables | job.login) as environment:
        given = {
            "client_id": environment["AZURE_CLIENT_ID"],
            "tenant_id": environment["AZURE_TENANT_ID"],
            "token_file_path": environment["AZURE_FEDERATED_TOKEN_FILE"],
        }
        with WorkloadIdentityCredential(**given, disable_instance_discovery=True) as credential:
            token = credential.get_token(SCOPE)
    claims = identity.read_token(token.token, job.azure._server._plane.token_secret)
    assert claims["oid"] == job.object_id
