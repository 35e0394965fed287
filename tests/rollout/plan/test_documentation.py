"""The plans on the documentation pages are plans that pass, and the pages say what the code has."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from bench import naive_shift
from gate_config import GatesSettings
from rollout.plan.endpoint_facts import EndpointFacts
from rollout.plan.lint import check_plan
from rollout.plan.power import power, render_power
from rollout.plan.recorded import EXAMPLE
from rollout.split import Split
from rollout_config import PRESETS, PlanSettings

pytestmark = pytest.mark.slow

DOCS = Path(__file__).parents[3] / "docs"
PAGE = (DOCS / "rollout-plan.md").read_text(encoding="utf-8")
PLANS = [
    (name, yaml.safe_load(block)["plan"])
    for name in ("rollout-plan.md", "gradual-traffic-shift.md")
    for block in re.findall(r"```yaml\n(plan:\n.*?)```", (DOCS / name).read_text(encoding="utf-8"), re.DOTALL)
]
FACTS = EndpointFacts(
    stack="prod", key="fraud-detection", colour="green", baseline=Split(traffic={"blue": 100}),
    max_step=50, max_mirror=50, rpm=3000,
)  # fmt: skip


def test_the_pages_have_their_examples() -> None:
    assert len(PLANS) == 7


@pytest.mark.parametrize(("page", "values"), PLANS)
def test_every_plan_on_a_page_may_start(page: str, values: dict[str, object]) -> None:
    findings = check_plan(PlanSettings.from_values(values), FACTS)
    assert findings.refusals == (), page
    assert all("mirrored" in str(each) or "copies" in str(each) for each in findings.warnings)


def test_the_page_lists_every_key_of_a_plan_and_every_gate() -> None:
    for key in PlanSettings.model_fields:
        assert f"| `{key}" in PAGE or key == "gates"
    for gate in GatesSettings.model_fields:
        assert gate in PAGE or gate.startswith("latency_")


@pytest.mark.parametrize("preset", PRESETS)
def test_the_page_lists_the_weights_of_a_preset(preset: str) -> None:
    weights = ", ".join(str(weight) for weight, _ in dict(PRESETS)[preset])  # type: ignore[index]  # a name of the table
    assert f"| `{preset}` | {weights} |" in PAGE


@pytest.fixture(scope="module")
def measured() -> list[list[str]]:
    return naive_shift.measure()


def test_the_page_shows_what_the_comparison_prints(measured: list[list[str]]) -> None:
    page = (DOCS / "gradual-traffic-shift.md").read_text(encoding="utf-8")
    assert naive_shift.render(measured) in page, "put the output of `python -m bench.naive_shift` on the page"


def test_the_page_has_the_plan_and_the_ceiling_of_the_comparison() -> None:
    (values,) = (values for page, values in PLANS if page == "gradual-traffic-shift.md")
    assert PlanSettings.from_values(values) == naive_shift.PLAN
    assert naive_shift.CEILING == 0.01


def test_good_models_stay_and_bad_ones_are_found(measured: list[list[str]]) -> None:
    """The claims of the page."""
    rows = {(rpm, model, way): list(map(int, cells[:3])) for rpm, model, way, *cells in measured}
    good = {key: cells for key, cells in rows.items() if key[1].startswith("good")}
    assert all(cells[0] <= 1 for (_, _, way), cells in good.items() if way == "plan")
    assert rows["60", "good, 0.5 %", "loop"][0] > 50
    bad = [cells for (rpm, model, way), cells in rows.items() if way == "plan" and rpm != "60" and model[0].isdigit()]
    assert all(found == 100 for _, found, _ in bad)


def test_the_page_shows_what_power_prints() -> None:
    values = {"preset": "canary", "gates": {"error_rate": {"max": 0.01, "vs_stable": 1.5}}}
    table = power(PlanSettings.from_values(values), replace(FACTS, rpm=60))
    lines = "\n".join(render_power(table, rpm=60))
    assert lines in PAGE, f"put this on the page:\n{lines}"


def test_the_page_shows_a_csv_file_that_can_be_read() -> None:
    (example,) = re.findall(r"```\n(start,.*?)```", PAGE, re.DOTALL)
    assert example == EXAMPLE + "\n"
