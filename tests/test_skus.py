"""The table of VM sizes: what is retired is refused with its date and what replaces it."""

from __future__ import annotations

from datetime import date

import pytest

from skus import SKUS, SkuError, check_sku, find_sku, quota_cores

TODAY = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("name", "cores", "gpus"),
    [
        ("Standard_DS3_v2", 4, 0),
        ("Standard_F4s_v2", 4, 0),
        ("Standard_NC4as_T4_v3", 4, 1),
        ("Standard_NC24ads_A100_v4", 24, 1),
        ("Standard_NC80adis_H100_v5", 80, 2),
    ],
)
def test_sizes_of_the_supported_families_are_available(name, cores, gpus):
    sku = check_sku(name, TODAY)
    assert (sku.name, sku.cores, sku.gpus, sku.retired) == (name, cores, gpus, None)


@pytest.mark.parametrize(
    ("name", "retired", "replacement"),
    [
        ("Standard_NC6", "2023-09-06", "Standard_NC4as_T4_v3"),
        ("Standard_NC12s_v2", "2023-09-06", "Standard_NC8as_T4_v3"),
        ("Standard_NC6s_v3", "2025-09-30", "Standard_NC24ads_A100_v4"),
        ("Standard_NC24rs_v3", "2025-03-31", "Standard_NC48ads_A100_v4"),
    ],
)
def test_a_retired_size_is_refused_with_its_date_and_what_replaces_it(name, retired, replacement):
    with pytest.raises(SkuError) as refusal:
        check_sku(name, TODAY)
    assert f"names the SKU {name}, which Azure retired on {retired}. Use " in str(refusal.value)
    assert replacement in str(refusal.value)


def test_a_size_can_be_used_until_the_day_before_it_retires():
    assert check_sku("Standard_NC6s_v3", date(2025, 9, 29)).family == "NCv3"
    with pytest.raises(SkuError):
        check_sku("Standard_NC6s_v3", date(2025, 9, 30))


def test_an_unknown_size_is_refused_with_what_was_probably_meant():
    with pytest.raises(SkuError, match=r"Did you mean Standard_DS3_v2\b"):
        check_sku("Standard_DS3v2", TODAY)


def test_an_unknown_size_unlike_any_other_is_refused_with_what_there_is():
    with pytest.raises(SkuError, match=r"Known and available: DSv2 \(Standard_DS1_v2 to Standard_DS5_v2\), FSv2"):
        check_sku("Large", TODAY)


def test_the_case_of_a_size_does_not_matter_and_azures_spelling_is_returned():
    assert check_sku("standard_ds3_V2", TODAY).name == "Standard_DS3_v2"
    assert find_sku("nothing") is None


@pytest.mark.parametrize(
    ("name", "instances", "cores"),
    [
        ("Standard_DS3_v2", 1, 8),
        ("Standard_DS3_v2", 5, 24),
        ("Standard_DS3_v2", 10, 48),
        ("Standard_NC24ads_A100_v4", 3, 72),
        ("Standard_NC40ads_H100_v5", 2, 80),
    ],
)
def test_quota_includes_azures_reserve_except_for_the_exempt_families(name, instances, cores):
    assert quota_cores(SKUS[name], instances) == cores


def test_replacements_are_in_the_table_and_not_retired_themselves():
    for sku in SKUS.values():
        assert (sku.retired is None) == (not sku.replacements)
        assert all(SKUS[name].retired is None for name in sku.replacements)


def test_sizes_below_the_recommended_minimum_are_marked():
    assert {name for name, sku in SKUS.items() if not sku.recommended} == {"Standard_DS1_v2", "Standard_DS2_v2"}
