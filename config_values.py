"""What single values of the stack config may be, and the base of the models that hold them.

Types with their limits and patterns. `config_errors.py` has a sentence for each pattern. Imports no Pulumi.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from naming import MAX_ENDPOINT_NAME, NAME_PATTERN

MAX_INSTANCES = 50
"""Azure's limit for one managed deployment."""

MAX_MIRROR_PERCENT = 50
"""Azure's limit for mirrored traffic."""

TAG_KEY_PATTERN = r"^[A-Za-z][A-Za-z0-9._-]*[A-Za-z0-9_]$"
"""The keys of tags that every service accepts; Azure DNS silently drops others."""

MAX_TAGS = 13
"""A private DNS zone and its network link take 15 tags (Microsoft's "tag-resources", read): team and stack have two."""

DELAY_PATTERN = r"^(0|[1-9][0-9]{0,3})[sm]$"
"""Seconds or minutes, of at most four digits."""

REGISTRY_NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9_-]{2,32}$"
"""Azure ML's rule for the name of a registry (read in its REST specification)."""

REGISTRY_ID_PATTERN = (
    r"^/subscriptions/[^/]+/resource[Gg]roups/[^/]+/providers"
    r"/[Mm]icrosoft\.[Mm]achine[Ll]earning[Ss]ervices/registries/[^/]+$"
)
"""The ARM id of an Azure ML registry, as the portal and the Azure CLI spell it."""

RELEASE_PATTERN = r"^[0-9a-f]{16,64}$"
"""The content digest of a release, or the beginning of one; 16 digits name its release document."""

GUID_PATTERN = r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
"""Object ids of Entra."""

VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]*$"
"""The name of an environment variable, as POSIX shells accept it."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=3, max_length=MAX_ENDPOINT_NAME)]
Key = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=MAX_ENDPOINT_NAME)]
Team = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=2, max_length=24)]
Environment = Annotated[str, StringConstraints(pattern=NAME_PATTERN, min_length=2, max_length=24)]
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
BranchName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]$", max_length=200)]
StackName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]+$", max_length=100)]
Duration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[smhd]$")]
WholeDuration = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]*[mhd]$")]
EnvironmentVariable = Annotated[str, StringConstraints(pattern=VARIABLE_PATTERN)]
ReleasePin = Annotated[str, StringConstraints(pattern=RELEASE_PATTERN)]
ObjectId = Annotated[str, StringConstraints(pattern=GUID_PATTERN)]
Reason = Annotated[str, StringConstraints(min_length=10, max_length=500)]
Delay = Annotated[str, StringConstraints(pattern=DELAY_PATTERN)]
Weekday = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]


class Section(BaseModel):
    """Base of all models: frozen, strict, closed.

    For the preview's sake only the outermost builds its validator, and the docstrings under the fields are not read at
    run time (30 ms): `config_schema.py` finds them in the source.
    """

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", defer_build=True)


def iso_duration(duration: str) -> str:
    """A duration of the stack file (`30m`, `1h`, `7d`) as ISO 8601 says it."""
    return f"P{duration.upper()}" if duration.endswith("d") else f"PT{duration.upper()}"


def seconds_of(duration: str) -> int:
    """A `Duration` or `Delay` in seconds."""
    return int(duration[:-1]) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[duration[-1]]
