"""What the built-in roles permit, and which action a request needs."""

import pytest

from localazure.arm.permissions import ACTIONS, asked_of, permits
from localazure.arm.reply import Request
from localazure.arm.roles import (
    BLOB_DATA_CONTRIBUTOR,
    BUILT_IN_ROLES,
    CONTRIBUTOR,
    DATA_SCIENTIST,
    MONITORING_CONTRIBUTOR,
    MONITORING_READER,
    OWNER,
    RBAC_ADMINISTRATOR,
    READER,
    USER_ACCESS_ADMINISTRATOR,
)
from localazure.resource_id import ResourceId
from tests.localazure.platform_bodies import GROUP, SUBSCRIPTION, WORKSPACE

ML = "microsoft.machinelearningservices/workspaces"
GRANT = "microsoft.authorization/roleassignments/write"
ENDPOINT = f"{WORKSPACE}/onlineEndpoints/fraud"


@pytest.mark.parametrize(
    ("role", "action", "permitted"),
    [
        (OWNER, GRANT, True),
        (CONTRIBUTOR, f"{ML}/onlineendpoints/write", True),
        (CONTRIBUTOR, GRANT, False),
        (CONTRIBUTOR, "microsoft.authorization/roleassignments/read", True),
        (READER, f"{ML}/read", True),
        (READER, f"{ML}/onlineendpoints/listkeys/action", False),
        (MONITORING_READER, "microsoft.insights/metrics/read", True),
        (MONITORING_CONTRIBUTOR, "microsoft.insights/privatelinkscopes/scopedresources/write", True),
        (MONITORING_CONTRIBUTOR, f"{ML}/write", False),
        (USER_ACCESS_ADMINISTRATOR, GRANT, True),
        (USER_ACCESS_ADMINISTRATOR, f"{ML}/write", False),
        (RBAC_ADMINISTRATOR, GRANT, True),
        (RBAC_ADMINISTRATOR, "microsoft.authorization/locks/write", False),
        (DATA_SCIENTIST, f"{ML}/onlineendpoints/deployments/write", True),
        (DATA_SCIENTIST, f"{ML}/read", True),
        (DATA_SCIENTIST, f"{ML}/write", False),
        (DATA_SCIENTIST, f"{ML}/computes/write", False),
        (DATA_SCIENTIST, f"{ML}/onlineendpoints/listkeys/action", True),
        (DATA_SCIENTIST, "microsoft.storage/storageaccounts/read", False),
        (BLOB_DATA_CONTRIBUTOR, "microsoft.storage/storageaccounts/read", False),
        ("00000000-0000-0000-0000-000000000000", f"{ML}/read", False),
    ],
)
def test_a_role_permits_what_its_page_says(role, action, permitted):
    assert permits(role, action) is permitted


def test_every_role_with_actions_has_a_name():
    assert ACTIONS.keys() <= BUILT_IN_ROLES.keys()


@pytest.mark.parametrize(
    ("method", "path", "action", "scope"),
    [
        ("GET", WORKSPACE, f"{ML}/read", WORKSPACE),
        ("PUT", ENDPOINT, f"{ML}/onlineendpoints/write", ENDPOINT),
        ("PATCH", ENDPOINT, f"{ML}/onlineendpoints/write", ENDPOINT),
        ("DELETE", ENDPOINT, f"{ML}/onlineendpoints/delete", ENDPOINT),
        ("POST", f"{ENDPOINT}/listKeys", f"{ML}/onlineendpoints/listkeys/action", ENDPOINT),
        ("GET", f"{WORKSPACE}/onlineEndpoints", f"{ML}/onlineendpoints/read", WORKSPACE),
        ("GET", f"{ENDPOINT}/providers/microsoft.insights/metrics", "microsoft.insights/metrics/read", ENDPOINT),
        ("PUT", GROUP, "microsoft.resources/subscriptions/resourcegroups/write", GROUP),
        ("GET", SUBSCRIPTION, "", SUBSCRIPTION),
        ("GET", "/subscriptions", "", "/subscriptions"),
        (
            "GET",
            f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/mfeOperationsStatus/x",
            "",
            f"{SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/mfeOperationsStatus/x",
        ),
    ],
)
def test_a_request_needs_one_action_on_one_scope(method, path, action, scope):
    request = Request(method, ResourceId(path), "2025-01-01", {}, {}, "")
    assert asked_of(request) == (action, scope)
