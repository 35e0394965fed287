"""A pipeline's identity from its ID token to its rights, with the unmodified azure-identity and azure-storage-blob."""

import asyncio
import concurrent.futures
import threading

import pytest
import requests

from localazure import identity
from tests.id_token_issuer import AUDIENCE, ISSUER, SUBJECT, IdTokenIssuer
from tests.localazure.platform_bodies import GROUP, PROVIDERS, SUBSCRIPTION
from tests.localazure.storage.accounts import STORAGE, make_account
from tests.waiting import HANGS

pytestmark = pytest.mark.integration
OWN = f"{PROVIDERS}/Microsoft.ManagedIdentity/userAssignedIdentities/deploy"
CREDENTIAL = f"{OWN}/federatedIdentityCredentials/github-prod"
BODY = {"properties": {"issuer": ISSUER, "subject": SUBJECT, "audiences": [AUDIENCE]}}
READER, CONTRIBUTOR = "acdd72a7-3385-48ef-bd42-f606fba81ae7", "b24988ac-6180-42a0-ab88-20f7382dd24c"
BLOB_WRITER = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
VERSION = "2023-01-31"


class Federation:
    """A local Azure, an issuer that it knows, and a managed identity with a federated credential."""

    def __init__(self, azure, issuer):
        self.azure, self.issuer = azure, issuer
        azure.request("PUT", GROUP, {"location": "westeurope"})
        shown = azure.request("PUT", OWN, {"location": "westeurope"}, VERSION).json()["properties"]
        self.client_id, self.object_id = shown["clientId"], shown["principalId"]
        self.federate(CREDENTIAL)

    def federate(self, path=CREDENTIAL, **changes):
        answer = self.azure.request("PUT", path, {"properties": BODY["properties"] | changes}, VERSION)
        assert answer.status_code in (200, 201), answer.text
        return answer

    def grant(self, role, scope, **more):
        path = f"{scope}/providers/Microsoft.Authorization/roleAssignments/{role}"
        properties = {"principalId": self.object_id, "roleDefinitionId": f"/x/roleDefinitions/{role}", **more}
        assert self.azure.request("PUT", path, {"properties": properties}, "2022-04-01").status_code == 201

    def exchange(self, assertion=None, **form):
        """The token service's answer to an assertion."""
        whole = {
            "grant_type": "client_credentials",
            "client_id": self.client_id,
            "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
            "client_assertion": assertion or self.issuer.mint(),
            "scope": "https://management.azure.com/.default",
        }
        url = f"{self.azure.https}/{identity.TENANT_ID}/oauth2/v2.0/token"
        return requests.post(url, data=whole | form, verify=self.azure.trust, timeout=HANGS)

    def ask(self, method, path, token, body=None, version="2021-04-01"):
        """One request to Resource Manager with the identity's token."""
        return requests.request(
            method,
            f"{self.azure.https}{path}",
            params={"api-version": version},
            json=body,
            headers={"Authorization": f"Bearer {token}"},
            verify=self.azure.trust,
            timeout=HANGS,
        )


@pytest.fixture
def federation(start_local_azure):
    with IdTokenIssuer() as issuer:
        yield Federation(start_local_azure(oidc_keys={ISSUER: issuer.public_key}), issuer)


@pytest.mark.proves("switches", honours=["--oidc-issuer"])
@pytest.mark.proves(
    "federatedIdentityCredentials",
    honours=["properties.issuer", "properties.subject", "properties.audiences"],
)
def test_an_id_token_becomes_a_token_of_the_identity_and_its_differences_are_refused(federation):
    answer = federation.exchange()
    assert answer.status_code == 200
    claims = identity.read_token(answer.json()["access_token"], _secret(federation))
    assert (claims["appid"], claims["oid"]) == (federation.client_id, federation.object_id)
    assert answer.json()["expires_in"] == identity.WORKLOAD_TOKEN_SECONDS - 1
    for change, code in (
        ({"issuer": "https://vstoken.dev.azure.com/x"}, 700211),
        ({"subject": SUBJECT.replace("octo", "Octo")}, 7002138),
        ({"subject": SUBJECT.replace("prod", "dev")}, 700213),
        ({"audiences": ["api://other"]}, 700212),
    ):
        federation.federate(**change)
        refused = federation.exchange()
        assert (refused.status_code, refused.json()["error_codes"]) == (401, [code])
        assert refused.json()["error_description"].startswith(f"AADSTS{code}: ")
    federation.federate()
    assert federation.exchange(client_id=identity.CLIENT_ID).json()["error_codes"] == [700016]
    expired = federation.issuer.mint(exp=int(federation.issuer.clock()) - 1)
    assert federation.exchange(expired).json()["error_codes"] == [700024]


def _secret(federation):
    return federation.azure._server._plane.token_secret


def test_the_identity_does_in_resource_manager_what_its_roles_permit_and_no_more(federation):
    token = federation.exchange().json()["access_token"]
    make_account(federation.azure)
    refused = federation.ask("GET", STORAGE, token, version="2023-01-01")
    assert refused.status_code == 403
    assert refused.json()["error"]["code"] == "AuthorizationFailed"
    assert f"object id '{federation.object_id}'" in refused.json()["error"]["message"]
    assert federation.ask("GET", f"{SUBSCRIPTION}/resourceGroups", token).json()["value"] == []

    federation.grant(READER, GROUP)
    assert federation.ask("GET", STORAGE, token, version="2023-01-01").status_code == 200
    shown = federation.ask("GET", f"{SUBSCRIPTION}/resourceGroups", token).json()["value"]
    assert [group["name"] for group in shown] == [GROUP.rpartition("/")[2]]
    assert federation.ask("DELETE", STORAGE, token, version="2023-01-01").status_code == 403
    body = {"location": "westeurope", "tags": {"a": "b"}}
    assert federation.ask("PUT", GROUP, token, body).status_code == 403

    federation.grant(CONTRIBUTOR, GROUP)
    assert federation.ask("PUT", GROUP, token, body).status_code == 200
    assert federation.ask("PUT", f"{SUBSCRIPTION}/resourceGroups/other", token, body).status_code == 403
    grant = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{BLOB_READER}"
    properties = {"principalId": federation.object_id, "roleDefinitionId": f"/x/roleDefinitions/{BLOB_READER}"}
    own_role = federation.ask("PUT", grant, token, {"properties": properties}, "2022-04-01")
    assert own_role.status_code == 403, "a contributor gives no roles"
    assert federation.azure.request("DELETE", STORAGE).status_code == 200, "the caller keeps all rights"


def test_an_identity_may_ask_what_it_may_do_on_a_scope(federation):
    token = federation.exchange().json()["access_token"]
    make_account(federation.azure)
    federation.grant(READER, GROUP)
    federation.grant(CONTRIBUTOR, STORAGE)

    def allowed(scope: str) -> list[tuple[list[str], list[str]]]:
        path = f"{scope}/providers/Microsoft.Authorization/permissions"
        shown = federation.ask("GET", path, token, version="2022-04-01").json()["value"]
        return sorted((one["actions"], one["notActions"]) for one in shown)

    assert allowed(GROUP) == [(["*/read"], [])]
    taken = ["microsoft.authorization/*/delete", "microsoft.authorization/*/write"]
    assert allowed(STORAGE) == [(["*"], taken), (["*/read"], [])]
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/permissions"
    own = federation.azure.request("GET", path, version="2022-04-01").json()["value"]
    assert own == [{"actions": ["*"], "notActions": [], "dataActions": [], "notDataActions": []}]


@pytest.mark.proves("roleAssignments", honours=["properties.condition"])
@pytest.mark.proves("roleDefinitions", honours=["properties.permissions"])
def test_a_condition_restricts_the_roles_that_the_identity_gives_and_a_custom_role_permits_its_actions(federation):
    token = federation.exchange().json()["access_token"]
    of_assignments = "Microsoft.Authorization/roleAssignments"
    only_blob_readers = " AND ".join(
        f"(!(ActionMatches{{'{of_assignments}/{verb}'}}) OR @{source}[{of_assignments}:RoleDefinitionId] "
        f"ForAnyOfAnyValues:GuidEquals {{{BLOB_READER}}})"
        for verb, source in (("write", "Request"), ("delete", "Resource"))
    )
    administrator, owner = "f58310d9-a9f6-439a-9e8d-f62e7b41a168", "8e3af657-a8ff-443c-a75c-2fe8c4bcb635"
    federation.grant(administrator, GROUP, condition=only_blob_readers, conditionVersion="2.0")
    base = f"{GROUP}/providers/{of_assignments}"

    def give(role, method="PUT"):
        properties = {"principalId": federation.object_id, "roleDefinitionId": f"/x/roleDefinitions/{role}"}
        return federation.ask(method, f"{base}/{role}", token, {"properties": properties}, "2022-04-01").status_code

    assert (give(BLOB_READER), give(owner), give(administrator)) == (201, 403, 403)
    assert (give(administrator, "DELETE"), give(BLOB_READER, "DELETE")) == (403, 200)
    assert federation.ask("GET", f"{base}/{administrator}", token, version="2022-04-01").status_code == 200

    assert federation.ask("PUT", f"{GROUP}", token, {"location": "westeurope"}).status_code == 403
    custom = "00000000-0000-4000-8000-00000000c001"
    path = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{custom}"
    permissions = [{"actions": ["Microsoft.Resources/*"], "notActions": ["Microsoft.Resources/*/delete"]}]
    sent = {"properties": {"roleName": "Groups", "assignableScopes": [GROUP], "permissions": permissions}}
    assert federation.azure.request("PUT", path, sent, "2022-05-01-preview").status_code == 201
    federation.grant(custom, GROUP)
    assert federation.ask("PUT", f"{GROUP}", token, {"location": "westeurope"}).status_code == 200
    assert federation.ask("DELETE", f"{GROUP}", token).status_code == 403


def test_the_identity_reads_and_writes_blobs_with_its_own_roles_only(federation, monkeypatch):
    from azure.core.exceptions import HttpResponseError
    from azure.identity import ClientAssertionCredential
    from azure.storage.blob import BlobServiceClient

    url = make_account(federation.azure)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", federation.azure.trust)
    with (
        ClientAssertionCredential(
            identity.TENANT_ID,
            federation.client_id,
            federation.issuer.mint,
            authority=federation.azure.https,
            disable_instance_discovery=True,
        ) as credential,
        BlobServiceClient(url, credential) as service,
    ):
        federation.grant(CONTRIBUTOR, GROUP)
        with pytest.raises(HttpResponseError) as caught:
            service.create_container("box")
        assert caught.value.error_code == "AuthorizationPermissionMismatch", "Contributor is not a data role"
        federation.grant(BLOB_READER, STORAGE)
        assert list(service.list_containers()) == []
        for name in ("own", "others"):
            path = f"{STORAGE}/blobServices/default/containers/{name}"
            assert federation.azure.request("PUT", path, {}, "2023-01-01").status_code == 201
        federation.grant(BLOB_WRITER, f"{STORAGE}/blobServices/default/containers/own")
        service.get_blob_client("own", "state.json").upload_blob(b"{}")
        with pytest.raises(HttpResponseError) as caught:
            service.get_blob_client("others", "state.json").upload_blob(b"{}")
        assert caught.value.error_code == "AuthorizationPermissionMismatch"
        with pytest.raises(HttpResponseError) as caught:
            service.create_container("box")
        assert caught.value.error_code == "AuthorizationPermissionMismatch"
    headers = {"Authorization": "Bearer x"}
    made = requests.put(
        f"{url}box", params={"restype": "container"}, headers=headers, verify=federation.azure.trust, timeout=HANGS
    )
    assert made.status_code == 201, "the caller keeps all rights"


def test_an_old_token_of_the_identity_is_not_taken_for_the_callers(federation):
    federation.grant(CONTRIBUTOR, GROUP)
    token = federation.exchange().json()["access_token"]
    url = make_account(federation.azure)
    federation.azure.shift_clock(identity.WORKLOAD_TOKEN_SECONDS + 1)
    old = federation.ask("GET", GROUP, token)
    assert (old.status_code, old.json()["error"]["code"]) == (401, "ExpiredAuthenticationToken")
    headers = {"Authorization": f"Bearer {token}"}
    blobs = requests.get(f"{url}?comp=list", headers=headers, verify=federation.azure.trust, timeout=HANGS)
    assert (blobs.status_code, blobs.headers["x-ms-error-code"]) == (401, "InvalidAuthenticationInfo")


@pytest.mark.proves(
    "federatedIdentityCredentials",
    refuses=["name", "properties.issuer", "properties.subject", "properties.audiences"],
)
def test_credentials_that_azure_would_not_take_are_refused(federation):
    def status(path=CREDENTIAL, **changes):
        sent = {"properties": BODY["properties"] | changes}
        return federation.azure.request("PUT", path, sent, VERSION).status_code

    assert status(issuer="http://token.actions.githubusercontent.com") == 400
    assert status(issuer=None) == 400
    assert status(subject="") == 400
    assert status(audiences=["a", "b"]) == 400
    assert status(audiences=[]) == 400
    assert status(f"{OWN}/federatedIdentityCredentials/ab") == 400
    assert status(f"{OWN}/federatedIdentityCredentials/second") == 409, "the same issuer and subject"
    for number in range(19):
        assert status(f"{OWN}/federatedIdentityCredentials/number{number}", subject=f"s{number}") == 201
    assert status(f"{OWN}/federatedIdentityCredentials/one-more", subject="more") == 400


def test_a_write_while_another_of_the_identity_is_not_answered_is_a_conflict(federation):
    behaviour = federation.azure._server._plane.behaviour(
        "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials"
    )
    reached, goes_on = threading.Event(), threading.Event()

    async def held():
        reached.set()
        await asyncio.to_thread(goes_on.wait, HANGS)

    behaviour.pause = held
    second = f"{OWN}/federatedIdentityCredentials/github-dev"
    body = {"properties": BODY["properties"] | {"subject": "other"}}
    with concurrent.futures.ThreadPoolExecutor() as pool:
        first = pool.submit(federation.azure.request, "PUT", CREDENTIAL, BODY, VERSION)
        assert reached.wait(HANGS)
        for method in ("PUT", "DELETE"):
            conflict = federation.azure.request(method, second, body, VERSION)
            assert conflict.status_code == 409
            code = "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity"
            assert conflict.json()["error"]["code"] == code
        goes_on.set()
        assert first.result(HANGS).status_code == 200
    assert federation.azure.request("PUT", second, body, VERSION).status_code == 201
