"""The endpoint in Azure, through Resource Manager: `ports.Azure`.

A reading takes two requests, the endpoint and the list of its deployments; a list of more than one page takes one
request per page.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from command_errors import CommandError, UnavailableError, UsageError
from endpoint_state import LiveEndpoint
from resource_manager.operations import ArmOperations
from rollout.split import Split

API_VERSION = "2024-04-01"
_WRITTEN = ("tags", "location", "kind", "sku")
_READ_ONLY = frozenset({"provisioningState", "scoringUri", "swaggerUri"})
_OF_IDENTITY = ("type", "userAssignedIdentities")


@dataclass(frozen=True)
class ArmEndpoint:
    """One endpoint by its ARM id; `arm` waits so long for an operation as it was made to."""

    arm: ArmOperations
    endpoint_id: str

    def endpoint(self) -> LiveEndpoint | None:
        """The endpoint with its deployments, read now; None if Azure says 404. Raises UnavailableError."""
        try:
            found = self.arm.get(self.endpoint_id, API_VERSION)
            if found is None:
                return None
            listed = self.arm.get_all(f"{self.endpoint_id}/deployments", API_VERSION)
            return LiveEndpoint.from_resources(
                _name_of(self.endpoint_id), found, {str(one["name"]): one for one in listed}
            )
        except CommandError as error:
            raise _unavailable(error) from error
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UnavailableError(
                f"Azure's answer about {self.endpoint_id} lacks what every endpoint has ({error}). Try again; a proxy "
                "may have answered in its place."
            ) from error

    def set_split(self, split: Split) -> None:
        """PUT the endpoint with other weights, without the engine, and wait until Azure has them.

        Everything else is sent back as it was read. Raises UsageError if endpoint or deployments are gone, and
        UnavailableError for any other reason: then the weights may or may not have changed, so read them afterwards.
        """
        try:
            found = self.arm.get(self.endpoint_id, API_VERSION)
            if found is None:
                raise UsageError(f"{self.endpoint_id} does not exist any more, so it cannot get other weights.")
            there = {str(one["name"]) for one in self.arm.get_all(f"{self.endpoint_id}/deployments", API_VERSION)}
            if gone := sorted(
                {name for name, weight in (*split.traffic.items(), *split.mirror.items()) if weight} - there
            ):
                raise UsageError(f"{_name_of(self.endpoint_id)} has no deployment {' and no '.join(gone)} any more.")
            self.arm.put(self.endpoint_id, API_VERSION, with_split(found, split))
        except UsageError:
            raise
        except CommandError as error:
            raise _unavailable(error) from error


def with_split(endpoint: Mapping[str, Any], split: Split) -> dict[str, Any]:
    """The body of a PUT that changes an endpoint's weights only. Pure.

    Azure resets weights that a PUT leaves out, so both are always there; keys of the endpoint are kept without being
    sent. Of an identity only its type and its ids may be sent.
    """
    body: dict[str, Any] = {name: endpoint[name] for name in _WRITTEN if endpoint.get(name) is not None}
    properties = {name: value for name, value in endpoint["properties"].items() if name not in _READ_ONLY}
    body["properties"] = properties | {"traffic": dict(split.traffic), "mirrorTraffic": dict(split.mirror)}
    identity = endpoint.get("identity") or {}
    if kept := {name: identity[name] for name in _OF_IDENTITY if identity.get(name)}:
        if ids := kept.get("userAssignedIdentities"):
            kept["userAssignedIdentities"] = {one: {} for one in ids}
        body["identity"] = kept
    return body


def _unavailable(error: CommandError) -> UnavailableError:
    return error if isinstance(error, UnavailableError) else UnavailableError(str(error))


def _name_of(endpoint_id: str) -> str:
    return endpoint_id.rstrip("/").rpartition("/")[2]
