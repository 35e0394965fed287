"""`sluice rollout start`: gathers what a start depends on, and writes the first event of the record.

`rollout/people/start.py` chooses the colour and refuses.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from assessment.declaration import DIGEST_DIGITS
from assessment.provenance import provenance_of
from cli.rollout_site import Site, SystemClock, site_of, tell
from cli.rollout_world import capacity_of
from command_errors import UsageError
from exit_codes import ExitCode
from models.errors import ModelError
from models.loader import load_model
from models.spec import content_digest, release_digest, with_variables
from project import project_name, project_root
from rollout.change.neighbours import unexplained
from rollout.errors import EngineRefused
from rollout.evidence.intervals import Counts
from rollout.people.actor import actor_of
from rollout.people.start import StartRequest, chosen_colour, start
from rollout.people.start_facts import Colour, PastRollout, Place, StartFacts
from rollout.plan.endpoint_facts import AZURE_GRAIN_SECONDS, EndpointFacts
from rollout.plan.lint import check_plan
from rollout.ports import Message
from rollout.record.chain import Chain
from rollout.record.event import Kind
from rollout.record.journal import Journal
from rollout.record.lock import endpoint_lock
from rollout.split import Split
from rollout.views.notify import Notifier

if TYPE_CHECKING:
    from stack_config import DeploymentSettings

LAST_HOUR_SECONDS = 3600


def run_start(options: argparse.Namespace) -> int:
    """Run `sluice rollout start`."""
    from cli.rollout_people import supersede

    site, clock = site_of(options), SystemClock()
    if options.supersede:
        supersede(site, clock, options)
    journal = begin(site, clock, options)
    if options.json:
        state = journal.state
        print(json.dumps({"rollout": state.id, "colour": state.colour, "record": str(journal.chain.path)}, indent=2))
    else:
        print(f"started {journal.state.id}. Next: sluice rollout run {site.place}")
    return ExitCode.DONE


def begin(site: Site, clock: SystemClock, options: argparse.Namespace) -> Journal:
    """Start a rollout. Raises StartRefused with everything that stands against it."""
    request = StartRequest(actor=actor_of(os.environ, project_root()), to=options.to, again=options.again)
    with endpoint_lock(site.folder, clock):
        tell(f"checking {site.key} in {site.stack}: stack file, models, Azure, metrics, preview")
        facts = gather(site, clock, options.to)
        data = start(facts, request, now=clock.now(), grain=site.monitor.grain.seconds, commit=_head_commit())
        chain = Chain(site.folder / f"{data['id']}.jsonl")
        repository = site.repository(chain.path, options)
        chain.append(Kind.STARTED, data, clock.now())
        trailers = {"Rollout": data["id"], "Actor": data["actor"], "Run": data["run"] or ""}
        try:
            repository.publish(
                Message(subject=f"rollout({site.key}): {data['colour']} starts in {site.stack}", trailers=trailers)
            )
        except Exception:
            chain.path.unlink(missing_ok=True)  # it was not published, so the rollout was not started
            raise
        journal = Journal(chain, clock)
        notifier = Notifier(journal.state.plan.notify, os.environ, tell)
        notifier.notify(chain.events[0], journal.state)
        notifier.close()
        return journal


def gather(site: Site, clock: SystemClock, to: str | None) -> StartFacts:
    """Everything that a start depends on."""
    chains = site.chains()
    past = [rollout for chain in chains if (rollout := PastRollout.of(chain.events)) is not None]
    declared = site.declared.read()
    facts = StartFacts(
        place=_place(site),
        plan=declared.plan,
        declared=declared.split,
        stable=declared.stable,
        colours=declared_colours(site),
        live=site.azure.endpoint(),
        limits=site.settings.limits,
        past=past,
        broken=[chain.path.name for chain in chains if chain.broken is not None],
        last_hour=last_hour(site, clock.now()),
        pending=_pending(site, clock),
    )
    colour, _ = chosen_colour(facts, to)
    return replace(facts, unfit=_unfit(site, clock, facts, colour)) if colour is not None else facts


def new_colour(site: Site) -> str:
    """The colour that a start would choose. Raises UsageError if there is none, or several."""
    declared = site.declared.read()
    facts = StartFacts(
        place=_place(site),
        plan=declared.plan,
        declared=declared.split,
        stable=declared.stable,
        colours=declared_colours(site),
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


def last_hour(site: Site, now: int) -> dict[str, Counts]:
    """The requests of each colour in the last 60 minutes."""
    grain = site.monitor.grain.seconds
    totals: dict[str, Counts] = {}
    for look in site.monitor.looks(now - LAST_HOUR_SECONDS, now, grain):
        for name, counts in look.interval.counts.items():
            totals[name] = totals.get(name, Counts()) + counts
    return totals


def _unfit(site: Site, clock: SystemClock, facts: StartFacts, colour: str) -> tuple[str, ...]:
    """What the lint of the plan refuses, and a floor of the stable colour that could not be raised."""
    if facts.plan is None:
        return ()
    found = check_plan(facts.plan, endpoint_facts(site, facts.declared, colour, grain=site.monitor.grain.seconds))
    for warning in found.warnings:
        tell(f"warning: {warning}")
    reasons = [str(problem) for problem in found.refusals]
    if facts.plan.hold_stable and facts.stable is not None and facts.live is not None:
        try:
            floor = capacity_of(site, clock).floor(facts.stable, facts.live)
        except UsageError as error:
            reasons.append(str(error))
        else:
            if floor is not None:
                tell(f"{facts.stable} will keep at least {floor.minimum} instances until the end ({floor.describe()})")
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


def declared_colours(site: Site) -> dict[str, Colour]:
    """Each colour with the digests of its release and its content. Raises UsageError for files that cannot be read."""
    chosen = _deployments(site)
    try:
        pins = {name: one.release for name, one in chosen.items()}
        loaded = load_model(project_root() / "models" / site.key, pins)
    except ModelError as error:
        raise UsageError(str(error)) from error
    model = with_variables(loaded, {name: one.environment_variables for name, one in chosen.items()})
    return {
        name: Colour(
            release=release_digest(spec, chosen[name].sku)[:DIGEST_DIGITS],
            content=content_digest(spec),
            instances=_least_instances(chosen[name], spec.instance_count),
            provenance=provenance_of(project_root() / "models" / site.key, chosen[name]),
        )
        for name, spec in model.deployments.items()
    }


def _least_instances(chosen: DeploymentSettings, of_the_file: int) -> int:
    return chosen.autoscale.min if chosen.autoscale else chosen.instances or of_the_file


def _pending(site: Site, clock: SystemClock) -> tuple[str, ...]:
    """What an update would change now, without open changes of other endpoints; a refusal of the program is one."""
    try:
        return tuple(map(str, unexplained(site.engine.preview().changes, site.folder, clock)))
    except EngineRefused as error:
        return (f"the program refuses to preview: {error}",)


def _head_commit() -> str | None:
    command = ["git", "-C", str(project_root()), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True).stdout.strip() or None
    except OSError:
        return None
