"""`sluice invoke`: one request to an endpoint, sent once, as a smoke test."""

import argparse
from pathlib import Path

from cli.endpoint_arguments import add_endpoint_arguments, find_endpoint
from endpoint_client.invocation import invoke
from endpoint_client.request_file import read_request
from exit_codes import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice invoke`."""
    add_endpoint_arguments(parser)
    parser.add_argument("--request-file", type=Path, required=True, help="JSON")
    parser.add_argument("--deployment", help="send directly to this deployment; default: by weight")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Send the request and print the answer."""
    read_request(options.request_file)
    print(invoke(find_endpoint(options), options.request_file, options.deployment))
    return ExitCode.DONE
