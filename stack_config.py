"""The models of the stack config: what may stand under the `sluice:` keys of Pulumi.<stack>.yaml.

Frozen, strict (no value is converted) and closed (unknown keys are refused). Rules about one value or one section live
here, as far as a JSON Schema can say them in the fields; rules between sections and the wording of errors live in
`settings.py`, rules about weights in `weights.py`. Imports no Pulumi.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from naming import MAX_ENDPOINT_NAME, NAME_PATTERN, Names

MAX_INSTANCES = 50
"""Azure's limit for one managed deployment."""

MAX_MIRROR_PERCENT = 50
"""Azure's limit for mirrored traffic."""

TAG_KEY_PATTERN = r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9_]$"
"""What every service takes in the key of a tag; Azure DNS drops other keys without a word."""

MAX_TAGS = 13
"""A private DNS zone and its network link take 15 tags (Microsoft's "tag-resources", read), two of which are ours."""

DELAY_PATTERN = r"^(0|[1-9][0-9]{0,3})[sm]$"
"""Seconds or minutes; nothing is waited for longer than that."""

REGISTRY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$"
"""Azure ML's rule for the name of a registry (read in its REST specification)."""

REGISTRY_ID_PATTERN = (
    r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers"
    r"/[Mm]icrosoft\.[Mm]achine[Ll]earning[Ss]ervices/registries/[^/]+$"
)
"""The ARM id of an Azure ML registry, as the portal and the Azure CLI spell it."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=3, max_length=MAX_ENDPOINT_NAME)]
Key = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=MAX_ENDPOINT_NAME)]
Team = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=2, max_length=24)]
TagKey = Annotated[str, StringConstraints(pattern=TAG_KEY_PATTERN, max_length=128)]
TagValue = Annotated[str, StringConstraints(max_length=256)]
Location = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
Instances = Annotated[int, Field(ge=1, le=MAX_INSTANCES)]
Percent = Annotated[int, Field(ge=0, le=100)]
MirrorPercent = Annotated[int, Field(ge=0, le=MAX_MIRROR_PERCENT)]
TimeOfDay = Annotated[str, StringConstraints(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")]
Timezone = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9 .()+-]*$")]
RegistryName = Annotated[str, StringConstraints(pattern=REGISTRY_NAME_PATTERN)]
RegistryId = Annotated[str, StringConstraints(pattern=REGISTRY_ID_PATTERN)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[smhd]$")]
Delay = Annotated[str, StringConstraints(pattern=DELAY_PATTERN)]
Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
GateName = Literal["error_rate", "latency_p50", "latency_p90", "latency_p95", "latency_p99"]


class Network(StrEnum):
    """Who can reach the platform."""

    PUBLIC = "public"
    PRIVATE = "private"


class Redundancy(StrEnum):
    """Where Azure keeps copies of the workspace's storage account.

    Copies in another region are not offered: Microsoft supports no failover of a workspace's default account.
    """

    LRS = "lrs"
    ZRS = "zrs"


@dataclass(frozen=True, order=True)
class Violation:
    """One thing that is wrong: the full key in the stack file, and the sentence (problem, value, rule, fix)."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key} {self.message}"


class Section(BaseModel):
    """Base of all models: frozen, strict, closed.

    For the preview's sake only the outermost builds its validator, and the docstrings under the fields are not read at
    run time (30 ms): `config_schema.py` finds them in the source.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


class Limits(Section):
    """How far one update may go with a colour that is not the stable one."""

    max_step: Annotated[int, Field(ge=1, le=100)] = 50
    """Most percent by which one update may raise a colour's live weight."""
    max_mirror: MirrorPercent = MAX_MIRROR_PERCENT
    """Most percent of live requests that may be mirrored."""
    min_live_instances: Instances = 1
    """Fewest instances of a colour that gets live weight."""
    role_delay: Delay = "3m"
    """How long an update that creates the workspace or an endpoint waits once its identity has its roles, because Azure
    needs minutes to put them into effect. SLUICE_ROLE_DELAY in the environment overrides it."""
    require_pinned: bool = False
    """Refuse an image without a version (`latest` or no tag) on a deployment that is made or gets more weight."""

    @property
    def role_delay_seconds(self) -> int:
        """The delay as a number."""
        return int(self.role_delay[:-1]) * {"s": 1, "m": 60}[self.role_delay[-1]]


class Capacity(Section):
    """How many instances autoscale may choose."""

    min: Instances
    """Fewest instances."""
    max: Instances
    """Most instances; quota is needed for them."""
    default: Instances
    """Instances when the metrics cannot be read."""

    # Field by field, not for the whole section: so these rules are checked beside broken values of other fields.
    @field_validator("max")
    @classmethod
    def _not_below_min(cls, value: int, info: ValidationInfo) -> int:
        if value < info.data.get("min", value):
            raise PydanticCustomError(
                "max_below_min",
                "must not be below min, got max={max}, min={min}",
                {"max": value, "min": info.data["min"]},
            )
        return value

    @field_validator("default")
    @classmethod
    def _between(cls, value: int, info: ValidationInfo) -> int:
        bounds = info.data
        if {"min", "max"} <= bounds.keys() and not bounds["min"] <= value <= bounds["max"]:
            raise PydanticCustomError(
                "default_outside",
                "must be between min and max, got default={default}, min={min}, max={max}",
                {"default": value, "min": bounds["min"], "max": bounds["max"]},
            )
        return value


class ScheduleSettings(Capacity):
    """Other limits at certain hours of certain days."""

    name: Key
    """Name of the profile in Azure Monitor."""
    days: Annotated[tuple[Weekday, ...], Field(min_length=1)]
    """Days on which it starts."""
    start: TimeOfDay
    """Start, HH:MM."""
    end: TimeOfDay
    """End, HH:MM; before `start` means on the next day."""
    timezone: Timezone = "UTC"
    """Windows time zone name, as Azure Monitor wants it: `W. Europe Standard Time`."""

    @field_validator("end")
    @classmethod
    def _lasts(cls, value: str, info: ValidationInfo) -> str:
        if value == info.data.get("start"):
            raise PydanticCustomError(
                "schedule_empty", "must be another time than start, got {end} for both", {"end": value}
            )
        return value


class AutoscaleSettings(Capacity):
    """Azure Monitor autoscale of one deployment: out on load, in slowly."""

    target_cpu_percent: Annotated[int, Field(ge=1, le=100)] = 70
    """Scale out above this CPU utilisation."""
    requests_per_instance_per_minute: Annotated[int, Field(ge=1)] | None = None
    """Scale out above this rate of requests."""
    schedules: Annotated[tuple[ScheduleSettings, ...], Field(max_length=9)] = ()
    """At most nine: each takes two of Azure's twenty profiles, and the default takes one."""

    @field_validator("schedules")
    @classmethod
    def _names_differ(cls, value: tuple[ScheduleSettings, ...]) -> tuple[ScheduleSettings, ...]:
        names = [schedule.name for schedule in value]
        if len(set(names)) < len(names):
            raise PydanticCustomError(
                "schedule_names", "must have a different name each, got {names}", {"names": ", ".join(names)}
            )
        return value


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
    """Name in Azure, unique in the region among all its customers. Default: <key>-<stack>-<6 hex digits>."""
    deployments: Annotated[dict[Name, DeploymentSettings], Field(max_length=20)] = Field(default_factory=dict)
    """Deployments (colours) by name, at most Azure's 20; each is a file models/<key>/<name>.yml."""


class StepSettings(Section):
    """One step of a rollout: a mirror share or a live weight, and how long to watch it."""

    mirror: MirrorPercent | None = None
    """Percent of live requests copied to the new colour."""
    weight: Percent | None = None
    """Live weight of the new colour in percent."""
    bake: Duration
    """How long to watch: a number and s, m, h or d."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.mirror is None) == (self.weight is None):
            raise PydanticCustomError("step_kind", "must have either mirror or weight, not both and not neither")
        return self


class GateSettings(Section):
    """What a metric of the new colour must keep to."""

    max: Annotated[float, Field(gt=0, le=1)] | None = None
    """Highest error rate, 0 to 1 (error_rate only)."""
    max_ms: Annotated[float, Field(gt=0)] | None = None
    """Highest latency in milliseconds (latency only)."""
    vs_stable: Annotated[float, Field(ge=1)] | None = None
    """Highest ratio to the stable colour."""

    @model_validator(mode="after")
    def _has_a_bound(self) -> Self:
        if self.max is None and self.max_ms is None and self.vs_stable is None:
            raise PydanticCustomError("gate_empty", "must have a bound (max, max_ms or vs_stable)")
        return self


class PlanSettings(Section):
    """How the controller moves the weights."""

    steps: Annotated[tuple[StepSettings, ...], Field(min_length=1)]
    """Mirror steps first, then rising live weights up to 100."""
    gates: dict[GateName, GateSettings] = Field(default_factory=dict)
    """What each step has to pass, by metric."""

    @field_validator("steps")
    @classmethod
    def _rises(cls, value: tuple[StepSettings, ...]) -> tuple[StepSettings, ...]:
        kinds = ["mirror" if step.weight is None else "weight" for step in value]
        weights = [step.weight for step in value if step.weight is not None]
        if kinds != sorted(kinds):
            raise PydanticCustomError("plan_order", "must mirror before it gives live weight")
        if weights != sorted(set(weights)) or weights[-1:] not in ([], [100]) or weights[:1] == [0]:
            raise PydanticCustomError(
                "plan_weights",
                "must raise the weight with every step, from above 0 up to 100, got {weights}",
                {"weights": ", ".join(map(str, weights))},
            )
        return value

    @field_validator("gates")
    @classmethod
    def _units(cls, value: dict[GateName, GateSettings]) -> dict[GateName, GateSettings]:
        for name, gate in value.items():
            wrong, right = ("max_ms", "max") if name == "error_rate" else ("max", "max_ms")
            if getattr(gate, wrong) is not None:
                raise PydanticCustomError(
                    "gate_unit",
                    "must bound {name} by {right}, not by {wrong}",
                    {"name": name, "wrong": wrong, "right": right},
                )
        return value


class RolloutSettings(Section):
    """Who gets the requests of one endpoint."""

    stable: Name | None = None
    """The colour to fall back to; limits do not bind its increases."""
    traffic: dict[Name, Percent] = Field(default_factory=dict)
    """Live weights in whole percents; their sum is 0 or 100."""
    mirror: dict[Name, MirrorPercent] = Field(default_factory=dict)
    """Share of live requests copied to one colour, in whole percents, at most 50."""
    plan: PlanSettings | None = None
    """How the rollout controller moves the weights."""


class StorageSettings(Section):
    """The workspace's storage account."""

    redundancy: Redundancy = Redundancy.LRS
    """lrs: copies in one data centre; zrs: in three zones of the region. Cannot change while the stack exists."""


class ExistingSettings(Section):
    """What others made and this stack uses."""

    ml_registries: dict[RegistryName, RegistryId] = Field(default_factory=dict)
    """Azure ML registries by name, with their ARM ids; endpoints that take assets from one may read there."""

    @field_validator("ml_registries")
    @classmethod
    def _ids_are_of_these_registries(cls, value: dict[str, str]) -> dict[str, str]:
        for name, registry_id in value.items():
            if registry_id.rpartition("/")[2].lower() != name.lower():
                raise PydanticCustomError(
                    "registry_id",
                    "must have ids that end in the registry's name, got {id} for {name}",
                    {"id": registry_id, "name": name},
                )
        return value

    def registry_id(self, name: str) -> str | None:
        """The ARM id of a registry, in whatever case its name is written; None if it is not listed."""
        return next((one for known, one in self.ml_registries.items() if known.lower() == name.lower()), None)


class StackConfig(Section):
    """The `sluice:` keys of a stack file."""

    team: Team
    """Who owns the platform: part of names, tags and the cost view."""
    network: Network
    """public: reachable from the internet with authentication; private: from its virtual network only."""
    generation: Annotated[int, Field(ge=1, le=999)] = 1
    """Part of the names that Azure keeps after a deletion, from 2 on; raise it to make the stack again at once."""
    tags: Annotated[dict[TagKey, TagValue], Field(max_length=MAX_TAGS)] = Field(default_factory=dict)
    """Tags of every resource, beside those of the program."""
    storage: StorageSettings = StorageSettings.model_construct()
    """The account that holds models and code."""
    existing: ExistingSettings = ExistingSettings.model_construct(ml_registries={})
    """What others made and this stack uses."""
    limits: Limits = Limits.model_construct()
    """How far one update may go."""
    endpoints: dict[Key, EndpointSettings] = Field(default_factory=dict)
    """Online endpoints by key, which is the folder under models/."""
    rollout: dict[Key, RolloutSettings] = Field(default_factory=dict)
    """Weights by endpoint key."""

    @field_validator("tags")
    @classmethod
    def _tags_are_the_owners(cls, value: dict[str, str]) -> dict[str, str]:
        own = [key for key in value if key.lower().startswith("sluice-")]
        if own:
            raise PydanticCustomError(
                "tag_of_the_program",
                'must not have keys that begin with "sluice-", which are the program\'s own on DNS zones, got {keys}',
                {"keys": ", ".join(own)},
            )
        seen: dict[str, str] = {}
        for key in value:
            first = seen.setdefault(key.lower(), key)
            if first != key:
                raise PydanticCustomError(
                    "tag_twice",
                    "must have keys that differ in more than their case, which is all one to Azure, got {keys}",
                    {"keys": f"{first} and {key}"},
                )
        return value


class Settings(StackConfig):
    """Everything the program knows from its stack: the `sluice:` keys, the stack's name and the Azure region."""

    stack: Annotated[str, StringConstraints(min_length=1)]
    location: Location

    def names(self, subscription_id: str) -> Names:
        """The stack's Azure names in a subscription."""
        return Names(team=self.team, stack=self.stack, subscription_id=subscription_id, generation=self.generation)
