"""Check: default names, locations and API versions, and the validation of inputs before anything is sent.

Follows azure-native's `applyDefaults` and `validateType`. Unlike azure-native, it does not validate lengths, patterns
and ranges, which the SDK does not carry; neither of them validates unions.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from localazure.catalog import ResourceType
from localazure.catalog.shapes import ObjectType, Property, ResourceShape, object_type
from localazure.provider.wire import UNKNOWN, Unknown, Values, contains_unknown

CREATE_BEFORE_DELETE = "__createBeforeDelete"
"""Hidden input: the name is random, so a replacement may exist beside the old resource."""

_LOCATION_HINT = ". Either set it explicitly or configure it with 'pulumi config set azure-native:location <value>'."


@dataclass(frozen=True)
class Autonaming:
    """The engine's proposal for a name (`pulumi:autonaming` in the stack config)."""

    mode: Literal["propose", "enforce", "disable"]
    proposed_name: str


@dataclass(frozen=True)
class Defaults:
    """The defaults for inputs that the program omits."""

    urn_name: str
    random_seed: bytes
    autonaming: Autonaming | None
    location: Callable[[Values, Values], Any]
    """(old inputs, new inputs) -> location, UNKNOWN, or None."""


def apply_defaults(kind: ResourceType, shape: ResourceShape, olds: Values, news: Values, defaults: Defaults) -> Values:
    """The new inputs with a name, a location and an API version."""
    inputs = dict(news)
    key = kind.name_parameter
    if inputs.get(key) is None:
        name, random = _default_name(kind, olds, defaults)
        if name is not None:
            inputs[key] = name
        if name is not None and random:
            inputs[CREATE_BEFORE_DELETE] = True
    if inputs.get("location") is None and "location" in shape["inputs"]["properties"]:
        location = defaults.location(olds, inputs)
        if location is not None:
            inputs["location"] = location
    if inputs.get("azureApiVersion") is None:
        inputs["azureApiVersion"] = kind.api_version
    return inputs


def _default_name(kind: ResourceType, olds: Values, defaults: Defaults) -> tuple[Any, bool]:
    """A name, and whether it is random, so that a replacement can exist at the same time."""
    if kind.name_parameter in olds:
        return olds[kind.name_parameter], olds.get(CREATE_BEFORE_DELETE) is True
    autonaming = defaults.autonaming
    if autonaming is not None and autonaming.mode == "disable":
        return None, False
    if autonaming is not None and (autonaming.mode == "enforce" or kind.auto_name != "uuid"):
        return autonaming.proposed_name, True
    if kind.auto_name == "copy":
        return defaults.urn_name, False
    # Deterministic in the seed, so that preview and update agree. The real plugin generates other characters from the
    # same seed.
    digest = hashlib.sha256(defaults.random_seed).hexdigest() if defaults.random_seed else uuid.uuid4().hex
    if kind.auto_name == "uuid":
        return str(uuid.UUID(digest[:32])), True
    return defaults.urn_name + digest[:8], True


def validate(kind: ResourceType, shape: ResourceShape, inputs: Values) -> list[str]:
    """The errors of the inputs, in azure-native's wording; empty if there are none."""
    failures = []
    properties = shape["inputs"]["properties"]
    for name in kind.parameters:
        if name == "subscriptionId":
            continue  # the plugin's own input
        if name not in inputs:
            failures.append(f"missing required property '{name}'")
        else:
            failures += _validate_value(name, properties[name], inputs[name])
    body: ObjectType = {
        "properties": {key: value for key, value in properties.items() if key not in kind.parameters},
        "required": [key for key in shape["inputs"].get("required", ()) if key not in kind.parameters],
    }
    return failures + _validate_object("", body, inputs)


def _validate_object(context: str, kind: ObjectType, values: Values) -> list[str]:
    failures = []
    for key in kind.get("required", ()):
        if key not in values:
            path = f"{context}.{key}" if context else key
            failures.append(f"missing required property '{path}'{_LOCATION_HINT if path == 'location' else ''}")
    for key, shape in kind["properties"].items():
        if key in values:
            failures += _validate_value(f"{context}.{key}" if context else key, shape, values[key])
    return failures


def _validate_value(context: str, shape: Property, value: Any) -> list[str]:
    expected = shape.get("type")
    if expected is None or isinstance(value, Unknown) or value is None:
        return []
    if isinstance(value, dict):
        return _validate_object(context, object_type(shape["ref"]), value) if "ref" in shape else []
    if isinstance(value, list):
        if expected != "array":
            return [f"'{context}' should be of type '{expected}' but got an array"]
        return [
            failure
            for index, item in enumerate(value)
            for failure in _validate_value(f"{context}[{index}]", shape["items"], item)
        ]
    if isinstance(value, str) and expected != "string":
        return [f"'{context}' should be of type '{expected}' but got a string"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        if expected not in ("number", "integer"):
            return [f"'{context}' should be of type '{expected}' but got a number"]
        if expected == "integer" and not float(value).is_integer():
            return [f"'{context}' must be an integer but got {value:f}"]
    return []


def default_location(olds: Values, news: Values, configured: str | None, of_group: Callable[[str], str | None]) -> Any:
    """The old location, else the configured one, else the resource group's."""
    if "location" in olds:
        return olds["location"]
    if configured:
        return configured
    group = news.get("resourceGroupName")
    if group is None:
        return None
    return UNKNOWN if contains_unknown(group) else of_group(str(group))
