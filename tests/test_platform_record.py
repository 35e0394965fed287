"""Tags keep what a stack declared last, and a change that it may not make is refused with the fix."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from naming import MAX_ENDPOINT_NAME, NAME_PATTERN
from network_plan import FIRST_PLAN, NetworkPlan, plan_network
from platform_record import MAX_TAG_VALUE, PlatformRecord, facts, refused_changes
from settings import parse_settings
from stack_config import Redundancy

PUBLIC = PlatformRecord(generation=1, facts=facts(NetworkPlan(is_public=True), Redundancy.LRS))
PRIVATE = PlatformRecord(generation=1, facts=facts(FIRST_PLAN, Redundancy.LRS))

names = st.from_regex(NAME_PATTERN.replace("$", r"\Z"), fullmatch=True).filter(
    lambda name: 3 <= len(name) <= MAX_ENDPOINT_NAME
)


def refused(before: PlatformRecord, now: PlatformRecord) -> list[str]:
    return [str(problem) for problem in refused_changes(before, now, stack="prod")]


def test_a_private_stack_lists_all_that_cannot_change_under_it():
    settings = parse_settings(
        {
            "team": "payments",
            "network": {"mode": "private", "address_space": "10.1.0.0/22"},
            "location": "westeurope",
            "generation": 3,
        },
        stack="prod",
        today=date(2026, 1, 1),
    )
    assert PlatformRecord.of(settings, plan_network(settings.network, None), ["fraud-b", "fraud-a"]).tags() == {
        "sluice:generation": "3",
        "sluice:network": "private",
        "sluice:storage-redundancy": "lrs",
        "sluice:isolation": "AllowOnlyApprovedOutbound",
        "sluice:network-layout": "2",
        "sluice:vault-retention": "90",
        "sluice:address-space": "10.1.0.0/22",
        "sluice:endpoint-prefix": "10.1.0.0/24",
        "sluice:endpoints-1": "fraud-a,fraud-b",
    }


@given(st.sets(names, max_size=200), st.sampled_from([PUBLIC, PRIVATE]))
def test_what_is_written_is_read_again_and_fits_into_tags(endpoints, record):
    written = replace(record, endpoints=tuple(sorted(endpoints)))
    tags = written.tags()
    assert PlatformRecord.from_tags({"sluice:team": "payments", **tags}) == written
    assert all(len(value) <= MAX_TAG_VALUE for value in tags.values())


def test_a_hundred_endpoints_with_names_of_any_length_are_few_tags():
    endpoints = tuple(f"e{number:03}-{'x' * 27}" for number in range(100))
    assert len(replace(PRIVATE, endpoints=endpoints).tags()) <= 6 + 15


@pytest.mark.parametrize("generation", ["", "one", "-1", "1.5"])
def test_what_the_tags_do_not_record_is_unknown_and_refuses_nothing(generation):
    read = PlatformRecord.from_tags({"sluice:generation": generation, "sluice:network": "public"})
    assert read.generation is None
    assert refused(read, PRIVATE) == []


def test_nothing_is_refused_while_nothing_changes():
    assert refused(PUBLIC, replace(PUBLIC, endpoints=("fraud",))) == []


@pytest.mark.parametrize(("before", "now"), [(PUBLIC, PRIVATE), (PRIVATE, PUBLIC)])
def test_another_network_is_one_refusal_whatever_follows_from_it(before, now):
    was, becomes = before.facts["sluice:network"], now.facts["sluice:network"]
    (problem,) = refused(before, now)
    assert problem.startswith(f'sluice:network must stay "{was}" while the stack exists, got "{becomes}": Azure can')
    assert "To keep the change, set all weights to 0, then set sluice:generation: 2 with it" in problem
    assert ("pulumi state unprotect" in problem) is (before is PRIVATE)


def test_everything_that_may_not_change_is_refused_at_once():
    other = PlatformRecord(generation=1, facts=facts(NetworkPlan(is_public=True), Redundancy.ZRS))
    assert [problem.split(" must stay ")[0] for problem in refused(PRIVATE, other)] == [
        "sluice:network",
        "sluice:storage.redundancy",
    ]


@pytest.mark.parametrize(
    ("tag", "name"),
    [
        ("sluice:address-space", "the range or subnet of the private endpoints"),
        ("sluice:isolation", "the isolation of the managed network"),
        ("sluice:vault-retention", "the retention of the deleted vault in days"),
        ("sluice:storage-redundancy", "sluice:storage.redundancy"),
    ],
)
def test_each_fact_is_refused_by_its_name(tag, name):
    before = replace(PRIVATE, facts={**PRIVATE.facts, tag: "another"})
    (problem,) = refused(before, PRIVATE)
    assert problem.startswith(f'{name} must stay "another" while the stack exists, got "{PRIVATE.facts[tag]}": ')


def test_with_a_higher_generation_everything_may_change():
    assert refused(PRIVATE, replace(PUBLIC, generation=2)) == []


def test_a_generation_does_not_fall():
    (problem,) = refused(replace(PUBLIC, generation=3), replace(PRIVATE, generation=2))
    assert problem.startswith("sluice:generation must not decrease, got 2 after 3")
