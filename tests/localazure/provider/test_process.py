"""The plugin as a process: how it starts, what it needs, and that it does not outlive its engine."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import grpc
import pytest

from localazure.provider import install, servicer
from localazure.provider.arm_client import ArmClient, Surroundings
from localazure.provider.errors import UnreachableError, arm_error
from localazure.provider.login import ManagedIdentity
from localazure.provider.servicer import services
from tests.localazure.provider.conftest import messages
from tests.waiting import HANGS, wait_until

pytestmark = pytest.mark.integration  # starts the plugin as a process again and again


@pytest.fixture
def executable(tmp_path: Path) -> Path:
    return install.install(tmp_path, Path(sys.executable))


def test_the_engine_finds_the_plugin_by_its_exact_version(executable: Path, tmp_path: Path) -> None:
    assert executable == tmp_path / "plugins/resource-azure-native-v3.29.0/pulumi-resource-azure-native"
    assert install.VERSION == servicer.VERSION
    assert not executable.parent.is_symlink()
    assert os.access(executable, os.X_OK)
    assert install.install(tmp_path, Path(sys.executable)) == executable
    assert list(executable.parent.iterdir()) == [executable]


def test_the_plugin_prints_its_port_first_and_serves_there(executable: Path, tmp_path: Path) -> None:
    # A module of the user's folder must not get in the way.
    (tmp_path / "types.py").write_text("raise SystemExit('shadowed')")
    with subprocess.Popen([executable, "127.0.0.1:1"], stdout=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            stub = services.ResourceProviderStub(channel)
            with pytest.raises(grpc.RpcError) as caught:
                stub.Configure(messages.ConfigureRequest(sends_old_inputs=True, sends_old_inputs_to_delete=True))
        process.kill()
    text = caught.value.details()  # type: ignore[attr-defined]  # grpc has no types
    assert "SLUICE_LOCAL_ARM, IDENTITY_ENDPOINT, IDENTITY_HEADER is not set" in text
    assert "sluice local start" in text


def test_the_plugin_ends_at_once_when_the_engine_interrupts_it(executable: Path) -> None:
    with subprocess.Popen([executable], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert process.communicate(timeout=HANGS) == ("", "")
    assert process.returncode == 0


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


ENGINE = """
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
command = [sys.argv[1], f"127.0.0.1:{listener.getsockname()[1]}"]
plugin = subprocess.Popen(command, stdout=subprocess.PIPE)
if sys.argv[2] == "wait":
    plugin.stdout.readline()
print(plugin.pid, flush=True)
plugin.wait()
"""


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("moment", ["wait", "at once"])
def test_the_plugin_ends_when_its_engine_is_killed(executable: Path, moment: str) -> None:
    command = [sys.executable, "-c", ENGINE, executable, moment]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as engine:
        assert engine.stdout is not None
        pid = int(engine.stdout.readline())
        assert alive(pid)
        engine.kill()
    wait_until(lambda: not alive(pid), "the plugin goes on")


def test_a_plugin_whose_local_azure_is_down_says_how_to_start_it() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    base = f"http://127.0.0.1:{port}"
    client = ArmClient(Surroundings(base, None, f"{base}/msi/token", ManagedIdentity(f"{base}/msi/token", "header")))
    with pytest.raises(UnreachableError, match=r"does not answer: .* Run `sluice local start`"):
        client.get("/subscriptions/s", "1")


@pytest.mark.parametrize(
    ("body", "rendered"),
    [
        (b'{"error": {"code": "C", "message": "M"}}', 'Status=404 Code="C" Message="M"'),
        (b'{"code": "C", "message": "M"}', 'Status=404 Code="C" Message="{"code": "C", "message": "M"}"'),
        (b'{"error": {"message": "M"}}', 'Status=404 Message="M"'),
        (b"gateway", 'Status=404 Message="gateway"'),
        (b"", 'Status=404 Message=""'),
        (b"[]", 'Status=404 Message="[]"'),
    ],
)
def test_arm_errors_are_rendered_as_azure_native_renders_them(body: bytes, rendered: str) -> None:
    assert str(arm_error(404, body)) == rendered
