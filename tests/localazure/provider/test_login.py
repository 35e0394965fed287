"""Which login the stand-in takes, and what it sends."""

import urllib.parse

import pytest

from localazure.provider.arm_client import Surroundings
from localazure.provider.errors import PluginError
from localazure.provider.login import ManagedIdentity, TokenFile, login_of

SHELL = {"IDENTITY_ENDPOINT": "http://localhost:2/msi/token", "IDENTITY_HEADER": "local"}
PIPELINE = {
    "AZURE_FEDERATED_TOKEN_FILE": "/run/token",
    "AZURE_CLIENT_ID": "client",
    "AZURE_TENANT_ID": "tenant",
    "AZURE_TOKEN_CREDENTIALS": "WorkloadIdentityCredential",
    "ARM_USE_DEFAULT_AZURE_CREDENTIAL": "true",
}
BASE = "https://localhost:1"


def test_a_pipelines_variables_lead_to_its_token_file():
    assert isinstance(login_of(SHELL | PIPELINE, BASE), TokenFile)
    assert isinstance(login_of(SHELL | PIPELINE | {"AZURE_TOKEN_CREDENTIALS": ""}, BASE), TokenFile)


@pytest.mark.parametrize(
    "change",
    [
        {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"},
        *({name: ""} for name in PIPELINE if name != "AZURE_TOKEN_CREDENTIALS"),
    ],
)
def test_every_other_shell_is_its_managed_identity(change):
    assert login_of(SHELL | PIPELINE | change, BASE) == ManagedIdentity("http://localhost:2/msi/token", "local")


def test_the_file_is_read_for_every_token(tmp_path):
    login = TokenFile(BASE, tmp_path / "token", "client", "tenant")
    for text in ("first", "second\n"):
        login.file.write_text(text)
        method, url, body, _ = login.request(f"{BASE}/")
        form = dict(urllib.parse.parse_qsl(body.decode()))
        assert (method, url) == ("POST", f"{BASE}/tenant/oauth2/v2.0/token")
        assert (form["client_assertion"], form["scope"]) == (text.strip(), f"{BASE}/.default")


def test_a_file_that_is_gone_is_named(tmp_path):
    with pytest.raises(PluginError, match=r"AZURE_FEDERATED_TOKEN_FILE .* cannot be read: No such file"):
        TokenFile(BASE, tmp_path / "none", "client", "tenant").request(BASE)


def test_the_surroundings_carry_the_login():
    environment = SHELL | PIPELINE | {"SLUICE_LOCAL_ARM": f"{BASE}/"}
    assert Surroundings.from_environment(environment).login == login_of(environment, BASE)
