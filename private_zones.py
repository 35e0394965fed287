"""The private DNS zones of each Azure cloud, by the group id of the private endpoint that fills them. Pure.

Documented by Microsoft ("private-endpoint-dns", and "how-to-custom-dns" for Azure ML). The zone of a vault is not
derived from the vault's public suffix, which is another name.
"""

from __future__ import annotations

from collections.abc import Mapping

PUBLIC = "public"
"""The clouds are named as azure-native spells them."""

_ZONES: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    PUBLIC: {
        # Managed online endpoints have no private endpoint of their own: their scoring address is in the first zone.
        "amlworkspace": ("privatelink.api.azureml.ms", "privatelink.notebooks.azure.net"),
        "blob": ("privatelink.blob.core.windows.net",),
        "file": ("privatelink.file.core.windows.net",),
        "queue": ("privatelink.queue.core.windows.net",),
        "table": ("privatelink.table.core.windows.net",),
        "vault": ("privatelink.vaultcore.azure.net",),
        "registry": ("privatelink.azurecr.io",),
    },
    "usgovernment": {
        "amlworkspace": ("privatelink.api.ml.azure.us", "privatelink.notebooks.usgovcloudapi.net"),
        "blob": ("privatelink.blob.core.usgovcloudapi.net",),
        "file": ("privatelink.file.core.usgovcloudapi.net",),
        "queue": ("privatelink.queue.core.usgovcloudapi.net",),
        "table": ("privatelink.table.core.usgovcloudapi.net",),
        "vault": ("privatelink.vaultcore.usgovcloudapi.net",),
        "registry": ("privatelink.azurecr.us",),
    },
    "china": {
        "amlworkspace": ("privatelink.api.ml.azure.cn", "privatelink.notebooks.chinacloudapi.cn"),
        "blob": ("privatelink.blob.core.chinacloudapi.cn",),
        "file": ("privatelink.file.core.chinacloudapi.cn",),
        "queue": ("privatelink.queue.core.chinacloudapi.cn",),
        "table": ("privatelink.table.core.chinacloudapi.cn",),
        "vault": ("privatelink.vaultcore.azure.cn",),
        "registry": ("privatelink.azurecr.cn",),
    },
}


GROUP_IDS = ("amlworkspace", "vault", "registry")
"""Of the private endpoints of a stack, beside those of the storage account."""


def zones_of(cloud: str, group_ids: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """The zones that these private endpoints need in a cloud, by group id, in this order."""
    return {group_id: _ZONES[cloud][group_id] for group_id in group_ids}


def zone_names(cloud: str, storage_groups: tuple[str, ...]) -> frozenset[str]:
    """The names of all zones that a private stack needs."""
    zones = zones_of(cloud, (*GROUP_IDS, *storage_groups))
    return frozenset(name for names in zones.values() for name in names)
