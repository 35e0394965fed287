"""Azure's public regions, as `GET /subscriptions/{id}/locations` lists them, and the refusal of all others. Pure.

Names and groups are those of Microsoft's list of regions (read 2026-07). The list does not state which of them a
subscription may use, nor which services each offers.
"""

from __future__ import annotations

from typing import Any

from localazure.errors import BadRequest
from localazure.resource_id import RESOURCE_GROUP_TYPE

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
GLOBAL = "global"
_CANARIES = frozenset({"centraluseuap", "eastus2euap"})  # not listed outside Microsoft, but found in recordings
# Regions in which a group cannot be: not in the list of MicrosoftDocs/executable-docs#74; six of them are refused in
# cloud-barista/cb-spider#527.
_WITHOUT_GROUPS = frozenset(
    {
        *("brazilsoutheast", "francesouth", "germanynorth", "jioindiacentral", "norwaywest", "southafricawest"),
        *("swedensouth", "switzerlandwest", "uaecentral"),
    }
)


def check_region(arm_type: str, location: str, *, only_global: bool = False) -> None:
    """Raise BadRequest for a region that does not exist or does not offer the type; `location` in lower case and
    without spaces. The regions are known for groups only; all other types exist in every region."""
    of_group = arm_type.lower() == RESOURCE_GROUP_TYPE
    regions = [GLOBAL] if only_global else [name for name in REGIONS if not (of_group and name in _WITHOUT_GROUPS)]
    if location in regions or (location in _CANARIES and not only_global):
        return
    listed = ",".join(regions)
    if of_group:
        # Verbatim, MicrosoftDocs/executable-docs#74.
        raise BadRequest(
            "LocationNotAvailableForResourceGroup",
            f"The provided location '{location}' is not available for resource group. List of available regions is "
            f"'{listed}'.",
        )
    # Verbatim, Azure/azure-rest-api-specs#8577.
    raise BadRequest(
        "LocationNotAvailableForResourceType",
        f"The provided location '{location}' is not available for resource type '{arm_type}'. List of available "
        f"regions for the resource type is '{listed}'.",
    )


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
