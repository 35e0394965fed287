"""The real engine with the CLI and language host that set-up chose, on programs without providers."""

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.waiting import HANGS, wait_until
from toolchain import cli_environment, pulumi_cli

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
BLOCKS = """
import os, subprocess, sys
print("program", os.getpid(), flush=True)
child = subprocess.Popen(["sleep", "120"])
print("child", child.pid, flush=True)
child.wait()
"""
# A policy pack without the pulumi-policy package, which would restrict the versions of the project's other packages: it
# implements the engine's analyzer protocol itself, which is what the host must relay.
POLICY_PACK = """
import time
from concurrent.futures import ThreadPoolExecutor
import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import analyzer_pb2, analyzer_pb2_grpc, plugin_pb2

class Analyzer(analyzer_pb2_grpc.AnalyzerServicer):
    def Handshake(self, request, context):
        return analyzer_pb2.AnalyzerHandshakeResponse()
    def GetPluginInfo(self, request, context):
        return plugin_pb2.PluginInfo(version="1.0.0")
    def GetAnalyzerInfo(self, request, context):
        policy = analyzer_pb2.PolicyInfo(name="no-stack", enforcementLevel=analyzer_pb2.MANDATORY)
        return analyzer_pb2.AnalyzerInfo(name="tiny-pack", version="1.0.0", policies=[policy])
    def Configure(self, request, context):
        return empty_pb2.Empty()
    def ConfigureStack(self, request, context):
        return analyzer_pb2.AnalyzerStackConfigureResponse()
    def Analyze(self, request, context):
        return analyzer_pb2.AnalyzeResponse()
    def AnalyzeStack(self, request, context):
        return analyzer_pb2.AnalyzeResponse(diagnostics=[analyzer_pb2.AnalyzeDiagnostic(
            policyName="no-stack", policyPackName="tiny-pack", policyPackVersion="1.0.0",
            message="this stack is refused", enforcementLevel=analyzer_pb2.MANDATORY)])

server = grpc.server(ThreadPoolExecutor(4))
analyzer_pb2_grpc.add_AnalyzerServicer_to_server(Analyzer(), server)
port = server.add_insecure_port("127.0.0.1:0")
server.start()
print(port, flush=True)
time.sleep(3600)
"""

Pulumi = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(
        f"name: tiny\nruntime:\n  name: python\n  options:\n    virtualenv: {ROOT / '.venv'}\n"
    )
    return folder


@pytest.fixture
def variables(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "state").mkdir()
    return {
        **cli_environment(os.environ),
        "PULUMI_HOME": str(tmp_path / "home"),
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "",
        "PULUMI_SKIP_UPDATE_CHECK": "true",
        "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
    }


@pytest.fixture
def pulumi(project: Path, variables: dict[str, str]) -> Pulumi:
    """Runs the CLI in the project with a stack `dev`."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [pulumi_cli(), *arguments, "--non-interactive"],
            cwd=project,
            env=variables,
            capture_output=True,
            text=True,
            check=False,
            timeout=HANGS,
        )

    created = run("stack", "init", "dev")
    assert created.returncode == 0, created.stderr
    return run


def test_a_program_is_previewed_deployed_and_destroyed(pulumi: Pulumi, project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\npulumi.export('greeting', pulumi.Config().get('who'))\n")
    assert pulumi("config", "set", "who", "world").returncode == 0
    preview = pulumi("preview")
    assert preview.returncode == 0, preview.stdout
    assert "1 to create" in preview.stdout
    assert pulumi("up", "--yes").returncode == 0
    assert pulumi("stack", "output", "greeting").stdout == "world\n"
    again = pulumi("up", "--yes")
    assert again.returncode == 0
    assert "1 unchanged" in again.stdout
    assert pulumi("refresh", "--yes").returncode == 0
    assert pulumi("about").returncode == 0
    assert pulumi("destroy", "--yes").returncode == 0


def test_a_refusal_of_the_program_is_one_message_without_traceback(pulumi: Pulumi, project: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\nraise pulumi.RunError('weights must sum to 100')\n")
    result = pulumi("up", "--yes", "--skip-preview")
    assert result.returncode != 0
    assert "error: weights must sum to 100" in result.stdout
    assert "Traceback" not in result.stdout + result.stderr


def test_an_unhandled_error_shows_its_traceback_and_nothing_after_it(pulumi: Pulumi, project: Path) -> None:
    (project / "__main__.py").write_text("raise ValueError('boo')\n")
    result = pulumi("up", "--yes", "--skip-preview")
    assert result.returncode != 0
    assert "ValueError: boo" in result.stdout
    assert "non-zero exit code" not in result.stdout + result.stderr


def test_another_exit_code_is_reported(pulumi: Pulumi, project: Path) -> None:
    (project / "__main__.py").write_text("import sys\nsys.exit(7)\n")
    result = pulumi("preview")
    assert result.returncode != 0
    assert "program exited with non-zero exit code: 7" in result.stdout


def test_a_policy_pack_refuses_a_stack(pulumi: Pulumi, project: Path, tmp_path: Path) -> None:
    (project / "__main__.py").write_text("import pulumi\npulumi.export('a', 1)\n")
    pack = tmp_path / "pack"
    pack.mkdir()
    (pack / "PulumiPolicy.yaml").write_text(
        f"name: tiny-pack\nruntime:\n  name: python\n  options:\n    virtualenv: {ROOT / '.venv'}\n"
    )
    (pack / "__main__.py").write_text(POLICY_PACK)
    result = pulumi("preview", "--policy-pack", str(pack))
    assert result.returncode != 0
    assert "this stack is refused" in result.stdout
    assert "[mandatory]  no-stack" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_cli_that_ends_in_the_middle_leaves_no_process_and_no_traceback(
    pulumi: Pulumi, project: Path, variables: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    (project / "__main__.py").write_text(BLOCKS)
    log = tmp_path / "log"
    with log.open("w") as output:
        cli = subprocess.Popen(
            [pulumi_cli(), "up", "--yes", "--skip-preview", "--non-interactive"],
            cwd=project,
            env=variables,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until(lambda: "child " in log.read_text(), "the program did not start")
        started = descendants(cli.pid)
        assert len(started) >= 3, "language host, program and its child"
        os.killpg(cli.pid, number)  # Ctrl-C reaches the CLI's whole process group
        cli.wait(HANGS)
        wait_until(lambda: not any(is_running(process) for process in started), f"left over of {started}")
    finally:
        cli.kill()
        cli.wait()
    assert "Traceback" not in log.read_text()
    assert "KeyboardInterrupt" not in log.read_text()


def descendants(ancestor: int) -> list[int]:
    """All processes below one, by /proc."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue  # the process has ended
    found = [ancestor]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found[1:]


def is_running(process: int) -> bool:
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
