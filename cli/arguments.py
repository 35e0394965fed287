"""Arguments that several subcommands take."""

import argparse


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--stack`."""
    parser.add_argument("--stack", "-s", help="stack; default: PULUMI_STACK, else the selected one")
