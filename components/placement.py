"""Where the resources of a stack go and how they are labelled; every component's arguments carry one `Placement`.

Plain values only, known before the first resource is declared.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from naming import Names

__all__ = ["Placement"]


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
