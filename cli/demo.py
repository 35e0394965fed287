"""`sluice demo`: the whole story on a separate local Azure, in under three minutes, narrated while it runs.

It deploys and serves a model; then the rollout controller takes a better version to 100 % under load and brings a bad
one back, both by itself. It runs in a temporary folder with its own ports and deletes the folder at the
end, also on Ctrl-C; it does not touch the repository or the user's own local Azure. `cli.story` has the single acts.
"""

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from exit_codes import ExitCode
from project import project_root
from rehearsal.home import LocalHome

STACK = "dev"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice demo`."""
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Tell the story and clean up."""
    from cli.story import Story

    signal.signal(signal.SIGTERM, _as_interrupt)
    started = time.monotonic()
    with _stage():
        story = Story(project_root(), STACK)
        try:
            story.tell()
        finally:
            story.close()
    print(f"\nDone in {time.monotonic() - started:.0f} s. Nothing is left running; the repository is unchanged.")
    return ExitCode.DONE


@contextmanager
def _stage() -> Iterator[None]:
    """Run a local Azure in a temporary folder; this process's environment points at it."""
    from rehearsal.environment import local_environment
    from rehearsal.server_process import start, stop

    for name in [name for name in os.environ if name.startswith("PULUMI_")]:
        del os.environ[name]  # the demo must not use a stack or a backend of the caller's shell
    home = LocalHome(Path(tempfile.mkdtemp(prefix="sluice-demo-")))
    try:
        print("A local Azure: Resource Manager, storage and scoring on 127.0.0.1, real inference servers.")
        server, _ = start(home, port=None, say=_say)
        print(f"  {server.https}, process {server.pid}, home {home.path}", flush=True)
        environment = local_environment(home, STACK)
        variables = environment.applied_to(os.environ)
        os.environ.clear()
        os.environ.update(variables)
        print(f"  the stack file is a copy: {variables['PULUMI_OPTION_CONFIG_FILE']}")
        yield
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # an impatient second Ctrl-C must not leave processes behind
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        print("\nCleaning up: ending the local Azure and its model processes, deleting its folder.", flush=True)
        stop(home, say=_say)
        shutil.rmtree(home.path, ignore_errors=True)


def _as_interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def _say(text: str) -> None:
    print(f"  {text}", file=sys.stderr, flush=True)
