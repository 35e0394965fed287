"""Break-glass: an endpoint's weights set through Azure, because the engine cannot do it.

An update of the engine that still runs may PUT its own weights afterwards. So the weights are read again once its lock
is gone, twice with a pause, and set again if they differ.
"""

from __future__ import annotations

from collections.abc import Callable

from command_errors import CommandError, UnavailableError
from rollout.ports import Azure, Clock, EngineLocks
from rollout.split import Split

PUT_SECONDS = 20 * 60
"""How long the PUT is tried again: another operation on the endpoint may run so long."""
LOCK_SECONDS = 20 * 60
"""How long a living lock of the engine is waited for after the PUT."""
PAUSE_SECONDS = 30.0
RETRY_SECONDS = 5.0
MOST_ROUNDS = 3


class BreakGlass:
    """Sets weights without the engine."""

    def __init__(self, azure: Azure, locks: EngineLocks, clock: Clock, say: Callable[[str], None]) -> None:
        self._azure = azure
        self._locks = locks
        self._clock = clock
        self._say = say

    def set(self, to: Split) -> str:
        """Set the weights, and return once Azure shows them twice; the answer says what is left to watch, or nothing.

        Raises UnavailableError if Azure does not take them in `PUT_SECONDS`, or another client keeps changing them.
        """
        for _ in range(MOST_ROUNDS):
            self._put(to)
            holder = self._lock_gone()
            if self._has(to):
                self._clock.sleep(PAUSE_SECONDS)
                if self._has(to):
                    return f"the engine is still locked: {holder}" if holder else ""
        raise UnavailableError(
            f"Azure does not keep the weights {to.describe()}: another client sets others each time. Find it by the "
            "endpoint's activity log, stop it, and run this command again."
        )

    def _put(self, to: Split) -> None:
        deadline = self._clock.now() + PUT_SECONDS
        told = False
        while True:
            try:
                self._azure.set_split(to)
                return
            except UnavailableError as error:
                if self._clock.now() >= deadline:
                    raise
                if not told:
                    self._say(f"Azure did not take the weights yet, trying on: {error}")
                    told = True
                self._clock.sleep(RETRY_SECONDS)

    def _lock_gone(self) -> str | None:
        """Wait until no living process holds the engine's lock; return who does if it lasts."""
        deadline = self._clock.now() + LOCK_SECONDS
        told = False
        while (holder := self._holder()) is not None and self._clock.now() < deadline:
            if not told:
                self._say(
                    f"the weights are set; waiting for the engine's lock, because its update may undo them: {holder}"
                )
                told = True
            self._clock.sleep(RETRY_SECONDS)
        return holder

    def _holder(self) -> str | None:
        """Return who holds the lock, or None, also where the backend does not answer."""
        try:
            return self._locks.holder()
        except CommandError as error:
            self._say(f"the engine's lock cannot be read: {error}")
            return None

    def _has(self, to: Split) -> bool:
        try:
            endpoint = self._azure.endpoint()
        except UnavailableError:
            return False
        return endpoint is not None and Split(traffic=endpoint.traffic, mirror=endpoint.mirror) == to
