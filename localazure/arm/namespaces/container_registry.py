"""Microsoft.ContainerRegistry: registries. No images are stored; only the right to pull is checked, for deployments."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.patching import Patched
from localazure.arm.reply import Request
from localazure.arm.timing import time_text
from localazure.errors import BadRequest
from localazure.resource import Resource


class Registries(Patched):
    """A container registry."""

    dated = True
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "sku", "identity", "properties"})

    refused: ClassVar[Mapping[str, str]] = {
        "sku.name": "other than Basic, Standard, Premium",
        "properties.publicNetworkAccess": "Disabled with a sku.name other than Premium",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.body.get("sku")
        sku = sent if sent is not None or existing is None else existing.body.get("sku")
        if not isinstance(sku, dict) or sku.get("name") not in ("Basic", "Standard", "Premium"):
            raise BadRequest("InvalidSku", f"sku.name must be Basic, Standard or Premium, got {sku!r}.")
        closed = str(request.sent_properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
        if closed and sku["name"] != "Premium":
            # The rule is documented, the wording is ours.
            raise BadRequest("InvalidSku", "publicNetworkAccess Disabled needs a registry with sku.name Premium.")

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {"adminUserEnabled": False, "publicNetworkAccess": "Enabled"}
        properties = defaults | super().properties(request, existing)
        now = time_text(self.plane.clock())
        created = existing.properties["creationDate"] if existing else now
        return properties | {"loginServer": f"{request.id.name.lower()}.azurecr.localhost", "creationDate": created}

    def complete_body(self, resource: Resource, request: Request) -> None:
        sku = resource.body.get("sku")
        if isinstance(sku, dict):
            sku["tier"] = sku["name"]


BEHAVIOURS = {"Microsoft.ContainerRegistry/registries": Registries}
