"""Names are the same on every machine, within Azure's limits, and different where the inputs are."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naming import MAX_ENDPOINT_NAME, NAME_PATTERN, RESERVED_KEYS, Names, endpoint_tags, endpoints_from_tags

SUBSCRIPTION = "11111111-2222-3333-4444-555555555555"
NAMES = Names(team="payments", stack="prod", subscription_id=SUBSCRIPTION)

LIMITS = {
    "resource_group": r"^[a-z0-9-]{1,90}$",
    "workspace": r"^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$",
    "stack_identity": r"^[a-z0-9][a-z0-9-]{2,127}$",
    "compute_identity": r"^[a-z0-9][a-z0-9-]{2,127}$",
    "workspace_identity": r"^[a-z0-9][a-z0-9-]{2,127}$",
    "storage_account": r"^[a-z0-9]{3,24}$",
    "key_vault": r"^[a-z](-?[a-z0-9])*$",
    "container_registry": r"^[a-z0-9]{5,50}$",
    "log_analytics": r"^[a-z0-9][a-z0-9-]{2,61}[a-z0-9]$",
    "application_insights": r"^[a-z0-9-]{1,255}$",
    "virtual_network": r"^[a-z0-9][a-z0-9-]{1,63}$",
    "image_build_compute": r"^[a-z][a-z0-9-]{2,23}$",
}
LENGTHS = {"key_vault": 24}


def test_names_of_an_ordinary_stack_can_be_read():
    assert NAMES.resource_group == "rg-payments-prod"
    assert NAMES.workspace == "mlw-payments-prod"
    assert NAMES.storage_account == f"stpaymentsprod{NAMES.suffix}"
    assert NAMES.key_vault == f"kv-payments-prod-{NAMES.suffix}"
    assert NAMES.endpoint("fraud-detection") == "fraud-detection-prod-54d366"
    assert NAMES.endpoint_identity("fraud-detection") == "id-payments-prod-fraud-detection"
    assert NAMES.autoscale("fraud-detection-prod", "blue") == "as-fraud-detection-prod-blue"


def test_the_suffix_never_changes():
    """The suffix is part of names of resources with data: another formula would replace storage, vault and registry."""
    assert NAMES.suffix == "9cef77"


def test_an_explicit_endpoint_name_wins():
    assert NAMES.endpoint("fraud-detection", "payments-fraud") == "payments-fraud"


@pytest.mark.parametrize(
    ("field", "value"), [("team", "other"), ("stack", "other"), ("subscription_id", "other"), ("generation", 2)]
)
def test_the_default_name_of_an_endpoint_is_another_one_for_everybody_else(field, value):
    """Endpoint names are unique in a region among all customers of Azure."""
    assert replace(NAMES, **{field: value}).endpoint("fraud") != NAMES.endpoint("fraud")


def test_where_the_default_name_of_an_endpoint_is_too_long_its_hash_is_whole():
    name = NAMES.endpoint("fraud-detection-for-merchants")
    assert name == "fraud-detection-for-merch-a4e232"
    others = {NAMES.endpoint(f"fraud-detection-for-merchants-{number}") for number in range(9)}
    assert len(others | {name}) == 10


def test_an_endpoints_former_default_name_is_known_where_it_was_allowed():
    assert NAMES.former_endpoint("fraud-detection") == "fraud-detection-prod"
    assert NAMES.former_endpoint("fraud-detection-for-merchants") is None


def test_a_later_generation_has_other_names_for_all_that_azure_keeps_and_for_nothing_else():
    second = replace(NAMES, generation=2)
    assert second.workspace == "mlw-payments-prod-g2"
    assert second.key_vault == f"kv-payments-pr-g2-{NAMES.suffix}"
    assert second.storage_account == f"stpaymentsprodg2{NAMES.suffix}"
    assert second.container_registry == f"crpaymentsprodg2{NAMES.suffix}"
    assert second.log_analytics == "log-payments-prod-g2"
    for name in ("resource_group", "workspace_identity", "application_insights", "virtual_network"):
        assert getattr(second, name) == getattr(NAMES, name)


def test_the_mark_of_a_generation_is_never_cut():
    long = Names(team="a" * 24, stack="production" * 9, subscription_id="s", generation=999)
    assert long.workspace.endswith("-g999")
    assert long.log_analytics.endswith("-g999")
    for name in (long.key_vault, long.storage_account, long.container_registry):
        assert "g999" in name


def test_ids_nest():
    group = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-payments-prod"
    workspace = f"{group}/providers/Microsoft.MachineLearningServices/workspaces/mlw-payments-prod"
    assert NAMES.resource_group_id == group
    assert NAMES.workspace_id == workspace
    assert NAMES.endpoint_id("e") == f"{workspace}/onlineEndpoints/e"
    assert NAMES.deployment_id("e", "blue") == f"{workspace}/onlineEndpoints/e/deployments/blue"
    identities = f"{group}/providers/Microsoft.ManagedIdentity/userAssignedIdentities"
    assert NAMES.endpoint_identity_id("fraud") == f"{identities}/id-payments-prod-fraud"
    assert NAMES.stack_identity_id == f"{identities}/id-payments-prod-stack"


@pytest.mark.parametrize("field", ["team", "stack", "subscription_id"])
def test_globally_unique_names_differ_with_every_input(field):
    other = replace(NAMES, **{field: "other"})
    for name in ("storage_account", "key_vault", "container_registry"):
        assert getattr(other, name) != getattr(NAMES, name)


def test_the_case_of_a_subscription_id_does_not_matter():
    assert replace(NAMES, subscription_id="ABC").suffix == replace(NAMES, subscription_id="abc").suffix


def test_long_names_that_differ_at_the_end_stay_different():
    teams = ["a" * 24, "a" * 23 + "b"]
    workspaces = {Names(team=team, stack="production", subscription_id="s").workspace for team in teams}
    assert len(workspaces) == 2


def test_stack_names_may_have_characters_that_azure_does_not_take():
    names = replace(NAMES, stack="Team_A.prod")
    assert names.endpoint("fraud").startswith("fraud-team-a-prod-")
    assert names.former_endpoint("fraud") == "fraud-team-a-prod"


def test_endpoints_of_earlier_versions_are_read_from_the_groups_tags():
    tags = {"sluice:team": "payments", "sluice:endpoint:fraud-prod": "fraud", "sluice:endpoint:churn-eu": "churn"}
    assert endpoint_tags(tags) == {"sluice:endpoint:churn-eu": "churn", "sluice:endpoint:fraud-prod": "fraud"}
    assert endpoints_from_tags(tags) == {"churn-eu": "churn", "fraud-prod": "fraud"}


def test_the_environment_takes_the_stacks_place_in_every_name():
    names = replace(NAMES, stack="payments-prod", environment="prod")
    for attribute in (*LIMITS, "suffix", "workspace_id"):
        assert getattr(names, attribute) == getattr(NAMES, attribute)
    assert names.endpoint("fraud") == NAMES.endpoint("fraud")


@pytest.mark.parametrize("generation", [1, 2])
def test_two_pairs_of_team_and_environment_that_read_the_same_meet_in_the_first_generation_alone(generation):
    one, other = (
        Names(team=team, stack=stack, subscription_id=SUBSCRIPTION, generation=generation)
        for team, stack in (("a-b", "c"), ("a", "b-c"))
    )
    assert (one.resource_group == other.resource_group) is (generation == 1)
    assert (one.endpoint_identity("fraud") == other.endpoint_identity("fraud")) is (generation == 1)


def test_an_ordinary_stack_keeps_its_group_in_every_generation():
    assert replace(NAMES, generation=2).base == "payments-prod"
    assert re.fullmatch(r"a-b-c-[0-9a-f]{6}", Names(team="a-b", stack="c", subscription_id="s", generation=2).base)


teams = st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True).filter(lambda team: 2 <= len(team) <= 24)
stacks = st.from_regex(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,98}", fullmatch=True)


keys = st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True).filter(lambda key: len(key) <= MAX_ENDPOINT_NAME)


@given(teams, stacks, st.sampled_from([1, 2, 10, 999]), keys)
def test_every_name_is_within_azures_limits(team, stack, generation, key):
    names = Names(team=team, stack=stack, subscription_id=SUBSCRIPTION, generation=generation)
    endpoint = names.endpoint(key)
    assert re.match(NAME_PATTERN, endpoint), endpoint
    assert 3 <= len(endpoint) <= MAX_ENDPOINT_NAME
    for attribute, pattern in LIMITS.items():
        name = getattr(names, attribute)
        assert re.match(pattern, name), (attribute, name)
        assert len(name) <= LENGTHS.get(attribute, 255)
    assert len(names.private_endpoint("x" * 80)) <= 64
    assert len(names.network_security_group("x" * 80)) <= 80
    assert len(names.subnet("x" * 100)) <= 80
    assert len(names.autoscale("e" * MAX_ENDPOINT_NAME, "d" * MAX_ENDPOINT_NAME)) <= 260
    assert len(names.endpoint_identity("k" * MAX_ENDPOINT_NAME)) <= 128
    assert len(names.diagnostic_setting("workspace")) <= 260
    for own in (names.workspace_identity, names.compute_identity, names.stack_identity):
        assert key in RESERVED_KEYS or names.endpoint_identity(key) != own


stack_names = st.builds(
    Names,
    team=teams,
    stack=stacks,
    environment=st.one_of(st.none(), teams),
    subscription_id=st.just(SUBSCRIPTION),
    generation=st.integers(2, 999),
)
BY_GENERATION = ("workspace", "key_vault", "log_analytics", "storage_account", "container_registry")


@given(stack_names, stack_names)
def test_from_the_second_generation_on_no_two_stacks_share_a_name(one, other):
    pair, other_pair = (one.team, one.place), (other.team, other.place)
    for attribute in BY_GENERATION:
        same = (pair, one.generation) == (other_pair, other.generation)
        assert (getattr(one, attribute) == getattr(other, attribute)) is same, attribute
    for attribute in set(LIMITS) - {*BY_GENERATION, "image_build_compute"}:
        assert (getattr(one, attribute) == getattr(other, attribute)) is (pair == other_pair), attribute


@given(st.lists(st.sampled_from("abc"), min_size=3, max_size=6), st.integers(2, 999))
def test_wherever_one_text_is_cut_into_team_and_environment_the_names_differ(letters, generation):
    """The case that random names hardly ever hit."""
    cuts = [("-".join(letters[:at]), "-".join(letters[at:])) for at in range(1, len(letters))]
    groups = {
        Names(team=team, stack=stack, subscription_id=SUBSCRIPTION, generation=generation).resource_group
        for team, stack in cuts
    }
    assert len(groups) == len(cuts)
