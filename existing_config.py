"""The model of `sluice:existing`: what a stack uses and does not create, by ARM id.

An id must be of the right type. Whether the resource exists and fits is checked against Azure, in
`assessment/existing.py`. Imports no Pulumi.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from arm_id import ArmId
from config_values import RegistryId, RegistryName, Section

_IN_GROUP = r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers"

GROUP_ID_PATTERN = r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+$"
LOG_ANALYTICS_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Oo]perational[Ii]nsights/workspaces/[^/]+$"
INSIGHTS_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Ii]nsights/components/[^/]+$"
CONTAINER_REGISTRY_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Cc]ontainer[Rr]egistry/registries/[^/]+$"
VAULT_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Kk]ey[Vv]ault/vaults/[^/]+$"
STORAGE_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Ss]torage/storage[Aa]ccounts/[^/]+$"
WORKSPACE_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Mm]achine[Ll]earning[Ss]ervices/workspaces/[^/]+$"
SUBNET_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Nn]etwork/virtualNetworks/[^/]+/subnets/[^/]+$"
IDENTITY_ID_PATTERN = rf"{_IN_GROUP}/[Mm]icrosoft\.[Mm]anaged[Ii]dentity/user[Aa]ssigned[Ii]dentities/[^/]+$"

GroupId = Annotated[str, StringConstraints(pattern=GROUP_ID_PATTERN)]
LogAnalyticsId = Annotated[str, StringConstraints(pattern=LOG_ANALYTICS_ID_PATTERN)]
InsightsId = Annotated[str, StringConstraints(pattern=INSIGHTS_ID_PATTERN)]
ContainerRegistryId = Annotated[str, StringConstraints(pattern=CONTAINER_REGISTRY_ID_PATTERN)]
VaultId = Annotated[str, StringConstraints(pattern=VAULT_ID_PATTERN)]
StorageId = Annotated[str, StringConstraints(pattern=STORAGE_ID_PATTERN)]
WorkspaceId = Annotated[str, StringConstraints(pattern=WORKSPACE_ID_PATTERN)]
SubnetId = Annotated[str, StringConstraints(pattern=SUBNET_ID_PATTERN)]
IdentityId = Annotated[str, StringConstraints(pattern=IDENTITY_ID_PATTERN)]


PARTS_OF_A_WORKSPACE = ("application_insights", "registry", "vault", "storage", "workspace_identity", "subnet")


class ExistingSettings(Section):
    """Resources that this stack uses and does not create, tag, lock or delete, by ARM id."""

    resource_group: GroupId | None = None
    """Resource group for everything that this stack creates. Then no right on the subscription is needed."""
    log_analytics: LogAnalyticsId | None = None
    """Log Analytics workspace; it may be in another subscription."""
    application_insights: InsightsId | None = None
    """Application Insights component that deployments send telemetry to."""
    registry: ContainerRegistryId | None = None
    """Container registry for built images; Premium in a private stack."""
    vault: VaultId | None = None
    """Key vault of the workspace, with Azure roles and purge protection."""
    storage: StorageId | None = None
    """Storage account of the workspace, without shared keys; closed to the internet in a private stack."""
    workspace_identity: IdentityId | None = None
    """User-assigned identity that the workspace acts as; its owner assigns its roles (`sluice doctor` checks them)."""
    subnet: SubnetId | None = None
    """Subnet for the private endpoints of a private stack; it may be in another subscription."""
    workspace: WorkspaceId | None = None
    """Azure ML workspace for the endpoints, with everything that it stands on; its owner sees to its network."""
    ml_registries: dict[RegistryName, RegistryId] = Field(default_factory=dict)
    """Azure ML registries by name, with their ARM ids; endpoints that take assets from one may read there."""

    @field_validator("workspace")
    @classmethod
    def _has_its_own(cls, value: str | None, info: ValidationInfo) -> str | None:
        given = [key for key in PARTS_OF_A_WORKSPACE if info.data.get(key) is not None]
        if value is not None and given:
            raise PydanticCustomError(
                "workspace_parts",
                "must not be given together with {keys}, because a workspace that exists has its own",
                {"keys": ", ".join(given)},
            )
        return value

    @field_validator("ml_registries")
    @classmethod
    def _ids_are_of_these_registries(cls, value: dict[str, str]) -> dict[str, str]:
        for name, registry_id in value.items():
            if ArmId.parse(registry_id).name.lower() != name.lower():
                raise PydanticCustomError(
                    "registry_id",
                    "must have ids that end in the registry's name, got {id} for {name}",
                    {"id": registry_id, "name": name},
                )
        return value

    def registry_id(self, name: str) -> str | None:
        """The ARM id of an Azure ML registry, whatever the case of its name; None if it is not listed."""
        return next((one for known, one in self.ml_registries.items() if known.lower() == name.lower()), None)

    def given(self) -> dict[str, str]:
        """The ids of what this stack would create otherwise, by key."""
        ids = {key: getattr(self, key) for key in type(self).model_fields if key != "ml_registries"}
        return {key: one for key, one in ids.items() if one is not None}
