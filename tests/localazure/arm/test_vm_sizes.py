"""VM sizes of managed deployments: which are known, and how much quota they use."""

from datetime import date

import pytest

from localazure.arm.quota import needed_cores, read_quota
from localazure.arm.vm_sizes import SIZES, family_key, find_size
from skus import SKUS
from tests.localazure.arm.conftest import BLUE, GREEN


@pytest.mark.parametrize(
    ("cores", "instances", "refused"), [(8, 1, False), (7, 1, True), (48, 10, False), (47, 10, True)]
)
@pytest.mark.proves("onlineEndpoints/deployments", honours=["properties.instanceType"], refuses=["sku.capacity"])
@pytest.mark.proves("switches", honours=["--quota"])
def test_quota_counts_the_cores_kept_for_upgrades(arm_with, cores, instances, refused):
    arm = arm_with(quota={"dsv2": cores})
    arm.make_workspace()
    arm.put_endpoint()
    answer = arm.put_deployment(capacity=instances)
    assert answer.status == (400 if refused else 201)
    if refused:
        text = answer.error["details"][0]["message"]
        needed = 8 if instances == 1 else 48
        assert f"Current usage/limit: 0/{cores}. Additional needed: {needed}" in text


def test_quota_is_shared_and_a_scale_out_needs_only_the_difference(arm_with):
    arm = arm_with(quota={"dsv2": 16})
    arm.make_workspace()
    arm.put_endpoint()
    assert arm.put_deployment(BLUE).status == 201
    assert arm.put_deployment(GREEN, capacity=2).status == 400
    assert arm.put_deployment(BLUE, capacity=3).status == 201
    assert "Current usage/limit: 16/16" in arm.put_deployment(GREEN).error["details"][0]["message"]


@pytest.mark.parametrize(
    ("size", "family", "cores"),
    [
        ("Standard_DS3_v2", "DSv2", 4),
        ("Standard_F4s_v2", "FSv2", 4),
        ("Standard_NC4as_T4_v3", "NCASv3_T4", 4),
        ("Standard_NC24ads_A100_v4", "NCADSA100v4", 24),
        ("STANDARD_nd40rs_v2", "standardNDSv2Family", 40),
    ],
)
def test_a_size_belongs_to_a_family_and_has_its_cores(size, family, cores):
    known = find_size(size)
    assert (family_key(known.family), known.cores) == (family_key(family), cores)
    assert needed_cores(size, 10) == (12 if known.reserves else 10) * cores


def test_a_familys_limit_is_set_by_its_short_name_or_by_the_quota_apis():
    given = ["DSv2=8", "standardESv3Family=16", "standard NCASv3_T4 Family=4"]
    assert read_quota(given) == {"dsv2": 8, "esv3": 16, "ncasv3_t4": 4}


@pytest.mark.parametrize("given", ["DSv2", "=8", "DSv2=", "DSv2=x", "DSv2=-1", "DSv2=\N{SUPERSCRIPT TWO}"])
def test_a_quota_that_is_not_a_family_and_its_cores_is_refused(given):
    with pytest.raises(ValueError, match="must be FAMILY=CORES, for example DSv2=24"):
        read_quota([given])


@pytest.mark.proves("switches", honours=["--vm-size"])
@pytest.mark.proves("onlineEndpoints/deployments", refuses=["properties.instanceType"])
def test_a_size_that_is_not_known_is_refused_and_leaves_nothing(arm_with):
    arm = arm_with(vm_sizes=frozenset({"standard_new_v9"}))
    arm.make_workspace()
    arm.put_endpoint()
    for size in ("Standard_DS3_v3", "Standard_NC6s_v3", "DS3_v2", "big"):
        refused = arm.put_deployment(instanceType=size)
        assert (refused.status, refused.code) == (400, "BadRequest")
        assert f"{size} is not a VM size" in refused.error["details"][0]["message"]
        assert arm.get(BLUE).status == 404
    assert arm.put_deployment(instanceType="standard_new_V9").status == 201
    assert arm.put_deployment(GREEN, instanceType="STANDARD_E4S_V3").status == 201


def test_the_program_and_the_local_azure_know_the_same_sizes():
    """Two tables, because neither imports the other; both were read from the same page."""
    gone = {name.lower() for name, sku in SKUS.items() if sku.retired and sku.retired < date(2026, 1, 1)}
    ours = {name: (size.family, size.cores, size.reserves) for name, size in SIZES.items()}
    theirs = {name.lower(): (sku.family, sku.cores, sku.reserves_for_upgrades) for name, sku in SKUS.items()}
    assert {name: theirs[name] for name in theirs if name not in gone}.items() <= ours.items()
    assert set(ours) - set(theirs) == {"standard_d2s_v3", "standard_d2ds_v5"}
    assert set(ours) & gone == set()
