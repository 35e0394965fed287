"""The names that a private endpoint answers to, and the addresses of its subnet that it takes.

The names are documented ("private-endpoint-dns", "how-to-custom-dns" for workspaces). They are those of the public
cloud, except for vaults and registries, whose hosts the local Azure makes up. Nothing answers to them.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from ipaddress import ip_network
from typing import Any

from localazure.errors import BadRequest
from localazure.resource import Resource

RESERVED = 4
"""The first addresses of a subnet are Azure's; the last one is, too (documented)."""
_MONITOR_HOSTS = (
    *("api", "global.in.ai", "profiler", "live", "snapshot", "diagservices-query", "global.handler.control"),
)
_LABEL = 63
_STORAGE_GROUPS = ("blob", "dfs", "file", "queue", "table", "web")


def dns_configs(names: list[tuple[str, ...]], subnet: Resource, taken: Collection[str]) -> list[dict[str, Any]]:
    """What a private endpoint shows as `customDnsConfigs`: each name with its address, the lowest free ones."""
    free = _free_addresses(subnet, taken)
    configs = []
    for group in names:
        address = next(free, None)
        if address is None:
            # A known code; the wording is as users report it.
            raise BadRequest(
                "SubnetIsFull",
                f"Subnet {subnet.name} with address prefix {_prefix(subnet)} does not have enough capacity for "
                f"{len(names)} IP addresses.",
            )
        configs += [{"fqdn": name, "ipAddresses": [address]} for name in group]
    return configs


def names_of(target: Resource, group_id: str, *, linked: Sequence[Resource] = ()) -> list[tuple[str, ...]]:
    """The names of a resource behind one group id: one group of names for each address. Empty if it is not known.

    `linked` are the resources that a private link scope leads to.
    """
    kind = target.resource_id.type
    if kind == "microsoft.machinelearningservices/workspaces" and group_id == "amlworkspace":
        return _workspace_names(target)
    if kind == "microsoft.keyvault/vaults" and group_id == "vault":
        return [(str(target.properties["vaultUri"]).removeprefix("https://").strip("/"),)]
    if kind == "microsoft.containerregistry/registries" and group_id == "registry":
        host, _, suffix = str(target.properties["loginServer"]).partition(".")
        return [(f"{host}.{target.body['location']}.data.{suffix}",), (f"{host}.{suffix}",)]
    if kind == "microsoft.storage/storageaccounts" and group_id in _STORAGE_GROUPS:
        return [(f"{target.name}.{group_id}.core.windows.net",)]
    if kind == "microsoft.insights/privatelinkscopes" and group_id == "azuremonitor":
        return _monitor_names(linked)
    return []


def _monitor_names(linked: Sequence[Resource]) -> list[tuple[str, ...]]:
    """Names as Microsoft documents them ("private-link-configure"); which of them share an address is ours."""
    every = [(f"{name}.monitor.azure.com",) for name in _MONITOR_HOSTS]
    for workspace in (one for one in linked if one.resource_id.type.endswith("/workspaces")):
        guid = workspace.properties["customerId"]
        hosts = ("oms.opinsights.azure.com", "ods.opinsights.azure.com", "agentsvc.azure-automation.net")
        every += [(f"{guid}.{host}",) for host in hosts]
    return [*every, ("scadvisorcontentpl.blob.core.windows.net",)]


def _workspace_names(workspace: Resource) -> list[tuple[str, ...]]:
    guid, region = workspace.properties["workspaceId"], workspace.body["location"]
    tail = f"-{region}-{guid}"
    notebooks = f"ml-{workspace.name}"[: _LABEL - len(tail)] + tail
    return [
        tuple(f"{guid}.workspace.{region}.{api}" for api in ("api.azureml.ms", "cert.api.azureml.ms")),
        (f"{notebooks}.{region}.notebooks.azure.net",),
        (f"*.{region}.inference.ml.azure.com",),
    ]


def _free_addresses(subnet: Resource, taken: Collection[str]) -> Iterator[str]:
    space = ip_network(_prefix(subnet))
    for number in range(RESERVED, space.num_addresses - 1):
        if (address := str(space[number])) not in taken:
            yield address


def _prefix(subnet: Resource) -> str:
    return str(subnet.properties.get("addressPrefix") or subnet.properties["addressPrefixes"][0])
