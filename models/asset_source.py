"""Where the bytes of an asset come from when it is published, and the check that they are the right ones."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from models.content import file_digest, list_files
from models.spec import LocalAsset


@dataclass(frozen=True, kw_only=True)
class Fingerprint:
    """What one file of an asset must be."""

    path: str  # relative to the asset, POSIX; of a single file its name
    size: int  # bytes
    sha256: str  # 64 hex digits


class Readable(Protocol):
    """A stream of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return at most `size` bytes, none at the end."""


class Source(Protocol):
    """The files of one asset."""

    def files(self) -> Sequence[Fingerprint]:
        """What they are. Raises ContentError or OSError if they cannot be read."""

    def total_bytes(self) -> int:
        """Their size."""

    def open(self, path: str) -> AbstractContextManager[Readable]:
        """Open one of them. Raises PublishError if its bytes are nowhere; may be called from several threads."""


class FolderSource:
    """An asset whose files are at its own path."""

    def __init__(self, asset: LocalAsset) -> None:
        self._path = asset.path

    def files(self) -> Sequence[Fingerprint]:
        """What is there now."""
        return [
            Fingerprint(path=relative, size=file.stat().st_size, sha256=file_digest(file))
            for relative, file in list_files(self._path)
        ]

    def total_bytes(self) -> int:
        """Their size now."""
        return sum(file.stat().st_size for _, file in list_files(self._path))

    def open(self, path: str) -> BinaryIO:
        """Open one of them."""
        return self._file(path).open("rb")

    def _file(self, path: str) -> Path:
        return self._path / path if self._path.is_dir() else self._path


class HashedStream:
    """Hashes what is read through it. It can be read once, from the beginning to the end."""

    def __init__(self, stream: Readable) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._size = 0

    def read(self, size: int = -1) -> bytes:
        """Return at most `size` bytes, none at the end."""
        content = self._stream.read(size)
        self._digest.update(content)
        self._size += len(content)
        return content

    def tell(self) -> int:
        """How many bytes were read; azure-storage-blob asks for it."""
        return self._size

    def seekable(self) -> bool:
        """Never: azure-storage-blob then reads in order, and keeps the parts that it may have to send again."""
        return False

    def has_passed(self, file: Fingerprint) -> bool:
        """Whether what was read is exactly this file."""
        return (self._size, self._digest.hexdigest()) == (file.size, file.sha256)
