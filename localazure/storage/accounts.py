"""Storage accounts as the blob service sees them, and what it asks of those who keep them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from localazure.storage.blobs import BlobStore
from localazure.store import Resource


class Accounts(Protocol):
    """The accounts of one local Azure and the rights of its caller; the control plane is one."""

    @property
    def base_url(self) -> str: ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""

    def storage_account(self, name: str) -> Resource | None: ...

    def caller_reaches(self, account: Resource) -> bool:
        """Whether the account's network rules let the caller through."""

    def caller_may_use_blobs(self, account: Resource, write: bool) -> bool:
        """Whether the caller's roles suffice."""


def is_closed_to_public(account: Resource) -> bool:
    """Whether only private networks reach the account."""
    rules = account.properties.get("networkAcls") or {}
    disabled = str(account.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
    return disabled or str(rules.get("defaultAction", "Allow")).lower() == "deny"
