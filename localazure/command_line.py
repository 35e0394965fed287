"""The command line of the server: its switches, and what the value of each may be."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from localazure.arm.machine_learning_api import ServiceVersion
from localazure.arm.quota import read_quota
from localazure.arm.timing import PACES
from localazure.federation import read_public_key
from localazure.startup import HOST
from localazure.switches import DEFAULT_PORT, MAX_SPEED, PORT, REHEARSAL_SWITCHES, Switch

MAX_ROLE_DELAY = 3600


def server_parser() -> argparse.ArgumentParser:
    """The command line of `python -m localazure`."""
    parser = argparse.ArgumentParser(
        prog="python -m localazure", description="A local Azure for rehearsals, on 127.0.0.1."
    )
    parser.add_argument("--home", type=Path, required=True, help="folder that holds all its state")
    parser.add_argument(PORT.name, type=int, default=DEFAULT_PORT, help=PORT.meaning)
    parser.add_argument(
        "--environments",
        type=Path,
        metavar="FOLDER",
        help="where the Python environments of models are kept, so that homes can share them (default: in the home)",
    )
    parser.add_argument("--host", default=HOST, help="127.0.0.1, which cannot be changed")
    for switch in REHEARSAL_SWITCHES:
        if not switch.value:
            parser.add_argument(switch.name, action="store_true", help=switch.meaning)
        elif switch.repeatable:
            type_ = _REPEATED.get(switch.name, str)
            parser.add_argument(
                switch.name, metavar=switch.value, action="append", default=[], type=type_, help=switch.meaning
            )
        else:
            parser.add_argument(switch.name, help=switch.meaning, **_values(switch))
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


def _values(switch: Switch) -> dict[str, Any]:
    """What the value of a switch may be, and what it is by default."""
    rules: dict[str, dict[str, Any]] = {
        "--timing": {"choices": sorted(PACES), "default": "fast"},
        "--service": {"type": _service_version, "default": ServiceVersion.BY_API_VERSION, "metavar": switch.value},
        "--compute": {"choices": ("processes", "simulated"), "default": "processes"},
        "--autoscale-speed": {"type": _speed, "default": 1, "metavar": switch.value},
        "--metric-grain": {"choices": ("PT1S", "PT1M"), "default": "PT1S"},
        "--mirrored-copies": {"choices": ("counted", "left-out"), "default": "counted"},
        "--role-delay": {"type": _seconds, "default": 0.0, "metavar": switch.value},
    }
    return rules[switch.name]


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


def _issuer(text: str) -> tuple[str, RSAPublicKey]:
    url, _, file = text.partition("=")
    if not url.startswith("https://") or not file:
        raise argparse.ArgumentTypeError(f"must be URL=KEYFILE with a URL that begins with https://, got {text!r}")
    try:
        return url, read_public_key(Path(file))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


_REPEATED: dict[str, Callable[[str], Any]] = {"--quota": _quota, "--oidc-issuer": _issuer}
