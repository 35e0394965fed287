"""Which api-versions a type cannot have: those before it existed. Pure.

The lists of Azure change all the time and nobody has them whole, so any later version is answered. The oldest ones are
those in errors that users reported: Azure/azure-sdk-for-js#4097 (workspaces), microsoft/vscode-tools-for-ai#940 and
MicrosoftDocs/azure-docs#92520 (what is in a workspace), digiaiiris/zabbix-azure-monitoring#36 (components),
Azure/azure-resource-manager-schemas#154 (storage).
"""

from __future__ import annotations

from localazure.arm.errors import BadRequest

_WORKSPACES = "microsoft.machinelearningservices/workspaces"
_OLDEST = {
    _WORKSPACES: "2018-03-01-preview",
    "microsoft.insights/components": "2014-04-01",
    "microsoft.storage/storageaccounts": "2015-05-01-preview",
}
_OLDEST_IN_WORKSPACE = "2020-09-01-preview"


def check_api_version(arm_type: str, api_version: str, location: str = "") -> None:
    """Raise BadRequest for a version that is older than the type."""
    in_workspace = arm_type.lower().startswith(f"{_WORKSPACES}/")
    oldest = _OLDEST_IN_WORKSPACE if in_workspace else _OLDEST.get(arm_type.lower(), "")
    if oldest and api_version[:10] < oldest[:10]:
        # The code and the first sentence are Azure's; its second one lists versions and locations.
        raise BadRequest(
            "NoRegisteredProviderFound",
            f"No registered resource provider found for location '{location}' and API version '{api_version}' for type "
            f"'{arm_type.partition('/')[2]}'. The oldest api-version of this type is '{oldest}'.",
        )
