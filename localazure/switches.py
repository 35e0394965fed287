"""The switches of the server: what each means, and what its value may be."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path

from localazure.arm.machine_learning_api import ServiceVersion
from localazure.arm.quota import read_quota
from localazure.arm.timing import PACES
from localazure.monitor.monitor import MAX_SPEED
from localazure.startup import HOST

DEFAULT_PORT = 18443
MAX_ROLE_DELAY = 3600


def server_parser() -> argparse.ArgumentParser:
    """The command line of `python -m localazure`."""
    parser = argparse.ArgumentParser(
        prog="python -m localazure", description="A local Azure for rehearsals, on 127.0.0.1."
    )
    parser.add_argument("--home", type=Path, required=True, help="folder that holds all its state")
    parser.add_argument(
        "--port", type=int, default=DEFAULT_PORT, help="HTTPS; plain HTTP is the next one; 0 = any free pair"
    )
    parser.add_argument(
        "--environments",
        type=Path,
        metavar="FOLDER",
        help="where the Python environments of models are kept, so that homes can share them (default: in the home)",
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
        type=_service_version,
        metavar=f"{{{','.join(ServiceVersion)}}}",
        default=ServiceVersion.BY_API_VERSION,
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


def described_switches() -> Iterator[tuple[str, str, str]]:
    """Name, value and meaning of each switch, as the coverage page lists them."""
    for action in server_parser()._actions:  # argparse has no public list of them
        if isinstance(action, argparse._HelpAction) or action.dest in ("home", "environments", "host"):
            continue
        value = action.metavar or ("|".join(map(str, action.choices)) if action.choices else "")
        value = value or ("" if action.nargs == 0 else action.dest.upper())
        yield action.option_strings[0], str(value).replace("|", "\\|"), str(action.help)


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


def _service_version(text: str) -> ServiceVersion:
    if text not in list(ServiceVersion):
        raise argparse.ArgumentTypeError(f"must be one of {', '.join(ServiceVersion)}, got {text!r}")
    return ServiceVersion(text)


def _quota(text: str) -> str:
    try:
        read_quota([text])
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error).rstrip(".")) from error
    return text
