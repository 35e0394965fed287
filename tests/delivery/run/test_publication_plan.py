"""The release locks that a delivery will write."""

from __future__ import annotations

from pathlib import Path

import pytest

from delivery.run.publication_plan import planned_locks
from models.publisher import Destination, Parcel
from models.release_lock import ReleaseLock, published, read_lock
from models.spec import AssetKind, LocalAsset
from tests.delivery.recorded_previews import MODEL


def test_locks_are_planned_without_an_upload_and_beside_the_real_ones(tmp_path: Path) -> None:
    digest = "a" * 64
    asset = LocalAsset(
        kind=AssetKind.CODE, name="src", digest=digest, path=tmp_path / "src", asset_type="code", files=()
    )
    destination = Destination(
        workspace_id="/subscriptions/s/resourceGroups/g/providers/Microsoft.MachineLearningServices/workspaces/w",
        workspace_guid="guid",
        datastore="d",
        storage_account="st",
        storage_account_id="id",
        blob_endpoint="https://st.blob/",
        container="c",
        public=True,
    )
    real = tmp_path / "models" / MODEL / "release.lock.yml"
    parcel = Parcel(lock=ReleaseLock(path=real, model=MODEL), assets=[asset])
    planned_locks(tmp_path / "planned", [parcel], "dev", destination)
    assert not real.exists()
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("SLUICE_RELEASE_LOCKS", str(tmp_path / "planned"))
        found = published(read_lock(tmp_path / "models" / MODEL), "dev", asset)
    assert found is not None
    assert found.uri == f"https://st.blob/c/sluice/{MODEL}/{digest}"
