"""Microsoft.ManagedIdentity: user-assigned identities, each with its own principal, and whose ID tokens they accept."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, ClassVar

from localazure import identity
from localazure.arm.behaviour import Behaviour
from localazure.arm.control_plane import ControlPlane, new_guid
from localazure.arm.patching import Patched
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape
from localazure.errors import BadRequest, Conflict
from localazure.federation import FederatedCredential
from localazure.resource import Resource

FEDERATED_TYPE = "microsoft.managedidentity/userassignedidentities/federatedidentitycredentials"
MAX_FEDERATED = 20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{2,119}")


class UserAssignedIdentities(Patched):
    """An identity that several resources can share."""

    dated = True

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        before = existing.properties if existing else {}
        return super().properties(request, existing) | {
            "tenantId": identity.TENANT_ID,
            "principalId": before.get("principalId") or new_guid(),
            "clientId": before.get("clientId") or new_guid(),
        }

    def mark_provisioned(self, resource: Resource) -> None:
        """Identities have no provisioning state."""


class FederatedIdentityCredentials(Behaviour):
    """Whose ID tokens an identity accepts; an identity takes one write at a time."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.issuer": "an ID token of this issuer proves to be the identity (keys: `--oidc-issuer`)",
        "properties.subject": "compared with the token's, exactly and case-sensitively",
        "properties.audiences": "the same",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not 3 to 120 letters, digits, - and _, or the 21st of an identity",
        "properties.issuer": "missing, not https, or with the same subject as another credential of the identity (409)",
        "properties.subject": "missing",
        "properties.audiences": "not exactly one",
    }

    tracked = False

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        self._writing: set[str] = set()
        self.pause: Callable[[], Awaitable[object]] = self._sleep

    def check(self, request: Request, existing: Resource | None) -> None:
        # The rules are documented; codes and wording are this project's own.
        sent = request.sent_properties
        if not _NAME.fullmatch(request.id.name):
            raise BadRequest("InvalidRequestContent", f"{request.id.name!r} is not 3 to 120 letters, digits, - and _.")
        for field in ("issuer", "subject"):
            if not isinstance(sent.get(field), str) or not sent[field]:
                raise BadRequest("InvalidRequestContent", f"properties.{field} is required and must be a string.")
        if not sent["issuer"].startswith("https://"):
            raise BadRequest(
                "InvalidRequestContent", f"properties.issuer must be an https URL, got {sent['issuer']!r}."
            )
        audiences = sent.get("audiences")
        if not isinstance(audiences, list) or len(audiences) != 1 or not isinstance(audiences[0], str):
            raise BadRequest("InvalidRequestContent", "properties.audiences must be a list of one string.")
        others = [one for one in self.store.children(request.id.parent, self.shape.arm) if one.key != request.id.key]
        if any(all(one.properties[field] == sent[field] for field in ("issuer", "subject")) for one in others):
            raise Conflict("Conflict", "Issuer and subject are those of another credential of this identity.")
        if existing is None and len(others) >= MAX_FEDERATED:
            raise BadRequest("InvalidRequestContent", f"An identity has at most {MAX_FEDERATED} credentials.")

    def put(self, request: Request) -> Reply:
        self._refuse_if_writing(request)
        reply = super().put(request)
        self._writing.add(request.id.parent.lower())
        return reply

    def delete(self, request: Request) -> Reply:
        self._refuse_if_writing(request)
        reply = super().delete(request)
        self._writing.add(request.id.parent.lower())
        return reply

    def _refuse_if_writing(self, request: Request) -> None:
        """Refuse a write while another one of the identity is not answered yet, as in public reports."""
        if request.id.parent.lower() in self._writing:
            # Code and wording: pulumi/pulumi-azure-native#4343, hashicorp/terraform-provider-azurerm#19968.
            conflict = Conflict(
                "ConcurrentFederatedIdentityCredentialsWritesForSingleManagedIdentity",
                "Too many Federated Identity Credentials are written concurrently for the managed identity "
                f"'{request.id.parent.lower()}'. Concurrent Federated Identity Credentials writes under the same "
                "managed identity are not supported.",
            )
            conflict.headers |= self.plane.timing.retry_after()
            raise conflict

    async def before_answer(self, request: Request) -> None:
        """A write takes time, in which the identity takes no other."""
        try:
            await self.pause()
        finally:
            self._writing.discard(request.id.parent.lower())

    async def _sleep(self) -> None:
        await asyncio.sleep(self.plane.timing.seconds(f"{self.shape.arm}.put", update=False))

    def mark_provisioned(self, resource: Resource) -> None:
        """Credentials have no provisioning state."""


def federated_credential(resource: Resource) -> FederatedCredential:
    """A stored credential as the token service compares it."""
    shown = resource.properties
    return FederatedCredential(shown["issuer"], shown["subject"], tuple(shown["audiences"]))


BEHAVIOURS: dict[str, type[Behaviour]] = {
    "Microsoft.ManagedIdentity/userAssignedIdentities": UserAssignedIdentities,
    "Microsoft.ManagedIdentity/userAssignedIdentities/federatedIdentityCredentials": FederatedIdentityCredentials,
}
