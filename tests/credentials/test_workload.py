"""Which login a set of variables means."""

import pytest

from command_errors import UsageError
from credentials.login import azure_credential, login_fix
from credentials.workload import OTHER_LOGINS, workload_of

GITHUB = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://host/token?v=1", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t"}
NAMED = {"AZURE_CLIENT_ID": "client", "AZURE_TENANT_ID": "tenant"}
DEVOPS = {
    "SYSTEM_OIDCREQUESTURI": "https://host/oidctoken",
    "SYSTEM_ACCESSTOKEN": "t",
    "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "connection",
    "AZURESUBSCRIPTION_CLIENT_ID": "theirs",
    "AZURESUBSCRIPTION_TENANT_ID": "tenant",
}


def test_a_job_with_id_tokens_and_a_named_identity_is_a_workload():
    found = workload_of(GITHUB | NAMED)
    assert (found.client_id, found.tenant_id) == ("client", "tenant")


def test_azure_pipelines_names_the_identity_of_the_service_connection_and_a_step_may_name_another():
    assert workload_of(DEVOPS).client_id == "theirs"
    assert workload_of(DEVOPS | NAMED).client_id == "client"


@pytest.mark.parametrize("environment", [{}, NAMED, GITHUB, *(GITHUB | NAMED | {name: "x"} for name in OTHER_LOGINS)])
def test_every_other_login_is_left_to_the_library(environment):
    from azure.identity import DefaultAzureCredential

    assert workload_of(environment) is None
    with azure_credential(environment) as credential:
        assert isinstance(credential, DefaultAzureCredential)


@pytest.mark.parametrize("name", list(NAMED))
def test_half_of_an_identity_is_an_error_that_names_the_other_half(name):
    (other,) = NAMED.keys() - {name}
    with pytest.raises(UsageError, match=f"{other} is not set"):
        workload_of(GITHUB | {name: "x"})


@pytest.mark.parametrize(
    ("environment", "said", "fix"),
    [
        ({}, "AADSTS700213: No matching", "az login"),
        (GITHUB | NAMED, "AADSTS700213: No matching", "exactly this issuer, subject and audience"),
        (GITHUB | NAMED, "AADSTS7002138: No matching", "capital letters too"),
        (GITHUB | NAMED, "AADSTS700024: not within", "clock of the runner"),
        (GITHUB | NAMED, "AADSTS700016: not found", "AZURE_TENANT_ID"),
        (GITHUB | NAMED, "no connection", "docs/state.md"),
    ],
)
def test_the_fix_of_a_refused_login_is_that_of_its_place(environment, said, fix):
    assert fix in login_fix(environment, said)
