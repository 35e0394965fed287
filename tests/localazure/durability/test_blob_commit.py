"""A blob is whole at any moment, also when the process dies between the two steps of its commit."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from localazure.storage.blobs import BlobStore
from localazure.store import Store


class Killed(BaseException):
    """kill -9, as far as a test can say it."""


def open_blobs(home: Path) -> tuple[Store, BlobStore]:
    store = Store(home / "azure.db")
    return store, BlobStore(home / "blobs", store, lambda: 1.0)


def write(blobs: BlobStore, content: bytes) -> None:
    upload = blobs.new_upload("acc1", "box")
    upload.write_bytes(content)
    blobs.commit_upload("acc1", "box", "a/b", upload, len(content), "md5", {})


def read(blobs: BlobStore) -> tuple[int, bytes]:
    return blobs.properties("acc1", "box", "a/b")["size"], blobs.path("acc1", "box", "a/b").read_bytes()


def test_a_kill_between_properties_and_content_is_repaired(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, blobs = open_blobs(tmp_path)
    blobs.create_container("acc1", "box")
    write(blobs, b"old")

    def die(*paths: object) -> None:
        raise Killed

    with monkeypatch.context() as patched:
        patched.setattr(os, "replace", die)
        with pytest.raises(Killed):
            write(blobs, b"newer")
    store.close()
    store, blobs = open_blobs(tmp_path)
    blobs.recover()
    assert read(blobs) == (5, b"newer")
    store.close()


def test_what_was_not_received_whole_is_removed_and_blocks_are_kept(tmp_path: Path) -> None:
    store, blobs = open_blobs(tmp_path)
    blobs.create_container("acc1", "box")
    write(blobs, b"old")
    half, block = blobs.new_upload("acc1", "box"), blobs.block_path("acc1", "box", "a/b", "AAAA")
    half.write_bytes(b"ha")
    block.write_bytes(b"block")
    blobs.recover()
    assert not half.exists()
    assert block.read_bytes() == b"block"
    assert read(blobs) == (3, b"old")
    store.close()
