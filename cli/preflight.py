"""`sluice preflight`: whether the subscription's quota suffices for what a stack declares. `preflight/` compares."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path

from cli.arguments import add_stack_argument
from command_errors import UsageError
from models.errors import ModelError
from models.loader import load_model
from preflight.azure import QuotaUnreadable, read_available, read_live
from preflight.demand import worst_point
from preflight.report import Preflight
from preflight.stack_demand import declared_demand
from preflight.verdict import rows_of
from project import project_root, stack_name
from stacks.names import read_names


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice preflight`."""
    add_stack_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the comparison as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run `sluice preflight`: 1 if the quota is short, 3 if a part cannot be judged, 4 if it cannot be read."""
    found = look(stack_name(options.stack))
    print(json.dumps(found.as_values(), indent=2) if options.json else "\n".join(found.lines()))
    return found.exit_code


def look(stack: str, file: Path | None = None) -> Preflight:
    """Compare what a stack declares with the quota of its region. Raises UsageError, SettingsError, QuotaUnreadable."""
    from resource_manager.client import ArmClient

    settings, names = read_names(stack, file)
    models = {}
    for key, endpoint in settings.endpoints.items():
        pins = {name: chosen.release for name, chosen in endpoint.deployments.items()}
        try:
            models[key] = load_model(project_root() / "models" / key, pins)
        except ModelError as error:
            raise UsageError(str(error)) from error
    arm = ArmClient()
    live = read_live(arm, names)
    worst = worst_point(declared_demand(settings, names, models), live)
    available = read_available(arm, names.subscription_id, settings.location)
    return Preflight(
        stack=stack,
        location=settings.location,
        cloud=settings.cloud,
        rows=rows_of(worst, live, available),
        worst=worst,
    )


def require_quota(stack: str, file: Path | None, say: Callable[[str], None]) -> None:
    """Raise QuotaShort if the quota is short. What cannot be read or judged is told, and stops nothing.

    A pipeline's identity may have rights in its resource group only, and quota is read from the subscription.
    """
    try:
        found = look(stack, file)
    except QuotaUnreadable as error:
        say(f"warning: the quota was not checked: {error}")
        return
    for text in found.unjudged:
        say(f"warning: {text}")
    found.require()
