"""SAS: what azure-storage-blob signs is accepted, everything else is refused with the service's codes."""

import base64
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qsl

import pytest

from localazure.storage.errors import BlobError
from localazure.storage.signatures import check_signature, container_signature

KEY = base64.b64encode(b"k" * 64).decode()
NOW = 1_800_000_000.0
QUERY = dict(parse_qsl(container_signature("acc", "box", KEY, NOW + 60, "rl")))


def refusal(query, *, container="box", blob="a/b", key=KEY, now=NOW, needed="r"):
    """Status and code; None for a signature that is accepted."""
    try:
        check_signature(query, "acc", container, blob, [key], now, needed)
    except BlobError as refused:
        return refused.status, refused.code
    return None


def test_our_own_signature_is_accepted():
    assert refusal(QUERY) is None


def test_signatures_of_the_clients_library_are_accepted():
    from azure.storage import blob  # slow to import

    expiry = datetime.fromtimestamp(NOW, UTC) + timedelta(minutes=5)
    of_container = blob.generate_container_sas(
        "acc", "box", KEY, permission=blob.ContainerSasPermissions(read=True), expiry=expiry
    )
    of_blob = blob.generate_blob_sas(
        "acc", "box", "a/b", account_key=KEY, permission=blob.BlobSasPermissions(read=True), expiry=expiry
    )
    assert refusal(dict(parse_qsl(of_container))) is None
    assert refusal(dict(parse_qsl(of_blob))) is None
    assert refusal(dict(parse_qsl(of_blob)), blob="a/c") == (403, "AuthenticationFailed")


@pytest.mark.parametrize(
    ("change", "more"),
    [
        ({"sp": "rwdl"}, {}),
        ({"se": "2099-01-01T00:00:00Z"}, {}),
        ({"sig": "AAAA"}, {}),
        ({}, {"container": "other"}),
        ({}, {"key": base64.b64encode(b"x" * 64).decode()}),
        ({}, {"now": NOW + 61}),
        ({"sig": ""}, {}),
    ],
)
def test_what_was_not_signed_is_refused(change, more):
    assert refusal(QUERY | change, **more) == (403, "AuthenticationFailed")


def test_a_permission_that_was_not_given_is_refused():
    assert refusal(QUERY, needed="cw") == (403, "AuthorizationPermissionMismatch")


@pytest.mark.parametrize(
    "change", [{"ss": "b"}, {"si": "policy"}, {"sip": "1.2.3.4"}, {"skoid": "x"}, {"sv": "2018-03-28"}]
)
def test_other_kinds_of_sas_are_not_emulated(change):
    assert refusal(QUERY | change) == (501, "NotEmulated")
