"""Which files of a stack's models a delivery publishes before it updates, and the release locks that it will write.

Addresses follow from contents, so a preview with the planned locks shows what the update after the publication does.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from project import project_root
from rollout.session.site import Site

if TYPE_CHECKING:
    from models.publisher import Destination, Parcel
    from models.spec import Model

WORKSPACE_API = "2025-12-01"


def missing_models(sites: Sequence[Site]) -> list[str]:
    """The models whose files are not all published to the stack's workspace, as its locks say; sorted.

    None before the first update, which creates the workspace. Raises UsageError for files that cannot be read.
    """
    from models.publisher import local_assets
    from models.release_lock import published, read_lock

    guid = workspace_guid(sites[0]) if sites else None
    if guid is None:
        return []
    return sorted(
        folder.name
        for folder, model in _models_of(sites).items()
        if any(
            published(
                read_lock(folder),
                sites[0].stack,
                asset,
                workspace_id=sites[0].names.workspace_id,
                workspace_guid=guid or None,
            )
            is None
            for asset in local_assets(model)
        )
    )


def plan_publication(sites: Sequence[Site], folder: Path, destination: Callable[[], Destination]) -> list[str]:
    """Write the release locks below a folder as a delivery will have written them; return the models it publishes.

    None are written if nothing is missing.
    """
    from models.publisher import Parcel, local_assets
    from models.release_lock import read_lock

    missing = missing_models(sites)
    if not missing:
        return []
    parcels = [
        Parcel(lock=read_lock(path), assets=local_assets(model) if path.name in missing else [])
        for path, model in _models_of(sites).items()
    ]
    planned_locks(folder, parcels, sites[0].stack, destination())
    return missing


def workspace_guid(site: Site) -> str | None:
    """Azure ML's own id of the stack's workspace, which a workspace that is created again does not have; None: absent.

    "" where Azure does not say it, so that what is published counts.
    """
    found = site.azure.arm.get(site.names.workspace_id, WORKSPACE_API)
    return None if found is None else str((found.get("properties") or {}).get("workspaceId") or "")


def _models_of(sites: Sequence[Site]) -> dict[Path, Model]:
    from models.errors import ModelError
    from models.loader import load_models

    loaded = load_models(
        {
            project_root() / "models" / site.key: {
                name: chosen.release for name, chosen in site.settings.endpoints[site.key].deployments.items()
            }
            for site in sites
        }
    )
    errors = [model for model in loaded.values() if isinstance(model, ModelError)]
    if errors:
        raise UsageError("\n".join(map(str, errors)))
    return {folder: model for folder, model in loaded.items() if not isinstance(model, ModelError)}


def planned_locks(folder: Path, parcels: Iterable[Parcel], stack: str, destination: Destination) -> None:
    """Write the release locks below a folder as they will be once these assets are published; nothing is uploaded."""
    from models.publisher import record_of
    from models.release_lock import LOCK_NAME, ReleaseLock, write_record

    for parcel in parcels:
        path = folder / parcel.lock.model / LOCK_NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        if parcel.lock.path.is_file():
            shutil.copyfile(parcel.lock.path, path)
        if parcel.assets:
            lock = ReleaseLock(path=path, model=parcel.lock.model, stacks=parcel.lock.stacks)
            write_record(lock, stack, record_of(parcel.lock.model, parcel.assets, destination))
