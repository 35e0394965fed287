"""Samples the instances and the utilization of their processes once a second.

An instance is at 100 % processor time when each of its workers keeps one core busy. Its memory is a share of this
machine's memory, because an instance has no virtual machine of its own. Without /proc (macOS) usage is unknown, and the
metrics have no value.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from localazure.monitor.metrics import Metrics

READY, NOT_READY = "Ready", "NotReady"
_PROC = Path("/proc")


class Usage(NamedTuple):
    """For a process and its children: seconds of processor time so far, resident bytes, number of children."""

    seconds: float
    resident_bytes: int
    children: int


class Running(Protocol):
    """The part of the data plane that the sampler reads."""

    def running(self) -> Sequence[tuple[str, str, list[tuple[int, int | None, bool]]]]: ...

    def connections(self) -> Mapping[str, int]: ...


class Sampler:
    """`sample` is called about once a second."""

    def __init__(self, metrics: Metrics, plane: Running) -> None:
        self._metrics = metrics
        self._plane = plane
        self._before: dict[int, tuple[float, float]] = {}
        """Process id -> time of the reading and processor time at that time."""
        self._connected: set[str] = set()
        self._memory_bytes = _memory_bytes()

    def sample(self, now: float) -> None:
        """Take one sample of everything."""
        seen: dict[int, tuple[float, float]] = {}
        present = {}
        for endpoint, deployment, instances in self._plane.running():
            present[endpoint.lower(), deployment.lower()] = True
            states = tuple((instance_name(number), READY if ready else NOT_READY) for number, _, ready in instances)
            self._metrics.record_instances(endpoint, deployment, now, states)
            for number, pid, _ in instances:
                usage = read_usage(pid) if pid is not None else None
                if pid is None or usage is None:
                    continue
                seen[pid] = (now, usage.seconds)
                before = self._before.get(pid)
                if before is not None and now > before[0]:
                    cpu = (usage.seconds - before[1]) / (now - before[0]) / max(1, usage.children) * 100
                    memory = usage.resident_bytes / self._memory_bytes * 100
                    self._metrics.record_usage(
                        endpoint, deployment, instance_name(number), now, cpu=min(100.0, max(0.0, cpu)), memory=memory
                    )
        self._before = seen
        self._read_connections(now)
        self._metrics.forget_gauges(present, now)
        self._metrics.limit(now)

    def _read_connections(self, now: float) -> None:
        counts = self._plane.connections()
        for endpoint in self._connected | set(counts):
            self._metrics.record_connections(endpoint, now, counts.get(endpoint, 0))
        self._connected = set(counts)


def instance_name(number: int) -> str:
    """The value of the dimension instanceId; Azure's value is not known."""
    return f"instance-{number}"


def read_usage(pid: int) -> Usage | None:
    """The usage of a process and its direct children; None when it has ended or the system does not report it."""
    try:
        children = [int(child) for child in (_PROC / f"{pid}/task/{pid}/children").read_text().split()]
        seconds, resident = _read_process(pid)
    except (OSError, ValueError, IndexError):
        return None
    for child in children:
        try:
            more_seconds, more_resident = _read_process(child)
        except (OSError, ValueError, IndexError):
            continue  # it has just ended; its time now counts for its parent
        seconds, resident = seconds + more_seconds, resident + more_resident
    return Usage(seconds, resident, len(children))


def _read_process(pid: int) -> tuple[float, int]:
    fields = (_PROC / f"{pid}/stat").read_bytes().rpartition(b")")[2].split()
    # utime, stime, and those of children that were waited for; resident pages.
    ticks = sum(int(field) for field in fields[11:15])
    return ticks / os.sysconf("SC_CLK_TCK"), int(fields[21]) * os.sysconf("SC_PAGE_SIZE")


def _memory_bytes() -> int:
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
