"""A deployment in the text of a stack file: its counts and its removal change nothing else, or are refused."""

import pytest
import yaml

from command_errors import UsageError
from rollout.declaration.deployment_text import edit_deployment, read_numbers
from rollout.instances import DeploymentEdit, NumbersEdit, Removal

WHERE = "Pulumi.prod.yaml"
FLOW = """\
config:
  sluice:endpoints:
    fraud:
      deployments:
        # the old one
        blue: {instances: 3, sku: A, autoscale: {min: 3, max: 10, default: 3}} # big
        green:
          autoscale:
            min: 2 # at least
            max: 6
            default: 2
            schedules:
              - {name: night, min: 1, max: 4, default: 1, days: [Monday], start: "20:00", end: "06:00"}
              - name: day
                min: 3
                max: 6
                default: 4
    churn: {deployments: {blue: {instances: 3}}}
  sluice:rollout:
    fraud: {stable: green, traffic: {blue: 0, green: 100}}
    churn: {traffic: {blue: 100}}
"""


def edited(text: str, edit: DeploymentEdit) -> str:
    return edit_deployment(text, "fraud", edit, WHERE)


def numbers(deployment: str, start: dict[str, int | None], to: dict[str, int]) -> NumbersEdit:
    return NumbersEdit(deployment=deployment, start=start, to=to)


def test_the_counts_of_a_deployment_are_read_with_their_schedules() -> None:
    assert read_numbers(FLOW, "fraud", "blue", WHERE) == {
        "instances": 3,
        "autoscale.min": 3,
        "autoscale.max": 10,
        "autoscale.default": 3,
    }
    green = read_numbers(FLOW, "fraud", "green", WHERE)
    assert green is not None
    assert (green["autoscale.schedules.night.min"], green["autoscale.schedules.day.default"]) == (1, 4)
    assert read_numbers(FLOW, "fraud", "amber", WHERE) is None
    assert read_numbers(FLOW, "amber", "blue", WHERE) is None


def test_only_the_named_counts_change() -> None:
    to = {"instances": 8, "autoscale.min": 8, "autoscale.default": 8}
    after = edited(FLOW, numbers("blue", dict.fromkeys(to, 3), to))
    expected = "{instances: 8, sku: A, autoscale: {min: 8, max: 10, default: 8}} # big"
    assert after == FLOW.replace("{instances: 3, sku: A, autoscale: {min: 3, max: 10, default: 3}} # big", expected)
    assert edited(after, numbers("blue", dict.fromkeys(to, 3), to)) == after, "it may be repeated"
    assert edited(after, numbers("blue", to, dict.fromkeys(to, 3))) == FLOW


def test_counts_of_schedules_are_found_by_their_names() -> None:
    to = {"autoscale.min": 4, "autoscale.schedules.night.min": 4, "autoscale.schedules.day.min": 4}
    start = {"autoscale.min": 2, "autoscale.schedules.night.min": 1, "autoscale.schedules.day.min": 3}
    after = edited(FLOW, numbers("green", start, to))
    assert "            min: 4 # at least\n" in after
    assert "{name: night, min: 4, max: 4," in after
    assert "              - name: day\n                min: 4\n" in after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("blue: {}", "blue: {instances: 1}"),
        ("blue:", "blue: {instances: 1}"),
        ("blue: {sku: A}", "blue: {instances: 1, sku: A}"),
        ("blue:\n          sku: A", "blue:\n          instances: 1\n          sku: A"),
    ],
)
def test_a_count_that_is_not_written_is_added(before: str, after: str) -> None:
    text = f"config:\n  sluice:endpoints:\n    fraud:\n      deployments:\n        {before}\n        green: {{}}\n"
    assert edited(text, numbers("blue", {"instances": None}, {"instances": 1})) == text.replace(before, after, 1)


def test_a_count_that_somebody_else_has_edited_is_refused_with_both_numbers() -> None:
    with pytest.raises(UsageError) as refused:
        edited(FLOW, numbers("blue", {"autoscale.min": 2}, {"autoscale.min": 8}))
    assert str(refused.value) == (
        "Pulumi.prod.yaml: sluice:endpoints.fraud.deployments.blue.autoscale.min is 3; the rollout expects 2, to set "
        "it to 8. Somebody else has edited it, so nothing was changed. Put it back, or commit your edit."
    )


SHARED = """\
config:
  sluice:endpoints:
    fraud:
      deployments:
        blue: {autoscale: &scale {min: 3, max: 10, default: 3}}
        green: {autoscale: *scale}
        amber: {<<: {autoscale: {min: 3, max: 10, default: 3}}}
"""


@pytest.mark.parametrize(
    ("deployment", "path", "said"),
    [
        ("blue", "autoscale.min", "is an anchor with an alias"),
        ("green", "autoscale.min", "is an anchor with an alias"),
        ("amber", "autoscale.min", "is not written there"),
    ],
)
def test_a_count_that_two_places_share_is_refused(deployment: str, path: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        edited(SHARED, numbers(deployment, {path: 3}, {path: 8}))


def test_a_removed_deployment_takes_its_lines_and_its_weight_along() -> None:
    after = edited(FLOW, Removal(deployment="blue"))
    lines = [line for line in FLOW.splitlines(keepends=True) if "# big" not in line]
    assert after == "".join(lines).replace("{blue: 0, green: 100}", "{green: 100}")
    assert edited(after, Removal(deployment="blue")) == after


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("{blue: {}, green: {}}", "{green: {}}"),
        ("{green: {}, blue: {instances: 2}}", "{green: {}}"),
        ("{a: {}, blue: {}, green: {}}", "{a: {}, green: {}}"),
        ("\n        green: {}\n        blue:\n          instances: 2", "\n        green: {}"),
        ("\n        blue:\n          instances: 2\n\n        green: {}", "\n\n        green: {}"),
        (
            "\n        blue:\n          autoscale:\n            schedules:\n            - name: night\n"
            "              days:\n              - Monday\n        green: {}",
            "\n        green: {}",
        ),
    ],
)
def test_a_deployment_is_removed_in_every_style(before: str, after: str) -> None:
    head = "config:\n  sluice:endpoints:\n    fraud:\n      deployments: "
    assert edited(f"{head}{before}\n", Removal(deployment="blue")) == f"{head}{after}\n"


@pytest.mark.parametrize("change", [("blue: 0, green: 100", "blue: 5, green: 95"), ("stable: green", "stable: blue")])
def test_a_deployment_that_is_needed_is_not_removed(change: tuple[str, str]) -> None:
    with pytest.raises(UsageError, match="names blue as stable or gives it weight"):
        edited(FLOW.replace(*change), Removal(deployment="blue"))


def test_a_deployment_whose_anchor_others_use_is_not_removed() -> None:
    with pytest.raises(UsageError, match="without changing something else"):
        edited(SHARED, Removal(deployment="blue"))
    assert "blue" not in yaml.safe_load(edited(FLOW, Removal(deployment="blue")))["config"]["sluice:rollout"]["fraud"]
