"""Fields of bodies: which fields exist, what types declare about them, and which are therefore only stored. Pure.

A field's name is its path in an ARM body; lists and maps are transparent. `regenerateKeys/keyType` is a field of
an action's body, `?interval` a parameter of a query, `name` the resource's own name. Names come from the catalog's
shapes; for types that the catalog lacks, from the list below. The server does not need this module.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from localazure.arm.behaviour import Behaviour
from localazure.arm.namespaces import BEHAVIOURS
from localazure.catalog.shapes import Property, object_type, resource_shape
from localazure.catalog.types import RESOURCE_TYPES, ResourceType

_ML = "Microsoft.MachineLearningServices/workspaces"
NOT_IN_CATALOG: Mapping[str, tuple[str, ...]] = {
    f"{_ML}/batchEndpoints": (
        *("properties.authMode", "properties.defaults.deploymentName", "properties.description", "properties.keys"),
        *("properties.properties", "identity", "kind", "location", "sku", "tags"),
    ),
    f"{_ML}/batchEndpoints/deployments": (
        *("properties.codeConfiguration.codeId", "properties.codeConfiguration.scoringScript", "properties.compute"),
        *("properties.deploymentConfiguration.deploymentConfigurationType", "properties.description"),
        *("properties.environmentId", "properties.environmentVariables", "properties.errorThreshold"),
        *("properties.loggingLevel", "properties.maxConcurrencyPerInstance", "properties.miniBatchSize"),
        *("properties.model.referenceType", "properties.model.assetId", "properties.outputAction"),
        *("properties.outputFileName", "properties.properties", "properties.resources", "properties.retrySettings"),
        *("identity", "kind", "location", "sku", "tags"),
    ),
    f"{_ML}/data/versions": (
        *("properties.dataType", "properties.dataUri", "properties.description", "properties.isAnonymous"),
        *("properties.isArchived", "properties.properties", "properties.tags"),
    ),
    f"{_ML}/datastores": (
        *("properties.datastoreType", "properties.credentials", "properties.isDefault", "properties.accountName"),
        *("properties.containerName", "properties.fileShareName", "properties.filesystem", "properties.storeName"),
        *("properties.endpoint", "properties.protocol", "properties.serviceDataAccessAuthIdentity"),
        *("properties.description", "properties.properties", "properties.tags", "listSecrets/expirableSecret"),
    ),
    f"{_ML}/outboundRules": ("name", "properties.type", "properties.destination", "properties.category"),
    "Microsoft.Resources/deployments": ("properties.template", "properties.parameters", "properties.mode", "tags"),
    "Microsoft.Insights/metrics": (
        *("?metricnames", "?metricnamespace", "?timespan", "?interval", "?aggregation", "?$filter", "?orderby"),
        *("?top", "?rollupby"),
    ),
}
# The catalog has every kind of compute; these two are emulated.
_VARIANTS = {f"{_ML}/computes": ("AmlComputeArgs", "KubernetesArgs")}
_NEVER = ("id", "name", "type")


@dataclass(frozen=True)
class Declared:
    """What the behaviour of one type declares about fields."""

    honoured: Mapping[str, str]
    refused: Mapping[str, str]
    unkept: Mapping[str, str]

    def __bool__(self) -> bool:
        return bool(self.honoured or self.refused or self.unkept)

    def mentions(self, path: str) -> bool:
        return path in self.honoured or path in self.refused or path in self.unkept


def behaviour_of(arm_type: str) -> type[Behaviour]:
    """The class behind a type; the plain one for types that are stored only."""
    return BEHAVIOURS.get(arm_type.lower(), Behaviour)


def declared(kind: type[Behaviour]) -> Declared:
    """What a behaviour adds to the declarations for every type; for `Behaviour` itself, those declarations."""
    classes = [one for one in reversed(kind.__mro__) if kind is Behaviour or one is not Behaviour]

    def merged(attribute: str) -> dict[str, str]:
        found: dict[str, str] = {}
        for one in classes:
            found |= vars(one).get(attribute, {})
        return found

    return Declared(merged("honoured"), merged("refused"), merged("unkept"))


def is_known(arm_type: str, path: str) -> bool:
    """Whether a type has such a field."""
    action, slash, field = path.partition("/")
    if slash:
        return action in behaviour_of(arm_type).actions and bool(field)
    return path == "name" or any(known == path or known.startswith(f"{path}.") for known in leaves(arm_type))


def leaves(arm_type: str) -> list[str]:
    """Every field without fields inside."""
    kind = _catalog_type(arm_type)
    if kind is None:
        return list(NOT_IN_CATALOG.get(arm_type, ()))
    return [path for path, prop in top_fields(kind) for path in _below(path, prop, arm_type, ())]


def stored(arm_type: str) -> list[str]:
    """Fields without a declaration; whole objects if nothing inside them has one."""
    said = [declared(Behaviour), declared(behaviour_of(arm_type))]
    kind = _catalog_type(arm_type)
    if kind is None:
        known = NOT_IN_CATALOG.get(arm_type, ())
        return [path for path in known if not any(_covers(one, path) for one in said)]
    return [path for path, prop in top_fields(kind) for path in _unsaid(path, prop, arm_type, said, ())]


def top_fields(kind: ResourceType) -> Iterator[tuple[str, Property]]:
    """The outermost fields of a body with their shapes, without parts of the path."""
    for name, prop in resource_shape(kind.token)["inputs"]["properties"].items():
        path = ".".join([*prop.get("containers", ()), prop.get("arm", name)])
        if name not in kind.parameters and path not in _NEVER:
            yield path, prop


def inside(prop: Property, arm_type: str = "") -> dict[str, Property]:
    """The fields of an object, of a list's items or of a map's values; empty for a single value."""
    found: dict[str, Property] = {}
    for key in _types(prop, arm_type):
        for name, inner in object_type(key)["properties"].items():
            found.setdefault(inner.get("arm", name), inner)
    return found


def _types(prop: Property, arm_type: str) -> list[str]:
    if prop.get("type") == "array":
        return _types(prop.get("items", {}), arm_type)
    if "values" in prop:
        return _types(prop["values"], arm_type)
    if "ref" in prop:
        return [prop["ref"]]
    wanted = _VARIANTS.get(arm_type)
    return [key for key in prop.get("oneOf", []) if not wanted or key.rpartition(":")[2] in wanted]


def _below(path: str, prop: Property, arm_type: str, seen: tuple[str, ...]) -> Iterator[str]:
    fields, refs = _fields(prop, arm_type, seen)
    if not fields:
        yield path
    for name, inner in fields.items():
        yield from _below(f"{path}.{name}", inner, arm_type, refs)


def _unsaid(path: str, prop: Property, arm_type: str, said: list[Declared], seen: tuple[str, ...]) -> Iterator[str]:
    if any(one.mentions(path) for one in said):
        return
    mentioned = [name for one in said for name in (*one.honoured, *one.refused, *one.unkept)]
    if not any(name.startswith(f"{path}.") for name in mentioned):
        yield path
        return
    fields, refs = _fields(prop, arm_type, seen)
    for name, inner in fields.items():
        yield from _unsaid(f"{path}.{name}", inner, arm_type, said, refs)


def _fields(prop: Property, arm_type: str, seen: tuple[str, ...]) -> tuple[dict[str, Property], tuple[str, ...]]:
    """Fields inside, and the types on the path to them; empty for a type that contains itself."""
    keys = _types(prop, arm_type)
    if any(key in seen for key in keys):
        return {}, seen
    return inside(prop, arm_type), (*seen, *keys)


def _covers(one: Declared, path: str) -> bool:
    parts = path.split(".")
    return any(one.mentions(".".join(parts[:end])) for end in range(1, len(parts) + 1))


def _catalog_type(arm_type: str) -> ResourceType | None:
    return next((kind for kind in RESOURCE_TYPES if kind.arm == arm_type), None)
