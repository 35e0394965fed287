"""A small Pulumi language host for Python: what `pulumi` starts to run a Python program or policy pack.

It exists because the official host cannot be had from package registries (docs/adr/0001). It goes with the CLI that
`toolchain` builds, never with an official one, which brings its own. This single file is copied next to that CLI and
imports nothing of the project. It serves preview, up, refresh, destroy, policy packs and the Automation API; it does
not serve `pulumi new`, `convert`, `package` and debuggers, and `pulumi install` installs nothing.

Two interpreters: the host's own (it needs the SDK's gRPC stubs only), and the program's, which is
`runtime.options.virtualenv`, relative to the folder of Pulumi.yaml; without that option it is the host's own.
"""

from __future__ import annotations

import contextlib
import importlib.util
import json
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import types
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc


def _package_without_its_init(name: str, folder: Path) -> None:
    """Makes submodules of `name` importable without running its `__init__`."""
    package = types.ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package


# Only the generated stubs are needed; the SDK's own __init__ would add 0.15 s to the start of every preview.
_sdk = importlib.util.find_spec("pulumi")
if _sdk is None or _sdk.origin is None:
    sys.exit(f"pulumi-language-python: {sys.executable} has no `pulumi` package. Fix: run `make setup` again.")
_package_without_its_init("pulumi", Path(_sdk.origin).parent)
_package_without_its_init("pulumi.runtime", Path(_sdk.origin).parent / "runtime")

from google.protobuf import empty_pb2  # noqa: E402 (after the two lines above)
from pulumi.runtime.proto import language_pb2, language_pb2_grpc, plugin_pb2  # noqa: E402 (same)

EXECUTOR = Path(__file__).resolve().with_name("pulumi-language-python-exec")
MESSAGE_ALREADY_SHOWN = 32  # exit code of the executor after it has logged the error itself
MESSAGE_LIMIT_BYTES = 512 * 1024 * 1024
WORKERS = 16  # RunPlugin holds one for as long as its policy pack lives
ENGINE_CHECK_SECONDS = 1.0
TERMINATION_GRACE_SECONDS = 2.0

LIST_PLUGIN_FILES = """
import glob, json, os, sys
folders = dict.fromkeys(os.path.realpath(folder or ".") for folder in sys.path)
files = [file for folder in folders for file in sorted(glob.glob(os.path.join(glob.escape(folder), "pulumi_*", "pulumi-plugin.json")))]
print(json.dumps(list(dict.fromkeys(files))))
"""  # noqa: E501 (a program of its own)

LIST_DISTRIBUTIONS = """
import importlib.metadata, json
print(json.dumps(sorted({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}.items())))
"""


class InterpreterMissing(Exception):
    """`runtime.options.virtualenv` names a folder that holds no interpreter."""


def virtual_environment(info: Any) -> Path | None:
    """The folder that the `virtualenv` option names, or None without that option."""
    option = info.options.fields["virtualenv"].string_value if "virtualenv" in info.options.fields else ""
    # Relative to the folder of Pulumi.yaml (or PulumiPolicy.yaml), not to the working directory.
    return Path(info.root_directory or ".", option).absolute() if option else None


def interpreter(info: Any) -> str:
    """The interpreter that runs the program of `info`."""
    folder = virtual_environment(info)
    if folder is None:
        return sys.executable
    python = folder / "bin" / "python"
    if not python.exists():
        raise InterpreterMissing(
            f"runtime option `virtualenv` is {folder}, but {python} does not exist. "
            "Fix: create the environment (in this project: `make setup`), or correct the option in Pulumi.yaml."
        )
    return str(python)


def activated(environment: dict[str, str], folder: Path | None) -> dict[str, str]:
    """`environment` as `source <folder>/bin/activate` leaves it, so that a program finds its environment's scripts."""
    if folder is None:
        return environment
    path = os.pathsep.join([str(folder / "bin"), environment.get("PATH", os.defpath)])
    return {k: v for k, v in environment.items() if k != "PYTHONHOME"} | {"VIRTUAL_ENV": str(folder), "PATH": path}


class Children:
    """The processes that this host has started, each the leader of a process group of its own.

    So the engine's SIGINT to the host's group prints no KeyboardInterrupt traceback, and ending one ends its children.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running: set[subprocess.Popen[bytes]] = set()
        self._closed = False

    def start(self, command: list[str], **options: Any) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise RuntimeError("the language host is ending")
            child = subprocess.Popen(command, process_group=0, **options)
            self._running.add(child)
        return child

    def forget(self, child: subprocess.Popen[bytes]) -> None:
        with self._lock:
            self._running.discard(child)

    def end(self, child: subprocess.Popen[bytes]) -> None:
        """Ends one child's whole group: politely, then by force. Harmless if it has ended already."""
        if child.poll() is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        try:
            child.wait(TERMINATION_GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)

    def end_all(self) -> None:
        with self._lock:
            self._closed = True
            running = list(self._running)
        with ThreadPoolExecutor(max_workers=max(1, len(running))) as pool:
            list(pool.map(self.end, running))


class Engine:
    """The engine that this host serves; known by its address from the command line or from Handshake."""

    def __init__(self, address: str | None) -> None:
        self.address = address
        self._parent = os.getppid()
        self._checked: tuple[str, Any] | None = None

    def is_gone(self) -> bool:
        """Whether the engine has died, a `kill -9` included. A stopped or busy engine is not gone."""
        address = self.address
        if address is None:
            return os.getppid() != self._parent
        if self._checked is None or self._checked[0] != address:
            channel = grpc.insecure_channel(address)
            self._checked = (address, channel.unary_unary("/grpc.health.v1.Health/Check"))
        try:
            self._checked[1](b"", timeout=5)
        except grpc.RpcError as error:
            return error.code() is grpc.StatusCode.UNAVAILABLE and _refuses_connections(address)
        return False


def _refuses_connections(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=5).close()
    except TimeoutError:
        return False  # stopped or overloaded, but there
    except OSError:
        return True
    return False


class LanguageHost(language_pb2_grpc.LanguageRuntimeServicer):
    """The RPCs that the engine calls."""

    def __init__(self, engine: Engine, children: Children) -> None:
        self._engine = engine
        self._children = children

    def Handshake(self, request: Any, context: Any) -> Any:
        self._engine.address = request.engine_address or self._engine.address
        return language_pb2.LanguageHandshakeResponse()

    def GetPluginInfo(self, request: Any, context: Any) -> Any:
        return plugin_pb2.PluginInfo(version="1.0.0")

    def GetRequiredPlugins(self, request: Any, context: Any) -> Any:
        return language_pb2.GetRequiredPluginsResponse()  # superseded by GetRequiredPackages

    def GetRequiredPackages(self, request: Any, context: Any) -> Any:
        packages = []
        for file in self._ask(request.info, LIST_PLUGIN_FILES, context):
            plugin = json.loads(Path(file).read_bytes())
            if plugin.get("resource"):
                name = plugin.get("name") or Path(file).parent.name.removeprefix("pulumi_").replace("_", "-")
                version, server = plugin.get("version") or "", plugin.get("server") or ""
                packages.append(
                    plugin_pb2.PackageDependency(name=name, kind="resource", version=version, server=server)
                )
        return language_pb2.GetRequiredPackagesResponse(packages=packages)

    def Run(self, request: Any, context: Any) -> Any:
        info = request.info
        try:
            python = interpreter(info)
        except InterpreterMissing as missing:
            return language_pb2.RunResponse(error=str(missing))
        program = info.program_directory
        if info.entry_point not in ("", "."):
            program = str(Path(program, info.entry_point))
        command = [python, "-u", str(EXECUTOR)]
        for name, value in (
            ("monitor", request.monitor_address),
            ("engine", self._engine.address or ""),
            ("project", request.project),
            ("stack", request.stack),
            ("pwd", request.pwd),
            ("dry_run", str(request.dryRun).lower()),
            ("parallel", str(request.parallel)),
            ("organization", request.organization),
            ("root_directory", info.root_directory),
        ):
            command += [f"--{name}", value]
        environment = activated(dict(os.environ), virtual_environment(info)) | {
            "PULUMI_CONFIG": json.dumps(dict(request.config)),
            "PULUMI_CONFIG_SECRET_KEYS": json.dumps(list(request.configSecretKeys)),
        }
        child = self._children.start(
            [*command, program, *request.args], cwd=request.pwd or None, env=environment, stdin=subprocess.DEVNULL
        )
        context.add_callback(lambda: self._children.end(child))
        exit_code = child.wait()
        self._children.forget(child)
        if exit_code == MESSAGE_ALREADY_SHOWN:
            return language_pb2.RunResponse(bail=True)
        if exit_code != 0:
            return language_pb2.RunResponse(error=f"program exited with non-zero exit code: {exit_code}")
        return language_pb2.RunResponse()

    def RunPlugin(self, request: Any, context: Any) -> Iterator[Any]:
        """Runs a policy pack (or a provider written in Python) and relays what it prints."""
        try:
            python = interpreter(request.info)
        except InterpreterMissing as missing:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(missing))
        environment = dict(entry.split("=", 1) for entry in request.env) if request.env else dict(os.environ)
        child = self._children.start(
            [python, "-u", request.info.program_directory, *request.args],
            cwd=request.pwd or None,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        context.add_callback(lambda: self._children.end(child))
        lines: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()

        def relay(name: str, stream: Any) -> None:
            for line in stream:  # the engine waits for the line with the plugin's port: nothing is held back
                lines.put((name, line))
            lines.put((name, b""))

        pipes = {"stdout": child.stdout, "stderr": child.stderr}
        for name, stream in pipes.items():
            threading.Thread(target=relay, args=(name, stream), daemon=True).start()
        open_pipes = len(pipes)
        while open_pipes:
            name, line = lines.get()
            if line:
                yield (
                    language_pb2.RunPluginResponse(stdout=line)
                    if name == "stdout"
                    else language_pb2.RunPluginResponse(stderr=line)
                )
            else:
                open_pipes -= 1
        exit_code = child.wait()
        self._children.forget(child)
        yield language_pb2.RunPluginResponse(exitcode=exit_code)

    def InstallDependencies(self, request: Any, context: Any) -> Iterator[Any]:
        return iter(())  # the project's set-up owns the environment

    def About(self, request: Any, context: Any) -> Any:
        try:
            python = interpreter(request.info)
        except InterpreterMissing:
            python = sys.executable
        version = subprocess.run([python, "--version"], capture_output=True, text=True, check=False).stdout
        return language_pb2.AboutResponse(executable=python, version=version.removeprefix("Python ").strip())

    def GetProgramDependencies(self, request: Any, context: Any) -> Any:
        found = self._ask(request.info, LIST_DISTRIBUTIONS, context)
        dependencies = [language_pb2.DependencyInfo(name=name, version=version) for name, version in found]
        return language_pb2.GetProgramDependenciesResponse(dependencies=dependencies)

    def Cancel(self, request: Any, context: Any) -> Any:
        return empty_pb2.Empty()

    @staticmethod
    def _ask(info: Any, program: str, context: Any) -> list[Any]:
        """The JSON list that `program` prints in the program's interpreter."""
        try:
            command = [interpreter(info), "-c", program]
        except InterpreterMissing as missing:
            context.abort(grpc.StatusCode.FAILED_PRECONDITION, str(missing))
        answer = subprocess.run(command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL)
        if answer.returncode != 0:
            context.abort(grpc.StatusCode.INTERNAL, f"{command[0]} failed: {answer.stderr.strip()}")
        result: list[Any] = json.loads(answer.stdout)
        return result


def main(arguments: list[str]) -> None:
    """Serves one engine until it says so (SIGINT, SIGTERM) or is gone; then ends the program too."""
    engine = Engine(next((argument for argument in arguments if not argument.startswith("-")), None))
    children = Children()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())  # quiet: no traceback in the user's output
    limits = [
        ("grpc.max_receive_message_length", MESSAGE_LIMIT_BYTES),
        ("grpc.max_send_message_length", MESSAGE_LIMIT_BYTES),
    ]
    server = grpc.server(ThreadPoolExecutor(max_workers=WORKERS), options=limits)
    language_pb2_grpc.add_LanguageRuntimeServicer_to_server(LanguageHost(engine, children), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(port, flush=True)
    while not stop.wait(ENGINE_CHECK_SECONDS):
        if engine.is_gone():
            break
    children.end_all()
    os._exit(0)  # without waiting for RPCs whose caller is gone


if __name__ == "__main__":
    main(sys.argv[1:])
