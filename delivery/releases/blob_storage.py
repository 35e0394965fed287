"""A stack's container as `stack_verification.Storage` reads it, with azure-storage-blob. It writes nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from command_errors import UnavailableError
from delivery.proofs.stack_verification import Blob
from models.publisher import DIGEST_METADATA, Destination

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

T = TypeVar("T")
CONTAINER_NOT_FOUND = "ContainerNotFound"


class BlobStorage:
    """Reads blobs. Raises UnavailableError with the account's answer if it may not or cannot."""

    def __init__(self, container: ContainerClient, destination: Destination) -> None:
        self._container = container
        self._destination = destination

    def blob(self, path: str) -> Blob | None:
        """Size and metadata of a blob; None if it is not there."""
        from azure.core.exceptions import ResourceNotFoundError

        def read() -> Blob | None:
            try:
                found = self._container.get_blob_client(path).get_blob_properties()
            except ResourceNotFoundError as error:
                if getattr(error, "error_code", None) == CONTAINER_NOT_FOUND:
                    raise
                return None
            return Blob(size=found.size, sha256=(found.metadata or {}).get(DIGEST_METADATA))

        return self._told(read)

    def digest(self, path: str) -> str:
        """SHA-256 of its bytes; they are read in parts and not kept."""

        def read() -> str:
            digest = hashlib.sha256()
            for part in self._container.get_blob_client(path).download_blob().chunks():
                digest.update(part)
            return digest.hexdigest()

        return self._told(read)

    def _told(self, read: Callable[[], T]) -> T:
        from azure.core.exceptions import AzureError

        try:
            return read()
        except AzureError as error:
            account, status = self._destination.storage_account, getattr(error, "status_code", None)
            said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
            if status in (401, 403):
                raise UnavailableError(
                    f"storage account {account} does not let you read ({status}): {said.rstrip('.')}. Ask for the role "
                    f"Storage Blob Data Reader on {self._destination.storage_account_id}"
                    f"{'' if self._destination.public else ', and run this inside the network of the stack'}."
                ) from error
            raise UnavailableError(
                f"storage account {account} cannot be read at {self._destination.blob_endpoint}: {said.rstrip('.')}. "
                "Check the network and the account, then run this command again."
            ) from error
