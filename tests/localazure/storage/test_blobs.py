"""The blob store without HTTP: names, files, listing pages."""

import pytest

from localazure.storage.blobs import BlobStore
from localazure.storage.errors import BlobError
from localazure.store import Store


@pytest.fixture
def blobs(tmp_path):
    store = Store(tmp_path / "azure.db")
    made = BlobStore(tmp_path / "blobs", store, lambda: 1_800_000_000.0)
    made.create_container("acc", "box")
    yield made
    store.close()


def write(blobs, name, content=b"x"):
    upload = blobs.new_upload("acc", "box")
    upload.write_bytes(content)
    return blobs.commit_upload("acc", "box", name, upload, len(content), "md5", {})


def names(page):
    return [name for name, _ in page[0]], page[1], page[2]


def test_a_blob_is_a_file_at_its_name(blobs):
    write(blobs, "a/b/c.txt", b"hello")
    assert blobs.path("acc", "box", "a/b/c.txt").read_bytes() == b"hello"
    assert blobs.path("acc", "box", "a/b").is_dir()
    blobs.delete("acc", "box", "a/b/c.txt")
    assert not blobs.path("acc", "box", "a").exists()


@pytest.mark.parametrize("name", ["../x", "a/../b", "/a", "a//b", "a/.", "a\\b", "a\0b", "", "x" * 1025])
def test_a_name_that_leaves_its_container_is_refused(blobs, name):
    with pytest.raises(BlobError, match="InvalidResourceName"):
        blobs.path("acc", "box", name)


@pytest.mark.parametrize("name", ["Box", "a", "a--b", "-ab", "..", "a/b"])
def test_a_bad_container_name_is_refused(blobs, name):
    with pytest.raises(BlobError, match="InvalidResourceName"):
        blobs.create_container("acc", name)


def test_a_blob_cannot_be_a_folder_too(blobs):
    write(blobs, "a/b")
    with pytest.raises(BlobError, match="NotEmulated"):
        write(blobs, "a")
    with pytest.raises(BlobError, match="NotEmulated"):
        write(blobs, "a/b/c")


def test_pages_follow_each_other_without_gap_or_repetition(blobs):
    for name in ("a/1", "a/2", "b", "c/1", "c/2", "d"):
        write(blobs, name)
    assert names(blobs.list_blobs("acc", "box", "", "", "", 4)) == (["a/1", "a/2", "b", "c/1"], [], "c/1")
    assert names(blobs.list_blobs("acc", "box", "", "", "c/1", 4)) == (["c/2", "d"], [], "")
    seen, folders, marker = [], [], ""
    for _ in range(4):
        page = blobs.list_blobs("acc", "box", "", "/", marker, 1)
        seen += [name for name, _ in page[0]]
        folders += page[1]
        marker = page[2]
        if not marker:
            break
    assert (seen, folders) == (["b", "d"], ["a/", "c/"])
    assert names(blobs.list_blobs("acc", "box", "a/", "", "", 10)) == (["a/1", "a/2"], [], "")


def test_what_does_not_exist_has_the_services_codes(blobs):
    with pytest.raises(BlobError, match="BlobNotFound"):
        blobs.properties("acc", "box", "none")
    with pytest.raises(BlobError, match="ContainerNotFound"):
        blobs.properties("acc", "other", "none")
    with pytest.raises(BlobError, match="ContainerAlreadyExists"):
        blobs.create_container("acc", "box")
