"""The acts of `sluice demo`: what a person would type, done through the same code, with its outcome told.

It assumes an environment that points at a throw-away Azure and a stack file that is a copy. It starts no server.
"""

import asyncio
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
from endpoint_client.tally import Tally
from rehearsal.faults import faults_of
from rehearsal.home import LocalHome
from resource_manager.client import ArmClient
from rollout.engine import PulumiEngine
from rollout.events import change_of

MODEL = "fraud-detection"
DEPLOYMENTS = f"sluice:endpoints.{MODEL}.deployments"
ROLLOUT = f"sluice:rollout.{MODEL}"
CLIENTS = 4
PAUSE_SECONDS = 0.02  # of each client between two requests: a laptop's two cores also run the engine
WINDOW_REQUESTS = 300
WINDOW_SECONDS = 180.0  # a busy machine may be slow; only an endpoint that stopped answering takes this long
REFUSALS = ("429", "--retry-after", "1", "--type", "onlineEndpoints", "--method", "PUT", "--count", "2")
SIGNS = {"create": "+", "update": "~", "delete": "-", "replace": "±"}


class Story:
    """One telling, on one stack."""

    def __init__(self, project: Path, home: LocalHome, stack: str) -> None:
        self.project = project
        self.home = home
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
        self._promote_green()
        self._remove_blue()
        self._try_amber()
        self._compare_at_last()

    def _deploy_blue(self) -> None:
        self._title("The platform and an endpoint", "pulumi up")
        self._up()
        self._title("Model and code, uploaded by content hash", f"sluice release publish {MODEL}")
        self._run("release", "publish", MODEL, "--stack", self.engine.stack)
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

    def _promote_green(self) -> None:
        assert self.load is not None
        self._title("Green is promoted under continuous load", "pulumi preview && pulumi up, three times")
        for green in (10, 50, 100):
            self._move({"blue": 100 - green, "green": green})
        tally = self.load.load.total
        print(f"  requests failed by three changes of traffic: {tally.failed} of {tally.requests}", flush=True)
        if tally.failed:
            raise CommandError(f"requests failed while traffic changed: {tally.facts()}")

    def _remove_blue(self) -> None:
        self._title("Blue has no traffic and is removed", "pulumi up")
        self.engine.config_set(f"{ROLLOUT}.stable", "green")
        self.engine.config_remove(f"{ROLLOUT}.traffic.blue")
        self.engine.config_remove(f"{DEPLOYMENTS}.blue")
        self._up()

    def _try_amber(self) -> None:
        assert self.load is not None
        self._title("Amber, a defective version, enters at 0 % and gets 10 %", "pulumi up, then preview && up")
        self.engine.config_set(f"{DEPLOYMENTS}.amber.instances", 1)
        self._up()
        errors = self._move({"green": 90, "amber": 10}).errors_by_deployment["amber"]
        print(f"  of these requests amber failed {errors}", flush=True)
        if not errors:
            raise CommandError("amber was expected to fail on part of the traffic, and did not.")
        self._title("Traffic goes back, although Azure refuses twice", f"sluice local fault add {' '.join(REFUSALS)}")
        self._run("local", "fault", "add", *REFUSALS)
        self._move({"green": 100, "amber": 0})
        if faults_of(self.home):
            raise CommandError("Azure was expected to refuse two updates, and did not get as many.")
        print("  refused twice, sent again by the provider, done by one pulumi up", flush=True)
        self.load.stop()
        total = self.load.load.total
        caused = total.failed - total.errors_by_deployment["amber"]
        print(f"  {total.requests} requests in all; {total.errors_by_deployment['amber']} failed in amber,")
        print(f"  {caused} failed by changes of traffic", flush=True)
        if caused:
            raise CommandError(f"{caused} requests failed while traffic changed: {total.facts()}")

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

    def _move(self, weights: Mapping[str, int]) -> Tally:
        """Declare the weights, preview exactly one update, apply it, and compare the observed split."""
        assert self.load is not None
        for name, weight in weights.items():
            print(f"    $ pulumi config set --path '{ROLLOUT}.traffic.{name}' {weight}")
        self.engine.config_set_all({f"{ROLLOUT}.traffic.{name}": weight for name, weight in weights.items()})
        self._require_one_update()
        self.engine.up()
        tally = self.load.window_of(WINDOW_REQUESTS, WINDOW_SECONDS)
        print(
            f"  declared {_percents(weights)}; observed {_percents(tally.split_percent())} of {tally.requests} requests"
        )
        for name, weight in weights.items():
            _require_close(name, weight, tally)
        return tally

    def _run(self, *command: str) -> None:
        from cli.main import main

        if main(list(command)) != 0:
            raise CommandError(f"sluice {' '.join(command)} failed, see above.")

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

    def window_of(self, requests: int, seconds: float) -> Tally:
        """Count so many answers to requests sent from now on; fails if they do not come."""
        deadline = time.monotonic() + seconds
        self._wait_for(4 * CLIENTS, deadline)  # what was on its way when the weights changed is not counted
        self._wait_for(requests, deadline)
        return self.load.restart_window()

    def _wait_for(self, requests: int, deadline: float) -> None:
        self.load.restart_window()
        while self.load.window.requests < requests:
            if time.monotonic() > deadline:
                raise CommandError(f"only {self.load.window.requests} of {requests} requests were answered in time.")
            time.sleep(0.05)

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


def _percents(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {weight:g} %" for name, weight in weights.items() if weight) or "nothing"


def _require_close(name: str, weight: int, tally: Tally) -> None:
    """Within four standard deviations of a fair draw: chance alone leaves that once in sixteen thousand."""
    share, answered = weight / 100, sum(tally.deployments.values())
    allowed = 4 * (answered * share * (1 - share)) ** 0.5
    if abs(tally.deployments[name] - answered * share) > allowed:
        raise CommandError(f"{name} has {weight} % declared, but answered {tally.deployments[name]} of {answered}.")
