"""The backends whose locks can be read: folders and Azure Blob containers.

Pulumi Cloud has leases of its own, which end by themselves; `s3://` and `gs://` are not read.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

from recovery.blob_backend import BlobBackend
from recovery.file_backend import FileBackend
from state_backend import backend_blobs, backend_folder

if TYPE_CHECKING:
    from recovery.locks import Lock


class Backend(Protocol):
    """What a dead update left in a backend."""

    def locks(self, project: str, stack: str) -> list[Lock]:
        """Return every lock of the stack."""

    def remove(self, lock: Lock) -> None:
        """Remove one lock; one that is gone already is no error."""

    def remove_broken_files(self, project: str, stack: str) -> list[str]:
        """Remove the files that a dead update was writing, and return their names; only while no update runs."""

    def last_update(self, project: str, stack: str) -> str | None:
        """Return the name of the newest entry in the stack's history; None without one."""


def backend_of(environment: Mapping[str, str]) -> Backend | None:
    """Return the backend that the environment names; None for a kind that is not read. Raises UsageError."""
    folder = backend_folder(environment)
    if folder is not None:
        return FileBackend(folder)
    place = backend_blobs(environment)
    return BlobBackend(place, environment) if place is not None else None
