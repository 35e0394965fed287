"""The stack file is read strictly, and all its problems are reported at once: key, value, rule, fix."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import jsonschema
import pulumi
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pulumi.runtime.config import CONFIG

from autoscale_config import RuleSettings
from config_schema import render, stack_file_schema
from naming import Names
from settings import NUMBERS, STRUCTURED, SettingsError, load_settings, parse_settings
from stack_config import Network, Redundancy, StackConfig

TODAY = date(2026, 1, 1)
SCHEMA_FILE = Path(__file__).parent.parent / "docs" / "stack-config.schema.json"
ROLLOUT = "sluice:rollout.fraud-detection"
DEPLOYMENTS = "sluice:endpoints.fraud-detection.deployments"

SCALE = {"min": 3, "max": 10, "default": 3}
NIGHT = {"days": ["Monday"], "start": "22:00", "end": "06:00", "min": 1, "max": 2, "default": 1}

COMPLETE: dict[str, Any] = {
    "team": "payments",
    "network": "private",
    "location": "westeurope",
    "generation": 2,
    "tags": {"CostCenter": "4711", "contact.mail": "ml@example.org"},
    "storage": {"redundancy": "zrs"},
    "limits": {"max_step": 25, "max_mirror": 30, "min_live_instances": 3},
    "endpoints": {
        "fraud-detection": {
            "deployments": {
                "blue": {},
                "green": {
                    "instances": 3,
                    "sku": "Standard_DS3_v2",
                    "allow_live_change": False,
                    "autoscale": {
                        "min": 3,
                        "max": 10,
                        "default": 3,
                        "target_cpu_percent": 60,
                        "requests_per_instance_per_minute": 600,
                        "schedules": [
                            {
                                "name": "weekend",
                                "days": ["Saturday", "Sunday"],
                                "start": "00:00",
                                "end": "23:59",
                                "timezone": "W. Europe Standard Time",
                                "min": 1,
                                "max": 3,
                                "default": 1,
                            }
                        ],
                    },
                },
            }
        }
    },
    "rollout": {
        "fraud-detection": {
            "stable": "blue",
            "traffic": {"blue": 100, "green": 0},
            "mirror": {"green": 20},
            "plan": {
                "steps": [
                    {"mirror": 20, "bake": "10m"},
                    {"weight": 10, "bake": "5m"},
                    {"weight": 25, "bake": "5m"},
                    {"weight": 100, "bake": "30m"},
                ],
                "gates": {
                    "error_rate": {"max": 0.01, "vs_stable": 1.5},
                    "latency_p95": {"max_ms": 300, "vs_stable": 1.3},
                },
            },
        }
    },
}


def config(path: str = "", value: object = None) -> dict[str, Any]:
    """Return the complete config with one value set at a dotted path, or removed if the value is `...`."""
    raw = copy.deepcopy(COMPLETE)
    place: Any = raw
    *parents, last = path.split(".") if path else [""]
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place[part]
    if value is ...:
        del place[last]
    elif path:
        place[int(last) if isinstance(place, list) else last] = value
    return raw


GROUP_ID = "/subscriptions/s/resourceGroups/g"
WORKSPACE_ID = f"{GROUP_ID}/providers/Microsoft.MachineLearningServices/workspaces/w"
REGISTRY_ID = "/subscriptions/s/resourceGroups/ml/providers/Microsoft.MachineLearningServices/registries/other"


def problems(raw: dict[str, Any], stack: str = "prod") -> list[str]:
    with pytest.raises(SettingsError) as refusal:
        parse_settings(raw, stack=stack, today=TODAY)
    return [str(problem) for problem in refusal.value.problems]


# -- what is accepted ------------------------------------------------------------------------------------------------


def test_a_complete_config_is_read_as_written():
    read = parse_settings(COMPLETE, stack="prod", today=TODAY)
    assert (read.stack, read.team, read.location, read.network.mode) == (
        "prod",
        "payments",
        "westeurope",
        Network.PRIVATE,
    )
    assert (read.limits.max_step, read.limits.max_mirror, read.limits.min_live_instances) == (25, 30, 3)
    assert (read.generation, read.tags) == (2, {"CostCenter": "4711", "contact.mail": "ml@example.org"})
    assert read.storage.redundancy is Redundancy.ZRS
    blue, green = read.endpoints["fraud-detection"].deployments.values()
    assert (blue.instances, blue.sku, blue.autoscale, blue.allow_live_change) == (None, None, None, False)
    assert green.autoscale is not None
    assert green.autoscale.schedules[0].days == ("Saturday", "Sunday")
    rollout = read.rollout["fraud-detection"]
    assert (rollout.stable, rollout.traffic, rollout.mirror) == ("blue", {"blue": 100, "green": 0}, {"green": 20})
    assert rollout.plan is not None
    assert [step.weight for step in rollout.plan.steps] == [None, 10, 25, 100]
    assert rollout.plan.gates.latency_p95 is not None
    assert rollout.plan.gates.latency_p95.max_ms == 300


def test_the_smallest_config_gets_the_documented_defaults():
    raw = {"team": "payments", "network": "public", "location": "westeurope"}
    read = parse_settings(raw, stack="dev", today=TODAY)
    assert (read.limits.max_step, read.limits.max_mirror, read.limits.min_live_instances) == (50, 50, 1)
    assert (read.endpoints, read.rollout) == ({}, {})
    assert (read.generation, read.tags, read.storage.redundancy) == (1, {}, Redundancy.LRS)


def test_settings_are_frozen():
    read = parse_settings(COMPLETE, stack="prod", today=TODAY)
    with pytest.raises(ValueError, match="frozen"):
        read.team = "other"  # type: ignore[misc]  # that is the point


GUID = "11111111-1111-4111-8111-111111111111"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        (
            "access",
            {"scientists": ["us"]},
            "sluice:access.scientists[0] must be the object id of an Entra group, a GUID",
        ),
        ("access", {"readers": [GUID, GUID.upper()]}, "sluice:access.readers must name each group once, got "),
        ("access", {"owners": [GUID]}, "sluice:access.owners is not a known key (known here: scientists, operators, "),
        ("endpoints.fraud-detection.secret_vaults", ["v"], "secret_vaults[0] must be the ARM id of a key vault"),
        ("endpoints.fraud-detection.connection_secrets", "yes", "connection_secrets must be true or false"),
    ],
)
def test_rights_name_groups_and_vaults_by_their_ids(path, value, expected):
    assert any(expected in error for error in problems(config(path, value)))


# -- weights ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("weight", "shown"), [(33.5, "33.5"), (33.0, "33.0"), ("90", '"90"'), (True, "true"), (-1, "-1"), (101, "101")]
)
@pytest.mark.parametrize("section", ["traffic", "mirror"])
def test_only_whole_percents_are_weights(section, weight, shown):
    assert (
        f"{ROLLOUT}.{section}.green must be a whole number of percent from 0 to 100, got {shown}. "
        "Fix it in Pulumi.prod.yaml."
    ) in problems(config(f"rollout.fraud-detection.{section}.green", weight))


def test_a_wrong_sum_is_one_error_in_the_projects_words():
    assert problems(config("rollout.fraud-detection", {"traffic": {"blue": 90, "green": 5}})) == [
        f"{ROLLOUT}.traffic must sum to 0 or 100 percent, got 95 (blue=90, green=5). Fix it in Pulumi.prod.yaml."
    ]


@pytest.mark.parametrize(("name", "hint"), [("gren", "Did you mean green?"), ("Green", "Names are lower-case.")])
def test_a_weight_names_a_declared_deployment(name, hint):
    (error,) = (e for e in problems(config("rollout.fraud-detection.traffic", {"blue": 90, name: 10})) if "names" in e)
    assert error.startswith(f"{ROLLOUT}.traffic.{name} names a deployment that {DEPLOYMENTS} does not declare")
    assert "(declared: blue, green)" in error
    assert hint in error


@pytest.mark.parametrize(
    ("mirror", "expected"),
    [
        ({"green": 31}, "must be at most 30 percent (sluice:limits.max_mirror), got 31"),
        ({"green": 51}, "must be at most 30 percent (sluice:limits.max_mirror), got 51"),
        ({"blue": 20}, "must be 0 while blue has live weight, got 20 (live 100)"),
        ({"green": 20, "blue": 10}, "must name exactly one deployment, got 2 (green=20, blue=10)"),
    ],
)
def test_a_mirror_names_one_other_colour_within_the_limit(mirror, expected):
    assert any(expected in error for error in problems(config("rollout.fraud-detection.mirror", mirror)))


def test_a_rollout_names_a_declared_endpoint():
    assert problems(config("rollout.fraud", {})) == [
        "sluice:rollout.fraud names an endpoint that sluice:endpoints does not declare (declared: fraud-detection). "
        "Fix it in Pulumi.prod.yaml."
    ]


def test_stable_is_a_declared_deployment():
    assert problems(config("rollout.fraud-detection.stable", "red")) == [
        f'{ROLLOUT}.stable must be a deployment of {DEPLOYMENTS} (blue, green), got "red". Fix it in Pulumi.prod.yaml.'
    ]


# -- single values ---------------------------------------------------------------------------------------------------

GREEN = "endpoints.fraud-detection.deployments.green"
PLAN = "rollout.fraud-detection.plan"


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("team", ..., "sluice:team is missing, and there is no default. Run: pulumi config set sluice:team payments"),
        (
            "location",
            ...,
            "azure-native:location is missing, and there is no default. Run: pulumi config set azure-nat",
        ),
        (
            "location",
            "West Europe",
            "azure-native:location must be a region's short name, such as westeurope, got \"We",
        ),
        ("network", "open", 'sluice:network must be public or private, got "open". Run: pulumi config set sluice:netw'),
        (
            "team",
            "Pay",
            'sluice:team must be lower-case letters, digits and single dashes, starting with a letter, got "',
        ),
        ("team", "p", 'sluice:team must have at least 2 characters, got "p"'),
        ("teem", "x", "sluice:teem is not a known key (known here: team, network, environment, generati"),
        ("locks", "yes", 'sluice:locks must be true or false, got "yes"'),
        ("environment", "Prod", "sluice:environment must be lower-case letters, digits and single dashes, starting wi"),
        ("environment", "p", 'sluice:environment must have at least 2 characters, got "p"'),
        (
            "endpoints",
            {"workspace": {}, "fraud": {}},
            "sluice:endpoints must not have the keys workspace, compute and stack, because the stack's own identities",
        ),
        ("storage", "zrs", 'sluice:storage must be a mapping, got "zrs". Fix it in Pulumi.prod.yaml.'),
        (
            "existing",
            {"ml_registries": {"shared": "/subscriptions/s/shared"}},
            "sluice:existing.ml_registries.shared must be an ARM id, /subscriptions/<id>/resourceGroups/<group>/prov",
        ),
        (
            "existing",
            {"storage": REGISTRY_ID},
            "sluice:existing.storage must be the ARM id of a storage account (az storage account show --name <name> ",
        ),
        (
            "existing",
            {"resource_group": "rg-landing"},
            "sluice:existing.resource_group must be the ARM id of a resource group (az group show --name <name> ",
        ),
        (
            "existing",
            {"registry": f"{GROUP_ID}/providers/Microsoft.ContainerRegistry/registries/r", "workspace": WORKSPACE_ID},
            "sluice:existing.workspace must not be given together with registry, because a workspace that exists has",
        ),
        (
            "existing",
            {"subnet": WORKSPACE_ID},
            "sluice:existing.subnet must be the ARM id of a subnet (az network vnet subnet show --query id), got",
        ),
        (
            "existing",
            {"action_group": REGISTRY_ID},
            "sluice:existing.action_group is not a known key (known here: resource_group, log_analytics, ",
        ),
        (
            "existing",
            {"ml_registries": {"a b": REGISTRY_ID}},
            "sluice:existing.ml_registries.a b must be the name of an Azure ML registry: 3 to 33 letters",
        ),
        (
            "existing",
            {"ml_registries": {"shared": REGISTRY_ID}},
            "sluice:existing.ml_registries must have ids that end in the registry's name, got /subscriptions/",
        ),
        ("limits.require_pinned", "yes", "sluice:limits.require_pinned must be true or false"),
        ("limits.role_delay", "3h", "sluice:limits.role_delay must be a number of seconds or minutes, such as 0s, 90s"),
        ("limits.role_delay", 180, "sluice:limits.role_delay must be a string, got 180"),
        ("storage", {"redundancy": "grs"}, 'sluice:storage.redundancy must be lrs or zrs, got "grs". Fix it in P'),
        (
            "existing",
            {"storage": REGISTRY_ID.replace("MachineLearningServices/registries", "Storage/storageAccounts")},
            "sluice:storage must not be set together with sluice:existing.storage",
        ),
        ("storage", {"sku": "x"}, "sluice:storage.sku is not a known key (known here: redundancy)."),
        ("generation", 0, "sluice:generation must be at least 1, got 0. Fix it in Pulumi.prod.yaml."),
        ("generation", "two", 'sluice:generation must be a whole number, got "two"'),
        ("generation", 1.5, "sluice:generation must be a whole number, got 1.5"),
        ("generation", True, "sluice:generation must be a whole number, got true"),
        ("tags", "none", 'sluice:tags must be a mapping, got "none". Fix it in Pulumi.prod.yaml.'),
        ("tags", {"cost:center": "1"}, "sluice:tags.cost:center must be letters, digits, dots, dashes and undersc"),
        ("tags", {"1st": "1"}, "sluice:tags.1st must be letters, digits, dots, dashes and underscores, starting with"),
        ("tags", {"owner-": "1"}, "sluice:tags.owner- must be letters, digits, dots, dashes and underscores, sta"),
        ("tags", {"sluice-team": "1"}, 'sluice:tags must not have keys that begin with "sluice-", which this pr'),
        (
            "tags",
            {"Owner": "1", "owner": "2"},
            "sluice:tags must have keys that differ in more than case, which Azure ignores, got",
        ),
        ("tags", {"owner": None}, "sluice:tags.owner must be a string, got nothing. Fix it in Pulumi.prod.yaml."),
        ("tags", {"owner": 4711}, "sluice:tags.owner must be a string, got 4711. Fix it in Pulumi.prod.yaml."),
        ("tags", {"owner": "x" * 257}, "sluice:tags.owner must have at most 256 characters, got "),
        ("tags", {f"tag{i}": "1" for i in range(14)}, "sluice:tags must have at most 13 entries, got 14. Fix it"),
        ("limits", "50", 'sluice:limits must be a mapping, got "50". Fix it in Pulumi.prod.yaml.'),
        ("limits.max_step", 0, "sluice:limits.max_step must be at least 1, got 0. Fix it in Pulumi.prod.yaml."),
        ("limits.max_mirror", 51, "sluice:limits.max_mirror must be at most 50, got 51."),
        ("limits.max_step", "25", 'sluice:limits.max_step must be a whole number, got "25", which is a string: remove'),
        ("limits.max_stepp", 1, "sluice:limits.max_stepp is not a known key (known here: max_step, max_mirror, min_li"),
        ("endpoints", [], "sluice:endpoints must be a mapping, got []."),
        ("endpoints.fraud-detection.deployments.Red", {}, f"{DEPLOYMENTS}.Red must be lower-case letters, digits and "),
        ("endpoints.fraud-detection.deployments.re", {}, f"{DEPLOYMENTS}.re must have at least 3 characters"),
        ("endpoints.fraud-detection.deployments.r--d", {}, f"{DEPLOYMENTS}.r--d must be lower-case letters, digits an"),
        ("endpoints.fraud-detection.deployments.red", None, f"{DEPLOYMENTS}.red must be a mapping, got nothing (write"),
        (f"{GREEN}.instance", 3, f"{DEPLOYMENTS}.green.instance is not a known key (known here: instances, sku, allow"),
        (f"{GREEN}.instances", 0, f"{DEPLOYMENTS}.green.instances must be at least 1, got 0. Fix it in Pulumi.prod.ya"),
        (f"{GREEN}.instances", 51, f"{DEPLOYMENTS}.green.instances must be at most 50, got 51."),
        (f"{GREEN}.instances", 2, f"{DEPLOYMENTS}.green.autoscale must have room for the first count of instances, go"),
        (f"{GREEN}.instances", True, f"{DEPLOYMENTS}.green.instances must be a whole number, got true."),
        (f"{GREEN}.allow_live_change", "yes", f"{DEPLOYMENTS}.green.allow_live_change must be true or false, got "),
        (f"{GREEN}.release", "0123456789ABCDEF", f"{DEPLOYMENTS}.green.release must be 16 to 64 hexadecimal digits in"),
        (
            f"{GREEN}.release",
            1234567890123456,
            f"{DEPLOYMENTS}.green.release must be a string, got 1234567890123456, which YAML reads as a number: put it",
        ),
        (f"{GREEN}.allow_unproven", "hotfix", f"{DEPLOYMENTS}.green.allow_unproven must have at least 10 characters"),
        (f"{GREEN}.environment_variables", {"A-B": "1"}, f"{DEPLOYMENTS}.green.environment_variables.A-B must be the"),
        (f"{GREEN}.environment_variables", "s3cret", f"{DEPLOYMENTS}.green.environment_variables must be a mapping, g"),
        (
            f"{GREEN}.environment_variables",
            {"PORT": 5432},
            f"{DEPLOYMENTS}.green.environment_variables.PORT must be a string, got a number (not shown): put it in quo",
        ),
        ("limits.require_proof", "org/dev", "sluice:limits.require_proof must be the name of a stack: letters"),
        ("limits.require_proof", True, "sluice:limits.require_proof must be a string, got true"),
        (
            "limits.require_proof",
            "prod",
            'sluice:limits.require_proof must name another stack, which proves releases before this one, got "prod" it',
        ),
        (f"{GREEN}.sku", "Standard_NC6s_v3", f"{DEPLOYMENTS}.green.sku names the SKU Standard_NC6s_v3, which Azure re"),
        (
            f"{GREEN}.sku",
            "${SIZE}",
            f'{DEPLOYMENTS}.green.sku names the SKU "${{SIZE}}", which is not a VM size: VM sizes are named Standa',
        ),
        (f"{GREEN}.autoscale.max", 2, f"{DEPLOYMENTS}.green.autoscale.max must not be below min, got max=2, min=3."),
        (f"{GREEN}.autoscale.default", 11, f"{DEPLOYMENTS}.green.autoscale.default must be between min and max, got d"),
        (f"{GREEN}.autoscale.target_cpu_percent", 0, f"{DEPLOYMENTS}.green.autoscale.target_cpu_percent must be at le"),
        (f"{GREEN}.autoscale.schedules.0.days", [], f"{DEPLOYMENTS}.green.autoscale.schedules[0].days must have at le"),
        (f"{GREEN}.autoscale.schedules.0.days", ["Sun"], f"{DEPLOYMENTS}.green.autoscale.schedules[0].days[0] must be"),
        (f"{GREEN}.autoscale.schedules.0.start", "8:00", f"{DEPLOYMENTS}.green.autoscale.schedules[0].start must be "),
        (f"{GREEN}.autoscale.schedules.0.end", "00:00", f"{DEPLOYMENTS}.green.autoscale.schedules[0].end must be anot"),
        (f"{GREEN}.autoscale.schedules.0.timezone", "Europe/Paris", f"{DEPLOYMENTS}.green.autoscale.schedules[0].time"),
        (f"{GREEN}.autoscale.schedules.0.min", 4, f"{DEPLOYMENTS}.green.autoscale.schedules[0].max must not be below"),
        (
            f"{GREEN}.autoscale.rules",
            {"cpu": {"above": 70}},
            f"{DEPLOYMENTS}.green.autoscale.rules must not stand beside target_cpu_percent and requests_per_ins",
        ),
        (
            f"{GREEN}.autoscale",
            SCALE | {"rules": {"cpu": {"above": 70, "below": 70}}},
            f"{DEPLOYMENTS}.green.autoscale.rules.cpu.below must be lower than above, got below=70, above=70.",
        ),
        (
            f"{GREEN}.autoscale",
            SCALE | {"rules": {"cpus": {"above": 70}}},
            f"{DEPLOYMENTS}.green.autoscale.rules.cpus is not a known key (known here: cpu, memory, gpu, gpu_memory, r",
        ),
        (
            f"{GREEN}.autoscale",
            SCALE | {"rules": {"memory": {"above": 70}, "latency_p95": {"above": 300}}},
            f"{DEPLOYMENTS}.green.autoscale.rules must have a metric that scales in, or the instances stay for ever: a",
        ),
        (
            f"{GREEN}.autoscale",
            SCALE | {"rules": {key: {"above": 90, "below": 10} for key in RuleSettings.model_fields}},
            f"{DEPLOYMENTS}.green.autoscale.rules must be at most 10 rules, which is Azure Monitor's limit, got 12: ea",
        ),
        (
            f"{GREEN}.autoscale",
            SCALE | {"schedules": [NIGHT | {"name": f"night-{number}"} for number in range(10)]},
            f"{DEPLOYMENTS}.green.autoscale.schedules must have at most 9 entries, got 10.",
        ),
        (f"{GREEN}.autoscale.scale_in", {"step": 0}, f"{DEPLOYMENTS}.green.autoscale.scale_in.step must be at least"),
        (
            f"{GREEN}.autoscale.scale_in",
            {"window": "4m"},
            f"{DEPLOYMENTS}.green.autoscale.scale_in.window must be 5m to 12h, which are Azure Monitor's limits, got",
        ),
        (
            f"{GREEN}.autoscale.scale_in",
            {"cooldown": "8d"},
            f"{DEPLOYMENTS}.green.autoscale.scale_in.cooldown must be 1m to 7d, which are Azure Monitor's limits, g",
        ),
        (
            f"{GREEN}.autoscale.scale_in",
            {"cooldown": "90s"},
            f"{DEPLOYMENTS}.green.autoscale.scale_in.cooldown must be a duration in whole minutes, hours or days, such",
        ),
        ("compute", {"build": {"max_nodes": 0}}, "sluice:compute.build.max_nodes must be at least 1, got 0."),
        ("compute", {"batch": {"cpu": {}}}, "sluice:compute.batch.cpu.sku is missing, and there is no default"),
        (
            "compute",
            {"batch": {"cpu": {"sku": "Standard_DS3_v2", "idle": "1m"}}},
            "sluice:compute.batch.cpu.idle must be 2m to 2h, got 1m. Fix it in Pulumi.prod.yaml.",
        ),
        (
            "compute",
            {"batch": {"gpu": {"sku": "Standard_DS3_v2"}}},
            "sluice:compute.batch.gpu.sku must have GPUs, and Standard_DS3_v2 has none. Choose another size in Pulumi.",
        ),
        (
            "compute",
            {"build": {"sku": "Standard_NC6s_v3"}},
            "sluice:compute.build.sku names the SKU Standard_NC6s_v3, which Azure retired on 2025-09-30. Use",
        ),
        ("compute", {"kubernetes": {}}, "sluice:compute.kubernetes is not a known key (known here: build, batch)."),
        ("endpoints.fraud-detection.name", "Fraud", "sluice:endpoints.fraud-detection.name must be lower-case letters"),
        ("endpoints.fraud-detection.name", "f" * 33, "sluice:endpoints.fraud-detection.name must have at most 32 char"),
        (f"{PLAN}.steps.0", {"bake": "5m"}, f"{ROLLOUT}.plan.steps[0] must have either mirror or weight, not both"),
        (f"{PLAN}.steps.0.bake", "10", f"{ROLLOUT}.plan.steps[0].bake must be a duration, such as 90s, 10m, 2h or 1d"),
        (f"{PLAN}.steps.1.weight", 30, f"{ROLLOUT}.plan.steps must raise the weight with every step, from above 0 up"),
        (f"{PLAN}.steps.3.weight", 99, f"{ROLLOUT}.plan.steps must raise the weight with every step, from above 0 up"),
        (f"{PLAN}.steps.1", {"mirror": 5, "weight": 1, "bake": "5m"}, f"{ROLLOUT}.plan.steps[1] must have either mir"),
        (f"{PLAN}.steps", [], f"{ROLLOUT}.plan.steps must have at least one step, or the plan a preset."),
        (
            f"{PLAN}.gates.errors",
            {"max": 1},
            f"{ROLLOUT}.plan.gates.errors is not a known key (known here: error_rate,",
        ),
        (f"{PLAN}.gates.error_rate", {}, f"{ROLLOUT}.plan.gates.error_rate must have a bound (max or vs_stable)."),
        (
            f"{PLAN}.gates.error_rate",
            {"max_ms": 3},
            f"{ROLLOUT}.plan.gates.error_rate.max_ms is not a known key (known ",
        ),
        (
            f"{PLAN}.gates.checks",
            {"url": {"url": "a"}},
            f"{ROLLOUT}.plan.gates.checks.url.url must be an address that ",
        ),
        (
            f"{PLAN}.gates.checks",
            {"url": {"a": 1, "url": "http://x"}},
            f"{ROLLOUT}.plan.gates.checks.url.a is not a kn",
        ),
        (f"{PLAN}.gates.checks", {"smoke": {}}, f"{ROLLOUT}.plan.gates.checks.smoke must have either url or function,"),
        (f"{PLAN}.gates.checks", {"smoke": {"function": "smoke"}}, f"{ROLLOUT}.plan.gates.checks.smoke.function must"),
        (
            f"{PLAN}.gates.saturation",
            {"dry_run": True},
            f"{ROLLOUT}.plan.gates.saturation must have a bound (cpu, memo",
        ),
        (f"{PLAN}.gates.client_error_rate", {}, f"{ROLLOUT}.plan.gates.client_error_rate.vs_stable is missing, and "),
        (f"{PLAN}.preset", "canary", f"{ROLLOUT}.plan.steps must not be set beside preset; keep one of the two. Fix"),
        (PLAN, {"preset": "brave"}, f"{ROLLOUT}.plan.preset must be canary, careful, linear-20 or at-once, got"),
        (PLAN, {}, f"{ROLLOUT}.plan.steps must have at least one step, or the plan a preset. Fix it"),
        (f"{PLAN}.steps.0.mirror", 0, f"{ROLLOUT}.plan.steps[0].mirror must be at least 1, got 0."),
        (
            f"{PLAN}.steps.0.warm_up",
            "10m",
            f"{ROLLOUT}.plan.steps[0].warm_up must be shorter than bake, got 10m of 10m",
        ),
        (
            f"{PLAN}.min_requests",
            "many",
            f'{ROLLOUT}.plan.min_requests must be auto or a whole number of at least 1, got "',
        ),
        (
            f"{PLAN}.min_requests",
            0,
            f"{ROLLOUT}.plan.min_requests must be auto or a whole number of at least 1, got 0.",
        ),
        (f"{PLAN}.verify", False, f"{ROLLOUT}.plan.settle must be set where verify, which measures it, is false. Fix"),
        (f"{PLAN}.on_incident", "panic", f"{ROLLOUT}.plan.on_incident must be hold or rollback, got"),
        (f"{PLAN}.retire", "sell", f"{ROLLOUT}.plan.retire must be keep, scale_down or remove, got"),
        (f"{PLAN}.notify", {"variable": "https://x"}, f"{ROLLOUT}.plan.notify.variable must be the name of an environ"),
        (f"{PLAN}.start", "soon", f'{ROLLOUT}.plan.start must be manual or auto, got "soon".'),
        (f"{PLAN}.promote_to", "a/b", f"{ROLLOUT}.plan.promote_to must be the name of a stack: "),
        (f"{PLAN}.load", {"rpm": 0}, f"{ROLLOUT}.plan.load.rpm must be at least 1, got 0."),
        ("rollout.fraud-detection.stabel", "blue", f"{ROLLOUT}.stabel is not a known key (known here: stable, traffic"),
    ],
)
def test_an_impossible_value_is_refused_in_one_line(path, value, expected):
    errors = problems(config(path, value))
    assert len([error for error in errors if error.startswith(expected)]) == 1, errors
    assert all(error.endswith((".", "prod")) for error in errors)
    assert len(errors) <= 2  # a broken name may also be missed elsewhere


@pytest.mark.parametrize("value", ["pa55word", 5432, ["pa55word"], {"URL": {"a": "pa55word"}}, {"URL": 5432.5}])
def test_the_value_of_an_environment_variable_is_not_printed(value):
    said = "".join(problems(config(f"{GREEN}.environment_variables", value)))
    assert f"{DEPLOYMENTS}.green.environment_variables" in said
    assert "pa55word" not in said
    assert "5432" not in said


def test_keys_about_what_is_given_are_refused_where_they_would_have_no_effect():
    raw = {key: value for key, value in COMPLETE.items() if key != "storage"}
    raw |= {"existing": {"workspace": WORKSPACE_ID}, "network": {"mode": "private", "address_space": "10.1.0.0/22"}}
    assert problems(raw) == [
        "sluice:network must not have address_space with sluice:existing.workspace, whose network is its owner's. "
        "Remove them from Pulumi.prod.yaml, and leave the mode.",
    ]
    logs = f"{GROUP_ID}/providers/Microsoft.OperationalInsights/workspaces/l"
    given = {"workspace": WORKSPACE_ID, "log_analytics": logs}
    assert problems(raw | {"network": "private", "existing": given, "locks": True}) == [
        "sluice:locks has nothing to lock: Log Analytics and the vault are given, and their owner locks them. "
        "Remove it from Pulumi.prod.yaml.",
    ]
    subnet = f"{GROUP_ID}/providers/Microsoft.Network/virtualNetworks/v/subnets/s"
    for network in ("public", {"mode": "public"}):
        assert problems(raw | {"network": network, "existing": {"subnet": subnet}}) == [
            "sluice:existing.subnet needs a private stack: a public one has no private endpoints. Remove it from "
            "Pulumi.prod.yaml, or set sluice:network to private.",
        ]
    raw |= {"network": "private", "storage": {"redundancy": "zrs"}}
    assert problems(raw) == [
        "sluice:storage must not be set together with sluice:existing.workspace: it says how a new account is created. "
        "Remove one of them from Pulumi.prod.yaml.",
    ]
    del raw["storage"]
    assert problems(raw | {"hbi": True}) == [
        "sluice:hbi must not be set together with sluice:existing.workspace: it says how a new workspace is created. "
        "Remove one of them from Pulumi.prod.yaml.",
    ]


def test_mirror_steps_come_first():
    steps = [{"weight": 100, "bake": "1m"}, {"mirror": 5, "bake": "1m"}]
    assert problems(config(f"{PLAN}.steps", steps)) == [
        f"{ROLLOUT}.plan.steps must mirror before it gives live weight. Fix it in Pulumi.prod.yaml."
    ]


def test_a_generation_may_be_written_in_quotes():
    """`pulumi config set sluice:generation 2` writes them."""
    assert parse_settings(config("generation", "2"), stack="prod", today=TODAY).generation == 2


def test_a_stack_knows_its_names():
    names = parse_settings(COMPLETE, stack="prod", today=TODAY).names("sub")
    assert names == Names(team="payments", stack="prod", subscription_id="sub", generation=2)


def test_two_endpoints_do_not_share_a_name():
    raw = config("endpoints.fraud-detection.name", "fraud")
    raw["endpoints"]["other"] = {"name": "fraud"}
    assert problems(raw) == [
        "sluice:endpoints.other must have another name in Azure than sluice:endpoints.fraud-detection, got "
        '"fraud" twice. Set sluice:endpoints.other.name in Pulumi.prod.yaml.'
    ]


def test_a_size_may_be_used_before_it_retires_and_never_by_default():
    raw = config(f"{GREEN}.sku", "Standard_NC6s_v3")
    parse_settings(raw, stack="prod", today=date(2025, 9, 29))
    with pytest.raises(SettingsError, match="retired on 2025-09-30"):
        parse_settings(raw, stack="prod", today=date(2025, 9, 30))


def test_everything_that_is_wrong_is_reported_together_and_sorted():
    raw = config(f"{GREEN}.autoscale", {"min": 5, "max": 3, "default": 3, "target_cpu_percent": "high"})
    raw["network"] = "open"
    raw["rollout"]["fraud-detection"]["traffic"] = {"blue": 33.5, "green": "90", "amber": True}
    raw["rollout"]["churn"] = {}
    del raw["team"]
    errors = problems(raw)
    assert [error.split(" ")[0] for error in errors] == [
        f"{DEPLOYMENTS}.green.autoscale.max",
        f"{DEPLOYMENTS}.green.autoscale.target_cpu_percent",
        "sluice:network",
        "sluice:rollout.churn",
        f"{ROLLOUT}.traffic.amber",
        f"{ROLLOUT}.traffic.amber",
        f"{ROLLOUT}.traffic.blue",
        f"{ROLLOUT}.traffic.green",
        "sluice:team",
    ]


def test_the_error_ends_the_program_without_a_stack_trace_and_counts():
    with pytest.raises(
        pulumi.RunError, match=r"^The config of stack dev has 1 problem; nothing was changed:\n  sluice:t"
    ):
        parse_settings(config("team", ...), stack="dev", today=TODAY)


def test_the_clusters_of_a_given_workspace_are_its_owners():
    workspace = "/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/shared"
    raw = config("existing", {"workspace": workspace}) | {"compute": {"build": {}}}
    assert [problem for problem in problems(raw) if problem.startswith("sluice:compute")] == [
        "sluice:compute must not stand beside sluice:existing.workspace: the clusters of a workspace are its owner's. "
        "Remove it from Pulumi.prod.yaml, and declare the clusters where the workspace is declared."
    ]


def test_a_public_stack_needs_no_cluster_that_builds_images():
    raw = config("compute", {"build": {}}) | {"network": "public"}
    assert problems(raw) == [
        "sluice:compute.build needs a private stack: the registry of a public one builds the images itself. Remove it "
        "from Pulumi.prod.yaml."
    ]


def test_everything_that_is_wrong_with_autoscale_is_reported_together():
    rules = {"cpu": {"above": 0}, "memory": {"above": 50, "below": 60}, "gpu": {"above": "90"}}
    raw = config(f"{GREEN}.autoscale", SCALE | {"rules": rules, "scale_in": {"window": "13h", "cooldown": "0m"}})
    errors = [error.split(" ")[0].removeprefix(f"{DEPLOYMENTS}.green.autoscale.") for error in problems(raw)]
    assert errors == [
        "rules.cpu.above",
        "rules.gpu.above",
        "rules.memory.below",
        "scale_in.cooldown",
        "scale_in.window",
    ]


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 200)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
PATHS = [
    "team", "network", "generation", "tags", "tags.CostCenter", "limits", "limits.max_step", "endpoints",
    "endpoints.fraud-detection", "endpoints.fraud-detection.deployments",
    GREEN, f"{GREEN}.instances", f"{GREEN}.sku", f"{GREEN}.autoscale",
    f"{GREEN}.autoscale.max", f"{GREEN}.autoscale.schedules", f"{GREEN}.autoscale.rules",
    f"{GREEN}.autoscale.scale_in", "rollout", "rollout.fraud-detection",
    "rollout.fraud-detection.stable", "rollout.fraud-detection.traffic", "rollout.fraud-detection.traffic.green",
    "rollout.fraud-detection.mirror", PLAN, f"{PLAN}.steps", f"{PLAN}.steps.0", f"{PLAN}.gates",
    f"{PLAN}.gates.error_rate", f"{PLAN}.gates.checks", f"{PLAN}.preset", f"{PLAN}.min_requests",
    f"{PLAN}.notify", "unknown", "compute",
]  # fmt: skip


@given(st.sampled_from(PATHS), json_values)
def test_no_value_anywhere_breaks_the_reader(path, value):
    """Whatever a stack file holds, the result is settings or a SettingsError, never another exception."""
    try:
        answer = parse_settings(config(path, value), stack="prod", today=TODAY)
    except SettingsError as error:
        answer = error
    if isinstance(answer, SettingsError):
        assert answer.problems
        assert all(problem.where.startswith("sluice:") for problem in answer.problems)
    else:
        assert answer.stack == "prod"


# -- from the engine -------------------------------------------------------------------------------------------------


@pytest.fixture
def engine_config() -> Iterator[dict[str, Any]]:
    """Return the config as the engine passes it: strings, with mappings as JSON."""
    values: dict[str, Any] = {}
    before = CONFIG.set(values)
    yield values
    CONFIG.reset(before)


def test_the_running_stacks_config_is_read(engine_config, monkeypatch):
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    for key, value in COMPLETE.items():
        name = "azure-native:location" if key == "location" else f"sluice:{key}"
        engine_config[name] = value if isinstance(value, str) else json.dumps(value)
    engine_config["other:team"] = "a key of another program"
    assert load_settings(TODAY) == parse_settings(COMPLETE, stack="prod", today=TODAY)


@pytest.mark.parametrize(
    ("declared", "environment", "seconds"),
    [(None, None, 180), ("90s", None, 90), ("0s", None, 0), ("90s", "0s", 0), (None, "5m", 300)],
)
def test_roles_get_time_as_the_stack_file_says_unless_the_environment_knows_better(
    engine_config, monkeypatch, declared, environment, seconds
):
    monkeypatch.setattr(pulumi, "get_stack", lambda: "prod")
    limits = {**COMPLETE["limits"], **({"role_delay": declared} if declared else {})}
    for key, value in {**COMPLETE, "limits": limits}.items():
        name = "azure-native:location" if key == "location" else f"sluice:{key}"
        engine_config[name] = value if isinstance(value, str) else json.dumps(value)
    if environment:
        monkeypatch.setenv("SLUICE_ROLE_DELAY", environment)
    assert load_settings(TODAY).limits.role_delay_seconds == seconds


def test_a_delay_of_the_environment_that_is_none_is_refused_beside_everything_else():
    with pytest.raises(SettingsError) as caught:
        parse_settings({**COMPLETE, "team": "X"}, stack="prod", today=TODAY, role_delay="soon")
    assert [str(problem).partition(" must")[0] for problem in caught.value.problems] == [
        "SLUICE_ROLE_DELAY",
        "sluice:team",
    ]
    assert str(caught.value.problems[0]) == (
        'SLUICE_ROLE_DELAY must be a number of seconds or minutes, such as 0s, 90s or 3m, got "soon". Set it to such a '
        "value in the environment, or unset it."
    )


def test_an_unknown_key_and_a_text_in_place_of_a_mapping_are_refused(engine_config, monkeypatch):
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    engine_config |= {
        "sluice:team": "payments",
        "sluice:network": "public",
        "azure-native:location": "westeurope",
        "sluice:endpoint": "{}",
        "sluice:limits": "none",
    }
    with pytest.raises(SettingsError) as refusal:
        load_settings(TODAY)
    unknown, limits = (str(problem) for problem in refusal.value.problems)
    assert unknown.startswith("sluice:endpoint is not a known key")
    assert "Did you mean endpoints?" in unknown
    assert limits == 'sluice:limits must be a mapping, got "none". Fix it in Pulumi.dev.yaml.'


# -- the schema for editors ------------------------------------------------------------------------------------------


def test_every_key_that_is_not_a_string_is_read_from_pulumis_text():
    schema = StackConfig.model_json_schema()
    kinds = {
        key: schema["$defs"][value["$ref"].rpartition("/")[2]]["type"] if "$ref" in value else value["type"]
        for key, property in schema["properties"].items()
        for value in property.get("anyOf", [property])[:1]
    }
    assert {key for key, kind in kinds.items() if kind == "object"} == STRUCTURED
    assert {key for key, kind in kinds.items() if kind in ("integer", "number", "boolean")} == NUMBERS


def as_stack_file(raw: dict[str, Any]) -> dict[str, Any]:
    keys = {("azure-native:location" if key == "location" else f"sluice:{key}"): value for key, value in raw.items()}
    return {"encryptionsalt": "v1:...", "config": keys | {"other:key": 1}}


def test_the_schema_file_is_up_to_date():
    assert SCHEMA_FILE.read_text() == render(), "run: python -m config_schema > docs/stack-config.schema.json"


def test_the_schema_accepts_what_the_program_accepts():
    jsonschema.Draft7Validator.check_schema(stack_file_schema())  # raises if it is not a schema
    errors = jsonschema.Draft7Validator(stack_file_schema()).iter_errors(as_stack_file(COMPLETE))
    assert [error.message for error in errors] == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("team", ...),
        ("network", "open"),
        ("endpoint", {}),
        ("generation", 0),
        ("tags", {"cost:center": "1"}),
        ("limits.max_miror", 1),
        (f"{GREEN}.instances", 0),
        ("endpoints.fraud-detection.deployments.Blue", {}),
        ("rollout.fraud-detection.traffic.green", 33.5),
        ("rollout.fraud-detection.traffic.green", "90"),
        ("rollout.fraud-detection.mirror.green", 51),
        (f"{PLAN}.steps.0.bake", "soon"),
    ],
)
def test_the_schema_marks_slips_in_the_editor(path, value):
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(stack_file_schema()).validate(as_stack_file(config(path, value)))


def test_too_many_deployments_are_counted_not_printed():
    many = {f"c{number:03}": {} for number in range(21)}
    (error,) = (e for e in problems(config("endpoints.fraud-detection.deployments", many)) if "entries" in e)
    assert error == f"{DEPLOYMENTS} must have at most 20 entries, got 21. Fix it in Pulumi.prod.yaml."


def test_a_key_that_is_too_long_itself_is_one_error():
    key = "a-very-long-endpoint-key-of-thirty"
    assert [e for e in problems(config(f"endpoints.{key}", {})) if key in e] == [
        f'sluice:endpoints.{key} must have at most 32 characters, got "{key}". Fix it in Pulumi.prod.yaml.'
    ]


def test_values_are_shown_as_they_were_written():
    errors = problems(config("rollout.fraud-detection.traffic", {"blue": "💯"}) | {"team": "🟢"})
    assert any('got "💯"' in error for error in errors)
    assert any('got "🟢"' in error for error in errors)


def test_a_key_in_a_misspelt_namespace_is_not_passed_over(engine_config, monkeypatch):
    """`slucie:limits` would otherwise leave the stack without its limits, silently."""
    monkeypatch.setattr(pulumi, "get_stack", lambda: "dev")
    engine_config |= {"sluice:team": "payments", "sluice:network": "public", "azure-native:location": "westeurope"}
    engine_config |= {"random:seed": "1", "pulumi:tags": "{}", "slucie:limits": "{}"}
    with pytest.raises(SettingsError) as refusal:
        load_settings(TODAY)
    (error,) = map(str, refusal.value.problems)
    assert error.startswith("slucie:limits belongs to the unknown namespace slucie. Did you mean sluice:limits?")


def test_a_stack_that_comes_after_another_has_a_branch_and_does_not_name_itself() -> None:
    raw = config("branch", "sluice/prod") | {"after": "dev"}
    assert parse_settings(raw, stack="prod", today=TODAY).after == "dev"
    both = "\n".join(problems(config("after", "prod")))
    assert 'must name another stack, got "prod" itself' in both
    assert "needs sluice:branch" in both


def test_every_pattern_of_a_value_has_a_sentence():
    import config_errors
    import config_values

    kinds = [kind for kind in vars(config_values).values() if hasattr(kind, "__metadata__")]
    patterns = {rule.pattern for kind in kinds for rule in kind.__metadata__ if getattr(rule, "pattern", None)}
    assert len(patterns) > 5
    assert patterns <= config_errors._PATTERNS.keys()


def test_with_a_branch_of_its_own_a_stack_keeps_the_old_colour() -> None:
    raw = config(f"{PLAN}.retire", "remove")
    assert parse_settings(raw, stack="prod", today=TODAY)
    (problem,) = problems(raw | {"branch": "sluice/prod"})
    assert problem.startswith(
        'sluice:rollout.fraud-detection.plan.retire must be keep with sluice:branch, got "remove"'
    )
