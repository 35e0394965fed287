"""Checks that the parts of a body have the form that the type defines: objects, lists or single values.

It uses the catalog's shapes of the declared types, so that behaviours can read a body without checks at every step.
Only the form is checked: ARM accepts strings for numbers, and unknown fields belong to other api-versions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from localazure.catalog.shapes import ObjectType, Property, object_type, resource_shape
from localazure.catalog.types import RESOURCE_TYPES
from localazure.errors import BadRequest


def check_body(arm_type: str, body: Mapping[str, Any]) -> None:
    """Raise BadRequest with every part that has the wrong form. Types that the catalog lacks are not checked."""
    token = _tokens().get(arm_type.lower())
    if token is None:
        return
    problems = list(_object("", body, resource_shape(token)["inputs"]))
    if problems:
        # Known code; the wording is ours.
        raise BadRequest("InvalidRequestContent", "The request content was invalid: " + "; ".join(problems) + ".")


@cache
def _tokens() -> dict[str, str]:
    return {kind.arm.lower(): kind.token for kind in RESOURCE_TYPES}


def _object(path: str, value: Mapping[str, Any], shape: ObjectType) -> Iterator[str]:
    for name, inner in shape["properties"].items():
        place: Any = value
        where = path
        for container in inner.get("containers", ()):
            place = place.get(container) if isinstance(place, Mapping) else None
            where = f"{where}{container}."
            if place is not None and not isinstance(place, Mapping):
                yield f"{where[:-1]} must be an object"
                break
        if isinstance(place, Mapping):
            arm = inner.get("arm", name)
            yield from _value(f"{where}{arm}", place.get(arm), inner)


def _value(path: str, value: Any, shape: Property) -> Iterator[str]:
    kind = shape.get("type")
    if value is None or kind is None:
        return
    if shape.get("set"):
        if not isinstance(value, list | Mapping):
            yield f"{path} must be an object"
    elif kind == "object":
        if isinstance(value, Mapping):
            yield from _members(path, value, shape)
        else:
            yield f"{path} must be an object"
    elif kind == "array":
        if isinstance(value, list):
            yield from _items(path, value, shape)
        else:
            yield f"{path} must be a list"
    elif isinstance(value, list | Mapping):
        yield f"{path} must be a single value"


def _members(path: str, value: Mapping[str, Any], shape: Property) -> Iterator[str]:
    if "values" in shape:
        for name, inner in value.items():
            yield from _value(f"{path}.{str(name)[:40]}", inner, shape["values"])
    key = shape.get("ref") or _chosen(value, shape)
    if key is not None:
        yield from _object(f"{path}.", value, object_type(key))


def _items(path: str, value: list[Any], shape: Property) -> Iterator[str]:
    for number, item in enumerate(value):
        if item is None:
            yield f"{path}[{number}] must not be null"
        elif "items" in shape:
            yield from _value(f"{path}[{number}]", item, shape["items"])


def _chosen(value: Mapping[str, Any], shape: Property) -> str | None:
    """The type of an object, by the constant that distinguishes the possible types; None without that constant."""
    for key in shape.get("oneOf", ()):
        for name, inner in object_type(key)["properties"].items():
            if "const" in inner and value.get(inner.get("arm", name)) == inner["const"]:
                return key
    return None
