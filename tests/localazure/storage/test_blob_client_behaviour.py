"""The unmodified azure-storage-blob client: pages, metadata, conditions, blocks, refusals, and the asynchronous one."""

import base64
import hashlib
import io
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.localazure.storage.accounts import make_account
from tests.waiting import HANGS

pytestmark = pytest.mark.integration

MIB = 1 << 20


def test_lists_come_in_pages(start_local_azure, connect):
    azure = start_local_azure()
    service = connect(azure, make_account(azure))
    for number in range(5):
        service.create_container(f"box{number}", metadata={"number": str(number)})
    service.create_container("other")
    pages = [
        [container.name for container in page]
        for page in service.list_containers(name_starts_with="box", results_per_page=2).by_page()
    ]
    assert pages == [["box0", "box1"], ["box2", "box3"], ["box4"]]
    listed = list(service.list_containers(name_starts_with="box", include_metadata=True))
    assert [container.metadata for container in listed] == [{"number": str(number)} for number in range(5)]
    assert next(iter(service.list_containers(name_starts_with="box0"))).metadata is None

    container = service.get_container_client("box0")
    for name in ("a/1", "a/2", "b/1", "c"):
        container.upload_blob(name, b"")
    pages = [[blob.name for blob in page] for page in container.list_blobs(results_per_page=3).by_page()]
    assert pages == [["a/1", "a/2", "b/1"], ["c"]]
    paged = container.list_blobs(results_per_page=1).by_page()
    first = next(paged)
    assert [blob.name for blob in first] == ["a/1"]
    rest = container.list_blobs(results_per_page=9).by_page(continuation_token=paged.continuation_token)
    assert [[blob.name for blob in page] for page in rest] == [["a/2", "b/1", "c"]]
    assert [item.name for item in container.walk_blobs(delimiter="/", results_per_page=1)] == ["a/", "b/", "c"]


def test_containers_keep_their_metadata(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError, ResourceModifiedError, ResourceNotFoundError

    azure = start_local_azure()
    service = connect(azure, make_account(azure))
    container = service.create_container("box", metadata={"One": "1"})
    before = container.get_container_properties()
    assert before.metadata == {"One": "1"}
    container.set_container_metadata({"two": "2"})
    after = container.get_container_properties()
    assert (after.metadata, after.etag != before.etag) == ({"two": "2"}, True)
    assert (after.lease.status, after.lease.state) == ("unlocked", "available")
    with pytest.raises(HttpResponseError) as caught:
        container.set_container_metadata({"not-a-name": "x"})
    assert (caught.value.status_code, caught.value.error_code) == (400, "InvalidMetadata")
    with pytest.raises(ResourceModifiedError):
        container.delete_container(if_unmodified_since=datetime.now(UTC) - timedelta(days=1))
    container.delete_container()
    with pytest.raises(ResourceNotFoundError) as missing:
        container.get_container_properties()
    assert missing.value.error_code == "ContainerNotFound"
    with pytest.raises(ResourceNotFoundError):
        container.delete_container()


def test_reads_and_writes_can_depend_on_time_and_etag(start_local_azure, connect):
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError, ResourceModifiedError

    azure = start_local_azure()
    blob = connect(azure, make_account(azure)).create_container("box").upload_blob("x", b"1")
    shown = blob.get_blob_properties()
    hour = timedelta(hours=1)
    assert blob.download_blob(if_modified_since=shown.last_modified - hour).readall() == b"1"
    with pytest.raises(HttpResponseError) as caught:
        blob.download_blob(if_modified_since=shown.last_modified)
    assert caught.value.status_code == 304
    with pytest.raises(HttpResponseError) as unchanged:
        blob.get_blob_properties(etag=shown.etag, match_condition=MatchConditions.IfModified)
    assert unchanged.value.status_code == 304
    with pytest.raises(ResourceModifiedError) as modified:
        blob.upload_blob(b"2", overwrite=True, if_unmodified_since=shown.last_modified - hour)
    assert modified.value.error_code == "ConditionNotMet"
    with pytest.raises(ResourceModifiedError):
        blob.set_blob_metadata({"a": "b"}, etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    with pytest.raises(ResourceModifiedError):
        blob.delete_blob(etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    assert blob.download_blob().readall() == b"1"
    blob.upload_blob(b"3", overwrite=True, if_unmodified_since=shown.last_modified + hour)
    blob.delete_blob(if_unmodified_since=datetime.now(UTC) + hour)
    with pytest.raises(HttpResponseError) as lost:
        blob.upload_blob(b"4", overwrite=True, etag=shown.etag, match_condition=MatchConditions.IfNotModified)
    assert lost.value.status_code == 412


def test_blocks_streams_and_ranges(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import BlobBlock, ContentSettings

    azure = start_local_azure()
    service = connect(azure, make_account(azure), max_block_size=MIB, max_single_put_size=MIB, max_chunk_get_size=MIB)
    container = service.create_container("box")
    blob = container.get_blob_client("joined")
    for name, content in (("b", b"two"), ("a", b"one")):
        blob.stage_block(name, content)
    settings = ContentSettings(content_type="text/plain", cache_control="no-store", content_language="en")
    blob.commit_block_list([BlobBlock("a"), BlobBlock("b")], content_settings=settings, metadata={"k": "v"})
    assert blob.download_blob().readall() == b"onetwo"
    shown = blob.get_blob_properties()
    assert (shown.content_settings.cache_control, shown.metadata) == ("no-store", {"k": "v"})
    with pytest.raises(HttpResponseError) as caught:
        blob.commit_block_list([BlobBlock("missing")])
    assert (caught.value.status_code, caught.value.error_code) == (400, "InvalidBlockList")
    blob.set_http_headers(ContentSettings(content_type="text/html"))
    assert blob.get_blob_properties().content_settings.content_type == "text/html"

    def pieces():
        for number in range(5):
            yield bytes([number]) * (MIB // 2)

    stream = container.upload_blob("stream", pieces())
    whole = b"".join(pieces())
    sink = io.BytesIO()
    assert stream.download_blob().readinto(sink) == len(whole)
    assert sink.getvalue() == whole
    part = stream.download_blob(offset=MIB - 5, length=10, validate_content=True)
    assert part.readall() == whole[MIB - 5 : MIB + 5]
    with pytest.raises(HttpResponseError) as outside:
        stream.download_blob(offset=len(whole), length=1)
    assert (outside.value.status_code, outside.value.error_code) == (416, "InvalidRange")
    # The client compares it, where there is one.
    seen = {}
    stream.download_blob(
        offset=0, length=4, validate_content=True, raw_response_hook=lambda r: seen.update(r.http_response.headers)
    ).readall()
    assert seen["Content-MD5"] == base64.b64encode(hashlib.md5(whole[:4]).digest()).decode()


def test_what_the_blob_service_does_not_emulate_is_refused_as_such(start_local_azure, connect):
    from azure.core.exceptions import HttpResponseError
    from azure.storage.blob import StandardBlobTier

    azure = start_local_azure()
    url = make_account(azure)
    service = connect(azure, url)
    container = service.create_container("box")
    blob = container.upload_blob("x", b"1")
    for call in (
        lambda: container.get_blob_client("page").create_page_blob(512),
        lambda: container.get_blob_client("log").create_append_blob(),
        lambda: blob.create_snapshot(),
        lambda: blob.acquire_lease(),
        lambda: blob.set_blob_tags({"a": "b"}),
        lambda: blob.set_standard_blob_tier("Cool"),
        lambda: blob.get_block_list(),
        lambda: container.upload_blob("cold", b"1", standard_blob_tier=StandardBlobTier.COOL),
        lambda: container.get_container_access_policy(),
        lambda: container.delete_blobs("x"),
        lambda: service.create_container("open", public_access="container"),
        lambda: service.get_service_properties(),
        lambda: service.get_account_information(),
        lambda: service.get_user_delegation_key(datetime.now(UTC), datetime.now(UTC) + timedelta(hours=1)),
    ):
        with pytest.raises(HttpResponseError) as caught:
            call()
        assert (caught.value.status_code, caught.value.error_code) == (501, "NotEmulated")
    assert [item.name for item in container.list_blobs()] == ["x"]


ASYNC_SESSION = """
import asyncio, sys
from azure.core.exceptions import ResourceNotFoundError
from azure.identity.aio import DefaultAzureCredential
from azure.storage.blob.aio import BlobServiceClient

async def main(url):
    async with DefaultAzureCredential() as credential, BlobServiceClient(url, credential, max_block_size=1 << 20,
                                                                         max_single_put_size=1 << 20) as service:
        container = await service.create_container("box")
        await container.upload_blob("big", b"x" * (3 << 20), max_concurrency=2)
        await container.upload_blob("small", b"1", metadata={"a": "b"})
        names = [blob.name async for blob in container.list_blobs()]
        content = await (await container.download_blob("big", max_concurrency=2)).readall()
        await container.delete_blob("small")
        try:
            await container.download_blob("small")
        except ResourceNotFoundError as missing:
            print(names, len(content), missing.error_code)

asyncio.run(main(sys.argv[1]))
"""


def test_the_asynchronous_client(start_local_azure):
    azure = start_local_azure()
    command = [sys.executable, "-c", ASYNC_SESSION, make_account(azure)]
    done = subprocess.run(command, env=azure.environment(), capture_output=True, text=True, timeout=HANGS, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.strip() == f"['big', 'small'] {3 << 20} BlobNotFound"
