"""The release lock: which content of a model is published to which stack, and where it lies.

Reads and writes release.lock.yml; it neither uploads (models/publisher.py) nor asks Azure.
"""

from dataclasses import dataclass
from pathlib import Path

from models.spec import LocalAsset


@dataclass(frozen=True, kw_only=True)
class PublishedAsset:
    """Where one asset lies for one stack."""

    digest: str
    uri: str  # modelUri or codeUri, as Azure ML takes it


@dataclass(frozen=True, kw_only=True)
class ReleaseLock:
    """The content of release.lock.yml."""

    path: Path
    model: str


class NotPublishedError(ValueError):
    """A model's content is not published to the stack that declares it."""


def read_lock(model_folder: Path) -> ReleaseLock:
    """Return the lock of a model's folder; one that does not exist is empty."""
    raise NotImplementedError


def published(lock: ReleaseLock, stack: str, asset: LocalAsset) -> PublishedAsset | None:
    """Return where an asset lies for a stack, or None when this content is not published to it."""
    raise NotImplementedError


def require_published(lock: ReleaseLock, stack: str, assets: dict[str, LocalAsset]) -> dict[str, PublishedAsset]:
    """Return where each asset lies; raise NotPublishedError that names all missing ones, why, and the command."""
    raise NotImplementedError
