"""Microsoft.KeyVault: vaults, their keys, and deleted vaults. No secrets are served, and no key is used.

A deleted vault keeps its name for `softDeleteRetentionInDays` in all groups and regions, unless a purge (which purge
protection forbids) frees it or a PUT with `createMode: recover` restores the vault.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar, NoReturn

from localazure.arm.behaviour import Action, Behaviour
from localazure.arm.control_plane import ControlPlane, new_guid
from localazure.arm.long_running import LOCATION
from localazure.arm.patching import Patched
from localazure.arm.purging import end_purges
from localazure.arm.reply import Reply, Request
from localazure.arm.resource_body import Shape, envelope
from localazure.arm.soft_delete import SoftDeleted
from localazure.arm.timing import time_text
from localazure.errors import ArmError, BadRequest, Conflict, NotEmulated, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId, is_within

VAULTS = "Microsoft.KeyVault/vaults"
KEYS = f"{VAULTS}/keys"
DELETED = "Microsoft.KeyVault/locations/deletedVaults"
DELETED_LIST = "Microsoft.KeyVault/deletedVaults"
_RETENTION_DAYS = range(7, 91)
_DEFAULT_DAYS = 90


class Vaults(Patched):
    """A key vault; once deleted, it keeps its name until it is purged or recovered, or its retention ends"""

    dated = True
    patchable: ClassVar[frozenset[str]] = frozenset({"tags", "properties"})

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.networkAcls.bypass": "without AzureServices, endpoints with keys cannot be created",
        "properties.networkAcls.defaultAction": "Deny makes the vault a restricted one",
        "properties.publicNetworkAccess": "Disabled makes the vault a restricted one",
        "properties.softDeleteRetentionInDays": "how long a deleted vault keeps its name (by the server's clock)",
        "properties.enablePurgeProtection": "a deleted vault cannot be purged",
        "properties.createMode": "recover restores the deleted vault as it was and ignores the rest of the PUT",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "taken by a deleted vault, or by a vault of another group (both 409)",
        "properties.tenantId": "missing",
        "properties.sku": "missing",
        "properties.enablePurgeProtection": "false, at creation too",
        "properties.softDeleteRetentionInDays": "different from before; not a whole number from 7 to 90",
        "properties.createMode": "recover, when no such deleted vault exists in this group and region",
    }

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        for field in ("tenantId", "sku"):
            if not sent.get(field):
                raise BadRequest("BadRequest", f"properties.{field} of a key vault is required.")
        if sent.get("enablePurgeProtection") is False:
            # Verbatim from Azure/azure-rest-api-specs#18106 and Azure/ai-hub#241.
            raise BadRequest(
                "BadRequest",
                'The property "enablePurgeProtection" cannot be set to false. Enabling the purge protection for a '
                "vault is an irreversible action.",
            )
        self._check_retention(sent.get("softDeleteRetentionInDays"), existing)
        if existing is None:
            self._check_name(request.id.name)

    def _check_retention(self, days: Any, existing: Resource | None) -> None:
        if days is None:
            return
        if existing is not None and days != existing.properties.get("softDeleteRetentionInDays"):
            # Verbatim from a comment in hashicorp/terraform-provider-azurerm, key_vault_resource.go.
            raise BadRequest(
                "BadRequest",
                'The property "softDeleteRetentionInDays" has been set already and it can\'t be modified.',
            )
        if type(days) is not int or days not in _RETENTION_DAYS:
            # The range is documented, the wording is ours.
            text = f"softDeleteRetentionInDays must be a whole number from 7 to 90, got {days!r}."
            raise BadRequest("BadRequest", text)

    def _check_name(self, name: str) -> None:
        if self.plane.deleted.named(VAULTS, name) is not None:
            # Verbatim from alan-turing-institute/data-safe-haven#2523.
            raise Conflict(
                "ConflictError",
                "A vault with the same name already exists in deleted state. You need to either recover or purge "
                "existing key vault. Follow this link https://go.microsoft.com/fwlink/?linkid=2149745 for more "
                "information on soft delete.",
            )
        if self.store.has_named(VAULTS, name):
            # Verbatim from Azure/azure-powershell#15115.
            raise Conflict(
                "VaultAlreadyExists",
                f"The vault name '{name}' is already in use. Vault names are globaly unique so it is possible that "
                "the name is already taken. If you are sure that the vault name was not taken then it is possible "
                "that a vault with the same name was recently deleted but not purged after being placed in a "
                "recoverable state. If the vault is in a recoverable state then the vault will need to be purged "
                "before reusing the name. For more information on soft delete and purging a vault follow this link "
                "https://go.microsoft.com/fwlink/?linkid=2147740.",
            )

    def put(self, request: Request) -> Reply:
        mode = str(request.sent_properties.get("createMode") or "default").lower()
        if mode == "recover" and self.store.get(request.id.text) is None:
            return self._recover(request)
        return super().put(request)

    def _recover(self, request: Request) -> Reply:
        """Reported (Azure/azure-rest-api-specs#21306): the rest of the PUT is ignored. The status is not known."""
        self.require_parent(request.id)
        location = self.location_of(request, None)
        found = self.plane.deleted.find(request.id.text, VAULTS)
        if found is None or found.resource.body.get("location") != location:
            # Code and wording as reported by Terraform users, also for a vault in another group.
            raise BadRequest(
                "SoftDeletedVaultDoesNotExist",
                "A soft deleted vault with the given name does not exist. Ensure that the name for the vault that is "
                "being attempted to recover is in a recoverable state.",
            )
        with self.store.transaction():
            self.plane.deleted.forget(found.resource.id, VAULTS)
            self.store.save(found.resource)
        return Reply(200, self.read(found.resource, request))

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        defaults: dict[str, Any] = {
            "accessPolicies": [],
            "enabledForDeployment": False,
            "enableSoftDelete": True,
            "softDeleteRetentionInDays": _DEFAULT_DAYS,
            "publicNetworkAccess": "Enabled",
        }
        lasting = ("softDeleteRetentionInDays", "enablePurgeProtection")
        before = existing.properties if existing else {}
        sent = {name: value for name, value in super().properties(request, existing).items() if name != "createMode"}
        # A setting that can only be set once stays when a later PUT omits it.
        kept = {name: before[name] for name in lasting if before.get(name) is not None}
        properties = defaults | kept | {name: value for name, value in sent.items() if value is not None}
        return properties | {"vaultUri": f"https://{request.id.name.lower()}.vault.localhost/"}

    def removed(self, resource: Resource) -> None:
        self.plane.deleted.keep(resource, resource.properties.get("softDeleteRetentionInDays", _DEFAULT_DAYS))


class Keys(Behaviour):
    """A key by name; a later PUT changes nothing, and only the vault's own service could delete it"""

    tracked = False
    created_status = 200  # the reference has no other
    refused: ClassVar[Mapping[str, str]] = {"properties.kty": "missing, or not EC, EC-HSM, RSA or RSA-HSM"}

    def check(self, request: Request, existing: Resource | None) -> None:
        kind = request.sent_properties.get("kty")
        if kind not in ("EC", "EC-HSM", "RSA", "RSA-HSM"):
            # The values are documented; the wording is ours.
            raise BadRequest("BadRequest", f"properties.kty must be EC, EC-HSM, RSA or RSA-HSM, got {kind!r}.")

    def put(self, request: Request) -> Reply:
        existing = self.store.get(request.id.text)
        # Documented: "This method cannot update an existing key."
        return super().put(request) if existing is None else Reply(200, self.read(existing, request))

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        uri = f"https://{ResourceId(request.id.parent).name.lower()}.vault.localhost/keys/{request.id.name}"
        shown = {"keyUri": uri, "keyUriWithVersion": f"{uri}/{new_guid().replace('-', '')}"}
        return super().properties(request, existing) | shown

    def mark_provisioned(self, resource: Resource) -> None:
        """It has no provisioning state."""

    def delete(self, request: Request) -> NoReturn:
        raise NotEmulated(f"DELETE of {self.shape.arm}, which Resource Manager does not have,")


class DeletedVaults(Behaviour):
    """A deleted vault that is still kept"""

    tracked = False
    read_only = True

    def __init__(self, plane: ControlPlane, shape: Shape) -> None:
        super().__init__(plane, shape)
        end_purges(plane, f"{shape.arm}.purge", VAULTS)

    def get(self, request: Request) -> Reply:
        return Reply(200, _shown(self._kept(request.id)))

    def find(self, resource_id: ResourceId, verb: str) -> Resource:
        return self._kept(resource_id).resource

    def list_children(self, parent_id: str, request: Request) -> Reply:
        raise NotEmulated("A list of deleted vaults by region")  # the service does not have it

    def _kept(self, resource_id: ResourceId) -> SoftDeleted:
        found = self.plane.deleted.named(VAULTS, resource_id.name)
        region = ResourceId(resource_id.parent).text.rpartition("/")[2].lower()
        if found is None or str(found.resource.body.get("location", "")).lower() != region:
            # Known code; the wording is ours.
            raise NotFound(
                "DeletedVaultNotFound", f"The deleted vault '{resource_id.name}' does not exist in '{region}'."
            )
        return found

    def _purge(self, request: Request, vault: Resource) -> Reply:
        if vault.properties.get("enablePurgeProtection"):
            # Code and wording from microsoft/AzureTRE#1446; the status is that of the code, not recorded.
            raise ArmError("MethodNotAllowed", "Operation 'DeletedVaultPurge' is not allowed.", status=405)
        with self.store.transaction():
            operation = self.start(request, vault, "purge", LOCATION)
        return self.accepted(operation, "POST")

    actions: ClassVar[Mapping[str, Action]] = {"purge": _purge}


class DeletedVaultList(Behaviour):
    """All deleted vaults of the subscription that are still kept"""

    lists_only = True
    lists_subscription = True
    tracked = False
    read_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        if ResourceId(parent_id).resource_group:
            raise NotEmulated("A list of deleted vaults by resource group")  # the service does not have it
        here = parent_id.lower()
        kept = [one for one in self.plane.deleted.of_type(VAULTS) if is_within(one.resource.key, here)]
        return Reply(200, {"value": [_shown(one) for one in kept]})


def _shown(one: SoftDeleted) -> dict[str, Any]:
    """As in the examples of the service's own specification."""
    vault = one.resource
    location = vault.body.get("location", "")
    scope = f"/subscriptions/{vault.resource_id.subscription}/providers/Microsoft.KeyVault/locations/{location}"
    properties = {
        "vaultId": vault.id,
        "location": location,
        "tags": copy.deepcopy(vault.body.get("tags") or {}),
        "deletionDate": time_text(one.deleted),
        "scheduledPurgeDate": time_text(one.until),
    }
    if vault.properties.get("enablePurgeProtection"):
        properties["purgeProtectionEnabled"] = True
    return envelope(f"{scope}/deletedVaults/{vault.name}", DELETED_LIST, properties=properties)


def trusted_services_blocked(vault: Resource) -> bool:
    """Whether the vault's network rules exclude Azure's own services (`bypass` other than AzureServices)."""
    rules = vault.properties.get("networkAcls") or {}
    closed = str(vault.properties.get("publicNetworkAccess", "Enabled")).lower() == "disabled"
    restricted = closed or str(rules.get("defaultAction", "Allow")).lower() == "deny"
    return restricted and str(rules.get("bypass", "AzureServices")).lower() != "azureservices"


BEHAVIOURS: dict[str, type[Behaviour]] = {
    VAULTS: Vaults,
    KEYS: Keys,
    DELETED: DeletedVaults,
    DELETED_LIST: DeletedVaultList,
}
EXTRA_SHAPES = (Shape(DELETED, deletion=None), Shape(DELETED_LIST))
