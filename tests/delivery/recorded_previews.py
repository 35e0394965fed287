"""Previews that the real engine made of the dev stack on the local Azure, reduced to the resources that change."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import yaml

from delivery.pull_request.preview_report import PreviewReport, refusals_in
from rollout.events import Preview, outcome_of, read_events
from settings import parse_settings
from stack_config import Settings

FOLDER = Path(__file__).parent / "previews"
ROOT = Path(__file__).parents[2]
MODEL = "fraud-detection"


def settings(**changes: Any) -> Settings:
    """The settings of the repository's dev stack; `changes` are of the colour green."""
    config = yaml.safe_load((ROOT / "Pulumi.dev.yaml").read_text())["config"]
    raw = {key.removeprefix("sluice:"): value for key, value in config.items()}
    raw["location"] = raw.pop("azure-native:location")
    raw["endpoints"][MODEL]["deployments"]["green"] = {"instances": 1, **changes}
    return parse_settings(raw, stack="dev", today=date(2026, 11, 28))


def report(name: str, **other: Any) -> PreviewReport:
    """The report of a recorded preview."""
    with (FOLDER / f"{name}.jsonl").open() as lines:
        outcome = outcome_of(read_events(lines))
    values: dict[str, Any] = {
        "project": "sluice",
        "stack": "dev",
        "preview": None if outcome.errors else Preview(**vars(outcome)),
        "failures": tuple(one for error in outcome.errors for one in refusals_in(error)),
        "before": settings(),
        "after": settings(),
    }
    return PreviewReport(**{**values, **other})
