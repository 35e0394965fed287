"""Storage accounts as the blob service sees them, and the interface that it needs from their owner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from localazure.resource import Resource
from localazure.storage.blobs import BlobStore


class Accounts(Protocol):
    """The accounts of one local Azure and the rights of its caller; the control plane implements it."""

    @property
    def base_url(self) -> str: ...

    @property
    def blobs(self) -> BlobStore: ...

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""

    def storage_account(self, name: str) -> Resource | None: ...

    def caller_reaches(self, account: Resource) -> bool:
        """Whether the account's network rules admit the caller."""

    def caller_may_use_blobs(self, account: Resource, write: bool, token: str, container: str = "") -> bool:
        """Whether the roles of the token's caller permit the request, on the account or a container of it. Raises
        ExpiredToken."""


def is_closed_to_public(account: Resource) -> bool:
    """Whether only private networks reach the account."""
    rules = account.properties.get("networkAcls") or {}
    disabled = str(account.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
    return disabled or str(rules.get("defaultAction", "Allow")).lower() == "deny"
