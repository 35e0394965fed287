"""The dev stack with green at 0 %, whose file lies in a clone of a bare repository: what a rollout in CI works with."""

import json
import subprocess
import urllib.request
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from bench.rehearsal import MODEL, ROOT, SLUICE, Rehearsal
from bench.timing import Command

STACK = "dev"
ML_API = "2024-04-01"


class PushedStack:
    """The stack, and the commands of its rollouts."""

    def __init__(self, rehearsal: Rehearsal, plan: dict[str, Any]) -> None:
        self.rehearsal = rehearsal
        environment = rehearsal.settle(STACK)
        path = f"sluice:endpoints.{MODEL}.deployments.green.instances"
        rehearsal.pulumi(STACK, "config", "set", "--path", path, "1")
        rehearsal.pulumi(STACK, "config", "set", "--path", f"sluice:rollout.{MODEL}.traffic.green", "0")
        rehearsal.sluice("release", "publish", MODEL, "--stack", STACK, stack=STACK)
        rehearsal.pulumi(STACK, "up", "--yes", "--skip-preview")
        config = yaml.safe_load(Path(environment["PULUMI_OPTION_CONFIG_FILE"]).read_text(encoding="utf-8"))
        config["config"]["sluice:rollout"][MODEL]["plan"] = plan
        identity = {f"GIT_{role}_{part}": "bench" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
        self.folder = rehearsal.folder / "clone"
        self.file = self.folder / f"Pulumi.{STACK}.yaml"
        self.environment = environment | identity | {"PULUMI_OPTION_CONFIG_FILE": str(self.file)}
        origin = rehearsal.folder / "origin.git"
        self._run("git", "init", "--quiet", "--bare", "--initial-branch=main", str(origin), folder=rehearsal.folder)
        self._run("git", "clone", "--quiet", f"file://{origin}", str(self.folder), folder=rehearsal.folder)
        self.git("symbolic-ref", "HEAD", "refs/heads/main")
        self.write(config)
        self.push("The stack")

    def write(self, document: dict[str, Any]) -> None:
        """The stack file's content. JSON is YAML, but a person's file has lines, which the controller edits."""
        self.file.write_text(yaml.safe_dump(document, sort_keys=False), encoding="utf-8")

    def read(self) -> dict[str, Any]:
        """The stack file's content."""
        return dict(yaml.safe_load(self.file.read_text(encoding="utf-8")))

    def push(self, message: str) -> None:
        """Commit everything, and push it."""
        self.git("add", ".")
        self.git("commit", "--quiet", "-m", message)
        self.git("push", "--quiet", "origin", "HEAD:refs/heads/main")

    def git(self, *arguments: str) -> str:
        """Run git in the clone."""
        return self._run("git", *arguments, folder=self.folder)

    def rollout(self, verb: str, *arguments: str) -> Command:
        """`sluice rollout VERB ... --commit --push`, to run or to time."""
        return Command(
            name=f"sluice rollout {verb}",
            arguments=[str(SLUICE), "rollout", verb, *arguments, "--stack", STACK, "--commit", "--push"],
            folder=ROOT,
            environment=self.environment,
        )

    def up_of_endpoint(self) -> Command:
        """`pulumi up` of the endpoint alone, without a preview."""
        urn = f"urn:pulumi:{STACK}::sluice::**azure-native:machinelearningservices:OnlineEndpoint::{MODEL}-endpoint"
        arguments = ["pulumi", "up", "--yes", "--skip-preview", "--target", urn]
        return Command(name="targeted up", arguments=arguments, folder=ROOT, environment=self.environment)

    def events(self) -> list[dict[str, Any]]:
        """The events of the last record of the example's endpoint; none before the first rollout."""
        files = sorted((self.folder / "rollouts" / STACK / MODEL).glob("*.jsonl"))
        if not files:
            return []
        whole, _, _ = files[-1].read_text(encoding="utf-8").rpartition("\n")
        return [json.loads(line) for line in whole.splitlines()]

    @cached_property
    def endpoint_id(self) -> str:
        """The ARM id of the example's endpoint."""
        return str(self.rehearsal.outputs(STACK)["endpoints"][MODEL]["id"])

    @cached_property
    def _http(self) -> str:
        return str(self.rehearsal.status()["server"]["http"])

    def arm(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request to Resource Manager, without waiting for an operation."""
        request = urllib.request.Request(
            f"{self._http}{path}?api-version={ML_API}",
            None if body is None else json.dumps(body).encode(),
            {"Authorization": "Bearer bench", "Content-Type": "application/json"},
            method=method,
        )
        with urllib.request.urlopen(request) as answer:
            return dict(json.loads(answer.read() or b"{}"))

    def live(self) -> dict[str, int]:
        """The live weights, without zeros."""
        traffic = self.arm("GET", self.endpoint_id)["properties"].get("traffic") or {}
        return {name: weight for name, weight in traffic.items() if weight}

    def fault(self, *arguments: str) -> None:
        """`sluice local fault ...` on this local Azure."""
        self.rehearsal.sluice("local", "fault", *arguments, "--home", str(self.rehearsal.home))

    def _run(self, *arguments: str, folder: Path) -> str:
        finished = subprocess.run(arguments, cwd=folder, env=self.environment, capture_output=True, text=True)
        if finished.returncode != 0:
            raise SystemExit(f"{' '.join(arguments)} failed:\n{finished.stdout}{finished.stderr}")
        return finished.stdout.strip()


def started(command: Command, log: Path) -> "subprocess.Popen[bytes]":
    """The command as a process that goes on beside the bench; what it says is in `log`."""
    with log.open("wb") as said:
        arguments: Sequence[str] = command.arguments
        return subprocess.Popen(
            arguments,
            cwd=command.folder,
            env=dict(command.environment),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
