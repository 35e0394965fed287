"""`sluice local` as a person uses it: it starts once, is found again, and ignores what a killed server left behind."""

import json
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import processes
from rehearsal.home import LocalHome
from tests.integration.rehearsal import ROOT, SLUICE, processes_with, repository_files
from tests.ports import own_port
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration


class Local:
    """Run the command on one home."""

    def __init__(self, home: Path) -> None:
        self.home = LocalHome(home)

    def __call__(self, *arguments: str, expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        return self.finish(self.begin(*arguments), expect)

    def begin(self, *arguments: str) -> "subprocess.Popen[str]":
        command, *rest = arguments
        return subprocess.Popen(
            [str(SLUICE), "local", command, "--home", str(self.home.path), *rest],
            cwd=ROOT,
            env={**os.environ, "PULUMI_HOME": "/nonexistent"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def finish(self, process: "subprocess.Popen[str]", expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        out, err = process.communicate(timeout=HANGS)
        if expect is not None:
            assert process.returncode == expect, out + err
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def facts(self) -> dict[str, object]:
        """What a start prints. The first one says on which port; later ones keep it."""
        port = () if self.home.port_file.exists() else ("--port", str(own_port()))
        return dict(json.loads(self("start", "--json", *port).stdout))


@pytest.fixture
def local(tmp_path: Path) -> Iterator[Local]:
    local = Local(tmp_path / "a home with spaces")
    yield local
    local("stop")
    assert not processes_with(str(local.home.path))


def test_start_is_idempotent_and_status_and_stop_report_the_present_state(local: Local) -> None:
    assert json.loads(local("status", "--json", expect=4).stdout)["running"] is False
    first, second = local.facts(), local.facts()
    assert first["pid"] == second["pid"]
    assert (first["already_running"], second["already_running"]) == (False, True)
    status = json.loads(local("status", "--json").stdout)
    assert status["server"]["pid"] == first["pid"]
    assert "stopped" in local("stop").stdout
    assert local("status", expect=4).stdout
    assert "no local Azure runs" in local("stop").stdout


def test_of_two_starts_at_once_one_wins_and_both_find_it(local: Local) -> None:
    both = [local.begin("start", "--json") for _ in range(2)]
    answers = [json.loads(local.finish(process).stdout) for process in both]
    assert len({answer["pid"] for answer in answers}) == 1
    assert sorted(answer["already_running"] for answer in answers) == [False, True]


def test_a_port_that_is_taken_is_named_and_nothing_is_left(local: Local) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        refused = local("start", "--port", str(port), expect=2)
    assert str(port) in refused.stderr
    assert "--port" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_what_a_killed_server_left_is_not_taken_for_a_running_one_and_its_port_is_kept(local: Local) -> None:
    first = local.facts()
    os.kill(int(str(first["pid"])), signal.SIGKILL)
    wait_for_end(int(str(first["pid"])))
    assert local.home.server_file.exists()
    assert local("status", expect=4)
    second = local.facts()
    assert second["already_running"] is False
    assert second["https"] == first["https"]


def test_a_server_that_hangs_is_ended_all_the_same(local: Local, monkeypatch: pytest.MonkeyPatch) -> None:
    from rehearsal import server_process

    pid = int(str(local.facts()["pid"]))
    os.kill(pid, signal.SIGSTOP)
    monkeypatch.setattr(server_process, "STOP_SECONDS", 0.5)
    monkeypatch.setattr(server_process, "REQUEST_SECONDS", 0.5)
    assert server_process.stop(local.home, say=lambda text: None)
    wait_for_end(pid)


def test_reset_deletes_only_a_home_and_only_when_told(local: Local, tmp_path: Path) -> None:
    local("start")
    assert "--yes" in local("reset", expect=2).stderr
    assert local.home.path.exists()
    local("reset", "--yes")
    assert not local.home.path.exists()
    precious = Local(tmp_path / "precious")
    precious.home.path.mkdir()
    (precious.home.path / "thesis.txt").write_text("years of work")
    assert "nothing was deleted" in precious("reset", "--yes", expect=2).stderr
    assert "not empty" in precious("start", expect=2).stderr
    assert (precious.home.path / "thesis.txt").exists()


def test_a_shell_that_evaluates_env_is_led_to_the_local_azure_and_back(local: Local) -> None:
    local("start")
    script = f"""
        set -eu
        before=$(env | sort)
        eval "$("{SLUICE}" local env --home "{local.home.path}" --stack dev)"
        pulumi stack ls --json
        pulumi config get sluice:team
        eval "$("{SLUICE}" local env --unset)"
        after=$(env | sort)
        [ "$before" = "$after" ]
    """
    environment = {name: os.environ[name] for name in os.environ if not name.startswith("PULUMI_")}
    before = repository_files()
    done = subprocess.run(["sh", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert '"name": "dev"' in done.stdout
    assert "payments" in done.stdout
    assert "edits the copy" in done.stderr
    assert repository_files() == before


def wait_for_end(pid: int) -> None:
    wait_until(lambda: processes.started_at(pid) is None, f"process {pid} lives on")
