"""What `sluice release publish` sends: the local files of a folder's deployments, and the releases a stack pins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from delivery.releases.release_bytes import CommitTrees, OtherStack, ReleaseBytes
from models.asset_source import Source
from models.publisher import Parcel, blob_prefix, local_assets
from models.release_document import PARTS, read_in
from models.release_lock import read_lock
from models.spec import AssetKind, LocalAsset, Model

Pins = Mapping[str, str]
"""The release of each pinned deployment, by its name."""


def parcel_of(
    folder: Path, model: Model, pins: Pins, project: Path, trees: CommitTrees, other: OtherStack | None
) -> Parcel:
    """Return what must be published of one model; `folder` is `models/<model>`.

    A pinned release takes its bytes from wherever they are (`ReleaseBytes`), everything else from the folder.
    """
    sources: dict[str, Source] = {}
    for digits in set(pins.values()):
        document = read_in(folder, digits)
        for part in PARTS:
            if part in document.places:
                asset = next(one for one in _assets(model, pins, digits) if one.kind is AssetKind(part))
                prefix = blob_prefix(folder.name, asset)
                sources[asset.digest] = ReleaseBytes(document, part, project, trees, other, prefix)
    return Parcel(lock=read_lock(folder), assets=local_assets(model), sources=sources)


def _assets(model: Model, pins: Pins, digits: str) -> list[LocalAsset]:
    """The local assets of a deployment that is pinned to these digits."""
    name = next(name for name, pin in pins.items() if pin == digits)
    spec = model.deployments[name]
    return [asset for asset in (spec.model, spec.code) if isinstance(asset, LocalAsset)]
