"""The arguments of the commands that clear a dead update away, the engine that they lead to, and what they print."""

import argparse
import contextlib
import math
import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

from cli.arguments import add_stack_argument
from project import project_root, stack_name
from recovery.dead_update import require_backend

if TYPE_CHECKING:
    from rollout.engine import PulumiEngine


def add_repair_arguments(parser: argparse.ArgumentParser, *, wait_minutes: float, json_help: str) -> None:
    """Add the options of the commands that clear a dead update away."""
    add_stack_argument(parser)
    parser.add_argument(
        "--wait-minutes",
        metavar="MINUTES",
        type=_minutes,
        default=wait_minutes,
        help=f"how long to wait for one operation of Azure (default {wait_minutes:g})",
    )
    parser.add_argument("--json", action="store_true", help=json_help)


def _minutes(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= float(text) < math.inf:
            return float(text)
    raise argparse.ArgumentTypeError(f"must be a number of minutes, 0 or more, got {text!r}")


def engine_for(
    options: argparse.Namespace, stack: str | None = None, environment: Mapping[str, str] | None = None
) -> "PulumiEngine":
    """Return the engine of the stack that the command line names, or of another one with its own environment.

    Raises UnavailableError if its backend is gone.
    """
    from rollout.engine import PulumiEngine

    require_backend(os.environ)
    return PulumiEngine(project_root(), stack or stack_name(options.stack), environment)


def tell(text: str) -> None:
    """Print one line for people; standard output is for JSON."""
    print(text, file=sys.stderr, flush=True)
