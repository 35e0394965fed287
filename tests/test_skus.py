"""The table of VM sizes: Microsoft's whole list, what is retired with its date, and what is only unknown."""

from __future__ import annotations

from collections import Counter
from datetime import date

import pytest

from localazure.arm import vm_sizes
from skus import SKUS, SkuError, check_sku, find_sku, quota_cores, sku_warning

TODAY = date(2026, 1, 1)

# Sizes per family on Microsoft's list for managed online endpoints (azure-ai-docs, commit 1d987e3).
LIST = {
    "standardDASv4Family": 8,
    "standardDAv4Family": 8,
    "standardDSv2Family": 5,
    "standardESv3Family": 7,
    "standardFSv2Family": 8,
    "standardFXMDVSFamily": 5,
    "standardLASv3Family": 6,
    "standardLSv2Family": 6,
    "standardLSv3Family": 6,
    "standardNCADSA100v4Family": 3,
    "standard NCASv3_T4 Family": 4,
    "standardNCADSH100v5Family": 2,
    "standard NDAMSv4_A100Family": 1,
    "standard NDASv4_A100 Family": 1,
    "standardNDSv2Family": 1,
    "standardNDv5H100Family": 2,
    "standardNVADSA10v5Family": 6,
}


def test_every_family_of_microsofts_list_is_known_by_its_name_in_the_quota_api():
    there = Counter(sku.family for sku in SKUS.values() if sku.retired is None or sku.retired > TODAY)
    assert there == LIST


@pytest.mark.parametrize(
    ("name", "family", "cores"),
    [
        ("STANDARD_D2AS_V4", "standardDASv4Family", 2),
        ("STANDARD_D4A_V4", "standardDAv4Family", 4),
        ("STANDARD_DS5_V2", "standardDSv2Family", 16),
        ("STANDARD_E4S_V3", "standardESv3Family", 4),
        ("STANDARD_F4S_V2", "standardFSv2Family", 4),
        ("STANDARD_FX4MDS", "standardFXMDVSFamily", 4),
        ("STANDARD_L8AS_V3", "standardLASv3Family", 8),
        ("STANDARD_L8S_V2", "standardLSv2Family", 8),
        ("STANDARD_L8S_V3", "standardLSv3Family", 8),
        ("STANDARD_NC24ADS_A100_V4", "standardNCADSA100v4Family", 24),
        ("STANDARD_NC64AS_T4_V3", "standard NCASv3_T4 Family", 64),
        ("STANDARD_NC80ADIS_H100_V5", "standardNCADSH100v5Family", 80),
        ("STANDARD_ND96AMSR_A100_V4", "standard NDAMSv4_A100Family", 96),
        ("STANDARD_ND96ASR_V4", "standard NDASv4_A100 Family", 96),
        ("STANDARD_ND40RS_V2", "standardNDSv2Family", 40),
        ("STANDARD_ND96IS_H100_V5", "standardNDv5H100Family", 96),
        ("STANDARD_NV6ADS_A10_V5", "standardNVADSA10v5Family", 6),
        ("standard_nv36ads_a10_v5", "standardNVADSA10v5Family", 36),
    ],
)
def test_a_size_is_found_in_any_case_with_its_family_and_cores(name, family, cores):
    sku = check_sku(name, TODAY)
    assert sku is not None
    assert (sku.family, sku.cores) == (family, cores)


@pytest.mark.parametrize(
    ("name", "retired", "replacement"),
    [
        ("Standard_NC6", "2023-09-06", "Standard_NC4as_T4_v3"),
        ("Standard_NV12", "2023-09-06", "Standard_NV6ads_A10_v5"),
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
    sku = check_sku("Standard_NC6s_v3", date(2025, 9, 29))
    assert sku is not None
    assert sku.family == "standardNCSv3Family"
    with pytest.raises(SkuError):
        check_sku("Standard_NC6s_v3", date(2025, 9, 30))


@pytest.mark.parametrize(
    ("name", "day"),
    [
        ("Standard_DS3_v2", date(2028, 5, 1)),
        ("standard_ds1_v2", date(2028, 5, 1)),
        ("Standard_F4s_v2", date(2028, 11, 15)),
        ("Standard_L8s_v2", date(2028, 11, 15)),
    ],
)
def test_an_announced_retirement_warns_and_becomes_a_refusal_on_its_day(name, day):
    warning = sku_warning(name, TODAY)
    assert warning is not None
    assert f"which Azure retires on {day.isoformat()}. Plan to move to another one, for example Standard_" in warning
    assert sku_warning(name, day) is None
    with pytest.raises(SkuError, match=f"retired on {day.isoformat()}"):
        check_sku(name, day)


@pytest.mark.parametrize(
    "name", ["Standard_D2s_v3", "Standard_D2ds_v5", "Standard_DS11_v2", "standard_nc6ads_future_v9"]
)
def test_an_unknown_size_is_no_error_but_a_warning(name):
    assert check_sku(name, TODAY) is None
    warning = sku_warning(name, TODAY)
    assert warning is not None
    assert f'names the SKU "{name}", which is not on Microsoft\'s list for managed online endpoints' in warning
    assert "its quota and its retirement are not checked" in warning


def test_an_unknown_size_close_to_a_known_one_names_that():
    assert "Did you mean Standard_DS3_v2" in str(sku_warning("Standard_DS3v2", TODAY))


@pytest.mark.parametrize("name", ["Large", "", "DS3_v2", "Standard_", "Standard DS3 v2", " Standard_DS3_v2", "${SIZE}"])
def test_what_no_vm_size_can_be_called_is_refused_with_the_rule(name):
    with pytest.raises(SkuError, match="is not a VM size: VM sizes are named Standard_<size>"):
        check_sku(name, TODAY)
    assert sku_warning(name, TODAY) is None


def test_the_case_of_a_size_does_not_matter_and_azures_spelling_is_returned():
    sku = check_sku("standard_ds3_V2", TODAY)
    assert sku is not None
    assert sku.name == "Standard_DS3_v2"
    assert find_sku("nothing") is None


@pytest.mark.parametrize(
    ("name", "instances", "cores"),
    [
        ("Standard_DS3_v2", 1, 8),
        ("Standard_DS3_v2", 5, 24),
        ("Standard_DS3_v2", 10, 48),
        ("Standard_NC24ads_A100_v4", 3, 72),
        ("Standard_NC40ads_H100_v5", 2, 80),
        ("Standard_ND96asr_v4", 1, 96),
        ("Standard_ND40rs_v2", 1, 40),
        ("Standard_NV6ads_A10_v5", 1, 12),
    ],
)
def test_quota_includes_azures_reserve_except_for_the_exempt_families(name, instances, cores):
    assert quota_cores(SKUS[name], instances) == cores


def test_replacements_are_in_the_table_and_not_retired_themselves():
    for sku in SKUS.values():
        assert (sku.retired is None) == (not sku.replacements)
        assert all(SKUS[name].retired is None for name in sku.replacements)


def test_the_local_azure_serves_every_size_that_is_not_retired_and_counts_the_same_quota():
    """The local Azure imports nothing of the program, so it has its own table."""
    for name, sku in SKUS.items():
        there = vm_sizes.find_size(name)
        if sku.retired is not None and sku.retired <= TODAY:
            assert there is None, name
        else:
            assert there == vm_sizes.VmSize(sku.family, sku.cores, sku.reserves_for_upgrades), name
