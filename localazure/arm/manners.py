"""How the Machine Learning service answers, which changed with its api-versions and its years. Pure.

What is recorded: a service of 2022-23 (operations `oe`, `od`, `be`, `bd`) and one since 2024, for batch since the end
of 2022 (`oeidp`, `odidp`, `bebes`, `bdbes`). Both answered the same api-versions, so which one answers is a choice: by
default the older one for api-versions of 2022 and before, the newer one for all later. Bodies are stored complete; the
views here leave out what an api-version did not have.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from localazure import identity


class Generation(StrEnum):
    """Which of the recorded services answers."""

    BY_VERSION = "by-version"
    OLDER = "2022"
    NEWER = "2024"


_FIRST_NEWER = "2023"
# Of the newer service, recorded with this version: the answer to a create lacks what is not known yet.
_SPARSE_SINCE = "2024-04-01"


@dataclass(frozen=True)
class Manners:
    """The service's manners towards one request."""

    api_version: str
    newer: bool

    @property
    def sparse(self) -> bool:
        """Whether the answer to an endpoint's create has no location, identity, id and dates yet."""
        return self.newer and self.api_version >= _SPARSE_SINCE

    @property
    def signed(self) -> bool:
        """Whether operation URLs carry a signature."""
        return self.newer and not self.api_version.startswith(("2022-05-01", "2023"))


def manners_of(api_version: str, generation: Generation) -> Manners:
    newer = generation is Generation.NEWER or (generation is Generation.BY_VERSION and api_version >= _FIRST_NEWER)
    return Manners(api_version, newer)


def endpoint_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """An online endpoint as an api-version shows it."""
    lacking = _is_first_stable(api_version) or api_version < "2022"
    absent = ("mirrorTraffic", "publicNetworkAccess") if lacking else ()
    view = _without(body, absent)
    block = view.get("identity") or {}
    if block.get("userAssignedIdentities"):
        block = {"principalId": None, "tenantId": identity.TENANT_ID} | block  # recorded
        if api_version < "2022":  # recorded of 2021, and not since
            ids = block["userAssignedIdentities"].items()
            block["userAssignedIdentities"] = {key.replace("/resourceGroups/", "/resourcegroups/"): v for key, v in ids}
        view["identity"] = block
    return view


def deployment_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """An online deployment as an api-version shows it."""
    absent = []
    if api_version < _FIRST_NEWER:
        absent.append("dataCollector")
    if _is_first_stable(api_version) or api_version >= _FIRST_NEWER:
        absent.append("privateNetworkConnection")
    if _is_first_stable(api_version):
        absent.append("egressPublicNetworkAccess")
    return _without(body, absent)


def asset_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """An asset version as an api-version shows it: what came with 2023-04-01 is absent before."""
    absent = ("provisioningState", "stage", "autoRebuild", "autoDeleteSetting") if api_version < "2023-04-01" else ()
    return _without(body, absent)


def compute_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """A compute as an api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
    if api_version >= _FIRST_NEWER:
        return _without(body, ())
    view = _without(body, ("provisioningWarnings",))
    if isinstance(view["properties"].get("properties"), dict):
        inner = view["properties"]["properties"]
        view["properties"]["properties"] = {k: value for k, value in inner.items() if k != "enableBatchPrivateLink"}
    return view


def datastore_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """A datastore as an api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
    absent = [] if _is_newer_preview(api_version) else ["intellectualProperty"]
    if api_version < _FIRST_NEWER:
        absent += ["subscriptionId", "resourceGroup"]
    return _without(body, absent)


def batch_deployment_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """A batch deployment as an api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
    view = _without(body, ("deploymentConfiguration",) if api_version < _FIRST_NEWER else ())
    if not _is_newer_preview(api_version):
        absent = ("maxInstanceCount", "locations")
        shown = view["properties"]
        shown["resources"] = {name: value for name, value in shown["resources"].items() if name not in absent}
    return view


_LATER_WORKSPACE_FIELDS = (
    "managedNetwork",
    "enableDataIsolation",
    "creationTime",
    "systemDatastoresAuthMode",
    "provisionedLocation",
)
# However they were sent, the service spells these so (recorded).
_REFERENCES_AS_SHOWN = {
    "keyVault": ("Microsoft.KeyVault", "Microsoft.Keyvault"),
    "applicationInsights": ("Microsoft.Insights", "Microsoft.insights"),
}


def workspace_view(body: Mapping[str, Any], api_version: str) -> dict[str, Any]:
    """A workspace as an api-version shows it: recorded for 2022-05-01, 2023-04-01-preview and
    2024-07-01-preview."""
    newer = api_version >= _FIRST_NEWER
    view = _without(body, () if newer else _LATER_WORKSPACE_FIELDS)
    properties = view["properties"]
    for field, (namespace, shown) in _REFERENCES_AS_SHOWN.items():
        if isinstance(properties.get(field), str):
            properties[field] = re.sub(
                f"/providers/{namespace}/", f"/providers/{shown}/", properties[field], flags=re.I
            )
    if not newer:
        view.pop("kind", None)
    elif api_version < "2023-08":
        network = properties["managedNetwork"]
        properties["managedNetwork"] = {k: v for k, v in network.items() if k != "changeableIsolationModes"}
    return view


def sparse_answer(body: Mapping[str, Any]) -> dict[str, Any]:
    """The recorded 201 to a create since 2024-04-01."""
    answer = copy.deepcopy(dict(body))
    answer["systemData"] = {}
    for key in ("location", "identity"):
        answer.pop(key, None)
    answer["properties"]["properties"].pop("azureml.onlineendpointid", None)
    return answer


def _is_newer_preview(api_version: str) -> bool:
    return api_version >= _FIRST_NEWER and api_version.endswith("-preview")


def _is_first_stable(api_version: str) -> bool:
    return api_version.startswith("2022-05-01")


def _without(body: Mapping[str, Any], absent: tuple[str, ...] | list[str]) -> dict[str, Any]:
    properties = {name: value for name, value in body["properties"].items() if name not in absent}
    return {**body, "properties": properties}
