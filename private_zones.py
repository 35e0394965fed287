"""The private DNS zones of each Azure cloud, by the group id of the private endpoint that fills them. Pure.

Documented by Microsoft ("private-endpoint-dns", and "how-to-custom-dns" for Azure ML). The zone of a vault is not
derived from the vault's public suffix, which is another name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

PUBLIC = "public"
"""The clouds are named as azure-native spells them."""

MONITOR = "azuremonitor"
"""The group id of a private link scope of Azure Monitor. Microsoft lists no zones for it in China."""

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
        MONITOR: (
            "privatelink.monitor.azure.com",
            "privatelink.oms.opinsights.azure.com",
            "privatelink.ods.opinsights.azure.com",
            "privatelink.agentsvc.azure-automation.net",
            "privatelink.blob.core.windows.net",
        ),
    },
    "usgovernment": {
        "amlworkspace": ("privatelink.api.ml.azure.us", "privatelink.notebooks.usgovcloudapi.net"),
        "blob": ("privatelink.blob.core.usgovcloudapi.net",),
        "file": ("privatelink.file.core.usgovcloudapi.net",),
        "queue": ("privatelink.queue.core.usgovcloudapi.net",),
        "table": ("privatelink.table.core.usgovcloudapi.net",),
        "vault": ("privatelink.vaultcore.usgovcloudapi.net",),
        "registry": ("privatelink.azurecr.us",),
        MONITOR: (
            "privatelink.monitor.azure.us",
            "privatelink.adx.monitor.azure.us",
            "privatelink.oms.opinsights.azure.us",
            "privatelink.ods.opinsights.azure.us",
            "privatelink.agentsvc.azure-automation.us",
            "privatelink.blob.core.usgovcloudapi.net",
        ),
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


def has_monitor_zones(cloud: str) -> bool:
    """Whether a private link scope of Azure Monitor has private DNS zones in this cloud."""
    return MONITOR in _ZONES[cloud]


def zones_of(cloud: str, group_ids: Iterable[str]) -> dict[str, tuple[str, ...]]:
    """The zones that these private endpoints need in a cloud, by group id, in this order."""
    return {group_id: _ZONES[cloud].get(group_id, ()) for group_id in group_ids}


def zone_names(cloud: str, group_ids: Iterable[str]) -> tuple[str, ...]:
    """The names of all zones that these private endpoints need, each once: blob storage and Azure Monitor share one."""
    return tuple(dict.fromkeys(name for names in zones_of(cloud, group_ids).values() for name in names))


def clouds_of(zone: str) -> tuple[str, ...]:
    """The clouds in which a private endpoint needs a zone of this name."""
    return tuple(cloud for cloud, groups in _ZONES.items() if any(zone in names for names in groups.values()))
