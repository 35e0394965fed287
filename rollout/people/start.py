"""The start of a rollout: which colour, everything that refuses it, and the event that opens its record.

Pure: a `StartFacts` of plain values in, the data of the `started` event out, or one `StartRefused` with every reason.
The caller reads Azure, the stack file, the model files and the records, and writes what comes out.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from command_errors import UsageError
from endpoint_state import DeclaredDeployment, DeclaredEndpoint, LiveDeployment, LiveEndpoint, LiveState
from proof_rule import how_to_prove, missing_proof
from rollout.decision.order import Outcome
from rollout.evidence.binomial import at_least
from rollout.evidence.intervals import Counts
from rollout.people.actor import Actor
from rollout.people.start_facts import StartFacts
from rollout.record.chain import record_id
from rollout.split import Split, split_at
from rollout_config import PlanSettings, plan_digest
from transitions import TransitionError, validate_transition

HEALTHY = "succeeded"
LEAST_SETTLE_INTERVALS = 2
"""Where `verify` measures how long the metrics take, they count as complete after so many intervals until then."""
CHANCE = 0.001
"""The stable colour is above its own ceiling if so many errors would be rarer than this at the ceiling."""


class StartRefused(UsageError):
    """The rollout was not started; `reasons` has everything that stands against it."""

    def __init__(self, endpoint: str, stack: str, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        listed = "\n".join(f"  - {reason}" for reason in self.reasons)
        super().__init__(f"no rollout of {endpoint} in {stack} was started, and nothing was changed:\n{listed}")


@dataclass(frozen=True, kw_only=True)
class StartRequest:
    """What a person asks for. `again` lifts the bar that an abort has put on the release."""

    actor: Actor
    to: str | None = None
    again: bool = False


def start(facts: StartFacts, request: StartRequest, *, now: int, grain: int, commit: str | None) -> dict[str, Any]:
    """The data of the `started` event; `grain` is the metric's finest interval in seconds, `commit` the head's id.

    Raises StartRefused with every reason at once.
    """
    colour, reasons = chosen_colour(facts, request.to)
    reasons = [*reasons, *_refusals(facts, request, colour)]
    if reasons or colour is None or facts.plan is None or facts.stable is None or facts.live is None:
        raise StartRefused(facts.place.endpoint, facts.place.stack, reasons)
    plan = facts.plan
    concerned = {colour: 0, **facts.declared.traffic, **facts.declared.mirror}
    return {
        "id": record_id(now, colour),
        **facts.place.as_values(),
        "commit": commit,
        "actor": request.actor.name,
        "run": request.actor.run,
        "colour": colour,
        "stable": facts.stable,
        "colours": {
            name: {"release": facts.colours[name].release, "content": facts.colours[name].content}
            for name in sorted(concerned)
        },
        "baseline": facts.declared.as_values(),
        "plan": plan.as_values(),
        "plan_digest": plan_digest(plan),
        "grain": grain,
        "settle": LEAST_SETTLE_INTERVALS * grain if plan.settle_seconds is None else plan.settle_seconds,
        "synthetic": plan.load is not None,
        "auth_mode": facts.live.auth_mode,
        "identities": sorted(facts.live.identity_ids),
        "allow_unproven": facts.colours[colour].provenance.allow_unproven,
    }


def chosen_colour(facts: StartFacts, to: str | None) -> tuple[str | None, list[str]]:
    """The colour to roll out, or None with the reason.

    Without `to` it is the one declared colour at 0 % whose content occurs in no record of this endpoint, neither as
    canary nor in a baseline.
    """
    names = ", ".join(sorted(facts.colours)) or "none"
    if to is not None:
        if to in facts.colours:
            return to, []
        return None, [
            f'--to names "{to}", which {facts.stack_file} does not declare for this endpoint (declared: {names}). '
            "Name one of those, or declare it and run `pulumi up`."
        ]
    idle = [name for name in facts.colours if not facts.declared.carries(name)]
    seen = {content: rollout for rollout in facts.past for content in rollout.contents.values()}
    new = [name for name in idle if facts.colours[name].content not in seen]
    if len(new) == 1:
        return new[0], []
    if new:
        return None, [f"several colours at 0 % are new: {', '.join(sorted(new))}. Choose one with --to."]
    if not idle:
        return None, [
            f"no colour is at 0 % (declared: {names}). Add the new version as another deployment in "
            f"{facts.stack_file} and run `pulumi up`."
        ]
    known = "; ".join(f"{name} is in {seen[facts.colours[name].content].id}" for name in sorted(idle))
    return None, [f"no colour at 0 % is new: {known}. If you want to roll one of them out again, name it with --to."]


def _refusals(facts: StartFacts, request: StartRequest, colour: str | None) -> Iterator[str]:
    yield from _record_refusals(facts)
    yield from _declaration_refusals(facts)
    if colour is not None:
        yield from _colour_refusals(facts, request, colour)
        yield from _idle_refusals(facts, colour)
    yield from _drift(facts)
    yield from facts.unfit
    if colour is not None and facts.plan is not None and facts.live is not None and facts.stable is not None:
        yield from _way_back_refusals(facts, colour, facts.plan, facts.live)
    yield from _stable_refusals(facts)


def _record_refusals(facts: StartFacts) -> Iterator[str]:
    place = facts.place
    if running := facts.running:
        yield (
            f"the rollout {running.id} has not ended. Wait for it (`sluice rollout run {place.endpoint} --stack "
            f"{place.stack}`), or give --supersede, which rolls it back first."
        )
    last = facts.past[-1] if facts.past else None
    if last is not None and last.raised is not None and last.outcome is not None:
        yield (
            f"{last.id} has not given back the autoscale floor of {last.raised}. Let it (`sluice rollout step "
            f"{place.endpoint} --stack {place.stack}`), so that this one begins from what was declared."
        )
    for name in facts.broken:
        yield (
            f"the record {name} cannot be read, so it is not known which releases failed before. Restore it from the "
            "repository, or move it out of the folder."
        )


def _declaration_refusals(facts: StartFacts) -> Iterator[str]:
    key = f"sluice:rollout.{facts.place.endpoint}"
    if facts.plan is None:
        yield f"{key}.plan is missing in {facts.stack_file}. Add a plan, for example `plan: {{preset: canary}}`."
    if facts.stable is None:
        yield f"{key}.stable is missing in {facts.stack_file}. Name the colour to fall back to."
    elif not facts.declared.traffic:
        yield (
            f"{key}.traffic gives no colour live weight, so there is nothing to compare with and nothing to return to. "
            f"Give {facts.stable} 100 and run `pulumi up`; a rollout begins from an endpoint that serves."
        )
    elif facts.stable not in facts.declared.traffic:
        yield (
            f"{key}.stable is {facts.stable}, which has no live weight ({facts.declared.describe()}). Name a "
            "colour that serves."
        )
    if facts.declared.mirror:
        yield (
            f"{key}.mirror is not empty ({facts.declared.describe()}), and a rollout sets it. Empty it and run "
            "`pulumi up`."
        )


def _colour_refusals(facts: StartFacts, request: StartRequest, colour: str) -> Iterator[str]:
    if facts.declared.carries(colour):
        yield f"{colour} is not at 0 %: the stack file says {facts.declared.describe()}."
    live = facts.live.deployments.get(colour) if facts.live else None
    if facts.live is not None and live is None:
        yield f"{colour} does not exist in Azure. Run `pulumi up --stack {facts.place.stack}` first."
    if live is not None:
        if live.state != HEALTHY:
            yield (
                f"{colour} is {live.provisioning_state} in Azure, not Succeeded. Repair it (`sluice deployment-logs "
                f"{facts.place.endpoint} {colour}`) and run `pulumi up`."
            )
        yield from _release_refusal(facts, colour, live)
    yield from _proof_refusal(facts, colour)
    content = facts.colours[colour].content
    last = next((one for one in reversed(facts.past) if one.content == content), None)
    if last is not None and last.outcome == Outcome.ABORTED and not request.again:
        yield (
            f"the release of {colour} was aborted in {last.id}. Give --again if it may be tried again, or build "
            "another release."
        )


def _idle_refusals(facts: StartFacts, colour: str) -> Iterator[str]:
    """Each step of a rollout changes weights alone, and would change the instances of such a colour, too."""
    up = f"`pulumi up --stack {facts.place.stack}`"
    for name in (colour, *(other for other in facts.declared.traffic if other != colour)):
        declared = facts.colours.get(name)
        if declared is None or declared.idle_instances is None:
            continue
        place = f"sluice:endpoints.{facts.place.endpoint}.deployments.{name}.autoscale"
        if name == colour:
            yield (
                f"{name} may have {declared.idle_instances} of its {declared.instances} instances at 0 % "
                f"({place}.idle_instances), and needs all of them before it gets weight. Remove the line from "
                f"{facts.stack_file}, run {up}, and wait until Azure has started them."
            )
        else:
            yield (
                f"{name} would lose instances with its last weight ({place}.idle_instances), beside the step that "
                f"takes it. Remove the line from {facts.stack_file} and run {up}; `retire: scale_down` in the plan "
                "leaves it one instance after the rollback window."
            )


def _proof_refusal(facts: StartFacts, colour: str) -> Iterator[str]:
    """The program would refuse the first step; a stable colour needs no proof."""
    stack = facts.limits.require_proof
    if stack is None or colour == facts.stable:
        return
    if missing := missing_proof(facts.colours[colour].provenance, stack):
        fix = how_to_prove(facts.place.endpoint, colour, stack, facts.place.stack)
        yield f"{colour} has no proof of {stack} (sluice:limits.require_proof): {missing}. {fix}"


def _release_refusal(facts: StartFacts, colour: str, live: LiveDeployment) -> Iterator[str]:
    declared = facts.colours[colour].release
    if live.release != declared:
        found = f"release {live.release[:12]}" if live.release else "no release tag"
        yield (
            f"{colour} has {found} in Azure, and the stack file declares {declared[:12]}. Run `pulumi up --stack "
            f"{facts.place.stack}` first, so that what is tested is what is declared."
        )


def not_in_azure(endpoint: str, stack: str) -> str:
    """Why an endpoint that was never made cannot have a rollout."""
    return f"the endpoint {endpoint} does not exist in Azure. Run `pulumi up --stack {stack}` first."


def _drift(facts: StartFacts) -> Iterator[str]:
    place, live = facts.place, facts.live
    if live is None:
        yield not_in_azure(place.endpoint, place.stack)
        return
    actual = Split(traffic=live.traffic, mirror=live.mirror)
    if actual != facts.declared:
        by = f", last changed by {live.changed_by}" if live.changed_by else ""
        when = f" at {live.changed_at}" if live.changed_at else ""
        yield (
            f"drift: {facts.stack_file} says {facts.declared.describe()}, Azure has {actual.describe()}{by}"
            f"{when}. Put one of them right: `pulumi up --refresh --stack {place.stack}` restores what is declared."
        )
    if live.state != HEALTHY:
        yield (
            f"the endpoint is {live.provisioning_state} in Azure, not Succeeded. Wait until its update has finished; "
            f"`sluice doctor --stack {place.stack}` shows more."
        )
    for name in facts.declared.traffic:
        deployment = live.deployments.get(name)
        if deployment is not None and name in facts.colours:
            yield from _release_refusal(facts, name, deployment)
    if facts.pending:
        listed = "; ".join(facts.pending)
        yield f"other changes are pending: {listed}. Run `pulumi up --stack {place.stack}` first."


def _way_back_refusals(facts: StartFacts, colour: str, plan: PlanSettings, live: LiveEndpoint) -> Iterator[str]:
    """A rollback is one update, from every step; `limits` may forbid that for a baseline of several colours."""
    refused: dict[str, list[str]] = {}
    for step in plan.steps:
        try:
            split = split_at(facts.declared, colour, step)
        except ValueError as error:
            refused.setdefault(str(error), []).append(f"{step.percent} %")
            continue
        for problem in _problems_back(facts, live, split):
            refused.setdefault(problem, []).append(split.describe())
    for problem, splits in refused.items():
        yield (
            f"from {'; '.join(splits)} one update could not restore {facts.declared.describe()}: {problem} "
            "Change the weights or the limits before the rollout, so that its way back is open."
        )


def _problems_back(facts: StartFacts, live: LiveEndpoint, split: Split) -> list[str]:
    names = set(split.traffic) | set(split.mirror) | set(facts.declared.traffic)
    declared = DeclaredEndpoint(
        stack=facts.place.stack,
        key=facts.place.endpoint,
        name=live.name,
        auth_mode=live.auth_mode,
        identity_ids=live.identity_ids,
        traffic=facts.declared.traffic,
        mirror=facts.declared.mirror,
        deployments={
            name: DeclaredDeployment(release=colour.release, instances=colour.instances, provenance=colour.provenance)
            for name, colour in facts.colours.items()
            if name in names
        },
    )
    # Another state of these deployments is reported by itself; here they are as a rollout needs them.
    deployments = {
        name: LiveDeployment(
            name=name, provisioning_state="Succeeded", release=colour.release, instances=colour.instances
        )
        for name, colour in facts.colours.items()
        if name in names
    }
    then = replace(
        live, provisioning_state="Succeeded", traffic=split.traffic, mirror=split.mirror, deployments=deployments
    )
    try:
        validate_transition(LiveState(workspace_exists=True, endpoint=then), declared, facts.stable, facts.limits)
    except TransitionError as error:
        return [str(problem) for problem in error.problems]
    return []


def _stable_refusals(facts: StartFacts) -> Iterator[str]:
    """A ceiling that the stable colour breaks itself can only hold the rollout, as an incident."""
    gate = facts.plan.gates.error_rate if facts.plan else None
    if gate is None or gate.max is None or gate.dry_run:
        return
    for name in facts.declared.traffic:
        counts = facts.last_hour.get(name, Counts())
        above = counts.errors > gate.max * counts.requests
        if above and at_least(counts.requests, counts.errors, gate.max) <= CHANCE:
            rate = counts.errors / counts.requests
            yield (
                f"{name} failed {counts.errors} of {counts.requests} requests in the last hour ({rate:.1%}), which is "
                f"above the ceiling of {gate.max:.1%} (gates.error_rate.max): no version could pass such a gate. "
                f"Repair {name}, or raise the ceiling above {rate:.1%}."
            )
