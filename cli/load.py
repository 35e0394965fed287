"""`sluice load`: send requests to an endpoint and count the answers per deployment."""

import argparse
import asyncio
import json
import os
import re
import sys
from pathlib import Path

from command_errors import UsageError
from endpoint_client.address import check_name
from endpoint_client.load import IN_FLIGHT, MAX_CLIENTS, MAX_IN_FLIGHT, MAX_RATE, Load
from endpoint_client.request_file import read_bodies
from endpoint_client.tally import Tally
from exit_codes import ExitCode

KEY_VARIABLE = "SLUICE_ENDPOINT_KEY"
CLIENTS = 4
REQUESTS = 200


def check_options(options: argparse.Namespace) -> None:
    """Raise one UsageError with every option that is wrong."""
    problems = []
    if not re.fullmatch(r"https?://[\w.:\[\]-]+(/\S*)?", options.uri):
        problems.append(f"SCORING_URI must be an address such as https://host/score, got {options.uri!r}.")
    if options.requests is not None and options.requests < 1:
        problems.append(f"--requests must be at least 1, got {options.requests}.")
    if options.seconds is not None and not 0 < options.seconds < float("inf"):
        problems.append(f"--seconds must be more than 0, got {options.seconds:g}.")
    if options.clients is not None and not 1 <= options.clients <= MAX_CLIENTS:
        problems.append(f"--clients must be 1 to {MAX_CLIENTS}, got {options.clients}.")
    if options.rate is not None and not 0 < options.rate <= MAX_RATE:
        problems.append(f"--rate must be more than 0 and at most {MAX_RATE:g} per second, got {options.rate:g}.")
    if options.in_flight is not None and not 1 <= options.in_flight <= MAX_IN_FLIGHT:
        problems.append(f"--in-flight must be 1 to {MAX_IN_FLIGHT}, got {options.in_flight}.")
    if options.rate is not None and options.clients is not None:
        problems.append("--clients and --rate exclude each other: with --rate, limit the requests by --in-flight.")
    if options.rate is None and options.in_flight is not None:
        problems.append("--in-flight limits a load with --rate. Add --rate, or use --clients.")
    key = os.environ.get(KEY_VARIABLE, "")
    if not (key.isascii() and key.isprintable()):
        problems.append(f"{KEY_VARIABLE} must be the key as Azure shows it: printable characters, no line break.")
    if problems:
        raise UsageError(" ".join(problems))
    if options.deployment is not None:
        check_name(options.deployment, "a deployment")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice load`."""
    parser.description = (
        "Send requests and count the answers per deployment. Without --rate each client sends its next "
        "request when the one before is answered, so a slow endpoint gets less. With --rate requests start on a "
        "schedule whatever the answers do; latency then counts from when a request was due."
    )
    parser.add_argument("uri", metavar="SCORING_URI")
    parser.add_argument("--request-file", type=Path, required=True, help="JSON, or .jsonl: one per line, in turn")
    parser.add_argument("--deployment", help="send directly to this deployment, by header")
    parser.add_argument("--clients", type=int, help=f"without --rate: 1 to {MAX_CLIENTS}, default {CLIENTS}")
    parser.add_argument("--rate", type=float, metavar="N", help=f"start N requests per second, at most {MAX_RATE:g}")
    parser.add_argument(
        "--in-flight",
        type=int,
        metavar="N",
        help=f"with --rate: at most N open requests, the others start late; default {IN_FLIGHT}",
    )
    parser.add_argument("--requests", type=int, help=f"default {REQUESTS}, unless --seconds is given")
    parser.add_argument("--seconds", type=float)
    parser.add_argument("--json", action="store_true", help="print the numbers as JSON")
    parser.epilog = f"The endpoint's key is read from {KEY_VARIABLE}: an argument would show in process lists."
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send the requests and print the counts; the exit code is 1 if a request failed."""
    check_options(options)
    bodies = read_bodies(options.request_file)
    requests = REQUESTS if options.requests is None and options.seconds is None else options.requests

    async def send() -> Tally:
        load = Load(
            options.uri,
            bodies,
            key=os.environ.get(KEY_VARIABLE),
            clients=options.clients or CLIENTS,
            rate=options.rate,
            in_flight=options.in_flight or IN_FLIGHT,
            deployment=options.deployment,
        )
        return await load.run(requests=requests, seconds=options.seconds)

    tally = asyncio.run(send())
    if options.json:
        json.dump(tally.facts(), sys.stdout, indent=2)
        print()
    else:
        _print(tally)
    return ExitCode.DONE if tally.failed == 0 else ExitCode.FAILED


def _print(tally: Tally) -> None:
    facts = tally.facts()
    print(f"{facts['requests']} requests, {facts['failed']} failed, statuses {facts['statuses']}")
    print(f"split {facts['split_percent']}, latency {facts['latency_ms']} ms")
    if tally.late:
        print(
            f"{tally.late} of {tally.scheduled} requests started late, by up to {tally.greatest_delay_ms:.0f} ms: "
            "the limit of requests under way was reached, or this machine was busy"
        )
    for kind, count in tally.failures.items():
        print(f"{count} without an answer: {kind}")
