"""What the integration tests drive: a local Azure, a copy of the project, and separate stacks in it.

They use only what a user has: the `sluice` command, `pulumi` through `PulumiEngine`, and plain HTTP to Azure.
"""

import json
import os
import shutil
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bench.rehearsal import copy_program
from localazure.identity import SUBSCRIPTION_ID
from naming import Names
from rehearsal.environment import LocalEnvironment, local_environment
from rehearsal.home import LocalHome
from rehearsal.server_process import start, stop
from rehearsal.stack_copy import create_stack
from rollout.engine import PulumiEngine
from rollout.errors import EngineRefused
from tests.integration.checkpoint import lasting
from tests.integration.moments import Moment

ROOT = Path(__file__).resolve().parents[2]
SLUICE = Path(sys.executable).parent / "sluice"
MODEL = "fraud-detection"
ML_API = "2025-12-01"


@dataclass
class Azure:
    """A running local Azure, and requests to it."""

    home: LocalHome
    folder: Path
    flags: tuple[str, ...] = ()
    port: int | None = None

    @classmethod
    def started(cls, folder: Path, *flags: str, port: int | None = None) -> "Azure":
        azure = cls(LocalHome(folder / "home"), folder, flags, port)
        azure.start()
        return azure

    def start(self) -> None:
        start(self.home, port=self.port, flags=self.flags, say=lambda text: None)

    def moment(self, kind: str = "hold", **scope: Any) -> Moment:
        """A moment at which Azure must be held."""
        return Moment(self.home, kind, **scope)

    def stop(self) -> None:
        stop(self.home, say=lambda text: None)

    @property
    def url(self) -> str:
        return self.home.require_server().https

    def environment(self) -> dict[str, str]:
        """The variables of a shell after `eval "$(sluice local env)"`, without a stack."""
        environment: LocalEnvironment = local_environment(self.home)
        return environment.applied_to({name: os.environ[name] for name in os.environ if not name.startswith("PULUMI_")})

    def request(self, method: str, path: str, body: Any = None, api_version: str = ML_API) -> tuple[int, Any]:
        """One request to Resource Manager."""
        request = urllib.request.Request(
            f"{self.url}{path}?api-version={api_version}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={"Authorization": "Bearer test", "Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, context=self._tls()) as answer:
                text = answer.read()
                return answer.status, json.loads(text) if text else None
        except urllib.error.HTTPError as error:
            text = error.read()
            return error.code, json.loads(text) if text else None

    def get(self, path: str) -> Any:
        """A resource, which must exist."""
        status, body = self.request("GET", path)
        assert status == 200, body
        return body

    def score(
        self, uri: str, key: str, body: bytes, deployment: str | None = None
    ) -> tuple[int, str, Mapping[str, str]]:
        """One scoring request: status, text, headers."""
        headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        if deployment:
            headers["azureml-model-deployment"] = deployment
        request = urllib.request.Request(uri, data=body, headers=headers)
        try:
            with urllib.request.urlopen(request, context=self._tls()) as answer:
                return answer.status, answer.read().decode(), answer.headers
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode(), error.headers

    def _tls(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.home.path / "ca.pem"))


def copy_project(target: Path) -> Path:
    """A separate copy of the program, so that a test may edit its model files."""
    copy_program(target, "Pulumi.*.yaml", "models")
    return target


class Stack:
    """One stack: its own stack file, state and release locks, on a local Azure; created if it does not exist."""

    def __init__(
        self, azure: Azure, name: str, *, like: str = "dev", project: Path = ROOT, state: str = "state"
    ) -> None:
        self.azure = azure
        self.name = name
        self.project = project
        folder = azure.folder / "stacks" / name
        folder.mkdir(parents=True, exist_ok=True)
        (azure.folder / state).mkdir(exist_ok=True)
        (folder / "Pulumi.yaml").write_text("name: sluice\nruntime: python\n")
        self.file = folder / f"Pulumi.{name}.yaml"
        if not self.file.exists():
            shutil.copy2(ROOT / f"Pulumi.{like}.yaml", self.file)
        environment = azure.environment() | {"PULUMI_BACKEND_URL": f"file://{azure.folder / state}"}
        environment["SLUICE_RELEASE_LOCKS"] = str(azure.folder / "locks")
        if not (azure.folder / state / ".pulumi" / "stacks" / "sluice" / f"{name}.json").exists():
            create_stack(folder, name, environment)
        self.environment = environment | {"PULUMI_STACK": name, "PULUMI_OPTION_CONFIG_FILE": str(self.file)}
        self.engine = PulumiEngine(project, name, self.environment)
        self.names = Names(team="payments", stack=name, subscription_id=SUBSCRIPTION_ID)

    # The stack file

    def edit(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change the stack file's `config`."""
        document = yaml.safe_load(self.file.read_text())
        change(document["config"])
        self.file.write_text(yaml.safe_dump(document, sort_keys=False))

    def weights(self, **traffic: int) -> None:
        """Declare weights."""
        self.edit(lambda config: config["sluice:rollout"][MODEL].update(traffic=traffic))

    def deployment(self, name: str, **settings: Any) -> None:
        """Declare a colour."""
        self.edit(lambda config: config["sluice:endpoints"][MODEL]["deployments"].update({name: settings}))

    # Commands

    def sluice(self, *arguments: str, expect: int | None = 0) -> "subprocess.CompletedProcess[str]":
        """Run `sluice` in this stack's environment, in the project's folder."""
        done = subprocess.run(
            [str(SLUICE), *arguments],
            cwd=self.project,
            env=self.environment,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if expect is not None:
            assert done.returncode == expect, done.stdout + done.stderr
        return done

    def publish(self, *deployments: str) -> None:
        """`sluice release publish`."""
        chosen = [word for name in deployments for word in ("--deployment", name)]
        self.sluice("release", "publish", MODEL, "--stack", self.name, *chosen)

    def up(self) -> None:
        """Run `pulumi up`; if an update that was killed has created the workspace already, publish first."""
        try:
            self.engine.up()
        except EngineRefused as error:
            if "never published" not in str(error):
                raise
            self.publish()
            self.engine.up()

    def settle(self) -> list[str]:
        """Run `pulumi up` until the stack is settled, following the output `next`; return all values of `next`."""
        said = []
        for _ in range(4):
            self.up()
            endpoint = self.engine.outputs()["endpoints"][MODEL]
            if endpoint["settled"]:
                return said
            said.append(endpoint["next"])
            if "release publish" in endpoint["next"]:
                self.publish()
        raise AssertionError(f"not settled after four updates: {said}")

    def begin(self, operation: str = "up") -> "subprocess.Popen[str]":
        """Start an update as a process that a test may kill."""
        command = shutil.which("pulumi", path=self.environment["PATH"])
        assert command
        with self.file.with_name("begun.log").open("w") as log:
            return subprocess.Popen(
                [command, "--non-interactive", operation, "--yes", "--skip-preview"],
                cwd=self.project,
                env=self.environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                text=True,
            )

    def kill_at(self, moment: Moment, *, operation: str = "up") -> bool:
        """Start an update and kill -9 the CLI while Azure is held at the moment; then Azure continues.

        Return False if the update succeeded without reaching the moment.
        """
        with moment:
            process = self.begin(operation)
            try:
                reached = moment.reached(process)
            finally:
                process.kill()
                process.wait()
        assert reached or process.returncode == 0, self.file.with_name("begun.log").read_text()
        return reached

    # What is live

    @property
    def endpoint_id(self) -> str:
        return self.names.endpoint_id(self.names.endpoint(MODEL))

    def live_endpoint(self) -> dict[str, Any]:
        """Return the endpoint from Azure."""
        return dict(self.azure.get(self.endpoint_id))

    def live_traffic(self) -> dict[str, int]:
        """Return the live weights, without zeros."""
        traffic = self.live_endpoint()["properties"].get("traffic") or {}
        return {name: weight for name, weight in traffic.items() if weight}

    def live_deployments(self) -> dict[str, dict[str, Any]]:
        """Return the deployments from Azure."""
        listed = self.azure.get(f"{self.endpoint_id}/deployments")["value"]
        return {deployment["name"]: deployment for deployment in listed}

    def target(self) -> tuple[str, str]:
        """Scoring URI and primary key."""
        status, keys = self.azure.request("POST", f"{self.endpoint_id}/listKeys")
        assert status == 200, keys
        return str(self.live_endpoint()["properties"]["scoringUri"]), str(keys["primaryKey"])

    def snapshot(self) -> tuple[Any, Any, Any]:
        """Return the state and Azure's resources, to prove that a refusal changed neither."""
        state = lasting(self.engine.export()["deployment"]["resources"])
        return state, self.live_endpoint(), self.live_deployments()


def processes_with(text: str) -> dict[int, str]:
    """Return running processes (Linux) whose environment or command line contains a string, e.g. a home folder."""
    found = {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdecimal() or int(folder.name) == os.getpid():
            continue
        try:
            command = (folder / "cmdline").read_bytes()
            if text.encode() in command or text.encode() in (folder / "environ").read_bytes():
                found[int(folder.name)] = command.replace(b"\0", b" ").decode(errors="replace").strip()
        except OSError:
            continue
    return {pid: command for pid, command in found.items() if command}


def repository_files() -> dict[str, bytes]:
    """Return what a rehearsal could write to: stack files, release locks, and files that git would show as new."""
    files = [*ROOT.glob("Pulumi*"), *ROOT.glob("models/*/*"), *ROOT.glob(".pulumi/**/*")]
    return {str(file.relative_to(ROOT)): file.read_bytes() for file in files if file.is_file()}
