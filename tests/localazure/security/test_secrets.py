"""Keys and tokens: compared in constant time, never in a log, never in files that others can read."""

from __future__ import annotations

import ast
import logging
import re
from pathlib import Path
from typing import Any

import pytest

from localazure import identity
from localazure.scoring import authorization
from localazure.scoring.specification import EndpointRouting

ROOT = Path(__file__).parents[3] / "localazure"
SECRET_WORDS = re.compile(r"token|key\b|secret|signature|credential", re.IGNORECASE)


def test_secrets_are_compared_in_constant_time_only() -> None:
    """In every module that decides by a secret: no == on something that is named like one."""
    suspicious = []
    for path in (
        ROOT / "server.py",
        ROOT / "identity.py",
        *ROOT.glob("scoring/auth*.py"),
        ROOT / "storage" / "signatures.py",
    ):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Compare) and any(isinstance(one, ast.Eq | ast.NotEq) for one in node.ops):
                sides = [ast.unparse(side) for side in (node.left, *node.comparators)]
                literal = any(isinstance(side, ast.Constant) for side in (node.left, *node.comparators))
                if not literal and all(SECRET_WORDS.search(side) for side in sides):
                    suspicious.append(f"{path.name}:{node.lineno}: {ast.unparse(node)}")
    assert suspicious == []


def test_both_keys_are_compared_even_if_the_first_one_matches(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    compare = authorization.hmac.compare_digest
    monkeypatch.setattr(authorization.hmac, "compare_digest", lambda a, b: calls.append(1) or compare(a, b))
    routing = EndpointRouting(endpoint="e", primary_key="one", secondary_key="two")
    for given in ("one", "two"):
        authorization.check(routing, f"Bearer {given}")
    assert len(calls) == 4


def test_a_routing_does_not_show_its_keys() -> None:
    assert "one" not in repr(EndpointRouting(endpoint="e", primary_key="one", secondary_key="two"))


@pytest.mark.integration
def test_a_session_leaves_no_key_or_token_in_any_log(quiet: Any) -> None:
    group = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
    here = {"location": "westeurope"}
    root = logging.getLogger()
    level = root.level
    root.setLevel(logging.DEBUG)  # more than anybody would switch on
    secrets = ["caller-token-in-header", "given-primary-key", "signature-in-query"]
    try:
        bearer = {"Authorization": f"Bearer {secrets[0]}"}
        token = quiet.request("GET", "/msi/token?resource=https://management.azure.com", X_IDENTITY_HEADER="x").json
        form = b"scope=https://management.azure.com/.default&client_secret=client-secret-in-form"
        login = quiet.request(
            "POST", "/common/oauth2/v2.0/token", form, Content_Type="application/x-www-form-urlencoded"
        )
        secrets += [token["access_token"], login.json["access_token"], "client-secret-in-form"]
        for name, mode in (("keyed", "Key"), ("token", "AMLToken")):
            keys = {"primaryKey": secrets[1], "secondaryKey": "given-secondary-key"} if mode == "Key" else None
            body = here | {"properties": {"authMode": mode, "keys": keys}}
            quiet.arm("PUT", f"{workspace}/onlineEndpoints/{name}", body, **bearer)
            answer = quiet.arm(
                "POST", f"{workspace}/onlineEndpoints/{name}/{'listKeys' if mode == 'Key' else 'token'}", {}
            )
            secrets += [value for value in answer.json.values() if isinstance(value, str) and len(value) > 12]
        quiet.arm(
            "POST",
            f"{workspace}/onlineEndpoints/keyed/regenerateKeys",
            {"keyType": "Primary", "keyValue": "new-key-value"},
        )
        account = f"{group}/providers/Microsoft.Storage/storageAccounts/stacc1"
        secrets += [key["value"] for key in quiet.arm("POST", f"{account}/listKeys").json["keys"]]
        secrets += ["new-key-value", (quiet.home / "control.token").read_text()]
        for secret in secrets:
            quiet.request("POST", "/endpoints/keyed/score", b"{}", Authorization=f"Bearer {secret}")
            quiet.request("GET", f"/stacc1/box/a?sig={secrets[2]}&se=2030", None)
            quiet.request("POST", "/_local/faults", {"kind": "x"}, X_Local_Token=f"{secret}x")
            quiet.request("GET", f"{group}?api-version=x&sig={secrets[2]}", None, Authorization=f"Bearer {secret}")
    finally:
        root.setLevel(level)
    written = "\n".join(quiet.recorder.text)
    status = quiet.request("GET", "/_local/status").content.decode()
    assert len(set(secrets)) > 9
    for secret in secrets:
        assert secret not in written
        assert secret not in status
    assert "Bearer" not in written


@pytest.mark.integration
def test_the_secrets_of_a_datastore_are_given_by_their_action_alone(quiet: Any) -> None:
    group = f"/subscriptions/{identity.SUBSCRIPTION_ID}/resourceGroups/rg1"
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/ws1"
    kinds: dict[str, dict[str, Any]] = {
        "AccountKey": {"key": "c2VjcmV0LWFjY291bnQta2V5"},
        "Sas": {"sasToken": "sv=secret-sas-token"},
        "ServicePrincipal": {"clientSecret": "secret-of-a-principal"},
        "Certificate": {"certificate": "secret-certificate-text"},
    }
    answers, secrets = [], []
    for kind, given in kinds.items():
        secrets += given.values()
        path = f"{workspace}/datastores/secret{kind.lower()}"
        credentials = {"credentialsType": kind, "secrets": {"secretsType": kind} | given}
        body = {"datastoreType": "AzureBlob", "accountName": "elsewhere", "containerName": "box"}
        answers.append(quiet.arm("PUT", path, {"properties": body | {"credentials": credentials}}))
        assert answers[-1].status == 201
        # Sent back by a client that has read it: the secrets stay what they were.
        answers += [quiet.arm("GET", path), quiet.arm("PUT", path, {"properties": answers[-1].json["properties"]})]
        shown = quiet.arm("POST", f"{path}/listSecrets", {})
        assert [secret for secret in secrets if secret in shown.content.decode()] == list(given.values())
    answers += [quiet.arm("GET", f"{workspace}/datastores"), quiet.arm("GET", workspace)]
    answers += [quiet.arm("GET", f"{group}/resources"), quiet.arm("POST", f"{workspace}/listKeys", {})]
    everything = "\n".join([*(answer.content.decode() for answer in answers), *quiet.recorder.text])
    assert [secret for secret in secrets if secret in everything] == []


@pytest.mark.integration
def test_files_with_secrets_are_their_owners(quiet: Any) -> None:
    assert quiet.home.stat().st_mode & 0o077 == 0
    for name in ("ca.key", "server.key", "control.token", "azure.db"):
        assert (quiet.home / name).stat().st_mode & 0o777 == 0o600, name
