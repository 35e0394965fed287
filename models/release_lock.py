"""The release lock: which content of a model is published to which stack, and at which address.

Reads and writes release.lock.yml, which is committed; it neither uploads (models/publisher.py) nor asks Azure. The file
is in the model's folder; on a stack's own branch in `rollouts/<stack>/locks/<model>/`, because pipelines write there;
or, if SLUICE_RELEASE_LOCKS names a folder, below that one, so that a rehearsal on another cloud leaves the repository
unchanged.
"""

import fcntl
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from arm_id import ArmId
from models.atomic_write import replace_file
from models.errors import LockError, NotPublishedError
from models.spec import AssetKind, LocalAsset
from record_folders import locks_folder
from strict_yaml import read_yaml

LOCK_NAME = "release.lock.yml"
LOCKS_VARIABLE = "SLUICE_RELEASE_LOCKS"
HEADER = "# What is published where: content digest -> address. Written by `sluice release publish`; commit it.\n"


@dataclass(frozen=True, kw_only=True)
class PublishedAsset:
    """The address of one asset for one stack."""

    digest: str
    kind: AssetKind
    name: str
    uri: str  # modelUri or codeUri, in Azure ML's format


@dataclass(frozen=True, kw_only=True)
class StackRecord:
    """What is published to one stack, all in the default datastore of one workspace."""

    workspace_id: str  # ARM id
    workspace_guid: str  # Azure ML's own id, which changes when the workspace is recreated
    storage_account: str
    container: str
    assets: Mapping[str, PublishedAsset]  # by digest


@dataclass(frozen=True, kw_only=True)
class ReleaseLock:
    """The content of release.lock.yml."""

    path: Path
    model: str
    stacks: Mapping[str, StackRecord] = field(default_factory=dict)


def lock_path(model_folder: Path) -> Path:
    """Return the path of the lock of a model's folder."""
    named = os.environ.get(LOCKS_VARIABLE)
    folder = Path(named) if named else locks_folder(model_folder.parent.parent)
    return folder / model_folder.name / LOCK_NAME if folder else model_folder / LOCK_NAME


def read_lock(model_folder: Path) -> ReleaseLock:
    """Return the lock of a model's folder; one that does not exist is empty. Raises LockError."""
    folder = model_folder.resolve()
    return _read(lock_path(folder), folder.name)


def _read(path: Path, model: str) -> ReleaseLock:
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ReleaseLock(path=path, model=model)
    except (OSError, UnicodeDecodeError) as error:
        raise LockError(f"{path} cannot be read: {error}. Restore it from the repository") from error
    try:
        content = read_yaml(text)
        if content["model"] != model:
            raise ValueError(f"it is the lock of model {content['model']!r}")
        stacks = {str(stack): _record(value) for stack, value in (content["stacks"] or {}).items()}
    except (yaml.YAMLError, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise LockError(
            f"{path} is not a release lock ({type(error).__name__}: {reason}). After a merge conflict keep the entries "
            f"of both sides; or delete the file and run `sluice release publish {model} --stack <stack>` for each stack"
        ) from error
    return ReleaseLock(path=path, model=model, stacks=stacks)


def published(
    lock: ReleaseLock,
    stack: str,
    asset: LocalAsset,
    *,
    workspace_id: str | None = None,
    workspace_guid: str | None = None,
) -> PublishedAsset | None:
    """Return the address of an asset for a stack, or None if this content is not published to it.

    With `workspace_id` or `workspace_guid`, what was published to another workspace does not count.
    """
    record = lock.stacks.get(stack)
    if record is None or not _same_workspace(record, workspace_id, workspace_guid):
        return None
    return record.assets.get(asset.digest)


def require_published(
    lock: ReleaseLock,
    stack: str,
    assets: Mapping[str, LocalAsset],
    *,
    workspace_id: str | None = None,
    workspace_guid: str | None = None,
) -> dict[str, PublishedAsset]:
    """Return the address of each asset; the keys of `assets` name them for people ("blue: model").

    Raises NotPublishedError that lists all missing ones, each with the reason, and the command that publishes them.
    """
    found, missing = {}, []
    for label, asset in assets.items():
        place = published(lock, stack, asset, workspace_id=workspace_id, workspace_guid=workspace_guid)
        if place is None:
            missing.append(f"{label} ({asset.name}, {asset.digest[:12]}) {_reason(lock, stack, asset, workspace_id)}")
        else:
            found[label] = place
    if missing:
        lines = "".join(f"\n  {line}" for line in sorted(set(missing)))
        raise NotPublishedError(
            f"Stack {stack} declares content of model {lock.model} that is not published to it:{lines}\n"
            f"Run `sluice release publish {lock.model} --stack {stack}` and commit {LOCK_NAME}."
        )
    return found


def write_record(lock: ReleaseLock, stack: str, record: StackRecord) -> tuple[ReleaseLock, bool]:
    """Add what was published to a stack to the file, and return (the new lock, whether it changed).

    Earlier entries of the same workspace stay, so that an older commit finds its content published. The file is
    replaced in one step, under a lock between processes, and not written if it has all entries already.
    """
    try:
        lock.path.parent.mkdir(parents=True, exist_ok=True)
        with _exclusive(lock.path.parent):
            current = _read(lock.path, lock.model)  # another process may have added entries
            known = current.stacks.get(stack)
            same = known is not None and _same_workspace(known, record.workspace_id, record.workspace_guid)
            assets = {**(known.assets if known and same else {}), **record.assets}
            merged = StackRecord(
                workspace_id=record.workspace_id,
                workspace_guid=record.workspace_guid,
                storage_account=record.storage_account,
                container=record.container,
                assets=assets,
            )
            changed = merged != known
            written = ReleaseLock(path=lock.path, model=lock.model, stacks={**current.stacks, stack: merged})
            if changed:
                replace_file(lock.path, _text(written))
                lock.path.chmod(0o644)
    except OSError as error:
        raise LockError(
            f"{lock.path} cannot be written: {error}. Free space or fix its permissions, then try again"
        ) from error
    return written, changed


def model_uri(record: StackRecord, datastore: str, path: str) -> str:
    """Return the address of a path in a workspace's datastore, in the format of ModelVersion."""
    workspace = ArmId.parse(record.workspace_id)
    return (
        f"azureml://subscriptions/{workspace.subscription_id}/resourcegroups/{workspace.resource_group}"
        f"/workspaces/{workspace.name}"
        f"/datastores/{datastore}/paths/{path}"
    )


def _reason(lock: ReleaseLock, stack: str, asset: LocalAsset, workspace_id: str | None) -> str:
    record = lock.stacks.get(stack)
    others = sorted(name for name, other in lock.stacks.items() if asset.digest in other.assets and name != stack)
    hint = f" (it is published to {', '.join(others)})" if others else ""
    if record is None:
        return f"was never published to {stack}{hint}"
    if asset.digest in record.assets:
        there = f"{record.workspace_id.rpartition('/')[2]}"
        if workspace_id is not None and workspace_id.lower() != record.workspace_id.lower():
            return f"was published to another workspace, {there}"
        return f"was published to a workspace {there} that has since been deleted"
    if any(one.kind is asset.kind and one.name == asset.name for one in record.assets.values()):
        return f"has changed since it was published{hint}"
    return f"was never published to {stack}{hint}"


def _same_workspace(record: StackRecord, workspace_id: str | None, workspace_guid: str | None) -> bool:
    same_id = workspace_id is None or workspace_id.lower() == record.workspace_id.lower()
    return same_id and (workspace_guid is None or workspace_guid == record.workspace_guid)


def _record(value: Mapping[str, Any]) -> StackRecord:
    assets = [
        PublishedAsset(digest=str(digest), kind=AssetKind(one["kind"]), name=str(one["name"]), uri=str(one["uri"]))
        for digest, one in value["assets"].items()
    ]
    return StackRecord(
        workspace_id=str(value["workspace_id"]),
        workspace_guid=str(value["workspace_guid"]),
        storage_account=str(value["storage_account"]),
        container=str(value["container"]),
        assets={asset.digest: asset for asset in assets},
    )


def _text(lock: ReleaseLock) -> str:
    stacks = {
        stack: {
            "workspace_id": record.workspace_id,
            "workspace_guid": record.workspace_guid,
            "storage_account": record.storage_account,
            "container": record.container,
            "assets": {asset.digest: _entry(asset) for asset in _in_order(record.assets.values())},
        }
        for stack, record in sorted(lock.stacks.items())
    }
    content = {"model": lock.model, "stacks": stacks}
    return HEADER + yaml.safe_dump(content, sort_keys=False, allow_unicode=True, width=1000)


def _in_order(assets: Iterable[PublishedAsset]) -> list[PublishedAsset]:
    return sorted(assets, key=lambda asset: (asset.kind, asset.name, asset.digest))


def _entry(asset: PublishedAsset) -> dict[str, str]:
    return {"kind": str(asset.kind), "name": asset.name, "uri": asset.uri}


@contextmanager
def _exclusive(folder: Path) -> Iterator[None]:
    """Hold an advisory lock on a folder; the system releases it when the process dies."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
