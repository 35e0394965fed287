"""Starts and ends the local Azure's server process.

A file lock allows one start at a time per home: of two, one starts the server and the other finds it running. A start
waits for a stop in progress; a stop does not wait for a start, but ends it. A stop first sends a shutdown request, then
a signal, and only to the process that holds this home's lock.
"""

import contextlib
import fcntl
import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import processes
from command_errors import CommandError, UnavailableError, UsageError
from exit_codes import ExitCode
from rehearsal import ports
from rehearsal.home import LocalHome, Server

READY_SECONDS = 180.0
"""Long enough for a very busy machine; a server that ends before it is ready is noticed at once."""
SLOW_SECONDS = 3.0
STOP_SECONDS = 15.0
CHECKOUT = Path(__file__).resolve().parent.parent
REQUEST_SECONDS = 10.0
POLL_SECONDS = 0.05
LOG_LINES_SHOWN = 15
LEAST_FREE_BYTES = 1_000_000

Say = Callable[[str], None]

# Servers that this process started. They outlive it, but while it runs it must reap those that have ended.
_children: "list[subprocess.Popen[bytes]]" = []


def start(home: LocalHome, *, port: int | None, flags: Sequence[str] = (), say: Say) -> tuple[Server, bool]:
    """Return the running server and whether this call started it; `flags` are options of the server."""
    if port is not None and port not in ports.PORTS:
        raise UsageError(f"--port must be 1 to 65534 (HTTP takes the next one), got {port}.")
    home.create()
    with _lock(home.path / "start.lock", "another start", say):
        with _lock(home.path / "stop.lock", "a stop", say):
            pass  # a server that a stop is ending must not count as running
        running = _wait_for_one_that_starts(home, say)
        if running is not None:
            if port not in (None, running.port):
                raise UsageError(
                    f"the local Azure in {home.path} is already running on port {running.port}, not {port}. Run "
                    f"`sluice local stop{home.flag}` first, or give another --home."
                )
            return running, False
        with _one_choice_of_ports_at_a_time(say):
            server = _spawn_on_a_port(home, port, flags, say)
        home.port_file.write_text(f"{server.port}\n")
        return server, True


def stop(home: LocalHome, *, say: Say) -> bool:
    """End the server and wait until it is gone; return whether there was one."""
    if not home.path.is_dir():
        return False
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # a disk that is full or cannot be written must not prevent a stop
            stack.enter_context(_lock(home.path / "stop.lock", "another stop", say))
        return _stop(home, say)


def _stop(home: LocalHome, say: Say) -> bool:
    pid = home.holder()
    if pid is None:
        with contextlib.suppress(OSError):  # a disk that cannot be written
            home.server_file.unlink(missing_ok=True)
        return False
    since = time.time()
    server = home.record()
    if server is not None and server.pid == pid:
        with contextlib.suppress(OSError):
            token = home.control_token.read_text(encoding="utf-8").strip()
            _request(f"{server.http}/_local/shutdown", method="POST", token=token)
        if _gone(pid, since, STOP_SECONDS):
            return True
    for number, seconds in ((signal.SIGTERM, STOP_SECONDS), (signal.SIGKILL, 5.0)):
        say(f"the server did not stop by itself; sending {number.name} to process {pid}")
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        if _gone(pid, since, seconds):
            home.server_file.unlink(missing_ok=True)
            return True
    raise CommandError(f"process {pid} of the local Azure in {home.path} did not end. End it yourself: kill -9 {pid}")


def live_status(server: Server) -> dict[str, Any]:
    """Return what the server reports about its resources."""
    try:
        answer = json.loads(_request(f"{server.http}/_local/status"))
        if not isinstance(answer, dict) or not isinstance(answer.get("scoring"), dict):
            raise ValueError("the answer is not from a local Azure")
        return answer
    except (OSError, ValueError, RecursionError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"the local Azure (process {server.pid}) does not answer on {server.http}: {error}. "
            "See `sluice local logs`; `sluice local stop` ends it."
        ) from error


def is_healthy(server: Server) -> bool:
    """Whether the server answers."""
    try:
        _request(f"{server.http}/_local/health")
    except (OSError, http.client.HTTPException):
        return False
    return True


def _one_choice_of_ports_at_a_time(say: Say) -> contextlib.AbstractContextManager[None]:
    """Serialize the starts of a user's homes: two at once would both find the same ports free."""
    from cache_folder import cache_folder
    from toolchain.cache import locked

    return locked(cache_folder(os.environ), "ports", doing="starting a local Azure", tell=say)


@contextlib.contextmanager
def _lock(file: Path, holder: str, say: Say) -> Iterator[None]:
    with file.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"{holder} is in progress in {file.parent}; waiting for it")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wait_for_one_that_starts(home: LocalHome, say: Say) -> Server | None:
    """Return the running server; wait for one that was started by hand and is not ready yet."""
    started = time.monotonic()
    told = False
    while home.holder() is not None:
        server = home.server()
        if server is not None:
            return server
        if not told and time.monotonic() - started > SLOW_SECONDS:
            say(f"process {home.holder()} holds {home.path} but is not ready; waiting for it")
            told = True
        if time.monotonic() - started > READY_SECONDS:
            raise UnavailableError(
                f"process {home.holder()} holds {home.path} but is not ready. See `sluice local logs{home.flag}`; "
                f"`sluice local stop{home.flag}` ends it."
            )
        time.sleep(POLL_SECONDS)
    home.server_file.unlink(missing_ok=True)
    return None


def _spawn_on_a_port(home: LocalHome, port: int | None, flags: Sequence[str], say: Say) -> Server:
    """Start the server on the requested port, else on this home's last port, else on the first free one."""
    wanted = port or ports.kept_port(home.port_file)
    if wanted is not None:
        ports.check_port(wanted)
        return _spawn(home, wanted, flags, say)
    while True:
        chosen = ports.free_port()
        try:
            return _spawn(home, chosen, flags, say)
        except UnavailableError:
            if ports.is_free(chosen) and ports.is_free(chosen + 1):
                raise
            say(f"another program took port {chosen} or {chosen + 1} in the meantime; trying the next ones")


def _spawn(home: LocalHome, port: int, flags: Sequence[str], say: Say) -> Server:
    from cache_folder import cache_folder

    folders = ["--home", str(home.path), "--environments", str(cache_folder(os.environ) / "environments")]
    command = [sys.executable, "-m", "localazure", *folders, "--port", str(port), *flags]
    try:
        log = home.console_log.open("wb")
    except OSError as error:
        raise UnavailableError(
            f"cannot write {home.console_log}: {error.strerror}. Check its permissions and the free space."
        ) from error
    with log:
        process = subprocess.Popen(
            command,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            cwd=CHECKOUT,
        )
    started = time.monotonic()
    told = False
    try:
        while time.monotonic() - started < READY_SECONDS:
            server = home.record()
            if server is not None and server.pid == process.pid and is_healthy(server):
                _children.append(process)
                return server
            if process.poll() == ExitCode.USAGE:
                raise UsageError(f"the local Azure rejected an option: {_printed(home).splitlines()[-1]}")
            if process.poll() is not None:
                raise UnavailableError(
                    f"the local Azure ended with exit code {process.returncode} before it was ready:\n{_printed(home)}"
                )
            if not told and time.monotonic() - started > SLOW_SECONDS:
                say("waiting for the local Azure to be ready")
                told = True
            time.sleep(POLL_SECONDS)
        raise UnavailableError(
            f"the local Azure was not ready after {READY_SECONDS:.0f} seconds, so it was stopped. Try again; "
            f"`sluice local logs{home.flag}` shows how far it came. It printed:\n{_printed(home)}"
        )
    except BaseException:
        _end(process)
        raise


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End a server that is not ready, even if it does not react to SIGTERM."""
    process.terminate()
    try:
        process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _environment() -> dict[str, str]:
    """Return the caller's environment with the uv that set-up uses and the package index that pip is configured for:
    the local Azure builds the environments of models with them."""
    from toolchain.uv import find_uv, uv_environment

    with contextlib.redirect_stdout(sys.stderr):  # set-up prints progress to stdout, which is for our result
        return uv_environment(os.environ) | {"SLUICE_UV": str(find_uv(os.environ))}


def _printed(home: LocalHome) -> str:
    lines = home.console_log.read_text(encoding="utf-8", errors="replace").splitlines()
    if not lines and shutil.disk_usage(home.path).free < LEAST_FREE_BYTES:
        return f"the disk of {home.path} is full, so the server could not report the cause. Free space and start again."
    return "\n".join(lines[-LOG_LINES_SHOWN:]) or "(the server printed nothing)"


def _gone(pid: int, since: float, seconds: float) -> bool:
    """Return whether the process ends in time; it releases its lock shortly before its end."""
    deadline = time.monotonic() + seconds
    while processes.is_alive_since(pid, since):
        if time.monotonic() > deadline:
            return False
        time.sleep(POLL_SECONDS)
    _children[:] = [child for child in _children if child.poll() is None]
    return True


def _request(url: str, *, method: str = "GET", token: str = "") -> str:
    request = urllib.request.Request(url, method=method, headers={"X-Local-Token": token} if token else {})
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: no proxy stands in between
    with opener.open(request, timeout=REQUEST_SECONDS) as answer:
        return str(answer.read().decode())
