"""One instance of a deployment: a real azureml-inference-server-http process behind a unix socket.

Microsoft's own command starts it, redirected to a socket that only this user can reach (see `inference_server.py`): by
default the command listens on all interfaces. An instance that ends is restarted after growing pauses; one that fails
its liveness probe is killed first. Callbacks report whether the instance accepts requests.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from localazure.scoring import processes, upstream
from localazure.scoring.specification import DeploymentFailed, Probe

_STARTER = Path(__file__).with_name("inference_server.py")
_LOGGER = logging.getLogger(__name__)
_START_POLL_SECONDS = 0.05
_LOG_TAIL_LINES = 60
LOG_LIMIT_BYTES = 16 * 1024 * 1024
_RESTART_PAUSES_SECONDS = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)
_HEALTHY_AFTER_SECONDS = 60.0
# A model gets only these variables of this process: no tokens, no certificates, no Pulumi settings.
_INHERITED = ("HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "LD_LIBRARY_PATH", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass(frozen=True, kw_only=True)
class InstanceSpec:
    """What all instances of a deployment share."""

    python: Path
    app_root: Path
    environment: Mapping[str, str]
    liveness: Probe
    readiness: Probe
    stop_grace_seconds: float


class _Probing:
    """One probe of a running instance: when it is due, and what its results mean."""

    def __init__(self, probe: Probe, now: float) -> None:
        self.probe = probe
        self.due = now + max(probe.initial_delay_seconds, probe.period_seconds)
        self._failures = self._successes = 0

    def told(self, success: bool, now: float) -> bool | None:
        """True for healthy, False for failed; None until enough results agree."""
        self.due = now + self.probe.period_seconds
        self._failures = 0 if success else self._failures + 1
        self._successes = self._successes + 1 if success else 0
        if self._failures >= self.probe.failure_threshold:
            return False
        return True if self._successes >= self.probe.success_threshold else None


class Instance:
    """A process that is kept running from `start` to `stop`."""

    def __init__(
        self, number: int, spec: InstanceSpec, socket: Path, pid_file: Path, log: Path, on_ready: Callable[[bool], None]
    ) -> None:
        self.number = number
        self.socket = socket
        self.log = log
        self.ready = False
        self.restarts = 0
        self._spec = spec
        self._pid_file = pid_file
        self._on_ready = on_ready
        self._process: processes.Process | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The server's process id while it runs."""
        running = self._process is not None and self._process.process.returncode is None
        return self._process.pid if running and self._process is not None else None

    async def start(self) -> None:
        """Start and wait until the server answers; raises `DeploymentFailed` that quotes the end of its log."""
        try:
            process = await self._launch()
            await self._await_ready(process)
        except BaseException:
            await asyncio.shield(self._end_process())
            raise
        self._set_ready(True)
        self._keeper = asyncio.create_task(self._keep(process), name=f"keep {self.socket.name}")

    async def stop(self) -> None:
        """End the process and do not restart it."""
        self._set_ready(False)
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
            self._keeper = None
        await self._end_process()
        self.socket.unlink(missing_ok=True)

    def log_tail(self, lines: int = _LOG_TAIL_LINES) -> str:
        """The last lines of the server's output."""
        return tail(self.log, lines)

    async def _launch(self) -> processes.Process:
        self.socket.unlink(missing_ok=True)
        command = [str(self._spec.python), str(_STARTER), str(self.socket)]
        command += ["--no-control-socket"] if _has_control_socket(self._spec.python) else []
        try:
            with self.log.open("ab") as output:
                self._process = await processes.start(
                    command,
                    pid_file=self._pid_file,
                    output=output,
                    environment=self._process_environment(),
                    folder=self._spec.app_root,
                )
        except OSError as exc:
            raise DeploymentFailed("ResourceNotReady", f"the inference server cannot be started: {exc}.") from exc
        return self._process

    def _process_environment(self) -> dict[str, str]:
        inherited = {key: os.environ[key] for key in _INHERITED if key in os.environ}
        path = f"{self._spec.python.parent}:/usr/local/bin:/usr/bin:/bin"
        return {"PATH": path, "LANG": "C.UTF-8", **inherited, **self._spec.environment}

    async def _await_ready(self, process: processes.Process) -> None:
        probe = self._spec.readiness
        patience = probe.initial_delay_seconds + probe.period_seconds * probe.failure_threshold
        loop = asyncio.get_running_loop()
        deadline = loop.time() + patience
        while loop.time() < deadline:
            if process.process.returncode is not None:
                code = await process.wait()
                raise DeploymentFailed(
                    "ResourceNotReady",
                    f"the inference server ended with exit code {code} before it was ready. End of its log:\n"
                    + self.log_tail(),
                )
            if self.socket.exists() and await self._healthy(min(deadline, loop.time() + probe.timeout_seconds)):
                return
            await asyncio.sleep(_START_POLL_SECONDS)
        raise DeploymentFailed(
            "ResourceNotReady",
            f"the readiness probe did not succeed within {patience:.0f} s. End of the server's log:\n{self.log_tail()}",
        )

    async def _healthy(self, deadline: float) -> bool:
        request = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        try:
            reply = await upstream.send(str(self.socket), request, deadline=deadline)
        except upstream.UpstreamError:
            return False
        reply.close()
        return reply.status == 200

    async def _keep(self, process: processes.Process) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            started = loop.time()
            await self._watch(process)
            self._set_ready(False)
            failures = 0 if loop.time() - started > _HEALTHY_AFTER_SECONDS else failures + 1
            pause = _RESTART_PAUSES_SECONDS[min(failures, len(_RESTART_PAUSES_SECONDS)) - 1] if failures else 0.0
            while True:
                await asyncio.sleep(pause)
                self.restarts += 1
                try:
                    process = await self._launch()
                    await self._await_ready(process)
                except DeploymentFailed as exc:
                    _LOGGER.warning("instance %s could not be restarted: %s", self.socket.name, exc.code)
                    await self._end_process()
                    failures += 1
                    pause = _RESTART_PAUSES_SECONDS[min(failures, len(_RESTART_PAUSES_SECONDS)) - 1]
                else:
                    break
            self._set_ready(True)

    async def _watch(self, process: processes.Process) -> None:
        """Probe until the process ends, either by itself or because its liveness probe failed too often.

        While the readiness probe fails, the instance gets no requests.
        """
        loop = asyncio.get_running_loop()
        liveness, readiness = _Probing(self._spec.liveness, loop.time()), _Probing(self._spec.readiness, loop.time())
        ended = asyncio.ensure_future(process.wait())
        try:
            while True:
                done, _ = await asyncio.wait({ended}, timeout=max(0.0, min(liveness.due, readiness.due) - loop.time()))
                if done:
                    _LOGGER.warning("instance %s ended with exit code %s", self.socket.name, ended.result())
                    return
                if liveness.due <= loop.time():
                    self._limit_log()
                    if liveness.told(await self._probe(liveness), loop.time()) is False:
                        _LOGGER.warning("instance %s failed its liveness probe too often", self.socket.name)
                        await process.end(self._spec.stop_grace_seconds)
                        return
                if readiness.due <= loop.time():
                    verdict = readiness.told(await self._probe(readiness), loop.time())
                    if verdict is not None and verdict is not self.ready and process.process.returncode is None:
                        _LOGGER.warning(
                            "instance %s is %s", self.socket.name, "ready again" if verdict else "not ready"
                        )
                        self._set_ready(verdict)
        finally:
            ended.cancel()

    async def _probe(self, probing: _Probing) -> bool:
        return await self._healthy(asyncio.get_running_loop().time() + probing.probe.timeout_seconds)

    def _limit_log(self) -> None:
        """Keep the log below its limit: the process appends to the file, so it continues at the new end."""
        with contextlib.suppress(OSError):
            if self.log.stat().st_size > LOG_LIMIT_BYTES:
                kept = tail_bytes(self.log, LOG_LIMIT_BYTES // 4)
                self.log.with_suffix(".old.log").write_bytes(kept)
                os.truncate(self.log, 0)

    async def _end_process(self) -> None:
        if self._process is not None:
            await self._process.end(self._spec.stop_grace_seconds)

    def _set_ready(self, ready: bool) -> None:
        if ready != self.ready:
            self.ready = ready
            self._on_ready(ready)


def tail(path: Path, lines: int) -> str:
    """The last lines of a file; reads only as much as they can need."""
    text = tail_bytes(path, min(lines * 1000, LOG_LIMIT_BYTES)).decode("utf-8", "replace")
    return "\n".join(text.splitlines()[-lines:]) if lines > 0 else ""


def tail_bytes(path: Path, count: int) -> bytes:
    """The last bytes of a file; empty when it does not exist."""
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - count))
            return file.read()
    except FileNotFoundError:
        return b""


def _has_control_socket(python: Path) -> bool:
    """Gunicorn has one since 25.1, at a path that all instances of a user share; earlier versions refuse the option."""
    return any(python.parent.parent.glob("lib/python*/site-packages/gunicorn/ctl"))
