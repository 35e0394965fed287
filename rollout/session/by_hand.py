"""`sluice rollout rollback --to blue=100`: the way back where the record cannot say what the weights were.

It needs no record: the weights go into the stack file, and one targeted update applies them. The program checks them as
for every update. Where the stack file is broken or the engine cannot run, they are set through Azure.
"""

from __future__ import annotations

from dataclasses import dataclass

from command_errors import CommandError, UnavailableError, UsageError
from problem import did_you_mean
from rollout.change.break_glass import BreakGlass
from rollout.errors import EngineError
from rollout.ports import Message
from rollout.record.chain import record_files
from rollout.record.lock import endpoint_lock
from rollout.session.adapters import patient_engine
from rollout.session.site import Site
from rollout.split import Split

READINGS = 2
PAUSE_SECONDS = 0.5
VERIFY_SECONDS = 120


@dataclass(frozen=True, kw_only=True)
class ByHand:
    """What became of it."""

    split: Split
    left: str | None
    """Why the stack file and Pulumi's state do not have the weights yet; None if they have."""
    record: str | None
    """The record that does not know of it; None without one."""


def set_weights(site: Site, split: Split, reason: str | None) -> ByHand:
    """Declare the weights, apply them, and read them back from Azure twice.

    Raises UsageError for a colour that Azure does not have; then nothing was changed.
    """
    _require_known(site, split)
    with endpoint_lock(site.folder, site.session.clock):
        left = _applied(site, split)
        files = record_files(site.folder)
        if files and left is None:
            trailers = {"To": split.describe(), "Reason": reason or ""}
            subject = f"rollout({site.key}): {split.describe()} in {site.stack}, set by hand"
            message = Message(subject=subject, trailers=trailers)
            site.repository(files[-1], way_back=True).publish(message, patient=False)
    return ByHand(split=split, left=left, record=files[-1].name if files else None)


def _require_known(site: Site, split: Split) -> None:
    """Azure would refuse such weights, and break-glass would try for a long time."""
    try:
        endpoint = site.azure.endpoint()
    except UnavailableError as error:
        site.session.say(f"whether Azure has these colours is not known: {error}")
        return
    if endpoint is None:
        raise UsageError(f"{site.endpoint_id} does not exist in Azure, so it cannot get weights.")
    unknown = sorted({*split.traffic, *split.mirror} - set(endpoint.deployments))
    if unknown:
        there = ", ".join(sorted(endpoint.deployments)) or "none"
        raise UsageError(
            f"{site.key} has no deployment {' and no '.join(unknown)} in Azure (there: {there}). Nothing was changed."
            f"{did_you_mean(unknown[0], endpoint.deployments)}"
        )


def _applied(site: Site, split: Split) -> str | None:
    """Bring the weights to Azure; why stack file and state could not follow, None if they did."""
    session = site.session
    try:
        site.declared.write(split)
        session.say(f"{site.stack_file.name} declares {split.describe()}; updating the endpoint")
        patient_engine(site).up(refresh=True)
    except (CommandError, EngineError) as error:
        session.say(f"Pulumi cannot set the weights, so they are set through Azure: {error}")
        left = BreakGlass(site.azure, site.locks, session.clock, session.say).set(split)
        return f"{error}\n{left}".strip()
    _require_live(site, split)
    return None


def _require_live(site: Site, split: Split) -> None:
    clock = site.session.clock
    deadline, equal = clock.now() + VERIFY_SECONDS, 0
    while equal < READINGS:
        endpoint = site.azure.endpoint()
        live = Split(traffic=endpoint.traffic, mirror=endpoint.mirror) if endpoint is not None else Split()
        equal = equal + 1 if live == split else 0
        if not equal and clock.now() > deadline:
            raise UnavailableError(f"the update ended, but Azure has {live.describe()}. Run this command again.")
        clock.sleep(PAUSE_SECONDS)
