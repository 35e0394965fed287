"""The token service as MSAL and az use it: device code, who the user is, and refusals that are JSON."""

import base64
import json

import pytest
import requests

from localazure import identity
from tests.waiting import HANGS

SCOPE = "https://localhost:1//.default offline_access openid profile"
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"


def ask(azure, method, path, form=None):
    return requests.request(method, f"{azure.https}{path}", data=form, verify=azure.trust, timeout=HANGS)


def read(part):
    return json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))


def test_a_device_code_signs_in_at_once_and_names_the_user(shared_azure):
    code = ask(shared_azure, "POST", "/organizations/oauth2/v2.0/devicecode", {"client_id": "c", "scope": SCOPE}).json()
    assert code["message"] == "The local Azure signs you in at once."
    assert {"user_code", "device_code", "verification_uri", "expires_in", "interval"} <= set(code)
    form = {"grant_type": DEVICE_GRANT, "client_id": "c", "device_code": code["device_code"]}
    token = ask(shared_azure, "POST", "/organizations/oauth2/v2.0/token", form).json()
    claims = read(token["access_token"].split(".")[1])
    assert claims["aud"] == "https://localhost:1/"
    who = read(token["id_token"].split(".")[1])
    assert (who["aud"], who["tid"], who["oid"]) == ("c", identity.TENANT_ID, identity.CALLER_OBJECT_ID)
    assert who["preferred_username"]
    assert read(token["client_info"]) == {"uid": identity.CALLER_OBJECT_ID, "utid": identity.TENANT_ID}
    again = {"grant_type": "refresh_token", "refresh_token": token["refresh_token"], "scope": SCOPE, "client_id": "c"}
    assert "id_token" in ask(shared_azure, "POST", f"/{identity.TENANT_ID}/oauth2/v2.0/token", again).json()


def test_an_application_gets_a_token_and_nothing_about_a_person(shared_azure):
    form = {"grant_type": "client_credentials", "client_id": "c", "client_secret": "s", "scope": "https://x/.default"}
    token = ask(shared_azure, "POST", f"/{identity.TENANT_ID}/oauth2/v2.0/token", form).json()
    assert set(token) == {"token_type", "expires_in", "ext_expires_in", "access_token"}


def test_msal_signs_in_by_device_code(shared_azure, monkeypatch):
    """The library that az signs in with."""
    from msal import PublicClientApplication

    monkeypatch.setenv("REQUESTS_CA_BUNDLE", shared_azure.trust)
    authority = f"{shared_azure.https}/organizations"
    application = PublicClientApplication("c", authority=authority, instance_discovery=False)
    flow = application.initiate_device_flow(["https://localhost:1//.default"])
    result = application.acquire_token_by_device_flow(flow)
    assert "access_token" in result, result
    (account,) = application.get_accounts()
    assert account["username"] == result["id_token_claims"]["preferred_username"]


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/common/oauth2/v2.0/authorize?response_type=code", 400, "unsupported_response_type"),
        ("POST", "/common/oauth2/v2.0/devicecode", 400, "invalid_request"),
        ("POST", "/common/oauth2/v2.0/token", 400, "invalid_request"),
        ("POST", "/common/oauth2/v2.0/logout", 501, "NotEmulated"),
        ("GET", "/organizations/oauth2", 501, "NotEmulated"),
        ("GET", "/common/discovery/keys", 501, "NotEmulated"),
        ("GET", "/common/discovery/v2.0/keys", 501, "NotEmulated"),
    ],
)
def test_what_it_does_not_serve_is_refused_in_the_words_of_a_token_service(shared_azure, method, path, status, code):
    answer = ask(shared_azure, method, path)
    assert (answer.status_code, answer.json()["error"]) == (status, code)
    assert answer.json()["error_description"]


def test_instance_discovery_names_this_server_only(shared_azure):
    document = ask(shared_azure, "GET", "/common/discovery/instance?api-version=1.1").json()
    assert document["tenant_discovery_endpoint"].startswith(f"{shared_azure.https}/common/")
    assert document["metadata"][0]["aliases"] == [shared_azure.https.removeprefix("https://")]
