"""The whole Azure CLI in a rehearsal shell. It has 430 MB and is not a dependency: without it these tests are skipped.

    uv venv /tmp/az --python 3.11 && uv pip install --python /tmp/az/bin/python azure-cli
    SLUICE_AZ=/tmp/az/bin/az .venv/bin/python -m pytest tests/integration/test_az.py

An `az` on PATH is used as well. Run with azure-cli 2.91.0.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cache_folder import cache_folder
from localazure.identity import CLIENT_ID, SUBSCRIPTION_ID, TENANT_ID
from tests.integration.rehearsal import ROOT, SLUICE, Azure
from tests.localazure.existing_versions import existing_version
from tests.localazure.platform_bodies import GROUP, PLATFORM, PROVIDERS, WORKSPACE

AZ = os.environ.get("SLUICE_AZ") or shutil.which("az")
if AZ is None:
    how = "uv venv /tmp/az && uv pip install --python /tmp/az/bin/python azure-cli; SLUICE_AZ=/tmp/az/bin/az"
    pytest.skip(f"needs the Azure CLI (430 MB), which is not on PATH: {how}", allow_module_level=True)

pytestmark = pytest.mark.integration
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/az-endpoint"
USERS_OWN = {
    "azureProfile.json": '{"installationId": "mine", "subscriptions": []}',
    "config": "[cloud]\nname = AzureCloud\n",
}


class Shell:
    """A shell after `eval "$(sluice local env)"`, of a user who has a ~/.azure."""

    def __init__(self, folder: Path, home: Path) -> None:
        self.users = folder / "user"
        (self.users / ".azure").mkdir(parents=True)
        for name, text in USERS_OWN.items():
            (self.users / ".azure" / name).write_text(text)
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AZURE_", "PULUMI_", "SLUICE_"))
        }
        cache = str(cache_folder(os.environ).parent)
        kept |= {"HOME": str(self.users), "XDG_CACHE_HOME": cache, "AZURE_EXTENSION_USE_DYNAMIC_INSTALL": "no"}
        lines = f'eval "$({SLUICE} local env --home {home})"; env -0'
        done = subprocess.run(["sh", "-c", lines], cwd=ROOT, env=kept, capture_output=True, text=True, check=True)
        self.variables = dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)

    def run(self, *words: str, expect: int | None = 0, **more: str) -> "subprocess.CompletedProcess[str]":
        """Run one az command; it must never end in a traceback."""
        done = subprocess.run(
            [AZ, *words],
            env=self.variables | more,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=240,
        )
        assert "Traceback" not in done.stderr, done.stderr
        if expect is not None:
            assert done.returncode == expect, done.stdout + done.stderr
        return done

    def ask(self, *words: str, **more: str) -> Any:
        """Run one az command that succeeds; return its JSON."""
        text = self.run(*words, "--output", "json", **more).stdout
        return json.loads(text) if text.strip() else None


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """With a group, a workspace and an endpoint in the local Azure."""
    azure = Azure.started(tmp_path_factory.mktemp("azure"))
    for path, body in PLATFORM:
        assert azure.request("PUT", path, body, existing_version(path))[0] in (200, 201, 202), path
    endpoint = {"location": "westeurope", "properties": {"authMode": "Key"}}
    assert azure.request("PUT", ENDPOINT, endpoint)[0] == 201
    shell = Shell(tmp_path_factory.mktemp("shell"), azure.home.path)
    yield shell
    azure.stop()
    own = {file.name: file.read_text() for file in (shell.users / ".azure").iterdir()}
    assert own == USERS_OWN, "az touched the user's own folder"


def test_az_is_signed_in_without_a_login(shell: Shell) -> None:
    assert shell.ask("version")["azure-cli"]
    account = shell.ask("account", "show")
    assert (account["id"], account["environmentName"]) == (SUBSCRIPTION_ID, "LocalAzure")
    assert shell.ask("account", "get-access-token")["tenant"] == TENANT_ID
    assert "westeurope" in [region["name"] for region in shell.ask("account", "list-locations")]


def test_groups_and_resources(shell: Shell) -> None:
    assert shell.ask("group", "create", "--name", "az-made", "--location", "westeurope")["location"] == "westeurope"
    assert "az-made" in [group["name"] for group in shell.ask("group", "list")]
    missing = shell.run("group", "delete", "--name", "nope", "--yes", expect=None)
    assert missing.returncode != 0
    assert "(ResourceGroupNotFound) Resource group 'nope' could not be found." in missing.stderr
    listed = {item["name"]: item for item in shell.ask("resource", "list", "--resource-group", "rg1")}
    assert listed["ws1"]["createdTime"]
    assert "az-endpoint" in shell.run("resource", "list", "--output", "table").stdout
    assert shell.ask("resource", "list", "--tag", "a=b") == []
    kind = "Microsoft.KeyVault/vaults"
    assert [item["name"] for item in shell.ask("resource", "list", "--resource-type", kind)] == ["kv1"]


def test_a_role_for_a_client_id_goes_to_its_principal(shell: Shell) -> None:
    made = shell.ask("identity", "create", "--resource-group", "rg1", "--name", "az-uai", "--location", "westeurope")
    scope = ("--role", "Reader", "--scope", GROUP)
    role = shell.ask("role", "assignment", "create", "--assignee", made["clientId"], *scope)
    assert role["principalId"] == made["principalId"]
    assert made["clientId"] in shell.run("role", "assignment", "list", "--scope", GROUP, "--output", "table").stdout
    unknown = shell.run("role", "assignment", "create", "--assignee", "nobody@example.com", *scope, expect=None)
    assert "Cannot find user or service principal in graph database" in unknown.stderr


def test_metrics(shell: Shell) -> None:
    ask = ("monitor", "metrics", "list", "--resource", ENDPOINT)
    answer = shell.ask(*ask, "--metric", "RequestsPerMinute", "--offset", "30m", "--interval", "PT5M")
    assert answer["value"][0]["name"]["value"] == "RequestsPerMinute"
    assert len(shell.ask(*ask)["value"]) == 1


def test_a_template_is_refused_with_the_way_out(shell: Shell, tmp_path: Path) -> None:
    template = tmp_path / "main.json"
    template.write_text('{ // comment\n"resources": []}')
    refused = shell.run("deployment", "group", "create", "-g", "rg1", "-f", str(template), expect=None)
    assert "NotEmulated" in refused.stderr
    assert "az ml workspace create" in refused.stderr


def test_blobs_by_the_account_url(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "blob.txt"
    file.write_text("text")
    where = {
        "AZURE_STORAGE_ACCOUNT_URL": f"{shell.variables['SLUICE_LOCAL_ARM']}/stacc1",
        "AZURE_STORAGE_AUTH_MODE": "login",
    }
    assert shell.ask("storage", "container", "create", "--name", "data", **where) == {"created": True}
    shell.run("storage", "blob", "upload", "--container-name", "data", "--name", "x", "--file", str(file), **where)
    assert [blob["name"] for blob in shell.ask("storage", "blob", "list", "--container-name", "data", **where)] == ["x"]


def test_other_logins(shell: Shell) -> None:
    device = shell.run("login", "--use-device-code")
    assert "The local Azure signs you in at once." in device.stderr
    assert shell.ask("account", "show")["user"]["type"] == "user"
    shell.run("login", "--service-principal", "-u", CLIENT_ID, "-p", "any", "--tenant", TENANT_ID)
    assert shell.ask("group", "exists", "--name", "rg1") is True
    shell.run("login", "--identity")
    assert shell.ask("account", "show")["user"]["assignedIdentityInfo"] == "MSI"


def test_other_resources_of_a_stack_are_seen(shell: Shell) -> None:
    vault = shell.ask("keyvault", "show", "--name", "kv1", "--resource-group", "rg1")
    assert vault["id"] == f"{PROVIDERS}/Microsoft.KeyVault/vaults/kv1"
    shown = shell.ask("resource", "show", "--ids", ENDPOINT, "--api-version", "2024-04-01")
    assert shown["properties"]["authMode"] == "Key"
    url = f"{shell.variables['SLUICE_LOCAL_ARM']}{ENDPOINT}/listKeys?api-version=2024-04-01"
    assert shell.ask("rest", "--method", "post", "--url", url)["primaryKey"]
