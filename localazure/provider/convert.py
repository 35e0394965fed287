"""Converts between SDK and ARM shapes: request bodies, outputs, inputs for a refresh or an import, previews.

Follows azure-native's provider/pkg/convert: unknown properties are dropped, `const` picks the branch of a union,
properties that the SDK flattens move into their containers and out again, string sets are lists in one shape and maps
in the other. Pure functions on plain values.
"""

from collections.abc import Callable, Mapping
from typing import Any

from localazure.catalog.shapes import Property, object_type
from localazure.provider.wire import UNKNOWN, Values

Properties = Mapping[str, Property]
_Convert = Callable[[Properties, Values], Values | None]


def to_arm(properties: Properties, inputs: Values) -> Values | None:
    """The ARM body of SDK inputs; None if a constant shows that they are of another type."""
    body: Values = {}
    for key, shape in properties.items():
        if key not in inputs:
            continue
        if _other_type(shape, inputs[key]):
            return None
        container = body
        for name in shape.get("containers", ()):
            container = container.setdefault(name, {})
        container[shape.get("arm", key)] = _convert(shape, inputs[key], to_arm)
    return body


def to_sdk(properties: Properties, body: Values) -> Values | None:
    """The SDK's outputs of an ARM body; None if a constant shows that it is of another type."""
    outputs: Values = {}
    for key, shape in properties.items():
        container: Any = body
        for name in shape.get("containers", ()):
            container = container.get(name) if isinstance(container, dict) else None
        value = container.get(shape.get("arm", key)) if isinstance(container, dict) else None
        if value is None:
            continue
        if _other_type(shape, value):
            return None
        outputs[key] = _convert(shape, value, to_sdk)
    return outputs


def to_inputs(properties: Properties, outputs: Values) -> Values | None:
    """The outputs that are also inputs, in the shape of inputs."""
    inputs: Values = {}
    for key, shape in properties.items():
        if key not in outputs:
            continue
        if _other_type(shape, outputs[key]):
            return None
        inputs[key] = _convert(shape, outputs[key], to_inputs)
    return inputs


def _other_type(shape: Property, value: Any) -> bool:
    return "const" in shape and value is not UNKNOWN and value != shape["const"]


def _convert(shape: Property, value: Any, convert: _Convert) -> Any:
    if isinstance(value, dict):
        return _convert_object(shape, value, convert)
    if isinstance(value, list):
        if shape.get("set"):
            return {item: {} for item in value if isinstance(item, str)}
        return [_convert(shape["items"], item, convert) for item in value] if "items" in shape else value
    return value


def _convert_object(shape: Property, value: Values, convert: _Convert) -> Any:
    for key in shape.get("oneOf", ()):
        converted = convert(object_type(key)["properties"], value)
        if converted is not None:
            return converted
    if "ref" in shape:
        return convert(object_type(shape["ref"])["properties"], value)
    if "values" in shape:
        return {key: _convert(shape["values"], item, convert) for key, item in value.items()}
    return list(value) if shape.get("set") else value


def without_empty(value: Any) -> Any:
    """A value without empty collections, which an import treats as defaults; None if nothing is left."""
    if isinstance(value, dict):
        kept = {key: inner for key, item in value.items() if (inner := without_empty(item)) is not None}
        return kept or None
    if isinstance(value, list):
        return [inner for item in value if (inner := without_empty(item)) is not None] or None
    return value


def preview(outputs: Properties, inputs: Values) -> Values:
    """The outputs of a resource that does not exist yet: known from its inputs, otherwise unknown."""
    return {key: _preview(shape, inputs.get(key, UNKNOWN)) for key, shape in outputs.items()}


def _preview(shape: Property, value: Any) -> Any:
    if "const" in shape:
        return shape["const"]
    if isinstance(value, dict):
        return _preview_object(shape, value)
    if isinstance(value, list):
        if shape.get("type") == "array":
            return [_preview(shape["items"], item) for item in value]
        return UNKNOWN if "type" in shape else value
    matches = {
        "string": isinstance(value, str),
        "boolean": isinstance(value, bool),
        "integer": isinstance(value, int | float) and not isinstance(value, bool),
        "number": isinstance(value, int | float) and not isinstance(value, bool),
    }
    return value if matches.get(shape.get("type", ""), "type" not in shape) else UNKNOWN


def _preview_object(shape: Property, value: Values) -> Any:
    if "ref" in shape:
        return preview(object_type(shape["ref"])["properties"], value)
    if "values" in shape:
        return {key: _preview(shape["values"], item) for key, item in value.items()}
    # A union or a property without a type in the SDK: azure-native uses the input as the output.
    return value if "oneOf" in shape or "type" not in shape else UNKNOWN
