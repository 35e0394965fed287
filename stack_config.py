"""The models of the stack config: what may stand under the `sluice:` keys of Pulumi.<stack>.yaml.

Frozen, strict (no value is converted) and closed (unknown keys are refused). Rules about one value or one section live
here, as far as a JSON Schema can say them in the fields; rules between sections and the wording of errors live in
`settings.py`, rules about weights in `weights.py`. `sluice:rollout` is in `rollout_config.py`. Imports no Pulumi.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError

from autoscale_config import AutoscaleSettings
from compute_config import BatchSettings, ComputeSettings
from config_values import (
    MAX_MIRROR_PERCENT,
    MAX_TAGS,
    BranchName,
    Delay,
    Environment,
    EnvironmentVariable,
    Instances,
    Key,
    Location,
    MirrorPercent,
    Name,
    Reason,
    ReleasePin,
    Section,
    StackName,
    TagKey,
    TagValue,
    Team,
    seconds_of,
)
from existing_config import ExistingSettings
from identity_config import NO_ACCESS, Access, CustomerKey, SecretVaults
from naming import RESERVED_KEYS, Names
from network_config import Network, NetworkKey
from rollout_config import RolloutSettings


class Redundancy(StrEnum):
    """Where Azure keeps copies of the workspace's storage account.

    Copies in another region are not offered: Microsoft supports no failover of a workspace's default account.
    """

    LRS = "lrs"
    ZRS = "zrs"


class Limits(Section):
    """How far one update may go with a colour that is not the stable one."""

    max_step: Annotated[int, Field(ge=1, le=100)] = 50
    """Most percent by which one update may raise a colour's live weight."""
    max_mirror: MirrorPercent = MAX_MIRROR_PERCENT
    """Most percent of live requests that may be mirrored."""
    min_live_instances: Instances = 1
    """Fewest instances of a colour that gets live weight."""
    role_delay: Delay = "3m"
    """How long an update that creates the workspace or an endpoint waits after it has assigned the roles, because they
    take minutes to take effect. SLUICE_ROLE_DELAY in the environment overrides it."""
    require_pinned: bool = False
    """Refuse an image without a version (`latest` or no tag), and conda or pip lines without an exact one, on a
    deployment that is created or gets more weight."""
    require_proof: StackName | None = None
    """Stack in which a release must have been proven before a colour that is not the stable one gets more weight."""

    @property
    def role_delay_seconds(self) -> int:
        """The delay as a number."""
        return seconds_of(self.role_delay)


class DeploymentSettings(Section):
    """What a stack changes about a deployment; everything else is in its az ml YAML file."""

    instances: Instances | None = None
    """Instances; with autoscale the first count only. Default: `instance_count` of the YAML file."""
    sku: str | None = None
    """VM size. Default: `instance_type` of the YAML file."""
    allow_live_change: bool = False
    """Allow another release in place while the deployment has live or mirror weight."""
    autoscale: AutoscaleSettings | None = None
    """Azure Monitor autoscale; absent means a fixed number of instances."""
    release: ReleasePin | None = None
    """A pin: the deployment is what this release document says, models/<key>/releases/<16 hex>.json, whatever its az ml
    YAML file says. 16 to 64 hexadecimal digits of the content digest."""
    environment_variables: dict[EnvironmentVariable, str] = Field(default_factory=dict)
    """Other values for environment variables that the release sets; other names are refused."""
    allow_unproven: Reason | None = None
    """Why this deployment may get weight without the proof that `limits.require_proof` asks for; people read it."""

    @field_validator("autoscale")
    @classmethod
    def _holds_instances(cls, value: AutoscaleSettings | None, info: ValidationInfo) -> AutoscaleSettings | None:
        instances = info.data.get("instances")
        if value and instances is not None and not value.min <= instances <= value.max:
            raise PydanticCustomError(
                "instances_outside",
                "must have room for the first count of instances, got {instances} outside {min} to {max}",
                {"instances": instances, "min": value.min, "max": value.max},
            )
        return value


class EndpointSettings(Section):
    """One online endpoint; its key is the folder under models/."""

    name: Name | None = None
    """Name in Azure, unique in the region among all its customers. Default: <key>-<environment>-<6 hex
    digits>."""
    secret_vaults: SecretVaults = ()
    """ARM ids of key vaults whose secrets the endpoint's own identity may read."""
    connection_secrets: bool = False
    """Let the endpoint's own identity read the secrets of the workspace's connections."""
    deployments: Annotated[dict[Name, DeploymentSettings], Field(max_length=20)] = Field(default_factory=dict)
    """Deployments (colours) by name, at most Azure's 20; each is a file models/<key>/<name>.yml."""


class StorageSettings(Section):
    """The workspace's storage account."""

    redundancy: Redundancy = Redundancy.LRS
    """lrs: copies in one data centre; zrs: in three zones of the region. Cannot change while the stack exists."""


class StackConfig(Section):
    """The `sluice:` keys of a stack file."""

    team: Team
    """Who owns the platform: part of names, tags and the cost view."""
    network: NetworkKey
    """Who can reach the platform: public, private, or a mapping with the mode and the layout of the network."""
    environment: Environment | None = None
    """What the stack is for, such as dev or prod: part of names and a tag of every resource. Default: the stack's name.
    Cannot change while the stack exists."""
    generation: Annotated[int, Field(ge=1, le=999)] = 1
    """From 2 on, part of the names that Azure keeps after a deletion; raise it to recreate a deleted stack at once."""
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=MAX_TAGS)] = Field(default_factory=dict)
    """Tags of every resource, beside those of the program."""
    locks: bool = False
    """Lock the Log Analytics workspace and the key vault of this stack against deletion, even by an owner."""
    storage: StorageSettings = StorageSettings.model_construct()
    """The account that holds models and code."""
    compute: ComputeSettings = ComputeSettings.model_construct(batch=BatchSettings.model_construct())
    """Clusters of the workspace: for builds of a private stack, and for batch jobs."""
    existing: ExistingSettings = ExistingSettings.model_construct(ml_registries={})
    """Resources that this stack uses and does not create."""
    access: Access = NO_ACCESS
    """Entra groups that get roles on this stack."""
    customer_key: CustomerKey | None = None
    """A key of your own for what Azure ML stores for the workspace. Cannot change while the stack exists."""
    hbi: bool = False
    """High business impact: Azure ML collects less diagnostic data about the workspace. Cannot change while the stack
    exists."""
    limits: Limits = Limits.model_construct()
    """How far one update may go."""
    branch: BranchName | None = None
    """Branch that holds this stack's records and weights, such as `sluice/prod`. Default: the source branch."""
    after: StackName | None = None
    """Stack that must have deployed a commit before this one takes it. Needs `branch` in both."""
    endpoints: dict[Key, EndpointSettings] = Field(default_factory=dict)
    """Online endpoints by key, which is the folder under models/."""
    rollout: dict[Key, RolloutSettings] = Field(default_factory=dict)
    """Weights by endpoint key."""

    @field_validator("endpoints")
    @classmethod
    def _keys_are_free(cls, value: dict[str, EndpointSettings]) -> dict[str, EndpointSettings]:
        reserved = sorted(RESERVED_KEYS & value.keys())
        if reserved:
            raise PydanticCustomError(
                "reserved_key",
                "must not have the keys workspace, compute and stack, because the stack's own identities have these "
                "names, got {keys}",
                {"keys": ", ".join(reserved)},
            )
        return value

    @field_validator("tags")
    @classmethod
    def _tags_are_the_owners(cls, value: dict[str, str]) -> dict[str, str]:
        own = [key for key in value if key.lower().startswith("sluice-")]
        if own:
            raise PydanticCustomError(
                "tag_of_the_program",
                'must not have keys that begin with "sluice-", which this program uses on DNS zones, got {keys}',
                {"keys": ", ".join(own)},
            )
        seen: dict[str, str] = {}
        for key in value:
            first = seen.setdefault(key.lower(), key)
            if first != key:
                raise PydanticCustomError(
                    "tag_twice",
                    "must have keys that differ in more than case, which Azure ignores, got {keys}",
                    {"keys": f"{first} and {key}"},
                )
        return value


class Settings(StackConfig):
    """Everything the program knows from its stack: the `sluice:` keys, the stack's name and the Azure region."""

    stack: Annotated[str, StringConstraints(min_length=1)]
    location: Location
    cloud: Literal["public", "usgovernment", "china"] = "public"
    """Which Azure it is, as azure-native calls it."""

    @property
    def protect(self) -> bool:
        """Whether everything is protected against deletion, whatever it serves: in a private stack."""
        return self.network.mode is Network.PRIVATE

    def names(self, subscription_id: str) -> Names:
        """The stack's Azure names in a subscription."""
        return Names(
            team=self.team,
            stack=self.stack,
            environment=self.environment,
            subscription_id=subscription_id,
            generation=self.generation,
            given_group_id=self.existing.resource_group,
            given_workspace_id=self.existing.workspace,
        )
