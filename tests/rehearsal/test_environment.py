"""The export lines: what a shell has after `eval`, and that `--unset` gives back what was there."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from command_errors import UnavailableError
from credentials.workload import workload_of
from rehearsal import environment as module
from rehearsal.environment import (
    EXPORTED,
    REMOVED,
    LocalEnvironment,
    local_environment,
    unset_lines,
    without_guards,
    write_ca_bundle,
)
from rehearsal.home import LocalHome, Server

SERVER = Server(pid=1, https="https://localhost:18443", http="http://localhost:18444", version="0", started=0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LocalHome:
    folder = tmp_path / "it's a home"
    folder.mkdir()
    (folder / "ca.pem").write_text("LOCAL AUTHORITY\n")
    monkeypatch.setattr(LocalHome, "server", lambda self: SERVER)
    monkeypatch.setattr(module, "prepare_pulumi_home", lambda home: None)
    monkeypatch.setattr(module, "cli_environment", lambda env: {**env, "PATH": f"/the/cli:{env['PATH']}"})
    return LocalHome(folder)


def evaluated(lines: list[str], variables: dict[str, str]) -> dict[str, str]:
    """A POSIX shell's variables after `eval` of the lines, by our own `eval`."""
    shell = shutil.which("sh") or "/bin/sh"
    script = 'eval "$LINES"; unset LINES; env -0'
    given = {"PATH": os.environ["PATH"], **variables, "LINES": "\n".join(lines)}
    out = subprocess.run([shell, "-c", script], env=given, capture_output=True, check=True).stdout.decode()
    pairs = (entry.partition("=") for entry in out.split("\0") if entry)
    return {name: value for name, _, value in pairs if name not in ("PWD", "OLDPWD", "SHLVL", "_", "LINES")}


def test_the_lines_survive_a_home_with_a_quote_and_set_what_the_design_lists(home: LocalHome) -> None:
    shell = evaluated(local_environment(home).shell_lines({}), {})
    assert shell["PULUMI_BACKEND_URL"] == f"file://{home.path}/state"
    assert shell["SLUICE_LOCAL_ARM"] == "https://localhost:18443"
    assert shell["PULUMI_CONFIG_PASSPHRASE"] == ""
    assert shell["PATH"].startswith(f"{home.guard}:/the/cli:")
    assert shell["PULUMI_OPTION_PRESERVE_CONFIG"] == "true"
    assert shell["ARM_CLOUD_METADATA_URL"].endswith("/metadata/endpoints?api-version=2019-05-01")  # the list, for az
    assert set(EXPORTED) <= set(shell)
    assert "localhost" in shell["NO_PROXY"]


@pytest.mark.parametrize(("played", "told"), [(0.0, "0s"), (12.3, "13s")])
def test_a_rehearsal_waits_for_roles_as_long_as_its_server_plays(
    home: LocalHome, monkeypatch: pytest.MonkeyPatch, played: float, told: str
) -> None:
    monkeypatch.setattr(LocalHome, "server", lambda self: replace(SERVER, role_delay_seconds=played))
    assert local_environment(home).exports["SLUICE_ROLE_DELAY"] == told


def test_the_listed_names_are_exactly_what_is_exported(home: LocalHome) -> None:
    assert set(local_environment(home).exports) == set(EXPORTED)
    assert not set(EXPORTED) & set(REMOVED)


def test_unset_gives_the_shell_back_as_it_was(home: LocalHome) -> None:
    before = {"AZURE_CLIENT_SECRET": "hush'$(x)", "NO_PROXY": "corp.example", "REQUESTS_CA_BUNDLE": "/corp.pem"}
    before["PATH"] = os.environ["PATH"]
    lines = local_environment(home).shell_lines(before)
    during = evaluated(lines, before)
    assert "AZURE_CLIENT_SECRET" not in during
    assert evaluated(unset_lines(during), during) == before


@pytest.mark.parametrize(
    "job",
    [
        {
            "ACTIONS_ID_TOKEN_REQUEST_URL": "https://host/token?v=1",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
            "AZURE_CLIENT_ID": "real",
            "AZURE_TENANT_ID": "real",
        },
        {
            "SYSTEM_OIDCREQUESTURI": "https://host/oidctoken",
            "SYSTEM_ACCESSTOKEN": "t",
            "AZURESUBSCRIPTION_CLIENT_ID": "real",
            "AZURESUBSCRIPTION_TENANT_ID": "real",
            "AZURESUBSCRIPTION_SERVICE_CONNECTION_ID": "real",
        },
    ],
)
def test_a_rehearsal_in_a_pipelines_job_does_not_log_in_as_the_pipeline(home: LocalHome, job: dict[str, str]) -> None:
    assert workload_of(job) is not None
    assert workload_of(local_environment(home).applied_to(job)) is None


def test_unset_leaves_a_shell_alone_that_was_never_set_up_or_was_given_back(home: LocalHome) -> None:
    own = {"PULUMI_STACK": "prod", "PULUMI_BACKEND_URL": "file:///x", "SSL_CERT_FILE": "/etc/ssl/mine.pem"}
    assert unset_lines(own) == []
    shell = evaluated(local_environment(home).shell_lines(own), own)
    back = evaluated(unset_lines(shell), shell)
    assert own.items() <= back.items()
    assert unset_lines(back) == []


def test_the_lines_work_in_an_eval_without_quotes(home: LocalHome) -> None:
    before = {"AZURE_CLIENT_ID": "real", "NO_PROXY": "corp.example", "PATH": os.environ["PATH"]}
    one_line = [" ".join(local_environment(home).shell_lines(before))]
    during = evaluated(one_line, before)
    assert "AZURE_CLIENT_ID" not in during
    assert set(EXPORTED) <= set(during)
    assert evaluated([" ".join(unset_lines(during))], during) == before


def test_az_keeps_its_extensions_however_often_the_lines_are_evaluated(
    home: LocalHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in os.environ if name.startswith(("AZURE_", "SLUICE_"))]:
        monkeypatch.delenv(name)
    shell = {"AZURE_CONFIG_DIR": "/corp/az", "PATH": os.environ["PATH"]}
    for _ in range(3):
        for name, value in shell.items():
            monkeypatch.setenv(name, value)
        shell = evaluated(local_environment(home).shell_lines(shell), shell)
        assert shell["AZURE_CONFIG_DIR"] == str(home.az)
        assert shell["AZURE_EXTENSION_DIR"] == "/corp/az/cliextensions"
        assert shell["PATH"].count(home.guard.name) == 1
    assert evaluated(unset_lines(shell), shell)["AZURE_CONFIG_DIR"] == "/corp/az"


def test_a_shell_that_goes_from_one_home_to_another_has_one_guard(home: LocalHome, tmp_path: Path) -> None:
    path = without_guards(f"{tmp_path}/other/sluice-rehearsal-bin:/usr/bin:{home.guard}")
    assert path == "/usr/bin"


def test_a_second_eval_does_not_forget_what_the_first_saved(home: LocalHome) -> None:
    before = {"AZURE_TENANT_ID": "real", "PATH": os.environ["PATH"]}
    once = evaluated(local_environment(home).shell_lines(before), before)
    twice = evaluated(local_environment(home).shell_lines(once), once)
    assert evaluated(unset_lines(twice), twice) == before


def test_no_value_of_another_login_is_printed(home: LocalHome) -> None:
    lines = local_environment(home).shell_lines({"AZURE_CLIENT_SECRET": "hush"})
    assert "hush" not in "\n".join(lines)


def test_the_bundle_holds_the_callers_certificates_and_the_local_one_and_does_not_grow(
    home: LocalHome, tmp_path: Path
) -> None:
    corporate = tmp_path / "corporate.pem"
    corporate.write_text("CORPORATE\n")
    bundle = write_ca_bundle(home, {"SSL_CERT_FILE": str(corporate)})
    assert bundle.read_text() == "CORPORATE\nLOCAL AUTHORITY\n"
    evaluated_shell = {"SSL_CERT_FILE": str(bundle), "SLUICE_SAVED_SSL_CERT_FILE": str(corporate)}
    assert write_ca_bundle(home, evaluated_shell).read_text() == "CORPORATE\nLOCAL AUTHORITY\n"
    assert write_ca_bundle(home, {"SSL_CERT_FILE": str(bundle)}).read_text().count("LOCAL AUTHORITY") == 1


def test_without_a_running_server_there_is_nothing_to_eval(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="sluice local start"):
        local_environment(LocalHome(tmp_path))


def test_a_child_process_gets_the_same_without_a_shell() -> None:
    environment = LocalEnvironment({"A": "1"}, removed=("B",))
    assert environment.applied_to({"B": "2", "C": "3"}) == {"A": "1", "C": "3"}
