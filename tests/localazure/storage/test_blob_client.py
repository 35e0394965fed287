"""The unmodified azure-storage-blob client against a running server."""

import os
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from localazure import identity
from tests.localazure.storage.accounts import GROUP, STORAGE, SUBSCRIPTION, make_account
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

BLOB_CONTRIBUTOR = "ba92f5b4-2d11-453d-a403-e96b0029c9fe"
MIB = 1 << 20


def test_upload_list_download_delete(start_local_azure, connect):
    azure = start_local_azure()
    container = connect(azure, make_account(azure)).create_container("box")
    blob = container.upload_blob("a b/ü&<>.txt", b"hello", metadata={"One": "1"}, content_type="text/x")
    properties = blob.get_blob_properties()
    assert (properties.size, properties.metadata) == (5, {"One": "1"})
    assert properties.content_settings.content_type == "text/x"
    assert container.download_blob("a b/ü&<>.txt").readall() == b"hello"
    assert container.download_blob("a b/ü&<>.txt", offset=1, length=3).readall() == b"ell"
    container.upload_blob("a b/two", b"")
    assert container.download_blob("a b/two").readall() == b""
    assert [item.name for item in container.list_blobs(name_starts_with="a b/")] == ["a b/two", "a b/ü&<>.txt"]
    assert [item.name for item in container.walk_blobs()] == ["a b/"]
    listed = next(iter(container.list_blobs(name_starts_with="a b/ü", include=["metadata"])))
    assert (listed.metadata, listed.size) == ({"One": "1"}, 5)
    blob.set_blob_metadata({"Two": "2"})
    assert blob.get_blob_properties().metadata == {"Two": "2"}
    assert blob.exists()
    blob.delete_blob()
    assert not blob.exists()
    container.delete_container()
    assert not container.exists()


def test_a_large_blob_goes_in_blocks_and_comes_in_ranges(start_local_azure, connect):
    azure = start_local_azure()
    service = connect(
        azure,
        make_account(azure),
        max_single_put_size=MIB,
        max_block_size=MIB,
        max_single_get_size=MIB,
        max_chunk_get_size=MIB,
    )
    content = os.urandom(5 * MIB + 17)
    container = service.create_container("box")
    container.upload_blob("big", content, max_concurrency=3)
    assert container.download_blob("big", max_concurrency=3, validate_content=True).readall() == content
    uploads = azure.home / "blobs" / "stacc1" / ".uploads" / "box"
    assert [path for path in uploads.rglob("*") if path.is_file()] == []


def test_conditions_have_their_status(start_local_azure, connect):
    from azure.core import MatchConditions
    from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError

    azure = start_local_azure()
    container = connect(azure, make_account(azure)).create_container("box")
    blob = container.upload_blob("x", b"1")
    with pytest.raises(ResourceExistsError) as caught:
        container.upload_blob("x", b"2")
    assert caught.value.error_code == "BlobAlreadyExists"
    etag = blob.get_blob_properties().etag
    blob.upload_blob(b"3", overwrite=True)
    with pytest.raises(ResourceModifiedError):
        blob.upload_blob(b"4", overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceNotFoundError) as missing:
        container.download_blob("y")
    assert missing.value.error_code == "BlobNotFound"
    with pytest.raises(ResourceExistsError):
        container.create_container()


def test_a_corrupted_upload_is_refused(start_local_azure):
    import requests

    azure = start_local_azure()
    url = make_account(azure)
    headers = {"Authorization": "Bearer x", "x-ms-version": "2023-11-03"}
    created = requests.put(f"{url}box?restype=container", headers=headers, verify=azure.trust, timeout=HANGS)
    assert created.status_code == 201
    headers |= {"x-ms-blob-type": "BlockBlob", "Content-MD5": "AAAAAAAAAAAAAAAAAAAAAA=="}
    answer = requests.put(f"{url}box/x", data=b"1", headers=headers, verify=azure.trust, timeout=HANGS)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (400, "Md5Mismatch")
    anonymous = requests.get(f"{url}box/x", verify=azure.trust, timeout=HANGS)
    assert (anonymous.status_code, anonymous.headers["x-ms-error-code"]) == (401, "NoAuthenticationInformation")
    shared = requests.get(f"{url}box/x", headers={"Authorization": "SharedKey a:b"}, verify=azure.trust, timeout=HANGS)
    assert shared.status_code == 501


@pytest.mark.proves("storageAccounts", honours=["properties.publicNetworkAccess"], client="azure-storage-blob")
@pytest.mark.proves("switches", honours=["--outside-network"], client="azure-storage-blob")
def test_a_caller_outside_of_the_network_is_refused(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError

    azure = start_local_azure(outside_network=True)
    service = connect(azure, make_account(azure, publicNetworkAccess="Disabled"))
    with pytest.raises(HttpResponseError) as caught:
        service.create_container("box")
    assert (caught.value.status_code, caught.value.error_code) == (403, "AuthorizationFailure")
    make_account(azure, publicNetworkAccess="Enabled")
    service.create_container("box")


@pytest.mark.proves(
    "roleAssignments", honours=["properties.principalId", "properties.roleDefinitionId"], client="azure-storage-blob"
)
@pytest.mark.proves("switches", honours=["--caller-without-data-roles"], client="azure-storage-blob")
def test_a_caller_without_a_data_role_is_refused_until_it_has_one(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError

    azure = start_local_azure(caller_without_data_roles=True)
    service = connect(azure, make_account(azure))
    with pytest.raises(HttpResponseError) as caught:
        service.create_container("box")
    assert (caught.value.status_code, caught.value.error_code) == (403, "AuthorizationPermissionMismatch")
    definition = f"{SUBSCRIPTION}/providers/Microsoft.Authorization/roleDefinitions/{BLOB_CONTRIBUTOR}"
    body = {"properties": {"principalId": identity.CALLER_OBJECT_ID, "roleDefinitionId": definition}}
    path = f"{GROUP}/providers/Microsoft.Authorization/roleAssignments/{uuid.uuid4()}"
    assert azure.request("PUT", path, body).status_code == 201
    service.create_container("box").upload_blob("x", b"1")


def test_a_signature_opens_its_container_only(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import ContainerClient, ContainerSasPermissions, generate_container_sas

    azure = start_local_azure()
    url = make_account(azure)
    service = connect(azure, url)
    service.create_container("box").upload_blob("x", b"1")
    key = azure.request("POST", f"{STORAGE}/listKeys").json()["keys"][0]["value"]
    expiry = datetime.now(UTC) + timedelta(minutes=5)
    token = generate_container_sas("stacc1", "box", key, permission=ContainerSasPermissions(read=True), expiry=expiry)
    with ContainerClient.from_container_url(f"{url}box?{token}") as reader:
        assert reader.download_blob("x").readall() == b"1"
        with pytest.raises(HttpResponseError) as caught:
            reader.upload_blob("y", b"2")
    assert caught.value.error_code == "AuthorizationPermissionMismatch"
