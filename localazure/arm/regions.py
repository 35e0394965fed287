"""Azure's public regions, as `GET /subscriptions/{id}/locations` lists them. Pure data.

Names and groups are those of Microsoft's list of regions (read 2026-07); which of them a subscription may use, and what
each offers, is not known here.
"""

from __future__ import annotations

from typing import Any

_GROUPS: dict[str, tuple[str, ...]] = {
    "US": (
        *("Central US", "East US", "East US 2", "North Central US", "South Central US", "West Central US", "West US"),
        *("West US 2", "West US 3"),
    ),
    "Canada": ("Canada Central", "Canada East"),
    "Mexico": ("Mexico Central",),
    "South America": ("Brazil South", "Brazil Southeast", "Chile Central"),
    "Europe": (
        *("Austria East", "Belgium Central", "France Central", "France South", "Germany North"),
        *("Germany West Central", "Italy North", "North Europe", "Norway East", "Norway West", "Poland Central"),
        *("Spain Central", "Sweden Central", "Sweden South", "Switzerland North", "Switzerland West", "UK South"),
        *("UK West", "West Europe"),
    ),
    "Asia Pacific": (
        *("Australia Central", "Australia Central 2", "Australia East", "Australia Southeast", "Central India"),
        *("East Asia", "Indonesia Central", "Japan East", "Japan West", "Jio India Central", "Jio India West"),
        *("Korea Central", "Korea South", "Malaysia West", "New Zealand North", "South India", "Southeast Asia"),
        "West India",
    ),
    "Middle East": ("Israel Central", "Qatar Central", "UAE Central", "UAE North"),
    "Africa": ("South Africa North", "South Africa West"),
}
REGIONS: dict[str, str] = {name.replace(" ", "").lower(): name for names in _GROUPS.values() for name in names}
"""Display names by name."""


def locations(subscription_id: str) -> list[dict[str, Any]]:
    """The body's `value`."""
    scope = f"/subscriptions/{subscription_id}"
    return [
        {
            "id": f"{scope}/locations/{display.replace(' ', '').lower()}",
            "name": display.replace(" ", "").lower(),
            "type": "Region",
            "displayName": display,
            "regionalDisplayName": f"({group}) {display}",
            "metadata": {"regionType": "Physical", "geographyGroup": group},
        }
        for group, names in _GROUPS.items()
        for display in names
    ]
