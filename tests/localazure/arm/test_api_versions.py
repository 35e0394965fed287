"""An api-version that a type does not have is refused, in Azure's words."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from localazure.arm.api_versions import check_api_version
from localazure.catalog import RESOURCE_TYPES
from localazure.catalog.versions import known_versions
from localazure.errors import BadRequest
from tests.localazure.arm.conftest import (
    GROUP,
    IDENTITY,
    LOCATION,
    PROVIDERS,
    STORAGE,
    SUBSCRIPTION,
    VAULT,
    WORKSPACE,
)

STORAGES = "Microsoft.Storage/storageAccounts"


def seconds(day: str) -> float:
    return datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()


def test_what_the_program_sends_exists():
    known = [kind for kind in RESOURCE_TYPES if known_versions(kind.arm)]
    assert len(known) > 20
    assert [kind.arm for kind in known if kind.api_version not in known_versions(kind.arm)] == []


@pytest.mark.parametrize("version", ["2099-01-01", "2024-01-02", "2024-01-01-preview", "2014-01-01", "2024-13-41"])
@pytest.mark.parametrize(("method", "path"), [("GET", STORAGE), ("PUT", STORAGE), ("GET", STORAGE.rpartition("/")[0])])
def test_a_version_that_does_not_exist_is_refused(arm, method, path, version):
    arm.make_group()
    answer = arm.request(method, path, {"location": LOCATION, "sku": {"name": "Standard_LRS"}}, version=version)
    assert (answer.status, answer.code) == (400, "NoRegisteredProviderFound")
    shown = LOCATION if method == "PUT" else ""
    assert answer.error["message"].startswith(
        f"No registered resource provider found for location '{shown}' and API version '{version}' for type "
        "'storageAccounts'. The supported api-versions are '"
    )
    assert "2024-01-01, 2023-05-01, 2023-04-01" in answer.error["message"]
    assert answer.error["message"].endswith("'.")
    assert list(answer.error) == ["code", "message"]
    assert arm.get(STORAGE, version="2024-01-01").status == 404


def test_actions_and_lists_have_versions_too(arm):
    arm.make_group()
    for method, path in (("POST", f"{WORKSPACE}/onlineEndpoints/e/listKeys"), ("GET", f"{WORKSPACE}/models")):
        assert arm.request(method, path, version="2018-11-19").code == "NoRegisteredProviderFound"
        assert arm.request(method, path, version="2099-01-01").code == "NoRegisteredProviderFound"
        assert arm.request(method, path, version="2020-09-01-preview").code != "NoRegisteredProviderFound"
    for path in (VAULT, IDENTITY, f"{PROVIDERS}/Microsoft.KeyVault/vaults"):
        assert arm.get(path, version="2099-01-01").code == "NoRegisteredProviderFound"


@pytest.mark.parametrize(
    "path",
    [
        *(GROUP, f"{SUBSCRIPTION}/resourcegroups", f"{GROUP}/resources", SUBSCRIPTION, "/subscriptions", "/tenants"),
        *(f"{SUBSCRIPTION}/providers/Microsoft.Storage", f"{PROVIDERS}/Microsoft.Resources/deployments/d1"),
    ],
)
def test_resource_manager_has_versions_of_its_own(arm, path):
    arm.make_group()
    for version in ("2024-04-01", "2099-01-01"):
        answer = arm.get(f"{path}?api-version={version}")
        assert (answer.status, answer.code) == (400, "InvalidApiVersionParameter")
        assert answer.error["message"].startswith(
            f"The api-version '{version}' is invalid. The supported versions are '2026-06-01,2025-04-01,2025-0"
        )
    assert arm.get(path, version="2022-05-01").status in (200, 404)


def test_metrics_in_one_batch_are_not_resource_managers(arm):
    answer = arm.request("POST", f"{SUBSCRIPTION}/metrics:getBatch", {}, version="2024-02-01")
    assert "InvalidApiVersionParameter" not in answer.text


def test_a_version_that_is_younger_than_all_known_ones_may_exist():
    newest = known_versions(STORAGES)[-1]
    assert "2024" < newest < "2029-12-01"
    check_api_version(STORAGES, "2029-12-01", seconds("2029-12-01"))
    for too_new in ("2029-12-01", "2029-11-31"):
        with pytest.raises(BadRequest, match=too_new):
            check_api_version(STORAGES, too_new, seconds("2029-11-30"))
    check_api_version("Microsoft.Insights/metrics", "2099-01-01", seconds("2026-11-30"))  # its versions are not known
