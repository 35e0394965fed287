"""Copy Blob, as the unmodified azure-storage-blob client asks for it."""

from datetime import UTC, datetime, timedelta

import pytest
import requests

from tests.localazure.storage.accounts import STORAGE, make_account
from tests.waiting import HANGS

pytestmark = pytest.mark.integration


@pytest.fixture
def box(start_local_azure, connect):
    """The service's URL, the local Azure, the service and a container with the blob `a/source`."""
    from azure.storage.blob import ContentSettings

    azure = start_local_azure()
    url = make_account(azure)
    service = connect(azure, url)
    container = service.create_container("box")
    settings = ContentSettings(content_type="text/plain", content_language="en")
    container.upload_blob("a/source", b"first" * 1000, metadata={"kind": "old"}, content_settings=settings)
    return url, azure, service, container


def test_a_copy_has_the_sources_content_headers_and_metadata_and_says_that_it_is_finished(box):
    url, _, service, container = box
    made = service.create_container("other").get_blob_client("deep/copy")
    answer = made.start_copy_from_url(f"{url}box/a/source")
    assert answer["copy_status"] == "success"
    found = made.get_blob_properties()
    assert (found.copy.status, found.copy.id, found.copy.progress) == ("success", answer["copy_id"], "5000/5000")
    assert found.copy.source == f"{url}box/a/source"
    assert (found.content_settings.content_type, found.content_settings.content_language) == ("text/plain", "en")
    assert (found.metadata, found.etag) == ({"kind": "old"}, answer["etag"])
    assert made.download_blob().readall() == b"first" * 1000

    container.upload_blob("a/source", b"second", overwrite=True)
    assert made.download_blob().readall() == b"first" * 1000, "a copy does not follow its source"
    made.upload_blob(b"third", overwrite=True)
    assert made.get_blob_properties().copy.status is None, "only the write of a copy is a copy"


def test_a_copy_may_replace_a_blob_even_itself_and_carries_the_metadata_of_the_request(box):
    url, *_, container = box
    blob = container.upload_blob("target", b"before", metadata={"kind": "target"})
    blob.start_copy_from_url(f"{url}box/a/source", metadata={"kind": "new"})
    assert blob.download_blob().readall() == b"first" * 1000
    assert blob.get_blob_properties().metadata == {"kind": "new"}
    blob.start_copy_from_url(blob.url)
    assert blob.download_blob().readall() == b"first" * 1000


def test_names_are_unescaped_in_the_source(box):
    container = box[-1]
    container.upload_blob("a b/ä+%.txt", b"odd")
    made = container.get_blob_client("copy")
    made.start_copy_from_url(container.get_blob_client("a b/ä+%.txt").url)
    assert made.download_blob().readall() == b"odd"


def test_conditions_on_the_target_hold_and_a_missing_source_changes_nothing(box):
    from azure.core import MatchConditions
    from azure.core.exceptions import HttpResponseError, ResourceNotFoundError

    url, *_, container = box
    blob = container.upload_blob("target", b"before")
    with pytest.raises(HttpResponseError) as caught:
        blob.start_copy_from_url(f"{url}box/a/source", etag='"0x1"', match_condition=MatchConditions.IfNotModified)
    assert (caught.value.status_code, caught.value.error_code) == (412, "ConditionNotMet")
    with pytest.raises(ResourceNotFoundError) as missing:
        blob.start_copy_from_url(f"{url}box/none")
    assert missing.value.error_code == "BlobNotFound"
    assert blob.download_blob().readall() == b"before"


@pytest.mark.parametrize(
    "source",
    [
        "https://elsewhere.blob.core.windows.net/box/a",
        "https://localhost:1/{account}/box/a/source",
        "{base}/stacc2/box/a/source",
        "{url}box/a/source?snapshot=2024-01-01T00:00:00Z",
    ],
)
def test_copies_from_elsewhere_are_refused_as_not_emulated(box, source):
    from azure.core.exceptions import HttpResponseError

    url, *_, container = box
    account = url.rstrip("/").rpartition("/")[2]
    source = source.format(url=url, account=account, base=url.rstrip("/").rpartition("/")[0])
    with pytest.raises(HttpResponseError) as caught:
        container.get_blob_client("copy").start_copy_from_url(source)
    assert (caught.value.status_code, caught.value.error_code) == (501, "NotEmulated")
    assert not container.get_blob_client("copy").exists()


def test_other_kinds_of_copies_are_refused_as_not_emulated(box):
    from azure.core.exceptions import HttpResponseError

    url, azure, _, container = box
    source, copy = f"{url}box/a/source", container.get_blob_client("copy")
    for call in (
        lambda: copy.start_copy_from_url(source, source_if_modified_since=datetime(2024, 1, 1, tzinfo=UTC)),
        lambda: copy.upload_blob_from_url(source),
        lambda: copy.stage_block_from_url("MQ==", source),
        lambda: copy.abort_copy("x"),
    ):
        with pytest.raises(HttpResponseError) as caught:
            call()
        assert (caught.value.status_code, caught.value.error_code) == (501, "NotEmulated")
    sent = {"Authorization": "Bearer x", "x-ms-copy-source": source, "x-ms-requires-sync": "true"}
    answer = requests.put(copy.url, headers=sent, verify=azure.trust, timeout=HANGS)
    assert (answer.status_code, answer.headers["x-ms-error-code"]) == (501, "NotEmulated")
    assert not copy.exists()


def test_a_sas_of_the_target_does_not_read_the_source(box):
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob import BlobClient, generate_container_sas

    url, azure, *_ = box
    key = azure.request("POST", f"{STORAGE}/listKeys").json()["keys"][0]["value"]
    until = datetime.now(UTC) + timedelta(hours=1)
    sas = generate_container_sas("stacc1", "box", key, permission="rcw", expiry=until)
    blob = BlobClient.from_blob_url(f"{url}box/copy?{sas}")
    with blob, pytest.raises(ResourceNotFoundError) as caught:
        blob.start_copy_from_url(f"{url}box/a/source")
    assert caught.value.error_code == "CannotVerifyCopySource"
    with BlobClient.from_blob_url(f"{url}box/copy?{sas}") as blob:
        blob.start_copy_from_url(f"{url}box/a/source?{sas}")
        assert blob.download_blob().readall() == b"first" * 1000
