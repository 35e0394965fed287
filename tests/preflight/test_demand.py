"""What the worst moment of a plan needs, and whether it fits: pure, with properties over arbitrary stacks."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exit_codes import ExitCode
from preflight.demand import Demand, Machines, worst_point
from preflight.report import Preflight, QuotaShort
from preflight.stack_demand import declared_demand
from preflight.verdict import Available, Row, Usage, family_key, rows_of
from settings import parse_settings
from skus import SKUS, find_sku

DS3, DSV2 = "Standard_DS3_v2", "standardDSv2Family"
BLUE = Machines(what="fraud/blue", size=DS3, count=10)


def demand(*machines: Machines, **deployments: int) -> Demand:
    return Demand(machines=machines, endpoints=frozenset(deployments), deployments=deployments)


def available(limit: int, current: int = 0, *, endpoints: int = 0, deployments: int = 0) -> Available:
    cores = {family_key(DSV2): Usage(current=current, limit=limit)}
    return Available(cores=cores, endpoints=endpoints, deployments=deployments)


def preflight(worst: Demand, found: Available, live: Demand | None = None) -> Preflight:
    rows = rows_of(worst, live or Demand(), found)
    return Preflight(stack="prod", location="westeurope", cloud="public", rows=rows, worst=worst)


def row(rows: list[Row], what: str) -> Row:
    return next(one for one in rows if one.what == what)


@pytest.mark.parametrize(
    ("size", "count", "cores"),
    [(DS3, 10, 48), (DS3, 1, 8), ("standard_ds3_v2", 3, 16), ("Standard_NC24ads_A100_v4", 2, 48)],
)
def test_deployments_need_a_fifth_more_for_upgrades_rounded_up_except_where_azure_exempts_them(size, count, cores):
    """Microsoft's own example: ten Standard_DS3_v2 need 48 cores."""
    assert sum(demand(Machines(what="a/b", size=size, count=count)).cores.values()) == cores


def test_clusters_need_no_reserve():
    assert demand(Machines(what="cpu", size=DS3, count=10, reserves=False)).cores == {DSV2: 40}


def test_colours_of_one_family_are_added_and_those_that_leave_exist_beside_them():
    declared = demand(BLUE, Machines(what="fraud/green", size=DS3, count=2), fraud=2)
    live = demand(BLUE, Machines(what="fraud/amber", size=DS3, count=3), fraud=2)
    worst = worst_point(declared, live)
    assert worst.cores == {DSV2: 48 + 12 + 16}
    assert worst.deployments == {"fraud": 3}


def test_a_colour_that_is_replaced_counts_once():
    live = demand(Machines(what="fraud/blue", size=DS3, count=4), fraud=1)
    assert worst_point(demand(BLUE, fraud=1), live).cores == {DSV2: 48}


def test_what_the_stack_uses_now_is_not_counted_twice():
    live = demand(Machines(what="fraud/blue", size=DS3, count=3), fraud=1)
    rows = rows_of(demand(BLUE, fraud=1), live, available(60, 28, endpoints=7, deployments=9))
    assert row(rows, DSV2) == Row(what=DSV2, others=12, needed=48, limit=60)
    assert row(rows, "endpoints") == Row(what="endpoints", others=6, needed=1, limit=100)
    assert row(rows, "deployments") == Row(what="deployments", others=8, needed=1, limit=500)


def test_a_short_family_fails_with_its_parts_and_the_link():
    found = preflight(demand(BLUE, fraud=1), available(40, 4))
    assert found.exit_code == ExitCode.FAILED
    text = "\n".join(found.lines())
    assert "standardDSv2Family           4      48     40  short by 12" in text
    assert "  fraud/blue: 10 x Standard_DS3_v2, 48 cores, with the reserve for upgrades" in text
    assert text.endswith(
        "Request quota: https://portal.azure.com/#view/Microsoft_Azure_Capacity/QuotaMenuBlade/~/myQuotas"
    )
    with pytest.raises(
        QuotaShort, match=r"standardDSv2Family: 12 more than the limit of 40\. Request more: https://por"
    ):
        found.require()


@pytest.mark.parametrize(
    ("endpoints", "deployments", "what"), [(100, 0, "endpoints"), (0, 500, "deployments"), (100, 500, "endpoints")]
)
def test_counts_of_the_region_are_limited_too(endpoints, deployments, what):
    found = preflight(demand(fraud=1), available(10, endpoints=endpoints, deployments=deployments))
    assert row(list(found.rows), what).short == 1
    assert found.exit_code == ExitCode.FAILED


def test_more_than_twenty_deployments_of_an_endpoint_are_short():
    found = preflight(demand(fraud=21), available(10))
    assert row(list(found.rows), "deployments of fraud").short == 1


def test_a_family_that_azure_does_not_list_is_not_judged_and_stops_nothing():
    worst = demand(Machines(what="fraud/blue", size="Standard_E2s_v3", count=1), fraud=1)
    found = preflight(worst, available(10))
    assert found.exit_code == ExitCode.WAITING
    assert "not judged: Azure lists no limit for standardESv3Family in westeurope" in found.lines()
    found.require()


def test_a_size_that_the_table_does_not_have_is_named():
    found = preflight(demand(Machines(what="fraud/blue", size="Standard_X9", count=1), fraud=1), available(10))
    assert found.unjudged == ("the quota of Standard_X9 (fraud/blue) is not known here",)
    assert found.exit_code == ExitCode.WAITING


def test_no_limit_of_its_own_suffices():
    found = preflight(demand(BLUE, fraud=1), available(-1, 1000))
    assert found.exit_code == ExitCode.DONE
    assert any(line.endswith("none  ok") for line in found.lines())


@pytest.mark.parametrize(
    "shown",
    [
        "standardDSv2Family",
        "StandardDSv2Family",
        "Standard DSv2 Family Cluster Dedicated vCPUs",
        "Standard_DSv2_Family_Cluster_Dedicated_vCPUs",
        "Standard DSv2 Family vCPUs",
    ],
)
def test_a_family_has_one_key_in_every_spelling(shown):
    assert family_key(shown) == family_key(DSV2)


def test_no_two_families_of_the_table_share_a_key():
    families = {sku.family for sku in SKUS.values()}
    assert len({family_key(family) for family in families}) == len(families)


def stack(network: object, **more: Any) -> Demand:
    raw = {"team": "payments", "network": network, "location": "westeurope", "endpoints": {}, **more}
    settings = parse_settings(raw, stack="prod", today=date(2026, 1, 1))
    return declared_demand(settings, settings.names("0000"), {})


def test_clusters_count_with_their_most_nodes():
    private = {"mode": "private", "address_space": "10.1.0.0/22"}
    assert stack("public").machines == ()
    assert stack(private).cores == {DSV2: 4}
    batch = {"cpu": {"sku": DS3, "max_nodes": 10}, "gpu": {"sku": "Standard_NC4as_T4_v3", "max_nodes": 2}}
    wanted = {"build": {"sku": "Standard_DS4_v2", "max_nodes": 2}, "batch": batch}
    assert stack(private, compute=wanted).cores == {DSV2: 16 + 40, "standard NCASv3_T4 Family": 8}


machines = st.builds(
    Machines,
    what=st.sampled_from(["a/blue", "a/green", "b/blue", "cpu"]),
    size=st.sampled_from([*sorted(SKUS), "Standard_X9"]),
    count=st.integers(0, 50),
    reserves=st.booleans(),
)
stacks = st.lists(machines, max_size=5, unique_by=lambda one: one.what).map(lambda found: demand(*found, a=2, b=1))


def total(cores: Mapping[str, int]) -> int:
    return sum(cores.values())


@given(stacks, stacks)
def test_the_worst_point_is_never_below_what_is_declared_and_never_above_both_together(declared, live):
    worst = worst_point(declared, live)
    for family, cores in declared.cores.items():
        assert cores <= worst.cores[family] <= cores + live.cores.get(family, 0)
    assert total(worst.cores) <= total(declared.cores) + total(live.cores)


@given(stacks, st.integers(0, 2000), st.integers(0, 2000))
def test_a_row_is_short_exactly_where_others_and_the_need_exceed_the_limit(worst, current, limit):
    cores = {family_key(sku.family): Usage(current=current, limit=limit) for sku in SKUS.values()}
    for one in rows_of(worst, Demand(), Available(cores=cores, endpoints=0, deployments=0)):
        assert one.limit is not None
        assert (one.short > 0) == (one.others + one.needed > one.limit)
        assert one.short == max(0, one.others + one.needed - one.limit)


@given(stacks, st.integers(1, 2000))
def test_more_quota_never_makes_it_worse(worst, limit):
    def short(given: int) -> int:
        cores = {family_key(sku.family): Usage(current=0, limit=given) for sku in SKUS.values()}
        return sum(one.short for one in rows_of(worst, Demand(), Available(cores=cores, endpoints=0, deployments=0)))

    assert short(limit) <= short(limit - 1)


@given(st.sampled_from(sorted(SKUS)), st.integers(1, 50))
def test_one_more_instance_never_needs_fewer_cores(size, count):
    sku = find_sku(size)
    assert sku is not None
    one, more = (Machines(what="a/b", size=size, count=number).cores for number in (count, count + 1))
    assert count * sku.cores <= one < more
