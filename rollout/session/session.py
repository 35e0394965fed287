"""What one command works with, whatever its endpoint: a clock, a voice, and whether it commits and pushes."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rollout.ports import Clock

if TYPE_CHECKING:
    from pathlib import Path

    from rollout.engine import PulumiEngine
    from rollout.instances import DeploymentEdit
    from rollout.people.start_facts import Colour
    from rollout.ports import EngineLocks, Message
    from stack_config import DeploymentSettings

Say = Callable[[str], None]


class SystemClock:
    """`ports.Clock`."""

    def now(self) -> int:
        """Seconds since 1970."""
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        """Wait; Ctrl-C raises KeyboardInterrupt."""
        time.sleep(seconds)


class NoCommits:
    """`ports.Repository` of a command that commits nothing."""

    def sync(self) -> str | None:
        """Nothing is fetched."""
        return None

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Nothing is committed."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One command. `say` tells people one line.

    Three things it is given, because other parts of the product know them: `locks_of`, the locks and the history of a
    stack's backend; `colours_of`, the declared colours of an endpoint (its key, its deployments) with the digests that
    the program gives them, which raises UsageError for model files that cannot be read; and `require_quota`, which
    raises QuotaShort if the subscription's quota does not suffice for what a stack declares.
    """

    say: Say
    locks_of: Callable[[PulumiEngine, Say], EngineLocks]
    colours_of: Callable[[str, Mapping[str, DeploymentSettings]], Mapping[str, Colour]]
    require_quota: Callable[[str, Path | None, Say], None]
    commit: bool = False
    """Whether stack file and record are committed."""
    push: bool = False
    """Whether they are committed and pushed."""
    clock: Clock = field(default_factory=SystemClock)

    def end_after(self, seconds: int | None) -> int | None:
        """When a run of so many seconds is over (seconds since 1970); None: its time is not limited."""
        return self.clock.now() + seconds if seconds else None
