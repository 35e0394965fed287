"""The API of Machine Learning, which differs between api-versions and has changed over the years. Pure.

Only this module tells versions and years apart: a behaviour asks the API of its request what to show and what to do.
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


class ServiceVersion(StrEnum):
    """Which of the recorded services answers."""

    BY_API_VERSION = "by-version"
    OLDER = "2022"
    NEWER = "2024"


_FIRST_NEWER = "2023"
# Of the newer service, recorded with this version: the answer to a create lacks what is not known yet.
_SPARSE_SINCE = "2024-04-01"
_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"
_BATCH = f"{_WORKSPACES}/batchEndpoints"
_OPERATION_PREFIXES = {
    f"{_WORKSPACES}/onlineEndpoints": ("oe", "oeidp"),
    f"{_WORKSPACES}/onlineEndpoints/deployments": ("od", "odidp"),
    _BATCH: ("be", "bebes"),
    f"{_BATCH}/deployments": ("bd", "bdbes"),
}
"""Of operation ids, from the older and the newer service."""
_NO_GUID = "00000000-0000-0000-0000-000000000000"
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


@dataclass(frozen=True)
class MachineLearningApi:
    """How the service answers requests with one api-version."""

    _version: str
    _newer: bool

    @classmethod
    def of(cls, api_version: str, service: ServiceVersion) -> MachineLearningApi:
        """The API of an api-version, as the chosen service has it."""
        by_version = service is ServiceVersion.BY_API_VERSION and api_version >= _FIRST_NEWER
        return cls(api_version, service is ServiceVersion.NEWER or by_version)

    # Operations

    def operation_prefix(self, arm_type: str) -> str:
        """What the ids of operations on a type begin with."""
        return _OPERATION_PREFIXES[arm_type][self._newer]

    @property
    def signs_operation_urls(self) -> bool:
        """Whether operation URLs carry a signature."""
        return self._newer and not self._version.startswith(("2022-05-01", "2023"))

    def names_operation(self, arm_type: str) -> bool:
        """Whether a resource names its last operation (AzureAsyncOperationUri)."""
        return not (self._newer and arm_type.startswith(_BATCH))

    def deletion(self, arm_type: str) -> str:
        """Which of the family's answers a DELETE gets: since 2024 a batch deployment's is empty (recorded)."""
        return "DELETE empty" if arm_type == f"{_BATCH}/deployments" and self._version >= "2024" else "DELETE"

    # Online endpoints and deployments

    def created_endpoint(self, view: dict[str, Any]) -> dict[str, Any]:
        """The answer to a create: since 2024-04-01 without location, identity, id and dates (recorded)."""
        if not self._newer or self._version < _SPARSE_SINCE:
            return view
        answer = copy.deepcopy(view)
        answer["systemData"] = {}
        for key in ("location", "identity"):
            answer.pop(key, None)
        answer["properties"]["properties"].pop("azureml.onlineendpointid", None)
        return answer

    def created_deployment(self, view: dict[str, Any], undefaulted: Mapping[str, Any]) -> dict[str, Any]:
        """The answer to a create: the older service shows its defaults only when the operation has ended."""
        return view if self._newer else {**view, "properties": view["properties"] | undefaulted}

    def deployment_state(self, *, creates: bool) -> str:
        """The state of an online deployment while its PUT runs."""
        return "Creating" if creates and self._newer else "Updating"

    @property
    def adds_variables(self) -> bool:
        """Whether the service adds its own environment variables to a deployment (recorded since 2024)."""
        return self._newer

    # Batch endpoints and deployments

    @property
    def lists_oldest_batch_first(self) -> bool:
        """Recorded of the newer service; all other lists begin with the newest."""
        return self._newer

    def batch_endpoint_marks(self, resource_id: str) -> dict[str, str]:
        """What the service writes into the properties of a new batch endpoint."""
        if self._version <= "2022-02-01-preview":
            return {}
        # Recorded: the older service wrote onlineendpoints into the id.
        older = resource_id.lower().replace("/batchendpoints/", "/onlineendpoints/")
        return {
            "BatchEndpointCreationApiVersion": self._version,
            "azureml.onlineendpointid": resource_id if self._newer else older,
        }

    @property
    def unset_identity(self) -> dict[str, Any] | None:
        """What a batch endpoint shows that was created without an identity; None: nothing."""
        shown = "2022-05-01" <= self._version < "2024"
        return {"type": "None", "principalId": _NO_GUID, "tenantId": _NO_GUID} if shown else None

    def batch_deployment_state(self, *, creates: bool) -> str:
        """The state of a batch deployment while its PUT runs."""
        if not creates and not self._newer:
            return "Succeeded"  # the one recorded update: the operation still ran
        return "Creating" if creates and self._version >= "2024" else "Updating"

    # Workspaces and assets

    def friendly_name(self, name: str) -> str:
        """That of a workspace which was given none: recorded as empty in 2022; of later versions no direct PUT is
        recorded."""
        return name if self._version >= "2023" else ""

    @property
    def labels_latest(self) -> bool:
        """Whether the latest version of an environment says that it is."""
        return self._version >= "2023-04-01"

    # Bodies

    def endpoint_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An online endpoint as this api-version shows it."""
        lacking = self._is_first_stable or self._version < "2022"
        absent = ("mirrorTraffic", "publicNetworkAccess") if lacking else ()
        view = _without(body, absent)
        block = view.get("identity") or {}
        if block.get("userAssignedIdentities"):
            block = {"principalId": None, "tenantId": identity.TENANT_ID} | block  # recorded
            if self._version < "2022":  # recorded of 2021, and not since
                ids = block["userAssignedIdentities"].items()
                block["userAssignedIdentities"] = {
                    key.replace("/resourceGroups/", "/resourcegroups/"): v for key, v in ids
                }
            view["identity"] = block
        return view

    def deployment_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An online deployment as this api-version shows it."""
        absent = []
        if self._version < _FIRST_NEWER:
            absent.append("dataCollector")
        if self._is_first_stable or self._version >= _FIRST_NEWER:
            absent.append("privateNetworkConnection")
        if self._is_first_stable:
            absent.append("egressPublicNetworkAccess")
        return _without(body, absent)

    def asset_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """An asset version as this api-version shows it: what came with 2023-04-01 is absent before."""
        later = ("provisioningState", "stage", "autoRebuild", "autoDeleteSetting")
        return _without(body, later if self._version < "2023-04-01" else ())

    def compute_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A compute as this api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
        if self._version >= _FIRST_NEWER:
            return _without(body, ())
        view = _without(body, ("provisioningWarnings",))
        if isinstance(view["properties"].get("properties"), dict):
            inner = view["properties"]["properties"]
            view["properties"]["properties"] = {k: value for k, value in inner.items() if k != "enableBatchPrivateLink"}
        return view

    def datastore_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A datastore as this api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
        absent = [] if self._is_newer_preview else ["intellectualProperty"]
        if self._version < _FIRST_NEWER:
            absent += ["subscriptionId", "resourceGroup"]
        return _without(body, absent)

    def batch_deployment_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A batch deployment as this api-version shows it: recorded for 2022-05-01 and 2024-04-01."""
        view = _without(body, ("deploymentConfiguration",) if self._version < _FIRST_NEWER else ())
        if not self._is_newer_preview:
            absent = ("maxInstanceCount", "locations")
            shown = view["properties"]
            shown["resources"] = {name: value for name, value in shown["resources"].items() if name not in absent}
        return view

    def workspace_view(self, body: Mapping[str, Any]) -> dict[str, Any]:
        """A workspace as this api-version shows it: recorded for 2022-05-01, 2023-04-01-preview and
        2024-07-01-preview."""
        newer = self._version >= _FIRST_NEWER
        view = _without(body, () if newer else _LATER_WORKSPACE_FIELDS)
        properties = view["properties"]
        for field, (namespace, shown) in _REFERENCES_AS_SHOWN.items():
            if isinstance(properties.get(field), str):
                properties[field] = re.sub(
                    f"/providers/{namespace}/", f"/providers/{shown}/", properties[field], flags=re.I
                )
        if not newer:
            view.pop("kind", None)
        elif self._version < "2023-08":
            network = properties["managedNetwork"]
            properties["managedNetwork"] = {k: v for k, v in network.items() if k != "changeableIsolationModes"}
        return view

    @property
    def _is_newer_preview(self) -> bool:
        return self._version >= _FIRST_NEWER and self._version.endswith("-preview")

    @property
    def _is_first_stable(self) -> bool:
        return self._version.startswith("2022-05-01")


def _without(body: Mapping[str, Any], absent: tuple[str, ...] | list[str]) -> dict[str, Any]:
    properties = {name: value for name, value in body["properties"].items() if name not in absent}
    return {**body, "properties": properties}
