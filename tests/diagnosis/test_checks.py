"""`sluice doctor` names the command that helps in the shell that it runs in, and none that makes things worse."""

import json
import os
import re
import socket
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from diagnosis.checks import examine
from diagnosis.finding import Finding, Health
from rehearsal import server_process
from rehearsal.home import LocalHome, Server
from resource_manager import client

SERVER = Server(pid=1, https="https://localhost:1", http="http://localhost:2", version="0", started=0.0)
START = "sluice local start"
STACK_FILE = """\
config:
  azure-native:location: westeurope
  sluice:team: payments
  sluice:network: public
  sluice:endpoints: {}
"""
Examined = dict[str, Finding]
# They leave the rehearsal: a real plugin in a private PULUMI_HOME, a real login, an empty backend.
HARMFUL = re.compile(r"pulumi plugin install|az login|mkdir|pulumi login|az account")


@pytest.fixture
def examined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Examined]:
    """All findings in a shell with these variables; no network, no Pulumi."""
    project = tmp_path / "checkout"
    project.mkdir()
    (project / "Pulumi.yaml").write_text("name: sluice\nruntime: python\n")
    (project / "Pulumi.dev.yaml").write_text(STACK_FILE)
    monkeypatch.chdir(project)
    monkeypatch.setattr(client, "ATTEMPTS", 1)
    for name in list(os.environ):
        if name.startswith(("PULUMI_", "ARM_", "AZURE_", "SLUICE_", "SSL_", "IDENTITY_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))

    def run(variables: Mapping[str, str], stack: str | None = "dev") -> Examined:
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        return {finding.check: finding for finding in examine(stack, os.environ)}

    return run


def rehearsal(home: Path) -> dict[str, str]:
    """The variables of a shell of `sluice local env --stack dev`, as far as doctor looks."""
    return {
        "SLUICE_LOCAL_ARM": SERVER.https,
        "SLUICE_LOCAL_HOME": str(home),
        "PULUMI_HOME": f"{home}/pulumi",
        "PULUMI_BACKEND_URL": f"file://{home}/state",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
        "PULUMI_STACK": "dev",
        "PULUMI_OPTION_CONFIG_FILE": f"{home}/stacks/sluice/Pulumi.dev.yaml",
        "SSL_CERT_FILE": f"{home}/ca-bundle.pem",
        "ARM_CLOUD_METADATA_URL": f"{SERVER.https}/metadata/endpoints?api-version=2019-05-01",
        "ARM_SUBSCRIPTION_ID": "s",
    }


def problems(findings: Examined) -> Examined:
    """All but those of the CLI, which set-up puts into a cache below the user's own HOME."""
    wrong = {name: finding for name, finding in findings.items() if finding.health is Health.PROBLEM}
    return {name: finding for name, finding in wrong.items() if name != "pulumi cli"}


def test_a_rehearsal_shell_whose_home_was_reset_is_told_to_start_and_evaluate_again(
    examined: Callable[..., Examined], tmp_path: Path
) -> None:
    found = problems(examined(rehearsal(tmp_path / "home")))
    ours = {"azure-native plugin", "backend", "local Azure", "login", "azure", "stack file"}
    assert ours <= set(found)
    for name in ours:
        assert found[name].fix == f'{START} && eval "$(sluice local env --stack dev)"', name
        assert not HARMFUL.search(str(found[name].fix))


def test_a_rehearsal_shell_whose_server_runs_is_told_to_evaluate_again(
    examined: Callable[..., Examined], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalHome, "server", lambda self: SERVER)
    monkeypatch.setattr(server_process, "is_healthy", lambda server: True)
    found = problems(examined(rehearsal(tmp_path / "home")))
    assert {finding.fix for finding in found.values()} == {'eval "$(sluice local env --stack dev)"'}


def test_a_server_that_hangs_is_stopped_first(
    examined: Callable[..., Examined], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LocalHome, "server", lambda self: SERVER)
    monkeypatch.setattr(server_process, "is_healthy", lambda server: False)
    found = problems(examined(rehearsal(tmp_path / "home")))
    for name in ("local Azure", "login", "azure"):
        assert str(found[name].fix).startswith(f"sluice local stop && {START} && eval"), name


def test_a_shell_without_a_subscription_has_no_problem_with_its_stack_file(examined: Callable[..., Examined]) -> None:
    found = examined({"ARM_CLOUD_METADATA_URL": f"{SERVER.https}/metadata"})
    assert found["stack file"].health is Health.GOOD
    assert found["azure"].health is Health.NOTE


def test_a_stack_file_that_is_wrong_is_a_problem_without_a_subscription_too(examined: Callable[..., Examined]) -> None:
    Path("Pulumi.dev.yaml").write_text(STACK_FILE.replace("public", "open"))
    found = examined({"ARM_CLOUD_METADATA_URL": f"{SERVER.https}/metadata"})
    assert found["stack file"].health is Health.PROBLEM
    assert "sluice:network" in found["stack file"].text


def test_a_backend_folder_that_is_missing_may_be_misspelt_so_it_is_not_made(
    examined: Callable[..., Examined], tmp_path: Path
) -> None:
    variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/staet", "ARM_CLOUD_METADATA_URL": f"{SERVER.https}/m"}
    found = examined(variables)["backend"]
    assert found.health is Health.PROBLEM
    assert "PULUMI_BACKEND_URL" in found.text
    assert found.fix is None


@pytest.mark.parametrize(
    ("content", "health", "piece"),
    [
        ({}, Health.PROBLEM, "which names no owner. If no update of the stack is running, run `pulumi cancel"),
        ({"hostname": "elsewhere"}, Health.NOTE, "is locked from another machine (ann@elsewhere, process 1"),
        (
            {"hostname": socket.gethostname(), "pid": os.getpid()},
            Health.NOTE,
            "an update of stack dev is running (ann@",
        ),
    ],
)
def test_a_lock_is_called_a_running_update_only_if_its_process_runs_here(
    examined: Callable[..., Examined], tmp_path: Path, content: dict[str, object], health: Health, piece: str
) -> None:
    folder = tmp_path / "state" / ".pulumi" / "locks" / "organization" / "sluice" / "dev"
    folder.mkdir(parents=True)
    owner = {"pid": 1, "username": "ann", "timestamp": datetime.now(UTC).isoformat()}
    (folder / "a.json").write_text(json.dumps({**owner, **content} if content else {}))
    variables = {"PULUMI_BACKEND_URL": f"file://{tmp_path}/state", "ARM_CLOUD_METADATA_URL": f"{SERVER.https}/m"}
    finding = examined(variables)["locks"]
    assert finding.health is health
    assert piece in finding.text
    assert ("is running (" in finding.text) == ("hostname" in content and content["hostname"] != "elsewhere")
    assert finding.fix is None
