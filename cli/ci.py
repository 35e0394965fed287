"""`sluice ci ...`: what the pipelines run. Each subcommand also runs on a laptop; `delivery/` has the logic."""

from __future__ import annotations

import argparse

from cli.ci_init import add_init_arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the subcommands of `sluice ci`."""
    parser.description = "What the pipelines run. Every subcommand also runs on a laptop."
    subparsers = parser.add_subparsers(dest="ci_command", metavar="COMMAND", required=True)
    add_init_arguments(subparsers.add_parser("init", help="write the pipelines, and print what a person has to set up"))
