"""The small language host, over its protocol: interpreters, required packages, and how it ends.

Running programs with it needs the real engine: tests/toolchain/test_real_cli.py.
"""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf import empty_pb2, struct_pb2
from pulumi.runtime.proto import language_pb2, language_pb2_grpc

from tests.waiting import HANGS, wait_until

WRAPPER = Path(__file__).parents[2] / "toolchain" / "pulumi-language-python"

StartHost = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start_host() -> Iterator[StartHost]:
    """Starts hosts; each has printed its port when this returns."""
    hosts = []

    def start(*arguments: str, wrapper: Path = WRAPPER) -> subprocess.Popen[str]:
        host = subprocess.Popen(
            [wrapper, *arguments],
            env={**os.environ, "SLUICE_HOST_PYTHON": sys.executable},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        hosts.append(host)
        return host

    yield start
    for host in hosts:
        host.kill()
        host.communicate()


def connect(host: subprocess.Popen[str]) -> Any:
    assert host.stdout is not None
    return language_pb2_grpc.LanguageRuntimeStub(grpc.insecure_channel(f"127.0.0.1:{int(host.stdout.readline())}"))


def information(root: Path, virtualenv: str | None = None) -> Any:
    options = struct_pb2.Struct()
    if virtualenv is not None:
        options["virtualenv"] = virtualenv
    return language_pb2.ProgramInfo(root_directory=str(root), program_directory=str(root), options=options)


@pytest.fixture
def engine() -> Iterator[tuple[str, Any]]:
    """A gRPC server without services, which is all that the host needs."""
    server = grpc.server(ThreadPoolExecutor(max_workers=1))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    yield f"127.0.0.1:{port}", server
    server.stop(None).wait()


def test_the_virtualenv_option_names_the_interpreter_relative_to_the_project(
    start_host: StartHost, tmp_path: Path
) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "bin").symlink_to(Path(sys.executable).parent)
    host = connect(start_host())
    about = host.About(language_pb2.AboutRequest(info=information(tmp_path, "own")))
    assert about.executable == str(tmp_path / "own" / "bin" / "python")
    assert about.version.startswith("3.")
    assert host.About(language_pb2.AboutRequest(info=information(tmp_path))).executable == sys.executable


def test_a_missing_virtualenv_is_an_error_that_says_what_to_do(start_host: StartHost, tmp_path: Path) -> None:
    host = connect(start_host())
    answer = host.Run(language_pb2.RunRequest(info=information(tmp_path, ".venv")))
    assert str(tmp_path / ".venv" / "bin" / "python") in answer.error
    assert "does not exist. Fix: create the environment (in this project: `make setup`)" in answer.error
    with pytest.raises(grpc.RpcError) as error:
        host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=information(tmp_path, ".venv")))
    assert "does not exist. Fix:" in error.value.details()


def test_required_packages_are_those_of_the_programs_interpreter(start_host: StartHost, tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    for name, content in (
        ("pulumi_one", {"resource": True, "name": "one", "version": "1.2.3", "server": "https://example.com"}),
        ("pulumi_two", {"resource": True, "name": "two"}),
        ("pulumi_no", {"resource": False, "name": "no"}),
    ):
        (packages / name).mkdir(parents=True)
        (packages / name / "pulumi-plugin.json").write_text(json.dumps(content))
    python = tmp_path / "own" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text(f'#!/bin/sh\nPYTHONPATH={packages} exec {sys.executable} -S "$@"\n')
    python.chmod(0o755)
    host = connect(start_host())
    answer = host.GetRequiredPackages(language_pb2.GetRequiredPackagesRequest(info=information(tmp_path, "own")))
    found = [(package.name, package.kind, package.version, package.server) for package in answer.packages]
    assert found == [("one", "resource", "1.2.3", "https://example.com"), ("two", "resource", "", "")]


def test_the_programs_distributions_are_listed(start_host: StartHost, tmp_path: Path) -> None:
    host = connect(start_host())
    request = language_pb2.GetProgramDependenciesRequest(info=information(tmp_path))
    names = [dependency.name for dependency in host.GetProgramDependencies(request).dependencies]
    assert "pulumi" in names
    assert list(host.InstallDependencies(language_pb2.InstallDependenciesRequest())) == []
    assert host.GetPluginInfo(empty_pb2.Empty()).version == "1.0.0"


def test_a_plugins_output_is_relayed_as_it_comes_and_then_its_exit_code(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(
        "import os, sys, time\n"
        "print(os.environ['GREETING'], sys.argv[1:], flush=True)\n"
        f"while not os.path.exists({str(tmp_path / 'gate')!r}): time.sleep(0.01)\n"
        "print('bad', file=sys.stderr)\n"
        "sys.exit(3)\n"
    )
    host = connect(start_host())
    request = language_pb2.RunPluginRequest(
        info=information(tmp_path), pwd=str(tmp_path), env=["GREETING=a=b"], args=["x", "y"]
    )
    stream = host.RunPlugin(request)
    assert next(stream).stdout == b"a=b ['x', 'y']\n", "it comes while the plugin still runs"
    (tmp_path / "gate").touch()
    assert [(message.stderr, message.exitcode) for message in stream] == [(b"bad\n", 0), (b"", 3)]


def test_a_plugin_ends_when_the_engine_ends_the_call(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text("import os, time\nprint(os.getpid(), flush=True)\ntime.sleep(3600)\n")
    host = connect(start_host())
    stream = host.RunPlugin(language_pb2.RunPluginRequest(info=information(tmp_path), pwd=str(tmp_path)))
    process = Path(f"/proc/{int(next(stream).stdout)}")
    assert process.exists()
    stream.cancel()
    wait_until(lambda: not process.exists(), f"{process} still runs")
    assert not process.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_quietly(start_host: StartHost, number: signal.Signals) -> None:
    host = start_host()
    connect(host)
    host.send_signal(number)
    assert host.communicate(timeout=HANGS) == ("", "")
    assert host.returncode == 0


@pytest.mark.integration  # waits for real seconds
def test_it_ends_when_the_engine_of_its_command_line_is_gone(start_host: StartHost, engine: tuple[str, Any]) -> None:
    address, server = engine
    host = start_host("-unknown-flag", address)
    connect(host)
    with pytest.raises(subprocess.TimeoutExpired):
        host.wait(2.5)
    server.stop(None).wait()
    assert host.wait(HANGS) == 0


@pytest.mark.integration  # waits for real seconds
def test_it_ends_when_the_engine_of_the_handshake_is_gone(start_host: StartHost, engine: tuple[str, Any]) -> None:
    address, server = engine
    host = start_host()
    connect(host).Handshake(language_pb2.LanguageHandshakeRequest(engine_address=address))
    server.stop(None).wait()
    assert host.wait(HANGS) == 0


@pytest.mark.integration  # waits for real seconds
def test_an_engine_that_is_stopped_but_there_is_not_gone(start_host: StartHost) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and never answers
        host = start_host(f"127.0.0.1:{silent.getsockname()[1]}")
        connect(host)
        with pytest.raises(subprocess.TimeoutExpired):
            host.wait(8)  # one check gives up after 5 s


def test_the_wrapper_finds_its_folder_through_links(start_host: StartHost, tmp_path: Path) -> None:
    (tmp_path / "absolute").symlink_to(WRAPPER)
    (tmp_path / "relative").symlink_to("absolute")
    host = connect(start_host(wrapper=tmp_path / "relative"))
    assert host.GetPluginInfo(empty_pb2.Empty()).version == "1.0.0"
