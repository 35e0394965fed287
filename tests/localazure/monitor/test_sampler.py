"""What is read off the data plane once a second: instances, real processes, connections."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from localazure.monitor import sampler as sampler_module
from localazure.monitor.buckets import KEPT_SECONDS
from localazure.monitor.definitions import DEPLOYMENTS, definitions
from localazure.monitor.filters import parse_filter
from localazure.monitor.gauges import Steps
from localazure.monitor.measures import Measured, Span, measure
from localazure.monitor.metrics import CPU, FORGET_AFTER_SECONDS, MEMORY, Metrics
from localazure.monitor.sampler import Sampler, Usage, read_usage
from tests.waiting import wait_until

START = 1_800_000_000
BUSY = "import os, time\nif os.fork() == 0:\n    end = time.time() + 20\n    while time.time() < end: pass\nos.wait()"


class Plane:
    """A data plane that is what a test says."""

    def __init__(self) -> None:
        self.deployments = [("fraud", "blue", [(0, 11, True), (1, 12, False)])]
        self.connected = {"fraud": 2}

    def running(self):
        return self.deployments

    def connections(self):
        return self.connected


def value(metrics: Metrics, name: str, seconds: int, wanted: str = "") -> dict:
    definition = definitions(DEPLOYMENTS)[name.lower()]
    span = Span(START, START + seconds, 1, START + seconds)
    found = measure(
        metrics, definition, Measured("fraud", "blue"), span, parse_filter(wanted, definition.dimensions, name)
    )
    return {group: [round(point["average"], 3) for point in points.values()] for group, points in found.items()}


def test_usage_is_the_processor_time_since_the_last_sample_per_worker(monkeypatch):
    seconds = {11: 5.0, 12: 7.0}
    monkeypatch.setattr(sampler_module, "read_usage", lambda pid: Usage(seconds[pid], 1 << 20, 2))
    metrics = Metrics(lambda: START)
    sampler = Sampler(metrics, Plane())
    sampler.sample(START)
    seconds[11] += 1.0
    seconds[12] += 9.0
    sampler.sample(START + 1)
    assert value(metrics, "CpuUtilizationPercentage", 2, "instanceId eq '*'") == {
        ("instance-0",): [50.0],  # one of two workers' cores
        ("instance-1",): [100.0],
    }
    assert value(metrics, "DeploymentCapacity", 2, "State eq '*'") == {
        ("Ready",): [1.0, 1.0],
        ("NotReady",): [1.0, 1.0],
    }


def test_an_instance_without_a_process_has_no_usage_and_one_that_went_has_no_capacity():
    metrics, plane = Metrics(lambda: START), Plane()
    plane.deployments = [("fraud", "blue", [(0, None, True)])]
    sampler = Sampler(metrics, plane)
    sampler.sample(START)
    sampler.sample(START + 1)
    plane.deployments = []
    sampler.sample(START + 2)
    assert value(metrics, "CpuUtilizationPercentage", 4) == {}
    assert value(metrics, "DeploymentCapacity", 4) == {(): [1.0, 1.0, 0.0, 0.0]}
    assert metrics.connections("fraud").last == 2
    plane.connected = {}
    sampler.sample(START + 4000)
    assert metrics.connections("fraud").last == 0
    assert metrics.gauges("fraud", "blue").capacity.last is None  # forgotten


def test_what_is_sampled_is_bounded_by_time(monkeypatch):
    monkeypatch.setattr(sampler_module, "read_usage", lambda pid: Usage(1.0, 1 << 20, 1))
    plane = Plane()
    metrics = Metrics(lambda: START)
    sampler = Sampler(metrics, plane)
    for second in range(0, 1000, 5):
        sampler.sample(START + second)
    samples = metrics.gauges("fraud", "blue").usage[CPU, "instance-0"]
    assert [second for second, _ in samples.seconds(0, START + 1000, START + 1000)] == list(
        range(START + 995 - KEPT_SECONDS, START + 1000, 5)
    )
    plane.deployments, plane.connected = [], {}
    sampler.sample(START + 1000)
    assert metrics.connections("fraud").last == 0
    sampler.sample(START + 1000 + FORGET_AFTER_SECONDS + 1)
    assert metrics.connections("fraud").last is None, "of an endpoint that went long ago"
    assert metrics.gauges("fraud", "blue").usage == {}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_the_usage_of_a_real_process_has_that_of_its_worker():
    with subprocess.Popen([sys.executable, "-S", "-c", BUSY], start_new_session=True) as process:
        try:
            wait_until(lambda: (usage := read_usage(process.pid)) is not None and usage.seconds >= 0.2)
            usage = read_usage(process.pid)
            assert usage is not None
            assert usage.children == 1
            assert usage.resident_bytes > 4 << 20
        finally:
            os.killpg(process.pid, signal.SIGKILL)
    assert read_usage(process.pid) is None


def test_a_value_that_seldom_changes_is_kept_as_changes():
    steps: Steps[int] = Steps()
    for second in range(1000):
        steps.set(second, 1 if second < 500 else 2)
    assert list(steps.between(0, 1000)) == [(500, 1), (500, 2)]
    assert list(steps.between(-10, 0)) == []
    assert list(steps.between(900, 2000)) == [(1100, 2)]
    assert (CPU, MEMORY) == ("cpu", "memory")
