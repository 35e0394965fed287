"""Arguments that several subcommands take."""

import argparse
import re

UNITS = {"s": 1, "m": 60, "h": 3600}
"""Seconds of each unit of a duration."""


def add_stack_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--stack`."""
    parser.add_argument("--stack", "-s", help="stack; default: PULUMI_STACK, else the selected one")


def duration(text: str) -> int:
    """Seconds of a duration, such as 50m: the `type` of an argument."""
    found = re.fullmatch(r"(\d+)([smh])", text)
    if found is None or not int(found[1]):
        raise argparse.ArgumentTypeError(f"must be a number and s, m or h, such as 50m, got {text!r}")
    return int(found[1]) * UNITS[found[2]]
