"""The locks of a stack in an Azure Blob container (`azblob://`), read and removed with the caller's own login.

Pulumi uses neither leases nor conditions there: a lock is a blob of its own with a name of its own, and every blob is
written in one step, so that nothing incomplete is left (read in `backend/diy` of Pulumi 3.259).
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from command_errors import CommandError, UnavailableError
from credentials.login import azure_credential
from recovery.history import newest_update
from recovery.locks import Lock, read_lock
from state_backend import BlobPlace

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

RETRIES = 3
TIMEOUT_SECONDS = 10


@dataclass(frozen=True)
class BlobBackend:
    """A container with Pulumi's state."""

    place: BlobPlace
    environment: Mapping[str, str]

    def locks(self, project: str, stack: str) -> list[Lock]:
        """Return every lock. Raises UnavailableError without an answer, CommandError without the role."""
        from azure.core.exceptions import ResourceNotFoundError

        found = []
        prefix = f"{self.place.prefix}.pulumi/locks/organization/{project}/{stack}/"
        with self._asking(write=False) as container:
            for name in sorted(container.list_blob_names(name_starts_with=prefix)):
                try:
                    text = container.download_blob(name).readall().decode("utf-8", "replace")
                except ResourceNotFoundError:  # the update has ended since
                    continue
                found.append(self._lock(name, text))
        return found

    def remove(self, lock: Lock) -> None:
        """Remove one lock; one that is gone already is no error."""
        from azure.core.exceptions import ResourceNotFoundError

        with self._asking(write=True) as container, contextlib.suppress(ResourceNotFoundError):
            container.delete_blob(lock.name)

    def remove_broken_files(self, project: str, stack: str) -> list[str]:
        """Return nothing: an update leaves no incomplete blob."""
        return []

    def last_update(self, project: str, stack: str) -> str | None:
        """Return the name of the newest entry in the stack's history. Raises as `locks` does."""
        prefix = f"{self.place.prefix}.pulumi/history/{project}/{stack}/"
        with self._asking(write=False) as container:
            return newest_update(
                name.removeprefix(prefix) for name in container.list_blob_names(name_starts_with=prefix)
            )

    @staticmethod
    def _lock(name: str, text: str) -> Lock:
        try:
            return read_lock(name, text)
        except ValueError:
            return Lock(name, 0, "", "", datetime.fromtimestamp(0, UTC))

    @contextlib.contextmanager
    def _asking(self, *, write: bool) -> Iterator[ContainerClient]:
        """Yield a client of the container; what it raises becomes an error that names the cause and the fix."""
        from azure.core.exceptions import AzureError, HttpResponseError

        try:
            with self._client() as container:
                yield container
        except HttpResponseError as error:
            if error.status_code == 403:
                raise CommandError(self.place.missing_role(write=write)) from error
            if error.status_code == 404:
                raise UnavailableError(
                    f"the {self.place}, which holds Pulumi's state, does not exist. Correct PULUMI_BACKEND_URL and "
                    "AZURE_STORAGE_ACCOUNT."
                ) from error
            raise UnavailableError(self._unanswered(error)) from error
        except AzureError as error:
            raise UnavailableError(self._unanswered(error)) from error

    def _unanswered(self, error: Exception) -> str:
        said = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
        return (
            f"the {self.place}, which holds Pulumi's state, did not answer: {said.rstrip('.')}. Check the network and "
            "the login (`az login`)."
        )

    def _client(self) -> ContainerClient:
        """Return the client; it logs in as the CLI does: by key, by SAS, else as the caller."""
        from azure.storage.blob import ContainerClient

        secret = self.environment.get("AZURE_STORAGE_KEY") or self.environment.get("AZURE_STORAGE_SAS_TOKEN")
        return ContainerClient(
            account_url=self.place.service_url,
            container_name=self.place.container,
            credential=secret or azure_credential(self.environment),
            retry_total=RETRIES,
            initial_backoff=1,
            increment_base=2,
            connection_timeout=TIMEOUT_SECONDS,
            read_timeout=TIMEOUT_SECONDS,
            logging_enable=False,
        )
