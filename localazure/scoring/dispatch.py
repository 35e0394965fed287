"""Hands the requests of one deployment to its instances, within the service's limits.

An instance processes `max_concurrent` requests at a time; further requests wait in order of arrival. Once the
deployment has 2 * max_concurrent * instances requests in total, it refuses more. A retired instance finishes its
requests and gets no new ones. This module knows neither HTTP nor processes: a backend is any object with an `address`.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Iterable


class Saturated(Exception):
    """The deployment already has as many requests as the service permits."""


class NoInstance(Exception):
    """No instance of the deployment is ready."""


class Backend:
    """One instance in the rotation."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.active = 0
        self.retired = False
        self._idle: asyncio.Event | None = None

    async def drained(self, timeout_seconds: float) -> bool:
        """Wait until the last request has finished; False when that takes longer than the timeout."""
        if self.active == 0:
            return True
        self._idle = self._idle or asyncio.Event()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), timeout_seconds)
        return self.active == 0

    def _finished(self) -> None:
        self.active -= 1
        if self.active == 0 and self._idle is not None:
            self._idle.set()


class Dispatcher:
    """The queue of one deployment."""

    def __init__(self, max_concurrent: int, instance_count: int) -> None:
        self.max_concurrent = max(1, max_concurrent)
        self.instance_count = max(1, instance_count)
        """The declared number: the limit does not shrink while an instance restarts."""
        self.in_flight = 0
        self._backends: list[Backend] = []
        self._waiting: deque[asyncio.Future[Backend]] = deque()
        self._turn = 0

    @property
    def ready(self) -> int:
        """The number of instances that accept requests."""
        return len(self._backends)

    @property
    def backends(self) -> tuple[Backend, ...]:
        """The instances that accept requests."""
        return tuple(self._backends)

    @property
    def limit(self) -> int:
        """The maximum number of requests in the deployment, running and waiting."""
        return 2 * self.max_concurrent * self.instance_count

    def add(self, backend: Backend) -> None:
        """Add an instance to the rotation."""
        if backend not in self._backends:
            backend.retired = False
            self._backends.append(backend)
            self._hand_out()

    def retire(self, backend: Backend) -> None:
        """Remove an instance from the rotation; its requests continue."""
        backend.retired = True
        if backend in self._backends:
            self._backends.remove(backend)
        if not self._backends:
            while self._waiting:
                waiter = self._waiting.popleft()
                if not waiter.done():
                    waiter.set_exception(NoInstance())

    async def acquire(self, deadline: float, exclude: Iterable[Backend] = ()) -> Backend:
        """Acquire a slot at an instance, waiting if necessary; return every slot with `release`.

        Raises `NoInstance`, `Saturated`, or TimeoutError at the deadline (loop time).
        """
        if not self._backends:
            raise NoInstance
        if self.in_flight >= self.limit:
            raise Saturated
        self.in_flight += 1
        try:
            backend = None if self._waiting else self._free(exclude)
            if backend is None:
                backend = await self._wait(deadline)
            else:
                backend.active += 1
            return backend
        except BaseException:
            self.in_flight -= 1
            raise

    def release(self, backend: Backend) -> None:
        """Return a slot; it goes to the request that has waited longest."""
        self.in_flight -= 1
        backend._finished()
        if self._waiting:
            self._hand_out()

    async def _wait(self, deadline: float) -> Backend:
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[Backend] = loop.create_future()
        self._waiting.append(waiter)
        try:
            async with asyncio.timeout_at(deadline):
                return await waiter
        except BaseException:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                waiter.result()._finished()  # its deadline has passed: the next one in the queue gets the slot
                self._hand_out()
            else:
                with contextlib.suppress(ValueError):
                    self._waiting.remove(waiter)
            raise

    def _hand_out(self) -> None:
        while self._waiting:
            backend = self._free(())
            if backend is None:
                return
            waiter = self._waiting.popleft()
            if not waiter.done():
                backend.active += 1
                waiter.set_result(backend)

    def _free(self, exclude: Iterable[Backend]) -> Backend | None:
        """The least busy instance with a free slot; equally busy instances take turns."""
        best: Backend | None = None
        self._turn += 1
        count = len(self._backends)
        for offset in range(count):
            backend = self._backends[(self._turn + offset) % count]
            if backend.active < self.max_concurrent and (best is None or backend.active < best.active):
                if exclude and backend in exclude:
                    continue
                best = backend
                if best.active == 0:
                    break
        return best
