"""A small load generator, as a closed or an open loop, for the demo, smoke tests and first checks.

*Closed*: each client sends its next request when the previous one is answered, so a slow endpoint slows the load down.
*Open*: requests start on a schedule, whatever happened to the previous ones, like those of many independent callers. If
too many are in flight, the next ones start late and are counted as late, and their latency counts from when they were
due: a stall of the endpoint shows in every request that had to wait.

It never repeats a request, so its counts are the endpoint's. It is not a benchmark tool: it has one process and one
event loop, and sends at most a few hundred requests per second.
"""

import asyncio
import itertools
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager

import aiohttp

from command_errors import UsageError
from endpoint_client.tally import DEPLOYMENT_HEADER, NOT_STARTED, Tally
from resource_manager.client import trust

MAX_CLIENTS = 64
MAX_IN_FLIGHT = 512
IN_FLIGHT = 256
MAX_RATE = 500.0
"""Requests per second; one Python process cannot send more in time."""
_STOP_CHECK_SECONDS = 0.1

Post = Callable[[bytes], Awaitable[tuple[int, Mapping[str, str]]]]
"""Sends one body; returns status and headers of the answer, once it is read."""


class Load:
    """Sends requests until it is stopped, and counts the answers in `total`, also while it runs.

    With `rate` (requests per second) it is an open loop with at most `in_flight` open requests, else a closed loop of
    `clients`, each of which pauses `pause_seconds` after an answer. `timeout_seconds` begins when a request is sent.
    """

    def __init__(
        self,
        uri: str,
        bodies: Sequence[bytes],
        *,
        key: str | None,
        clients: int = 4,
        rate: float | None = None,
        in_flight: int = IN_FLIGHT,
        deployment: str | None = None,
        pause_seconds: float = 0.0,
        timeout_seconds: float = 60.0,
    ) -> None:
        if not 1 <= clients <= MAX_CLIENTS:
            raise UsageError(f"clients must be 1 to {MAX_CLIENTS}, got {clients}.")
        if rate is not None and not (0 < rate <= MAX_RATE and 1 <= in_flight <= MAX_IN_FLIGHT):
            raise UsageError(
                f"rate must be above 0 and at most {MAX_RATE:g}, in_flight 1 to {MAX_IN_FLIGHT}, got {rate:g} and "
                f"{in_flight}."
            )
        self.uri = uri
        self.bodies = bodies
        self.clients = clients
        self.rate = rate
        self.in_flight = in_flight
        self.pause_seconds = pause_seconds
        self.timeout_seconds = timeout_seconds
        self.headers = {"Content-Type": "application/json"}
        self.authorize(key)
        if deployment:
            self.headers[DEPLOYMENT_HEADER] = deployment
        self.total = Tally()
        self._stopping = False
        self._sent = 0

    def authorize(self, key: str | None) -> None:
        """Send this key or token from the next request on; any thread may call it, because tokens expire."""
        if key:
            self.headers["Authorization"] = f"Bearer {key}"

    def stop(self) -> None:
        """Start no further request, and end when the open ones are answered; any thread may call it."""
        self._stopping = True

    async def run(self, *, requests: int | None = None, seconds: float | None = None) -> Tally:
        """Send until `requests` are sent, `seconds` have passed, or `stop` is called."""
        async with self.connect() as post:
            if self.rate is None:
                await self._run_clients(post, requests, seconds)
            else:
                await self._run_schedule(post, self.rate, requests, seconds)
        return self.total

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Post]:
        """Yield a function that sends one request; it raises `aiohttp.ClientError` or `TimeoutError` on failure."""
        timeout = aiohttp.ClientTimeout(total=self.timeout_seconds)
        connector = aiohttp.TCPConnector(limit=self.clients if self.rate is None else self.in_flight, ssl=trust())
        async with aiohttp.ClientSession(timeout=timeout, connector=connector, trust_env=True) as session:

            async def post(body: bytes) -> tuple[int, Mapping[str, str]]:
                async with session.post(self.uri, data=body, headers=self.headers) as answer:
                    await answer.read()
                    return answer.status, answer.headers

            yield post

    # Closed loop

    async def _run_clients(self, post: Post, requests: int | None, seconds: float | None) -> None:
        deadline = math.inf if seconds is None else _now() + seconds
        tickets = iter(range(requests)) if requests is not None else itertools.count()
        await asyncio.gather(*(self._run_client(post, tickets, deadline) for _ in range(self.clients)))

    async def _run_client(self, post: Post, tickets: Iterator[int], deadline: float) -> None:
        while not self._stopping and _now() < deadline and next(tickets, None) is not None:
            await self._send(post, _now())
            if self.pause_seconds:
                await asyncio.sleep(self.pause_seconds)

    # Open loop

    async def _run_schedule(self, post: Post, rate: float, requests: int | None, seconds: float | None) -> None:
        began = _now()
        deadline = math.inf if seconds is None else began + seconds
        due_in_time = math.inf if seconds is None else math.ceil(seconds * rate)
        planned = min(due_in_time, math.inf if requests is None else requests)
        room = asyncio.Semaphore(self.in_flight)
        async with asyncio.TaskGroup() as group:
            for number in itertools.count():
                due = began + number / rate
                if number >= planned or not await self._wait_until(due):
                    return
                if not await self._wait_for_room(room, deadline):
                    if not self._stopping:
                        self._count_failure(NOT_STARTED, int(planned) - number)
                    return
                self.total.count_start(_now() - due)
                group.create_task(self._send(post, due)).add_done_callback(lambda _: room.release())

    async def _wait_until(self, moment: float) -> bool:
        """Wait until a moment; return False if `stop` was called before it."""
        while not self._stopping and (left := moment - _now()) > 0:
            await asyncio.sleep(min(left, _STOP_CHECK_SECONDS))
        return not self._stopping

    async def _wait_for_room(self, room: asyncio.Semaphore, deadline: float) -> bool:
        """Wait until another request may start; return False at the deadline or after `stop`."""
        if not room.locked():
            return await room.acquire()
        while not self._stopping and (left := deadline - _now()) > 0:
            try:
                async with asyncio.timeout(min(left, _STOP_CHECK_SECONDS)):
                    return await room.acquire()
            except TimeoutError:
                continue
        return False

    # Both

    async def _send(self, post: Post, due: float) -> None:
        body = self.bodies[self._sent % len(self.bodies)]
        self._sent += 1
        try:
            status, headers = await post(body)
        except (aiohttp.ClientError, TimeoutError) as error:
            self._count_failure(type(error).__name__, 1)
            return
        latency = _now() - due
        self.total.count_answer(status, headers, latency)

    def _count_failure(self, kind: str, count: int) -> None:
        self.total.failures[kind] += count


def _now() -> float:
    return asyncio.get_running_loop().time()
