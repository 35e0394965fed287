"""Explains errors of a storage account to the person who publishes: what is wrong, and what to do."""

from typing import TYPE_CHECKING

from models.content import ContentError
from models.errors import NoUploadRightError, OutsideNetworkError, PublishError, StorageUnavailableError

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

    from models.publisher import Destination


def in_words(failure: BaseException, destination: "Destination", again: str) -> PublishError:
    """Return the cause of a failed upload as a PublishError; re-raise it if it is a defect of this program.

    `again` is the command to run after the repair.
    """
    from azure.core.exceptions import AzureError

    if isinstance(failure, AzureError):
        return _explained(failure, destination, again)
    if isinstance(failure, OSError | ContentError):  # the file was removed or closed in the meantime
        return PublishError(f"a file cannot be read: {failure}. Restore it, then run `{again}` again")
    if isinstance(failure, AttributeError | KeyError | RecursionError | TypeError | UnicodeDecodeError):
        # azure-storage-blob assumes without a check that an error's body is a JSON object (12.x, response_handlers.py).
        return StorageUnavailableError(
            f"storage account {destination.storage_account} sent an answer that is not from Azure: "
            f"{_first_line(failure)}. Check the proxies between here and {destination.blob_endpoint}, then run "
            f"`{again}` again."
        )
    raise failure


def _explained(error: "AzureError", destination: "Destination", again: str) -> PublishError:
    """Return an error of the storage account with its fix. Codes are from Microsoft's documentation."""
    status, code = getattr(error, "status_code", None), getattr(error, "error_code", None) or ""
    code = str(getattr(code, "value", code))  # an enumeration member if the library knows the code
    account, again = destination.storage_account, f"run `{again}` again"
    told = f"storage account {account} answered {status} {code}".rstrip()
    if status == 403 and code == "AuthorizationPermissionMismatch":
        return NoUploadRightError(
            f"You have no right to upload: {told}. Ask an owner to run `az role assignment create --role "
            f'"Storage Blob Data Contributor" --assignee <you> --scope {destination.storage_account_id}`, '
            f"wait up to ten minutes, and {again}."
        )
    if status == 403 and (code == "AuthorizationFailure" or not destination.public):
        return OutsideNetworkError(
            f"{told}: it does not accept requests from this network"
            f"{'' if destination.public else ' (its public access is off)'}. Run the command inside the stack's "
            "network (VPN, jump host or self-hosted runner), or ask the platform team to allow this network."
        )
    if status in (401, 403):
        return NoUploadRightError(
            f"{told}: {_first_line(error)}. Check with `az account show` who is signed in, and {again}."
        )
    if status == 404 and code == "ContainerNotFound":
        return PublishError(
            f"{told}: container {destination.container} of datastore {destination.datastore} is missing. "
            f"Restore it in the storage account, and {again}."
        )
    if status is None:
        where = (
            "" if destination.public else "Its name may not resolve outside the stack's network: connect to that, then "
        )
        return StorageUnavailableError(
            f"storage account {account} cannot be reached at {destination.blob_endpoint}: {_first_line(error)}. "
            f"{where}{again}."
        )
    return StorageUnavailableError(f"{told}: {_first_line(error)}. Uploaded files are kept; {again}.")


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")
