"""`sluice ci preview --local`: the target branch's stack on a local Azure, and what this checkout would change there.

It needs no identity and no secret, so it also runs for a fork. Deployments are simulated: they take no process, and
come up at once.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from cli.rollout_session import tell
from command_errors import CommandError
from delivery.pull_request.preview import Previewed, attempt
from localazure.identity import SUBSCRIPTION_ID
from rehearsal.environment import local_environment
from rehearsal.home import LocalHome
from rehearsal.server_process import start, stop
from rollout.engine import PulumiEngine
from rollout.events import Preview

if TYPE_CHECKING:
    from delivery.proofs.remote_records import BranchTip

FLAGS = ("--compute", "simulated")
MOST_UPDATES = 5
VIRTUAL_ENVIRONMENT = ".venv"


def name_a_subscription() -> None:
    """Let names be computed where the shell knows no subscription, as in the check of a fork."""
    if not os.environ.get("ARM_SUBSCRIPTION_ID"):
        os.environ["ARM_SUBSCRIPTION_ID"] = SUBSCRIPTION_ID


def previewed_locally(root: Path, stack: str, target: BranchTip | None) -> Previewed:
    """Bring the target branch's stack up on a local Azure, and preview the stack of this checkout there."""
    with tempfile.TemporaryDirectory(prefix="sluice-local-") as name, _local_azure(Path(name) / "home") as home:
        return attempt(lambda: _preview(root, stack, target, home, Path(name)))


def _preview(root: Path, stack: str, target: BranchTip | None, home: LocalHome, folder: Path) -> Preview:
    if target is not None and target.read(f"Pulumi.{stack}.yaml") is not None:
        with target.unpacked() as base:
            if not (base / VIRTUAL_ENVIRONMENT).exists():
                (base / VIRTUAL_ENVIRONMENT).symlink_to(root / VIRTUAL_ENVIRONMENT)
            tell(f"bringing {stack} of {target.branch} up on a local Azure")
            _bring_up(base, stack, _environment(base, stack, home))
    environment = _environment(root, stack, home)
    _publish(root, stack, environment)
    return PulumiEngine(root, stack, environment).preview()


def _bring_up(base: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Update until nothing changes. Raises CommandError if the target branch's own stack cannot be brought up."""
    engine = PulumiEngine(base, stack, environment)
    for _ in range(MOST_UPDATES):
        _publish(base, stack, environment)
        if engine.preview().is_empty:
            return
        engine.up()
    raise CommandError(f"{stack} of the target branch still has changes after {MOST_UPDATES} updates.")


def _publish(root: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Publish to the local Azure; before the first update there is no workspace to publish to."""
    command = [sys.executable, "-m", "cli.main", "release", "publish", "--all", "--stack", stack]
    done = subprocess.run(command, cwd=root, env=dict(environment), capture_output=True, text=True)
    for line in (done.stdout + done.stderr).splitlines() if done.returncode == 0 else ():
        tell(line)


def _environment(root: Path, stack: str, home: LocalHome) -> dict[str, str]:
    """The variables of a shell of `sluice local env` in this folder, with a fresh copy of its stack file."""
    with contextlib.chdir(root):
        return local_environment(home, stack, fresh=True).applied_to(os.environ)


@contextlib.contextmanager
def _local_azure(folder: Path) -> Iterator[LocalHome]:
    home = LocalHome(folder)
    start(home, port=None, flags=FLAGS, say=tell)
    try:
        yield home
    finally:
        stop(home, say=tell)
