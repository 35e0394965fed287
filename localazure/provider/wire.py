"""Property values on the wire: protobuf structs to plain Python values and back.

Secrets are unwrapped (the plugin refuses them, and the engine marks them again), nulls in objects are dropped, unknown
values become `UNKNOWN`, and whole numbers become integers: ARM would refuse 100.0 where it wants 100, and the real
plugin, written in Go, sends 100.
"""

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf import struct_pb2

# Read in pulumi's sdk/go/common/resource (v3.259).
_SIGNATURE: Final = "4dabf18193072939515e22adb298388d"
_SECRET: Final = "1b47061264138c4ac30d75fd1eb44270"
_OUTPUT: Final = "d0e6a833031e9bbcd3f4e8bde6ca49a4"
_RESOURCE: Final = "5cf8f73096256a8f31e491e813e4eb8e"
_UNKNOWN_STRING: Final = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"
_UNKNOWNS: Final = frozenset(
    {
        _UNKNOWN_STRING,
        "1c4a061d-8072-4f0a-a4cb-0ff528b18fe7",  # bool
        "3eeb2bf0-c639-47a8-9e75-3b44932eb421",  # number
        "6a19a0b0-7e62-4c92-b797-7f8e31da9cc2",  # array
        "030794c1-ac77-496b-92df-f27374a8bd58",  # asset
        "e48ece36-62e2-4504-bad9-02848725956a",  # archive
        "dd056dcd-154b-4c76-9bd3-c8f88648b5ff",  # object
    }
)

Values = dict[str, Any]


class Unknown:
    """A value that the engine will only know after the update."""

    def __repr__(self) -> str:
        return "UNKNOWN"


UNKNOWN: Final = Unknown()


def decode(struct: Any) -> Values:
    """The properties of a protobuf struct."""
    return {key: _decode(value) for key, value in struct.fields.items() if value.WhichOneof("kind") != "null_value"}


def _decode(value: Any) -> Any:
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return UNKNOWN if value.string_value in _UNKNOWNS else value.string_value
    if kind == "number_value":
        return int(value.number_value) if value.number_value.is_integer() else value.number_value
    if kind == "bool_value":
        return value.bool_value
    if kind == "list_value":
        return [_decode(item) for item in value.list_value.values]
    if kind == "struct_value":
        return _decode_object(decode(value.struct_value))
    return None


def _decode_object(fields: Values) -> Any:
    signature = fields.get(_SIGNATURE)
    if signature in (_SECRET, _OUTPUT):
        return fields.get("value", UNKNOWN if signature == _OUTPUT else None)
    if signature == _RESOURCE:
        return fields.get("id") or fields.get("urn")
    return fields


def encode(values: Mapping[str, Any]) -> Any:
    """A protobuf struct of properties; nulls are left out."""
    struct = struct_pb2.Struct()
    for key, value in values.items():
        if value is not None:
            _encode(value, struct.fields[key])
    return struct


def _encode(value: Any, target: Any) -> None:
    if value is None:
        target.null_value = 0
    elif isinstance(value, Unknown):
        target.string_value = _UNKNOWN_STRING
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, str):
        target.string_value = value
    elif isinstance(value, int | float):
        target.number_value = value
    elif isinstance(value, Mapping):
        target.struct_value.CopyFrom(encode(value))
    else:
        target.list_value.SetInParent()
        for item in value:
            _encode(item, target.list_value.values.add())


def contains_unknown(value: Any) -> bool:
    """Whether a value or a part of it is unknown."""
    if isinstance(value, Mapping):
        return any(contains_unknown(item) for item in value.values())
    if isinstance(value, list):
        return any(contains_unknown(item) for item in value)
    return isinstance(value, Unknown)
