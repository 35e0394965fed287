"""`sluice rollout plan`, `power` and `backtest`: what a plan does, what it can detect, what it would have done."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli.rollout_session import site_of, tell
from command_errors import CommandError, UsageError
from exit_codes import ExitCode
from problem import did_you_mean
from rollout.plan.endpoint_facts import AZURE_GRAIN_SECONDS, EndpointFacts
from rollout.plan.lint import check_plan, render_findings
from rollout.plan.power import power, render_power
from rollout.plan.schedule import render_schedule, schedule
from rollout.session.beginning import endpoint_facts, last_hour, new_colour
from rollout.session.site import Site
from rollout_config import PlanSettings, plan_digest


def run_plan(options: argparse.Namespace) -> int:
    """Run `sluice rollout plan`."""
    site = site_of(options)
    plan, facts = _planned(site, options)
    findings = check_plan(plan, facts)
    try:
        steps = schedule(plan, facts)
    except ValueError as error:
        raise UsageError(f"{error}. Correct {facts.plan_key} in {facts.fix_file}.") from error
    if options.json:
        values = {
            "endpoint": site.key,
            "stack": site.stack,
            "colour": facts.colour,
            "plan_digest": plan_digest(plan),
            "rpm": facts.rpm,
            "steps": [step.as_values() for step in steps],
            "refused": [str(problem) for problem in findings.refusals],
            "warnings": [str(problem) for problem in findings.warnings],
        }
        print(json.dumps(values, indent=2))
    else:
        rpm = "an unknown rate of requests" if facts.rpm is None else f"{facts.rpm:g} requests a minute"
        print(f"{site.key} in {site.stack}: {facts.colour} after {facts.baseline.describe()}, at {rpm}")
        print("\n".join([*render_schedule(steps), *render_findings(findings)]))
    return ExitCode.USAGE if findings.refusals else ExitCode.DONE


def run_power(options: argparse.Namespace) -> int:
    """Run `sluice rollout power`."""
    site = site_of(options)
    plan, facts = _planned(site, options)
    rpm = facts.rpm_of(plan)
    if not rpm:
        raise UsageError(f"{site.key} had no requests in the last hour. Say how many there will be with --rpm.")
    tell(f"simulating {site.key} at {rpm:g} requests a minute")
    found = power(plan, facts)
    if options.json:
        print(json.dumps({"rpm": rpm, "detections": [one.as_values() for one in found]}, indent=2))
    else:
        print("\n".join(render_power(found, rpm=rpm)))
    return ExitCode.DONE


def run_backtest(options: argparse.Namespace) -> int:
    """Run `sluice rollout backtest`."""
    from rollout.plan.backtest import backtest, render_backtest
    from rollout.plan.recorded import read_csv, read_record

    site = site_of(options)
    file = Path(options.record or options.csv)
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text in UTF-8"
        raise UsageError(f"{file} cannot be read: {reason}. Check the name of the file.") from error
    recorded = read_record(text, name=file.name) if options.record else read_csv(text, name=file.name)
    colour = options.to or recorded.colour or new_colour(site)
    baseline = recorded.baseline or site.declared.read().split
    result = backtest(_plan(site), recorded, colour=colour, baseline=baseline)
    print(json.dumps(result.as_values(), indent=2) if options.json else "\n".join(render_backtest(result)))
    return ExitCode.DONE


def _plan(site: Site) -> PlanSettings:
    plan = site.declared.read().plan
    if plan is None:
        raise UsageError(
            f"sluice:rollout.{site.key}.plan is missing in Pulumi.{site.stack}.yaml. Add a plan, for example `plan: "
            "{preset: canary}`."
        )
    return plan


def _declared_colour(site: Site, name: str) -> str:
    known = site.settings.endpoints[site.key].deployments
    if name not in known:
        raise UsageError(
            f'--to names "{name}", which {site.stack_file.name} does not declare for {site.key} (declared: '
            f"{', '.join(known) or 'none'}).{did_you_mean(name, known)}"
        )
    return name


def _planned(site: Site, options: argparse.Namespace) -> tuple[PlanSettings, EndpointFacts]:
    """The plan, and the endpoint at the traffic of the last hour unless --rpm says another one."""
    plan, declared = _plan(site), site.declared.read()
    colour = _declared_colour(site, options.to) if options.to else new_colour(site)
    rpm = options.rpm
    grain = AZURE_GRAIN_SECONDS
    try:
        grain = site.monitor.grain.seconds
        if rpm is None:
            counts = last_hour(site).values()
            rpm = sum(one.requests for one in counts) / 60 or None
    except CommandError as error:
        tell(f"the metrics cannot be read, so Azure's interval is assumed: {error}")
    return plan, endpoint_facts(site, declared.split, colour, rpm=rpm, grain=grain)
