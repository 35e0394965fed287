"""`python -m localazure --home HOME --port PORT`: the local Azure in the foreground, until SIGTERM or Ctrl-C."""

from __future__ import annotations

import argparse
import asyncio
import errno
import logging
import logging.handlers
import os
import sqlite3
import sys
from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Any

from localazure.arm.control_plane import Options
from localazure.arm.manners import Generation
from localazure.arm.quota import read_quota
from localazure.arm.timing import PACES
from localazure.disk import is_full
from localazure.monitor.monitor import MAX_SPEED, MonitorOptions
from localazure.server import Server, StartError
from localazure.startup import HOST, check_host

DEFAULT_PORT = 18443
MAX_ROLE_DELAY = 3600
_LOG_BYTES = 5 << 20
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)


def main(arguments: list[str] | None = None) -> int:
    parsed = server_parser().parse_args(arguments)
    home = parsed.home.absolute()
    options = Options(
        outside_network=parsed.outside_network,
        caller_without_data_roles=parsed.caller_without_data_roles,
        keep_omitted_traffic=parsed.keep_omitted_traffic,
        generation=parsed.service,
        pace=parsed.timing,
        quota=read_quota(parsed.quota),
        vm_sizes=frozenset(size.lower() for size in parsed.vm_size),
        taken_endpoint_names=frozenset(name.lower() for name in parsed.taken_endpoint_name),
        role_delay=parsed.role_delay,
    )
    try:
        check_host(parsed.host)
        _log_to(home)
        monitoring = MonitorOptions(autoscale_speed=parsed.autoscale_speed)
        event_loop()(_run(home, parsed.port, options, monitoring, simulated=parsed.compute == "simulated"))
    except StartError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except (OSError, sqlite3.Error) as error:
        if is_full(error):
            print(f"error: The disk that holds {home} is full ({error}). Free space and start again.", file=sys.stderr)
        elif isinstance(error, OSError) and error.errno in _UNWRITABLE:
            print(f"error: {home} cannot be written ({error}). Choose another folder with --home.", file=sys.stderr)
        else:
            raise
        return 1
    return 0


def event_loop() -> Callable[[Coroutine[Any, Any, None]], None]:
    """What runs the server: uvloop, or asyncio's own loop where there is no uvloop (docs/adr/0025)."""
    try:
        import uvloop
    except ImportError:
        return asyncio.run
    return uvloop.run


async def _run(home: Path, port: int, options: Options, monitoring: MonitorOptions, *, simulated: bool) -> None:
    from localazure.faults.registry import Faults
    from localazure.faults.scoring import exchange_with_faults
    from localazure.scoring.calls import exchange
    from localazure.scoring.plane import ScoringPlane

    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sluice" / "environments"
    faults = Faults()
    plane = ScoringPlane(home, cache, exchange_with_faults(faults, exchange), simulated=simulated)
    server = Server(home, port, plane, options, faults, monitoring)
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


def server_parser() -> argparse.ArgumentParser:
    """The command line; the coverage page lists its switches."""
    parser = argparse.ArgumentParser(
        prog="python -m localazure", description="A local Azure for rehearsals, on 127.0.0.1."
    )
    parser.add_argument("--home", type=Path, required=True, help="folder that holds all its state")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="HTTPS; plain HTTP is the next one; 0 = any free pair"
    )
    parser.add_argument("--host", default=HOST, help="127.0.0.1, which cannot be changed")
    parser.add_argument(
        "--outside-network",
        action="store_true",
        help="the caller is outside of private networks: closed storage answers 403",
    )
    parser.add_argument(
        "--caller-without-data-roles", action="store_true", help="the caller needs a role assignment to use blobs"
    )
    parser.add_argument(
        "--keep-omitted-traffic",
        action="store_true",
        help="an endpoint PUT without traffic keeps the weights (default: it resets them, as documented)",
    )
    parser.add_argument(
        "--timing",
        choices=sorted(PACES),
        default="fast",
        help="real: operations last as long as recorded of the service, and no Retry-After is sent (default: fast)",
    )
    parser.add_argument(
        "--service",
        type=_generation,
        metavar=f"{{{','.join(Generation)}}}",
        default=Generation.BY_VERSION,
        help="which version of Machine Learning to imitate: that of 2022, that of 2024, or (default) the one that the "
        "api-version suggests",
    )
    parser.add_argument(
        "--compute",
        choices=("processes", "simulated"),
        default="processes",
        help="simulated: deployments answer without processes, so that hundreds fit on one machine",
    )
    parser.add_argument(
        "--autoscale-speed",
        type=_speed,
        default=1,
        metavar="TIMES",
        help=f"let autoscale's minutes (turns, windows, cool-downs) pass 1 to {MAX_SPEED} times as fast; schedules not",
    )
    parser.add_argument(
        "--quota",
        type=_quota,
        metavar="FAMILY=CORES",
        action="append",
        default=[],
        help="limit the cores of a family of VM sizes, for example DSv2=24; may be repeated",
    )
    parser.add_argument(
        "--vm-size",
        metavar="SIZE",
        action="append",
        default=[],
        help="also accept this VM size for deployments (unknown sizes are refused); may be repeated",
    )
    parser.add_argument(
        "--taken-endpoint-name",
        metavar="NAME",
        action="append",
        default=[],
        help="pretend that another customer in the region has an endpoint with this name; may be repeated",
    )
    parser.add_argument(
        "--role-delay",
        type=_seconds,
        default=0.0,
        metavar="SECONDS",
        help="a role assignment takes effect only this many seconds after it is created; in Azure it takes minutes",
    )
    return parser


def wrong_switches(switches: Sequence[str]) -> list[str]:
    """What is wrong with each `--switch=value`, found without starting anything; empty if nothing is."""
    problems = []
    for switch in switches:
        parser = server_parser()
        parser.exit_on_error = False
        try:
            parser.parse_args(["--home", ".", switch])
        except argparse.ArgumentError as error:
            problems.append(f"{error.argument_name}: {error.message}")
    return problems


def _speed(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text[:9]) <= MAX_SPEED):
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MAX_SPEED}, got {text!r}")
    return int(text)


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_ROLE_DELAY:
        raise argparse.ArgumentTypeError(f"must be a number of seconds from 0 to {MAX_ROLE_DELAY}, got {text!r}")
    return seconds


def _generation(text: str) -> Generation:
    if text not in list(Generation):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(Generation)}, got {text!r}")
    return Generation(text)


def _quota(text: str) -> str:
    try:
        read_quota([text])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
    return text


if __name__ == "__main__":
    sys.exit(main())
