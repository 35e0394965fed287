"""Uploads a model's local assets by content, each file once, and records them in the release lock at the very end.

A blob's path holds the digest of its asset, so nothing is ever replaced by something else; a second run finds what the
first one uploaded, wherever that was killed. It neither finds the storage account (cli/release.py) nor declares the
assets (the Pulumi program).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from models.content import file_digest, list_files, local_asset
from models.errors import NoUploadRightError, OutsideNetworkError, PublishError, StorageUnavailableError
from models.release import PublishedAsset, ReleaseLock, StackRecord, model_uri, write_record
from models.spec import AssetKind, LocalAsset, Model

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError
    from azure.storage.blob import ContainerClient

DIGEST_METADATA = "sluice_sha256"
LARGE_BYTES = 32 * 1024 * 1024  # above, progress is reported within the file


@dataclass(frozen=True, kw_only=True)
class Destination:
    """The default datastore of a workspace."""

    workspace_id: str
    workspace_guid: str
    datastore: str
    storage_account: str  # name
    storage_account_id: str
    blob_endpoint: str  # the account's primaryEndpoints.blob, with a slash at the end
    container: str
    public: bool  # whether the account says that it talks to public networks


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What one run did."""

    lock: ReleaseLock
    lock_changed: bool
    assets: tuple[PublishedAsset, ...]
    uploaded_files: int
    uploaded_bytes: int


def local_assets(model: Model) -> list[LocalAsset]:
    """Return the assets of a model that must be published, each content once."""
    found = {
        asset.digest: asset
        for deployment in model.deployments.values()
        for asset in (deployment.model, deployment.code)
        if isinstance(asset, LocalAsset)
    }
    return sorted(found.values(), key=lambda asset: (asset.kind, asset.name, asset.digest))


def publish(
    assets: list[LocalAsset],
    lock: ReleaseLock,
    stack: str,
    destination: Destination,
    container: "ContainerClient",
    say: Callable[[str], None],
) -> Publication:
    """Upload what is not there yet, then write the lock. Raises PublishError or LockError."""
    from azure.core.exceptions import AzureError

    files = sent = 0
    try:
        for asset in assets:
            for relative, path in list_files(asset.path):
                size = _upload(container, f"{blob_prefix(lock.model, asset)}/{relative}", path, asset, say)
                files, sent = files + (size is not None), sent + (size or 0)
            _check_unchanged(asset)
    except AzureError as error:
        _explain(error, destination, lock.model, stack)
    except (AttributeError, KeyError, RecursionError, TypeError, UnicodeDecodeError) as error:
        # azure-storage-blob takes the body of an error for a JSON object without looking (12.x, response_handlers.py).
        raise StorageUnavailableError(
            f"storage account {destination.storage_account} gave an answer that is not one of Azure's: "
            f"{_first_line(error)}. Check what stands between here and {destination.blob_endpoint}, then run "
            f"`sluice release publish {lock.model} --stack {stack}` again."
        ) from error
    record = record_of(lock.model, assets, destination)
    written, changed = write_record(lock, stack, record)
    return Publication(
        lock=written,
        lock_changed=changed,
        assets=tuple(record.assets.values()),
        uploaded_files=files,
        uploaded_bytes=sent,
    )


def blob_prefix(model: str, asset: LocalAsset) -> str:
    """Return the folder that holds an asset's files in the container; a model file lies in it under its own name."""
    prefix = f"sluice/{model}/{asset.digest}"
    return f"{prefix}/{asset.name}" if asset.kind is AssetKind.MODEL and asset.path.is_dir() else prefix


def record_of(model: str, assets: list[LocalAsset], destination: Destination) -> StackRecord:
    """Return what the lock says about these assets at a destination."""
    empty = StackRecord(
        workspace_id=destination.workspace_id,
        workspace_guid=destination.workspace_guid,
        storage_account=destination.storage_account,
        container=destination.container,
        assets={},
    )
    places: Mapping[str, PublishedAsset] = {
        asset.digest: PublishedAsset(
            digest=asset.digest,
            kind=asset.kind,
            name=asset.name,
            uri=model_uri(empty, destination.datastore, f"sluice/{model}/{asset.digest}/{asset.name}")
            if asset.kind is AssetKind.MODEL
            else f"{destination.blob_endpoint}{destination.container}/sluice/{model}/{asset.digest}",
        )
        for asset in assets
    }
    return StackRecord(**{**vars(empty), "assets": places})


def _upload(
    container: "ContainerClient", blob: str, path: Path, asset: LocalAsset, say: Callable[[str], None]
) -> int | None:
    """Upload one file unless it is there; return its size, or None when it was there."""
    from azure.core.exceptions import ResourceNotFoundError

    digest, size = file_digest(path), path.stat().st_size
    client = container.get_blob_client(blob)
    label = f"{asset.kind} {asset.name} {asset.digest[:12]}: {path.name} ({_readable(size)})"
    try:
        there = client.get_blob_properties()
        if there.size == size and (there.metadata or {}).get(DIGEST_METADATA) == digest:
            say(f"{label} is there")
            return None
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", None) == "ContainerNotFound":
            raise
    progress = _Progress(label, say) if size > LARGE_BYTES else None
    with path.open("rb") as stream:
        # A blob becomes visible only when all of it has arrived, so a kill leaves none or a whole one.
        client.upload_blob(
            stream,
            length=size,
            overwrite=True,
            metadata={DIGEST_METADATA: digest},
            progress_hook=progress,
            max_concurrency=4,
        )
    say(f"{label} is uploaded")
    return size


def _check_unchanged(asset: LocalAsset) -> None:
    """A file that was written while it was uploaded would lie under a digest that is not its own."""
    now = local_asset(asset.kind, asset.path, asset.asset_type)
    if now.digest != asset.digest:
        raise PublishError(
            f"{asset.path} was changed while it was uploaded; the release lock was not written. Run it again"
        )


def _explain(error: "AzureError", destination: Destination, model: str, stack: str) -> NoReturn:
    """Turn an error of the storage account into one that says what to do. Codes are from Microsoft's documentation."""
    status, code = getattr(error, "status_code", None), getattr(error, "error_code", None) or ""
    code = str(getattr(code, "value", code))  # an enumeration where the library knows the code
    account, again = destination.storage_account, f"run `sluice release publish {model} --stack {stack}` again"
    told = f"storage account {account} answered {status} {code}".rstrip()
    if status == 403 and code == "AuthorizationPermissionMismatch":
        raise NoUploadRightError(
            f"You have no right to upload: {told}. Let an owner run `az role assignment create --role "
            f'"Storage Blob Data Contributor" --assignee <you> --scope {destination.storage_account_id}`, '
            f"wait up to ten minutes, and {again}."
        ) from error
    if status == 403 and (code == "AuthorizationFailure" or not destination.public):
        raise OutsideNetworkError(
            f"{told}: it does not talk to the network you are in"
            f"{'' if destination.public else ' (its public access is off)'}. Run the command inside the stack's "
            "network (VPN, jump host or self-hosted runner), or let the platform team allow this one."
        ) from error
    if status in (401, 403):
        raise NoUploadRightError(
            f"{told}: {_first_line(error)}. Check with `az account show` who you are, and {again}."
        ) from error
    if status == 404 and code == "ContainerNotFound":
        raise PublishError(
            f"{told}: container {destination.container} of datastore {destination.datastore} is missing. "
            f"Restore it in the storage account, and {again}."
        ) from error
    if status is None:
        where = "" if destination.public else "Outside the stack's network its name may not resolve; go inside, then "
        raise StorageUnavailableError(
            f"storage account {account} cannot be reached at {destination.blob_endpoint}: {_first_line(error)}. "
            f"{where}{again}."
        ) from error
    raise StorageUnavailableError(f"{told}: {_first_line(error)}. Files that arrived stay; {again}.") from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(".")


def _readable(size: int) -> str:
    return f"{size / 1024:.0f} kB" if size < 1024 * 1024 else f"{size / 1024 / 1024:.1f} MB"


class _Progress:
    """Says every tenth of a large file."""

    def __init__(self, label: str, say: Callable[[str], None]) -> None:
        self.label, self.say, self.tenth = label, say, 0

    def __call__(self, current: int, total: int | None) -> None:
        tenth = current * 10 // total if total else 0
        if tenth > self.tenth:
            self.tenth = tenth
            self.say(f"{self.label}: {tenth * 10} %")


def as_json(publication: Publication, stack: str) -> str:
    """Return what was done, for scripts."""
    return json.dumps(
        {
            "model": publication.lock.model,
            "stack": stack,
            "lock": str(publication.lock.path),
            "lock_changed": publication.lock_changed,
            "uploaded_files": publication.uploaded_files,
            "uploaded_bytes": publication.uploaded_bytes,
            "assets": [
                {"kind": str(one.kind), "name": one.name, "digest": one.digest, "uri": one.uri}
                for one in publication.assets
            ],
        },
        indent=2,
    )
