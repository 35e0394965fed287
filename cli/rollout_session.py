"""What the commands of `sluice rollout` have in common: the session and the endpoint that a command line means."""

from __future__ import annotations

import argparse
import sys

from cli.preflight import require_quota
from cli.rollout_colours import declared_colours
from project import stack_name
from recovery.engine_locks import StackLocks
from rollout.session.finding import site_at, site_to_look_at
from rollout.session.session import Session
from rollout.session.site import Site


def session_of(options: argparse.Namespace) -> Session:
    """The session of a command line."""
    return new_session(commit=getattr(options, "commit", False), push=getattr(options, "push", False))


def new_session(*, commit: bool = False, push: bool = False) -> Session:
    """A session whose messages go to standard error."""
    return Session(
        say=tell,
        locks_of=StackLocks,
        colours_of=declared_colours,
        require_quota=require_quota,
        commit=commit,
        push=push,
    )


def site_of(options: argparse.Namespace) -> Site:
    """The endpoint that the command line names. Raises UsageError with the endpoints that there are."""
    return site_at(session_of(options), stack_name(options.stack), options.endpoint)


def site_to_look_at_of(options: argparse.Namespace) -> Site:
    """The same for a command that only shows: a stack file that cannot be read stops it only without a record."""
    return site_to_look_at(session_of(options), stack_name(options.stack), options.endpoint)


def tell(text: str) -> None:
    """Print one line for people; standard output is for JSON."""
    print(text, file=sys.stderr, flush=True)
