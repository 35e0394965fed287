"""The acts of `sluice demo`: what a person would type, done through the same code, with its outcome told.

It assumes an environment that points at a throw-away Azure and a stack file that is a copy. It starts no server.
"""

import asyncio
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from command_errors import CommandError
from endpoint_client.address import EndpointAddress, endpoint_of
from endpoint_client.invocation import find_target, invoke
from endpoint_client.load import Load
from endpoint_client.request_file import read_bodies
from exit_codes import ExitCode
from resource_manager.client import ArmClient
from rollout.engine import PulumiEngine
from rollout.events import change_of

MODEL = "fraud-detection"
DEPLOYMENTS = f"sluice:endpoints.{MODEL}.deployments"
ROLLOUT = f"sluice:rollout.{MODEL}"
CLIENTS = 4
PAUSE_SECONDS = 0.02  # of each client between two requests: a laptop's two cores also run the engine
REFUSALS = (
    *("local", "fault", "add", "429", "--retry-after", "1", "--type", "onlineEndpoints", "--method", "PUT"),
    *("--after", "1", "--count", "2"),
)
"""The first change of weights goes through, the second one, which is the way back, is refused twice."""
BAKE = "10s"
SHORT_BAKES: dict[str, int | str | bool] = {f"{ROLLOUT}.plan.steps[{step}].bake": BAKE for step in range(3)}
SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±"}


class Story:
    """One telling, on one stack."""

    def __init__(self, project: Path, stack: str) -> None:
        self.project = project
        self.engine = PulumiEngine(project, stack, interrupt_grace_seconds=5)
        self.sample = project / "models" / MODEL / "sample-request.json"
        self.traffic = project / "models" / MODEL / "sample-traffic.jsonl"
        self.load: BackgroundLoad | None = None
        self.act = 0

    def tell(self) -> None:
        """All acts."""
        self._deploy_blue()
        self._enter_green()
        self.load = BackgroundLoad(*self._target(), bodies=read_bodies(self.traffic))
        self._roll_out_green()
        self._remove_blue()
        self._try_amber()
        self._compare_at_last()

    def _deploy_blue(self) -> None:
        self._title("The platform and an endpoint", "pulumi up")
        self._up()
        self._title("Model and code, uploaded by content hash", f"sluice release publish {MODEL}")
        self._sluice("release", "publish", MODEL)
        self._title("Blue, the first version, enters at 0 %", "pulumi up")
        self._up()
        self._title("Blue gets all traffic", "pulumi preview && pulumi up")
        self._require_one_update()
        self._up()
        self._score(None)

    def _enter_green(self) -> None:
        self._title("Green, a better version, enters at 0 % and is tested by header", "pulumi up")
        self.engine.config_set(f"{DEPLOYMENTS}.green.instances", 1)
        self._up()
        self._score("green")

    def _roll_out_green(self) -> None:
        assert self.load is not None
        command = f"rollout run {MODEL}"
        self._title("Green goes to 100 % by itself, step by step, while callers go on calling", f"sluice {command}")
        self.engine.config_set_all(SHORT_BAKES)
        print(
            f"  the plan of this copy bakes for {BAKE}, because the local metrics have a value per second", flush=True
        )
        self._sluice("rollout", "run", MODEL, "--to", "green", ends_with=ExitCode.DONE)
        tally = self.load.load.total
        print(f"  requests failed by these changes of traffic: {tally.failed} of {tally.requests}", flush=True)
        if tally.failed:
            raise CommandError(f"requests failed while traffic changed: {tally.facts()}")

    def _remove_blue(self) -> None:
        self._title("Blue has no traffic and is removed; green is the stable colour now", "pulumi up")
        self.engine.config_remove(f"{ROLLOUT}.traffic.blue")
        self.engine.config_remove(f"{DEPLOYMENTS}.blue")
        self._up()

    def _try_amber(self) -> None:
        assert self.load is not None
        self._title("Amber, a defective version, enters at 0 %", "pulumi up")
        self.engine.config_set(f"{DEPLOYMENTS}.amber.instances", 1)
        self._up()
        self._title("Amber comes back by itself, although Azure refuses twice", f"sluice rollout run {MODEL}")
        print(f"    $ sluice {' '.join(REFUSALS)}", flush=True)
        self._sluice(*REFUSALS)
        self._sluice("rollout", "run", MODEL, "--to", "amber", ends_with=ExitCode.FAILED)
        self.load.stop()
        total = self.load.load.total
        amber = total.errors_by_deployment["amber"]
        if not amber:
            raise CommandError("amber was expected to fail on part of the traffic, and did not.")
        print(f"  {total.requests} requests in all; {amber} failed in amber,")
        print(f"  {total.failed - amber} failed by changes of traffic", flush=True)
        if total.failed != amber:
            raise CommandError(f"{total.failed - amber} requests failed while traffic changed: {total.facts()}")

    def _compare_at_last(self) -> None:
        self._title("Declared and live are the same", "pulumi preview --refresh")
        preview = self.engine.preview(refresh=True)
        if not preview.is_empty:
            raise CommandError("the last preview is not empty: " + "; ".join(map(str, preview.changes)))
        print("  no changes")

    def close(self) -> None:
        """End the load."""
        if self.load is not None:
            self.load.stop()

    def _title(self, text: str, command: str) -> None:
        self.act += 1
        print(f"\n{self.act:2}. {text}\n    $ {command}", flush=True)

    def _up(self) -> None:
        started = time.monotonic()
        self.engine.up(on_event=_tell_change)
        endpoint = self.engine.outputs()["endpoints"][MODEL]
        colours = ", ".join(f"{name} {facts['weight']} %" for name, facts in endpoint["deployments"].items())
        settled = "settled" if endpoint["settled"] else f"not settled; next: {endpoint['next']}"
        print(f"  {time.monotonic() - started:.0f} s; {colours or 'no deployment yet'}; {settled}", flush=True)

    def _require_one_update(self) -> None:
        name = self._address().name
        preview = self.engine.preview()
        if not preview.is_one_traffic_update(name):
            changes = "\n".join(f"  {change}" for change in preview.changes)
            raise CommandError(f"the preview should be one update of {name}'s traffic, it is:\n{changes}")
        (change,) = preview.changes
        print(f"  preview: 1 update, {change.name} {', '.join(change.diffs)}", flush=True)

    def _sluice(self, *command: str, ends_with: ExitCode = ExitCode.DONE) -> None:
        """Run the command as a person would, in a process of its own, with its output on this screen."""
        stack = [] if command[0] == "local" else ["--stack", self.engine.stack]
        ended = subprocess.run([sys.executable, "-m", "cli.main", *command, *stack], cwd=self.project)
        if ended.returncode != ends_with:
            raise CommandError(
                f"`sluice {' '.join(command)}` ended with {ended.returncode}, not {ends_with.value}, see above."
            )

    def _score(self, deployment: str | None) -> None:
        flag = f" --deployment {deployment}" if deployment else ""
        print(f"    $ sluice invoke {MODEL} --request-file {self.sample.relative_to(self.project)}{flag}")
        print(f"  {invoke(self._address(), self.sample, deployment)}", flush=True)

    def _address(self) -> EndpointAddress:
        return endpoint_of(self.engine.stack, MODEL)

    def _target(self) -> tuple[str, str]:
        """Scoring URI and key."""
        target = find_target(ArmClient(), self._address())
        return target.uri, target.credential


class BackgroundLoad:
    """Continuous load from another thread."""

    def __init__(self, uri: str, key: str, *, bodies: list[bytes]) -> None:
        self.load = Load(uri, bodies, key=key, clients=CLIENTS, pause_seconds=PAUSE_SECONDS)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.load.run()), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End it and wait for the requests that are under way."""
        self.load.stop()
        self._thread.join()


def _tell_change(event: Mapping[str, Any]) -> None:
    if "resOutputsEvent" not in event:
        return
    change = change_of(event["resOutputsEvent"]["metadata"])
    if change.custom and change.op in SIGNS and not change.type.startswith("pulumi:"):
        print(f"  {SIGNS[change.op]} {change.type.removeprefix('azure-native:')} {change.name}", flush=True)
