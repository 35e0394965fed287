"""Liveness and readiness probes of a running instance, as a deployment declares them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from localazure.scoring.instances import Instance, InstanceSpec
from localazure.scoring.specification import Probe
from tests import virtual_time

NEVER = Probe(initial_delay_seconds=100, period_seconds=100)


def probe(**more: Any) -> Probe:
    """One that is asked every hundredth of a second."""
    values = {"initial_delay_seconds": 0, "period_seconds": 0.01, "timeout_seconds": 1, "failure_threshold": 3}
    return Probe(**(values | more))


class FakeProcess:
    """A server that runs until it is ended."""

    def __init__(self) -> None:
        self._ended = asyncio.Event()
        self.process = SimpleNamespace(returncode=None)

    async def wait(self) -> int:
        await self._ended.wait()
        return 0

    async def end(self, grace_seconds: float) -> None:
        self.process.returncode = 0
        self._ended.set()


def watched(folder: Path, liveness: Probe, readiness: Probe, answers: list[bool]) -> tuple[list[bool], bool]:
    """Probe with these answers, the last one for ever: changes of readiness, and whether the process was ended."""
    changes: list[bool] = []

    async def main() -> bool:
        spec = InstanceSpec(
            python=folder, app_root=folder, environment={}, liveness=liveness, readiness=readiness, stop_grace_seconds=0
        )
        instance = Instance(0, spec, folder / "s", folder / "p", folder / "log", changes.append)
        instance._set_ready(True)
        left = list(answers)

        async def healthy(deadline: float) -> bool:
            return left.pop(0) if len(left) > 1 else left[0]

        instance._healthy = healthy  # type: ignore[method-assign]  # no server to ask
        process = FakeProcess()
        watching = asyncio.create_task(instance._watch(process))  # type: ignore[arg-type]  # a fake
        await asyncio.sleep(0.25)  # of virtual time
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        return process.process.returncode == 0

    ended = virtual_time.run(main())
    return changes[1:], ended


@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.readinessProbe"])
def test_an_instance_whose_readiness_fails_gets_no_requests_until_it_is_ready_again(tmp_path):
    assert watched(tmp_path, NEVER, probe(), [False, False, False, True]) == ([False, True], False)


def test_fewer_failures_than_the_threshold_change_nothing(tmp_path):
    assert watched(tmp_path, NEVER, probe(), [False, False, True, False, False, True]) == ([], False)


def test_it_takes_as_many_successes_as_declared_to_be_ready_again(tmp_path):
    answers = [False] * 3 + [True, False] * 5 + [False]
    assert watched(tmp_path, NEVER, probe(success_threshold=2), answers) == ([False], False)


@pytest.mark.parametrize(("answers", "ended"), [([False] * 3, True), ([False, False, True], False)])
@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.livenessProbe"])
def test_an_instance_whose_liveness_fails_too_often_is_ended(tmp_path, answers, ended):
    assert watched(tmp_path, probe(), NEVER, answers) == ([], ended)


def test_the_first_probe_waits_for_its_initial_delay(tmp_path):
    assert watched(tmp_path, probe(initial_delay_seconds=10), NEVER, [False]) == ([], False)
