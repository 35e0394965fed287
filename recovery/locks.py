"""The lock of one update, and the rule that decides whether its update may still run. It reads no backend.

A backend keeps one JSON document per running update: pid, host, user, time (`backend/diy/lock.go` of Pulumi 3.259). It
names no end: a killed update leaves its lock for ever.
"""

import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum

import processes

CI_USERS_VARIABLE = "SLUICE_CI_USERS"
CI_USERS = "runner,vsts,AzDevOps"
"""The users of GitHub's runners and of Azure DevOps' hosted and scale set agents."""

DELIVERY_DEAD_AFTER_SECONDS = 165 * 60
"""The time limit of the longest job of the pipelines, 150 minutes, and 15 more."""


class Owner(StrEnum):
    """Whether the process that wrote a lock still runs."""

    DEAD = "dead"
    ALIVE = "alive"
    ELSEWHERE = "elsewhere"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Lock:
    """One lock in a backend."""

    name: str
    """Its file, or its blob."""
    pid: int
    user: str
    host: str
    """Empty if the lock does not name the process that wrote it."""
    taken: datetime

    def __str__(self) -> str:
        if not self.host:
            return f"{self.name}, which names no owner"
        return f"{self.user}@{self.host}, process {self.pid}, since {self.taken:%Y-%m-%d %H:%M:%S %Z}".rstrip()


def read_lock(name: str, text: str) -> Lock:
    """Return what a lock's document says. Raises ValueError if it is not JSON, so that nothing is known."""
    content = json.loads(text)
    try:
        taken = datetime.fromisoformat(_microseconds(content["timestamp"]))
        if taken.tzinfo is None:
            raise ValueError("without a time zone")
        return Lock(name, int(content["pid"]), str(content["username"]), str(content["hostname"]), taken)
    except (KeyError, TypeError, ValueError, AttributeError):  # its holder is not known, so it stays
        return Lock(name, 0, "", "", datetime.fromtimestamp(0, UTC))


@dataclass(frozen=True)
class LockRule:
    """Which locks are dead. Those of this host are judged by their process, without any setting."""

    dead_after_seconds: float | None = None
    """The age from which a pipeline's lock of another host is dead; None: never. Longer than any job may take."""
    ci_users: frozenset[str] = field(default=frozenset(CI_USERS.split(",")))
    """The users whose updates run in pipelines only. A person's update has no limit of time."""
    now: Callable[[], float] = time.time

    @classmethod
    def of(cls, environment: Mapping[str, str], dead_after_seconds: float | None) -> "LockRule":
        """Return the rule with the users that SLUICE_CI_USERS names, separated by commas."""
        named = environment.get(CI_USERS_VARIABLE, CI_USERS)
        return cls(dead_after_seconds, frozenset(user.strip() for user in named.split(",") if user.strip()))

    def owner(self, lock: Lock) -> Owner:
        """Return whether the update of a lock may still run.

        Dead on this host: the process has ended, or a later process has its number. Dead on another host: a pipeline's
        user took it longer ago than any job lasts.
        """
        if not lock.host:
            return Owner.UNKNOWN
        if lock.host == socket.gethostname():
            return Owner.ALIVE if processes.is_alive_since(lock.pid, lock.taken.timestamp()) else Owner.DEAD
        limit = self.dead_after_seconds
        old = limit is not None and self.now() - lock.taken.timestamp() > limit
        return Owner.DEAD if old and lock.user in self.ci_users else Owner.ELSEWHERE

    def advice(self, lock: Lock, stack: str) -> str:
        """Say what a person does about a lock of another host that is not dead."""
        if self.dead_after_seconds is not None and lock.user in self.ci_users:
            ends = datetime.fromtimestamp(lock.taken.timestamp() + self.dead_after_seconds, UTC)
            return (
                f"A pipeline's lock counts as dead from {ends:%Y-%m-%d %H:%M:%S} UTC on: run this command again then."
            )
        look = f"Look there; if that update is dead, run `pulumi cancel --stack {stack}`, then this command again."
        if self.dead_after_seconds is None and lock.user in self.ci_users:
            return f"{look} For a pipeline's run that is gone, give --dead-after 165m, its time limit and 15 minutes."
        if self.dead_after_seconds is None:
            return look
        users = ", ".join(sorted(self.ci_users)) or "no user"
        return f"{lock.user} is not a user of pipelines ({CI_USERS_VARIABLE}: {users}), so it may run for long. {look}"


def _microseconds(text: str) -> str:
    """Cut nanoseconds, which Go writes, to microseconds, the most that `datetime` reads before Python 3.12."""
    head, dot, rest = text.partition(".")
    if not dot:
        return text
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
