"""`python -m localazure --home HOME --port PORT`: the local Azure in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import asyncio
import errno
import logging
import logging.handlers
import sqlite3
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from localazure.arm.control_plane import Options
from localazure.arm.quota import read_quota
from localazure.command_line import server_parser
from localazure.disk import is_full
from localazure.monitor.monitor import MonitorOptions
from localazure.server import Server, StartError
from localazure.startup import check_host

_LOG_BYTES = 5 << 20
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def main(arguments: list[str] | None = None) -> int:
    parsed = server_parser().parse_args(arguments)
    home = parsed.home.absolute()
    options = Options(
        outside_network=parsed.outside_network,
        caller_without_data_roles=parsed.caller_without_data_roles,
        keep_omitted_traffic=parsed.keep_omitted_traffic,
        service=parsed.service,
        pace=parsed.timing,
        quota=read_quota(parsed.quota),
        vm_sizes=frozenset(size.lower() for size in parsed.vm_size),
        taken_endpoint_names=frozenset(name.lower() for name in parsed.taken_endpoint_name),
        role_delay=parsed.role_delay,
        oidc_keys=dict(parsed.oidc_issuer),
        finest_grain=1 if parsed.metric_grain == "PT1S" else 60,
        name_last_writer=parsed.name_last_writer,
    )
    try:
        check_host(parsed.host)
        _log_to(home)
        monitoring = MonitorOptions(
            autoscale_speed=parsed.autoscale_speed, count_copies=parsed.mirrored_copies == "counted"
        )
        environments = (parsed.environments or home / "environments").absolute()
        simulated = parsed.compute == "simulated"
        event_loop()(_run(home, parsed.port, environments, options, monitoring, simulated=simulated))
    except StartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        if is_full(error):
            print(f"error: The disk with {home} is full ({error}). Free space and start again.", file=sys.stderr)
        elif isinstance(error, OSError) and error.errno in _UNWRITABLE:
            print(f"error: {home} cannot be written ({error}). Choose another folder with --home.", file=sys.stderr)
        else:
            raise
        return 1
    return 0


def event_loop() -> Callable[[Coroutine[Any, Any, None]], None]:
    """The server's event loop: uvloop, or asyncio's own loop if uvloop is not installed (docs/adr/0025)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _run(
    home: Path, port: int, environments_folder: Path, options: Options, monitoring: MonitorOptions, *, simulated: bool
) -> None:
    from localazure.batch.runner import BatchRunner
    from localazure.faults.registry import Faults
    from localazure.faults.scoring import exchange_with_faults
    from localazure.scoring.calls import exchange
    from localazure.scoring.environments import EnvironmentCache
    from localazure.scoring.plane import ScoringPlane

    environments, faults = EnvironmentCache(environments_folder), Faults()
    scoring = ScoringPlane(home, environments, exchange_with_faults(faults, exchange), simulated=simulated)
    batch = BatchRunner(home / "batch", environments, simulated=simulated)
    server = Server(home, port, scoring, batch, options, faults, monitoring)
    await server.run(ready=lambda url: print(f"local Azure ready on {url}", flush=True))


def _log_to(home: Path) -> None:
    """Warnings and milestones to HOME/logs/server.log; requests are not logged."""
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = home / "logs"
    folder.mkdir(mode=0o700, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(folder / "server.log", maxBytes=_LOG_BYTES, backupCount=2)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    logging.getLogger("aiohttp.access").disabled = True


if __name__ == "__main__":
    sys.exit(main())
