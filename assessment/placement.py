"""The names, region and tags of a stack's resources; every component's arguments contain one `Placement`.

Plain values only, known before the first resource is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naming import Names, dns_tag_key
from ownership import ENVIRONMENT_TAG

__all__ = ["Placement"]

MAX_DNS_TAGS = 15
"""What a private DNS zone and its network link take (Microsoft's "tag-resources", read)."""


@dataclass(frozen=True, kw_only=True)
class Placement:
    """Names, region, tenant and tags that all components of one stack share."""

    names: Names
    """*Required.* The stack's Azure names."""
    location: str
    """*Required.* Azure region of every resource that has one."""
    tenant_id: str
    """*Required.* Entra tenant of the subscription."""
    tags: Mapping[str, str] = field(default_factory=dict)
    """*Optional.* Tags of every resource that can carry them; none by default."""

    @property
    def dns_tags(self) -> dict[str, str]:
        """The tags as DNS zones and their network links carry them: Azure DNS silently drops keys with `:`.

        They take 15; where the owner's tags leave no room, they do without the environment.
        """
        tags = {dns_tag_key(key): value for key, value in self.tags.items()}
        if len(tags) > MAX_DNS_TAGS:
            del tags[dns_tag_key(ENVIRONMENT_TAG)]
        return tags
