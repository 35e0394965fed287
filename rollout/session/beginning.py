"""How a rollout starts: what a start depends on is gathered, and the first event of the record is written.

`rollout/people/start.py` chooses the colour and refuses.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from command_errors import UsageError
from project import project_name, project_root
from rollout.change.neighbours import unexplained
from rollout.errors import EngineRefused
from rollout.evidence.intervals import Counts
from rollout.people.actor import actor_of
from rollout.people.start import StartRefused, StartRequest, chosen_colour, not_in_azure, start
from rollout.people.start_facts import PastRollout, Place, StartFacts
from rollout.plan.endpoint_facts import AZURE_GRAIN_SECONDS, EndpointFacts
from rollout.plan.lint import check_plan
from rollout.ports import Message
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.record.lock import endpoint_lock
from rollout.session.adapters import capacity_of
from rollout.session.site import Site
from rollout.split import Split
from rollout.views.notify import Notifier

if TYPE_CHECKING:
    from stack_config import DeploymentSettings

LAST_HOUR_SECONDS = 3600


def begin(site: Site, *, to: str | None, again: bool) -> Journal:
    """Start a rollout. Raises StartRefused with everything that stands against it, and QuotaShort before that."""
    session = site.session
    session.require_quota(site.stack, site.file, session.say)
    request = StartRequest(actor=actor_of(os.environ, project_root()), to=to, again=again)
    with endpoint_lock(site.folder, session.clock):
        session.say(f"checking {site.key} in {site.stack}: stack file, models, Azure, metrics, preview")
        facts, grain = gather(site, to), site.monitor.grain.seconds
        data = start(facts, request, now=session.clock.now(), grain=grain, commit=_head_commit())
        chain = Chain(site.folder / f"{data['id']}.jsonl")
        repository = site.repository(chain.path)
        chain.append(Kind.STARTED, data, session.clock.now())
        trailers = {"Rollout": data["id"], "Actor": data["actor"], "Run": data["run"] or ""}
        try:
            repository.publish(
                Message(subject=f"rollout({site.key}): {data['colour']} starts in {site.stack}", trailers=trailers)
            )
        except Exception:
            chain.path.unlink(missing_ok=True)  # it was not published, so the rollout was not started
            raise
        journal = Journal(chain, session.clock)
        notifier = Notifier(journal.state.plan.notify, os.environ, session.say)
        notifier.notify(chain.events[0], journal.state)
        notifier.close()
        return journal


def gather(site: Site, to: str | None) -> StartFacts:
    """Everything that a start depends on. Raises StartRefused for an endpoint that Azure does not have."""
    live = site.azure.endpoint()
    if live is None:
        raise StartRefused(site.key, site.stack, [not_in_azure(site.key, site.stack)])
    chains = site.chains()
    past = [rollout for chain in chains if (rollout := PastRollout.of(chain.events)) is not None]
    declared = site.declared.read()
    facts = StartFacts(
        place=_place(site),
        plan=declared.plan,
        declared=declared.split,
        stable=declared.stable,
        colours=site.colours(),
        live=live,
        limits=site.settings.limits,
        past=past,
        broken=[chain.path.name for chain in chains if chain.broken is not None],
        last_hour=last_hour(site),
        pending=_pending(site),
    )
    colour, _ = chosen_colour(facts, to)
    return replace(facts, unfit=_unfit(site, facts, colour)) if colour is not None else facts


def new_colour(site: Site) -> str:
    """The colour that a start would choose. Raises UsageError if there is none, or several."""
    declared = site.declared.read()
    facts = StartFacts(
        place=_place(site),
        plan=declared.plan,
        declared=declared.split,
        stable=declared.stable,
        colours=site.colours(),
        live=None,
        limits=site.settings.limits,
        past=[rollout for chain in site.chains() if (rollout := PastRollout.of(chain.events)) is not None],
    )
    colour, reasons = chosen_colour(facts, None)
    if colour is None:
        raise UsageError(" ".join(reasons))
    return colour


def endpoint_facts(
    site: Site, baseline: Split, colour: str, *, rpm: float | None = None, grain: int = AZURE_GRAIN_SECONDS
) -> EndpointFacts:
    """What the checks of a plan need to know about the endpoint; `grain` is the metric's interval in seconds."""
    limits = site.settings.limits
    return EndpointFacts(
        stack=site.stack,
        key=site.key,
        colour=colour,
        baseline=baseline,
        max_step=limits.max_step,
        max_mirror=limits.max_mirror,
        rpm=rpm,
        instances={name: _most_instances(chosen) for name, chosen in _deployments(site).items()},
        grain_seconds=grain,
    )


def last_hour(site: Site) -> dict[str, Counts]:
    """The requests of each colour in the last 60 minutes."""
    grain, now = site.monitor.grain.seconds, site.session.clock.now()
    totals: dict[str, Counts] = {}
    for look in site.monitor.looks(now - LAST_HOUR_SECONDS, now, grain):
        for name, counts in look.interval.counts.items():
            totals[name] = totals.get(name, Counts()) + counts
    return totals


def _unfit(site: Site, facts: StartFacts, colour: str) -> tuple[str, ...]:
    """What the lint of the plan refuses, and a floor of the stable colour that could not be raised."""
    if facts.plan is None:
        return ()
    found = check_plan(facts.plan, endpoint_facts(site, facts.declared, colour, grain=site.monitor.grain.seconds))
    for warning in found.warnings:
        site.session.say(f"warning: {warning}")
    reasons = [str(problem) for problem in found.refusals]
    if facts.plan.hold_stable and facts.stable is not None and facts.live is not None:
        try:
            floor = capacity_of(site).floor(facts.stable, facts.live)
        except UsageError as error:
            reasons.append(str(error))
        else:
            if floor is not None:
                kept = f"{facts.stable} will keep at least {floor.minimum} instances until the end"
                site.session.say(f"{kept} ({floor.describe()})")
    return tuple(reasons)


def _place(site: Site) -> Place:
    return Place(
        project=project_name(project_root()),
        stack=site.stack,
        endpoint=site.key,
        workspace=site.address.workspace,
        subscription=site.address.subscription_id,
        endpoint_id=site.endpoint_id,
        arm_host=site.azure.arm.base_url.partition("://")[2],
    )


def _deployments(site: Site) -> Mapping[str, DeploymentSettings]:
    return site.settings.endpoints[site.key].deployments


def _most_instances(chosen: DeploymentSettings) -> int:
    return chosen.autoscale.max if chosen.autoscale else chosen.instances or 1


def _pending(site: Site) -> tuple[str, ...]:
    """What an update would change now, without open changes of other endpoints; a refusal of the program is one."""
    try:
        return tuple(map(str, unexplained(site.engine.preview().changes, site.folder, site.session.clock)))
    except EngineRefused as error:
        return (f"the program refuses to preview: {error}",)


def _head_commit() -> str | None:
    command = ["git", "-C", str(project_root()), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
    except OSError:
        return None
