"""The shapes of inputs, outputs and their types, read once from the generated `shapes.json`.

Properties are listed by their SDK name. Only the plugin and tests need this; the control plane works on ARM bodies.
"""

import json
from functools import cache
from pathlib import Path
from typing import NotRequired, TypedDict, cast


class Property(TypedDict, total=False):
    """One property: its type, and its place and name in an ARM body."""

    type: str
    """string, integer, number, boolean, array or object; absent: anything."""
    ref: str
    """Key of an object's type."""
    oneOf: list[str]
    """Keys of the types that an object may have; a `const` distinguishes them."""
    items: "Property"
    values: "Property"
    """The value type of a map."""
    const: str
    arm: str
    """ARM's name, if it differs."""
    containers: list[str]
    """The enclosing objects in an ARM body that the SDK flattens, outermost first."""
    set: bool
    """A list of strings that ARM takes as a map with empty values."""
    replace: bool
    """A change of it replaces the resource."""


class ObjectType(TypedDict):
    """The properties of an object."""

    properties: dict[str, Property]
    required: NotRequired[list[str]]


class ResourceShape(TypedDict):
    """The inputs and outputs of a resource."""

    inputs: ObjectType
    outputs: dict[str, Property]
    maintained: NotRequired[list[list[str]]]
    """Inputs, as paths, that keep Azure's value when the program does not set them."""
    restored: NotRequired[dict[str, object]]
    """Inputs that return to these values when the program no longer sets them."""


class _Shapes(TypedDict):
    resources: dict[str, ResourceShape]
    types: dict[str, ObjectType]


@cache
def _load() -> _Shapes:
    return cast(_Shapes, json.loads((Path(__file__).parent / "shapes.json").read_text()))


def resource_shape(token: str) -> ResourceShape:
    """The shape of a resource of the catalog."""
    return _load()["resources"][token]


def object_type(key: str) -> ObjectType:
    """The type that a `ref` or `oneOf` names."""
    return _load()["types"][key]
