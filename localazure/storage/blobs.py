"""Containers and blobs: content in files `<root>/<account>/<container>/<blob path>`, properties in the store.

A blob's properties are committed, then one rename puts its file in place. If a kill comes between the two steps, the
next start finishes the second, so a blob is complete at any moment. A name that is also a folder of another blob's name
is refused: a path cannot be both. The module knows neither HTTP nor permissions.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from localazure.storage.errors import BlobError, blob_not_found, container_not_found, not_emulated

if TYPE_CHECKING:
    from localazure.store import Store

_CONTAINER = re.compile(r"[a-z0-9](?:[a-z0-9]|-(?=[a-z0-9])){2,62}")
_MAX_NAME = 1024
_MAX_SEGMENT = 255  # of a file name
_MAX_MD5_RANGE = 4 << 20
_MAX_BLOCKS = 50_000
_UPLOADS = ".uploads"  # no container can have this name


class BlobStore:
    """All accounts' blobs below one folder."""

    def __init__(self, root: Path, store: Store, clock: Callable[[], float]) -> None:
        self._root = root
        self._store = store
        self._clock = clock

    # Containers

    def create_container(
        self, account: str, name: str, metadata: Mapping[str, str] | None = None, *, exist_ok: bool = False
    ) -> dict[str, Any]:
        if not _CONTAINER.fullmatch(name):
            raise BlobError(400, "InvalidResourceName", "The specified resource name contains invalid characters.")
        existing = self._store.container(account, name)
        if existing is not None:
            if exist_ok:
                return existing
            raise BlobError(409, "ContainerAlreadyExists", "The specified container already exists.")
        now = self._clock()
        document = {"created": now, "modified": now, "etag": _etag(), "metadata": dict(metadata or {})}
        self._store.save_container(account, name, document)
        return document

    def container(self, account: str, name: str) -> dict[str, Any]:
        document = self._store.container(account, name)
        if document is None:
            raise container_not_found()
        return document

    def update_container(self, account: str, name: str, metadata: Mapping[str, str]) -> dict[str, Any]:
        changes = {"metadata": dict(metadata), "modified": self._clock(), "etag": _etag()}
        document = self.container(account, name) | changes
        self._store.save_container(account, name, document)
        return document

    def delete_container(self, account: str, name: str) -> None:
        self.container(account, name)
        self._store.delete_container(account, name)
        shutil.rmtree(self._root / account / name, ignore_errors=True)
        shutil.rmtree(self._root / account / _UPLOADS / name, ignore_errors=True)

    def delete_account(self, account: str) -> None:
        for name, _ in self._store.containers(account):
            self._store.delete_container(account, name)
        shutil.rmtree(self._root / account, ignore_errors=True)

    # Reading

    def path(self, account: str, container: str, name: str) -> Path:
        """The file of a blob, or the folder of all blobs whose names start with `name/`."""
        parts = name.split("/")
        if len(name) > _MAX_NAME or "\\" in name or "\0" in name or any(part in ("", ".", "..") for part in parts):
            raise BlobError(400, "InvalidResourceName", "The specified resource name contains invalid characters.")
        if any(len(part.encode()) > _MAX_SEGMENT for part in parts):
            raise not_emulated(f"A blob name with a part of more than {_MAX_SEGMENT} bytes")
        if not account.isalnum() or not _CONTAINER.fullmatch(container):
            raise container_not_found()
        return self._root.joinpath(account, container, *parts)

    def properties(self, account: str, container: str, name: str) -> dict[str, Any]:
        document = self._store.blob(account, container, name)
        if document is None:
            self.container(account, container)
            raise blob_not_found()
        return document

    def range_md5(self, account: str, container: str, name: str, start: int, end: int) -> str:
        if end - start > _MAX_MD5_RANGE:
            # A known rule; code and wording are ours.
            raise BlobError(400, "InvalidHeaderValue", "The MD5 of a range of more than 4 MiB cannot be asked for.")
        with self.path(account, container, name).open("rb") as file:
            file.seek(start)
            return base64.b64encode(hashlib.md5(file.read(end - start), usedforsecurity=False).digest()).decode()

    def find(self, account: str, container: str, name: str) -> dict[str, Any] | None:
        return self._store.blob(account, container, name)

    # Writing

    def new_upload(self, account: str, container: str) -> Path:
        """A new file to receive content."""
        self.container(account, container)
        folder = self._root / account / _UPLOADS / container
        folder.mkdir(parents=True, exist_ok=True)
        return folder / uuid.uuid4().hex

    def block_path(self, account: str, container: str, name: str, block_id: str) -> Path:
        """The file of an uncommitted block."""
        try:
            base64.b64decode(block_id, validate=True)
        except ValueError as exc:
            raise BlobError(400, "InvalidQueryParameterValue", "blockid is not Base64.") from exc
        folder = self._root / account / _UPLOADS / container / _digest(name)
        folder.mkdir(parents=True, exist_ok=True)
        return folder / _digest(block_id)

    def commit_upload(
        self, account: str, container: str, name: str, upload: Path, size: int, md5: str, headers: dict[str, Any]
    ) -> dict[str, Any]:
        """Make an uploaded file the content of a blob."""
        target = self.path(account, container, name)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            if target.is_dir():
                raise IsADirectoryError(target)
        except (NotADirectoryError, FileExistsError, IsADirectoryError) as exc:
            upload.unlink(missing_ok=True)
            raise not_emulated(f"A blob that is also a folder of other blobs ({name})") from exc
        before = self._store.blob(account, container, name)
        now = self._clock()
        document: dict[str, Any] = {
            "created": before["created"] if before else now,
            "modified": now,
            "etag": _etag(),
            "size": size,
            "md5": md5,
            "metadata": {},
            "headers": {},
            "upload": upload.name,
        } | headers
        # In this order: `recover` can finish the second step, but could not recognise content without properties.
        self._store.save_blob(account, container, name, document)
        os.replace(upload, target)
        return document

    def recover(self) -> None:
        """After a start: finish the commits that a killed process began, and remove incomplete uploads."""
        for upload in self._root.glob(f"*/{_UPLOADS}/*/*"):
            if upload.is_dir():
                continue  # keep blocks until their list is committed
            account, container = upload.parent.parent.parent.name, upload.parent.name
            blobs = self._store.blobs(account, container, "", "")
            name = next((name for name, document in blobs if document.get("upload") == upload.name), None)
            if name is None:
                upload.unlink()
            else:
                os.replace(upload, self.path(account, container, name))

    def assemble(self, account: str, container: str, name: str, block_ids: list[str]) -> tuple[Path, int, str]:
        """Join uncommitted blocks into a new upload: file, size and MD5."""
        if len(block_ids) > _MAX_BLOCKS:
            raise BlobError(400, "BlockListTooLong", "The block list may not contain more than 50,000 blocks.")
        upload = self.new_upload(account, container)
        digest, size = hashlib.md5(usedforsecurity=False), 0
        with upload.open("wb") as out:
            for block_id in block_ids:
                path = self.block_path(account, container, name, block_id)
                if not path.exists():
                    upload.unlink()
                    raise BlobError(400, "InvalidBlockList", "The specified block list is invalid.")
                with path.open("rb") as block:
                    while chunk := block.read(1 << 20):
                        out.write(chunk)
                        digest.update(chunk)
                        size += len(chunk)
        return upload, size, base64.b64encode(digest.digest()).decode()

    def discard_blocks(self, account: str, container: str, name: str) -> None:
        shutil.rmtree(self._root / account / _UPLOADS / container / _digest(name), ignore_errors=True)

    def update(self, account: str, container: str, name: str, changes: dict[str, Any]) -> dict[str, Any]:
        """Change metadata or headers of a blob."""
        document = self.properties(account, container, name) | changes | {"modified": self._clock(), "etag": _etag()}
        self._store.save_blob(account, container, name, document)
        return document

    def delete(self, account: str, container: str, name: str) -> None:
        self.properties(account, container, name)
        path = self.path(account, container, name)
        self._store.delete_blob(account, container, name)
        path.unlink(missing_ok=True)
        top = self._root / account / container
        for folder in path.parents:
            if folder == top or any(folder.iterdir()):
                break
            folder.rmdir()

    # Listing

    def list_blobs(
        self, account: str, container: str, prefix: str, delimiter: str, marker: str, limit: int
    ) -> tuple[list[tuple[str, dict[str, Any]]], list[str], str]:
        """One page: blobs, virtual folders, and the marker of the next page (empty at the end)."""
        self.container(account, container)
        found: list[tuple[str, dict[str, Any]]] = []
        folders: list[str] = []
        last = marker
        for name, document in self._store.blobs(account, container, prefix, marker):
            if delimiter and delimiter in name[len(prefix) :]:
                folder = prefix + name[len(prefix) :].split(delimiter, 1)[0] + delimiter
                if (folders and folders[-1] == folder) or marker.startswith(folder):
                    last = name
                    continue
                if len(found) + len(folders) == limit:
                    return found, folders, last
                folders.append(folder)
            else:
                if len(found) + len(folders) == limit:
                    return found, folders, last
                found.append((name, document))
            last = name
        return found, folders, ""

    def list_containers(
        self, account: str, prefix: str, marker: str, limit: int
    ) -> tuple[list[tuple[str, dict[str, Any]]], str]:
        """One page, and the marker of the next (empty at the end)."""
        found = [item for item in self._store.containers(account) if item[0].startswith(prefix) and item[0] > marker]
        return found[:limit], found[limit - 1][0] if len(found) > limit else ""


def _etag() -> str:
    return f'"0x{uuid.uuid4().hex[:15].upper()}"'


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
