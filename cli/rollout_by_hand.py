"""`sluice rollout rollback --to blue=100`: the way back where the record cannot say what the weights were.

It needs no record: the weights go into the stack file, and one targeted update applies them. The program checks them as
for every update. Where the stack file is broken or the engine cannot run, they are set through Azure.
"""

from __future__ import annotations

import argparse
import json

from cli.rollout_site import Site, SystemClock, tell
from command_errors import CommandError, UnavailableError
from exit_codes import ExitCode
from project import project_name, project_root
from recovery.engine_locks import StackLocks
from rollout.change.break_glass import BreakGlass
from rollout.change.engine_lock import PatientEngine
from rollout.change.tools import endpoint_urn
from rollout.errors import EngineError
from rollout.ports import Message
from rollout.record.chain import record_files
from rollout.record.lock import endpoint_lock
from rollout.split import Split

READINGS = 2
PAUSE_SECONDS = 0.5
VERIFY_SECONDS = 120


def set_weights(site: Site, options: argparse.Namespace) -> int:
    """Declare the weights of `--to`, apply them, and read them back from Azure twice."""
    clock, split = SystemClock(), Split(traffic=options.to)
    with endpoint_lock(site.folder, clock):
        behind = _applied(site, split, clock)
        files = record_files(site.folder)
        if files and behind is None:
            _publish(site, split, options)
    if options.json:
        values = {"endpoint": site.key, "weights": split.as_values(), "left": behind}
        print(json.dumps(values, indent=2))
    elif behind is None:
        print(f"{site.key} has {split.describe()} in Azure and in {site.stack_file.name}.")
    else:
        print(
            f"{site.key} has {split.describe()} in Azure; {site.stack_file.name} and Pulumi's state do not say so yet. "
            f"{behind} Then declare these weights there and run `pulumi up --refresh --stack {site.stack}`."
        )
    if files:
        tell(f"the record {files[-1].name} does not know it: restore it from the repository, or move it away.")
    return ExitCode.DONE


def _applied(site: Site, split: Split, clock: SystemClock) -> str | None:
    """Bring the weights to Azure; why stack file and state could not follow, None if they did."""
    root = project_root()
    locks = StackLocks(site.engine, tell)
    urn = endpoint_urn(project_name(root), site.stack, site.key)
    try:
        site.declared.write(split)
        tell(f"{site.stack_file.name} declares {split.describe()}; updating the endpoint")
        PatientEngine(site.engine, locks, clock, urn, tell).up(refresh=True)
    except (CommandError, EngineError) as error:
        tell(f"Pulumi cannot set the weights, so they are set through Azure: {error}")
        left = BreakGlass(site.azure, locks, clock, tell).set(split)
        return f"{error}\n{left}".strip()
    _require_live(site, split, clock)
    return None


def _publish(site: Site, split: Split, options: argparse.Namespace) -> None:
    repository = site.repository(record_files(site.folder)[-1], options, way_back=True)
    trailers = {"To": split.describe(), "Reason": options.reason or ""}
    subject = f"rollout({site.key}): {split.describe()} in {site.stack}, set by hand"
    repository.publish(Message(subject=subject, trailers=trailers), patient=False)


def _require_live(site: Site, split: Split, clock: SystemClock) -> None:
    deadline, equal = clock.now() + VERIFY_SECONDS, 0
    while equal < READINGS:
        endpoint = site.azure.endpoint()
        live = Split(traffic=endpoint.traffic, mirror=endpoint.mirror) if endpoint is not None else Split()
        equal = equal + 1 if live == split else 0
        if not equal and clock.now() > deadline:
            raise UnavailableError(f"the update ended, but Azure has {live.describe()}. Run this command again.")
        clock.sleep(PAUSE_SECONDS)
