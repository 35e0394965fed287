"""Uploads models' assets by content, each file once, and finally records each model in its release lock.

A blob's path contains the digest of its asset, so no upload ever replaces other content; a second run finds what the
first one uploaded, wherever that was killed. Files of all models are uploaded in parallel, each is hashed while it is
sent. This module neither finds the storage account (stacks/destination.py) nor declares the assets (the Pulumi
program); where the bytes come from is a `Source` (models/asset_source.py).
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from models.asset_source import Fingerprint, FolderSource, HashedStream, Source
from models.content import ContentError
from models.errors import PublishError
from models.release_lock import PublishedAsset, ReleaseLock, StackRecord, model_uri, write_record
from models.spec import AssetKind, LocalAsset, Model, asset_digest
from models.storage_errors import in_words
from models.upload_progress import Parts, Progress, readable

if TYPE_CHECKING:
    from azure.storage.blob import ContainerClient

DIGEST_METADATA = "sluice_sha256"
LARGE_BYTES = 32 * 1024 * 1024  # above, a file is uploaded in parallel parts, and progress is reported per part
SMALL_AT_ONCE = 8  # files; a request to Azure takes 50 to 300 ms, whatever the file's size
LARGE_AT_ONCE, PARTS_AT_ONCE = 2, 4  # together at most the ten connections of azure-core's pool


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
    public: bool  # whether the account's settings allow public networks


@dataclass(frozen=True, kw_only=True)
class Publication:
    """The result of one run."""

    lock: ReleaseLock
    lock_changed: bool
    assets: tuple[PublishedAsset, ...]
    uploaded_files: int
    uploaded_bytes: int


@dataclass(frozen=True, kw_only=True)
class Parcel:
    """What must be published of one model."""

    lock: ReleaseLock
    assets: Sequence[LocalAsset]
    sources: Mapping[str, Source] = field(default_factory=dict)
    """Where the bytes of an asset come from, by its digest; without an entry, from its own path."""

    def source_of(self, asset: LocalAsset) -> Source:
        """Where the bytes of one of its assets come from."""
        return self.sources.get(asset.digest) or FolderSource(asset)


def local_assets(model: Model) -> list[LocalAsset]:
    """Return the assets of a model that must be published, each content once."""
    found = {
        asset.digest: asset
        for deployment in model.deployments.values()
        for asset in (deployment.model, deployment.code)
        if isinstance(asset, LocalAsset)
    }
    return sorted(found.values(), key=lambda asset: (asset.kind, asset.name, asset.digest))


def total_bytes(parcels: Iterable[Parcel]) -> int:
    """Return the size of all files, including those that exist already."""
    return sum(parcel.source_of(asset).total_bytes() for parcel in parcels for asset in parcel.assets)


def publish(
    parcels: Sequence[Parcel],
    stack: str,
    destination: Destination,
    container: "ContainerClient",
    progress: Progress,
    *,
    again: str,
) -> list[Publication]:
    """Upload what is missing, then write the locks of the models that are complete.

    `again` is the command to run after a failure. Raises PublishError or LockError after writing the locks of the other
    models.
    """
    plans, errors = _planned(parcels, destination, again)
    uploads = [upload for own in plans.values() for upload in own]
    sent, failure = _upload_all(uploads, container, progress)
    publications: list[Publication] = []
    if failure is not None:
        errors.append(failure if isinstance(failure, PublishError) else in_words(failure, destination, again))
    for parcel in parcels:
        own = plans.get(parcel.lock.model)
        if own is None or not all(upload in sent for upload in own):
            continue
        record = record_of(parcel.lock.model, parcel.assets, destination)
        written, lock_changed = write_record(parcel.lock, stack, record)
        uploaded = [size for upload in own if (size := sent[upload]) is not None]
        publications.append(
            Publication(
                lock=written,
                lock_changed=lock_changed,
                assets=tuple(record.assets.values()),
                uploaded_files=len(uploaded),
                uploaded_bytes=sum(uploaded),
            )
        )
    if errors:
        together = errors[0] if len(errors) == 1 else PublishError("\n".join(str(error) for error in errors))
        raise together from failure
    return publications


@dataclass(frozen=True)
class _Upload:
    """One file to upload."""

    asset: LocalAsset
    source: Source
    blob: str
    file: Fingerprint


def _planned(
    parcels: Iterable[Parcel], destination: Destination, again: str
) -> tuple[dict[str, list[_Upload]], list[PublishError]]:
    """Return every file of every parcel by its model, without the models that have changed since they were read."""
    plans: dict[str, list[_Upload]] = {}
    errors: list[PublishError] = []
    for parcel in parcels:
        try:
            files = {asset.digest: parcel.source_of(asset).files() for asset in parcel.assets}
        except (OSError, ContentError) as error:
            errors.append(in_words(error, destination, again))
            continue
        if changed := [asset for asset in parcel.assets if _digest_of(asset, files[asset.digest]) != asset.digest]:
            errors += [
                PublishError(
                    f"{asset.path} was changed while it was published; the release lock was not written. Run the "
                    "command again"
                )
                for asset in changed
            ]
            continue
        plans[parcel.lock.model] = [
            _Upload(
                asset,
                parcel.source_of(asset),
                f"{blob_prefix(parcel.lock.model, asset)}/{file.path}",
                file,
            )
            for asset in parcel.assets
            for file in files[asset.digest]
        ]
    return plans, errors


def _digest_of(asset: LocalAsset, files: Iterable[Fingerprint]) -> str:
    return asset_digest(asset.kind, asset.name, {file.path: file.sha256 for file in files})


def _upload_all(
    uploads: Sequence[_Upload], container: "ContainerClient", progress: Progress
) -> tuple[dict[_Upload, int | None], BaseException | None]:
    """Upload files in parallel; return the size of each that arrived (None: it existed), and the first failure.

    After a failure no further upload begins: the same cause would stop the others.
    """
    small = [upload for upload in uploads if upload.file.size <= LARGE_BYTES]
    large = [upload for upload in uploads if upload.file.size > LARGE_BYTES]
    sent: dict[_Upload, int | None] = {}
    for group, at_once in ((small, SMALL_AT_ONCE), (large, LARGE_AT_ONCE)):
        with ThreadPoolExecutor(max_workers=at_once) as pool:
            running = {pool.submit(_upload, container, upload, progress): upload for upload in group}
            rest = wait(running, return_when=FIRST_EXCEPTION).not_done
            for future in rest:
                future.cancel()
        finished = [future for future in running if not future.cancelled()]
        sent |= {running[future]: future.result() for future in finished if future.exception() is None}
        failure = next((error for future in finished if (error := future.exception()) is not None), None)
        if failure is not None:
            return sent, failure
    return sent, None


def blob_prefix(model: str, asset: LocalAsset) -> str:
    """Return the folder of an asset's files in the container; a model file keeps its own name there."""
    prefix = f"sluice/{model}/{asset.digest}"
    return f"{prefix}/{asset.name}" if asset.kind is AssetKind.MODEL and not asset.is_file else prefix


def record_of(model: str, assets: Iterable[LocalAsset], destination: Destination) -> StackRecord:
    """Return the lock's record of these assets at a destination."""
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


def _upload(container: "ContainerClient", upload: _Upload, progress: Progress) -> int | None:
    """Upload one file unless it exists; return its size, or None if it existed."""
    from azure.core.exceptions import ResourceNotFoundError

    asset, file = upload.asset, upload.file
    client = container.get_blob_client(upload.blob)
    label = f"{asset.kind} {asset.name} {asset.digest[:12]}: {file.path.rpartition('/')[2]} ({readable(file.size)})"
    try:
        there = client.get_blob_properties()
        if there.size == file.size and (there.metadata or {}).get(DIGEST_METADATA) == file.sha256:
            progress.say(f"{label} is there")
            progress.advance(file.size)
            return None
    except ResourceNotFoundError as error:
        if getattr(error, "error_code", None) == "ContainerNotFound":
            raise
    parts = Parts(label, progress)
    large = file.size > LARGE_BYTES
    with upload.source.open(file.path) as opened:
        stream = HashedStream(opened)
        content: Any = stream if large else stream.read(file.size + 1)  # the client reads a stream; it names IO[bytes]
        if not large and not stream.has_passed(file):
            raise _changed(upload)
        # A blob becomes visible only when all of it has arrived, so a kill leaves either no blob or a complete one.
        client.upload_blob(
            content,
            length=file.size,
            overwrite=True,
            metadata={DIGEST_METADATA: file.sha256},
            progress_hook=parts if large else None,
            max_concurrency=PARTS_AT_ONCE if large else 1,
        )
        if not stream.has_passed(file):
            client.delete_blob()
            raise _changed(upload)
    progress.say(f"{label} is uploaded")
    progress.advance(file.size - parts.seen)
    return file.size


def _changed(upload: _Upload) -> PublishError:
    return PublishError(
        f"{upload.file.path} of {upload.asset.path} was changed while it was published; the release lock was not "
        "written. Run the command again"
    )


def as_values(publication: Publication, stack: str) -> dict[str, object]:
    """Return the result for scripts: strings, numbers, lists and mappings."""
    return {
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
    }
