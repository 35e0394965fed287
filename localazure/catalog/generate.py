"""Derives the catalog's generated files from the installed SDKs: `python -m localazure.catalog.generate`.

`api_versions.json` and `shapes.json` are committed, because the processes that read them must not import the SDKs
(seconds and hundreds of megabytes); a test regenerates and compares. `localazure.catalog.arm_names` has the facts that
the SDKs do not contain (which properties ARM nests, renamed ones, inputs that force a replacement).
"""

import enum
import importlib
import inspect
import json
import re
import sys
import typing
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, cast

import pulumi._types as sdk_types

from localazure.catalog import arm_names
from localazure.catalog.types import RESOURCE_TYPES, ResourceType

FOLDER = Path(__file__).parent

Json = dict[str, Any]

_SCALARS: Mapping[object, Json] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Any: {},
}


def snake(name: str) -> str:
    """`OnlineEndpoint` as the SDK names its module: `online_endpoint`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()


def sdk_module(token: str) -> ModuleType:
    """The SDK's module of one resource."""
    _, namespace, name = token.split(":")
    return importlib.import_module(f"pulumi_azure_native.{namespace}.{snake(name)}")


def api_version(token: str) -> str:
    """The API version that the resource's documentation states."""
    source = Path(cast(str, sdk_module(token).__file__)).read_text()
    match = re.search(r"Uses Azure REST API version ([\w-]+)\.", source)
    if match is None:
        raise LookupError(f"{token}: its SDK module names no API version. Fix the pattern in {__name__}.")
    return match[1]


def class_name(cls: type) -> str:
    """A type's key in `shapes.json`: `network:SubnetArgs`."""
    return f"{cls.__module__.split('.')[1]}:{cls.__name__}"


class Walker:
    """Describes types and, once each, the types that they refer to."""

    def __init__(self) -> None:
        self.types: dict[str, Json] = {}

    def describe(self, hint: object) -> Json:
        """The shape of one annotation."""
        if hint in _SCALARS:
            return dict(_SCALARS[hint])
        origin = typing.get_origin(hint)
        if origin is typing.Union:
            return self._describe_union(typing.get_args(hint))
        if origin is not None and issubclass(origin, Sequence):
            return {"type": "array", "items": self.describe(typing.get_args(hint)[0])}
        if origin is not None and issubclass(origin, Mapping):
            return {"type": "object", "values": self.describe(typing.get_args(hint)[1])}
        if not isinstance(hint, type):
            raise TypeError(f"{hint!r}: an annotation that the generator does not know. Add it to {__name__}.")
        if issubclass(hint, enum.Enum):
            return {"type": "string" if issubclass(hint, str) else "integer" if issubclass(hint, int) else "number"}
        return {"type": "object", "ref": self._describe_class(hint)}

    def _describe_union(self, members: Sequence[object]) -> Json:
        classes: list[object] = []
        scalars: list[object] = []
        for member in members:
            origin = typing.get_origin(member)
            name = getattr(origin or member, "__name__", "")
            if member is type(None) or name in ("Awaitable", "Output") or name.endswith("Dict"):
                continue  # wrappers of the SDK: the same type as an awaitable or a dictionary
            if isinstance(member, type) and issubclass(member, enum.Enum) and str in members:
                continue
            (scalars if member in _SCALARS or origin is not None else classes).append(member)
        if len(classes) > 1:
            return {"type": "object", "oneOf": sorted(self._describe_class(cast(type, cls)) for cls in classes)}
        shapes = [self.describe(member) for member in [*classes, *scalars]]
        return shapes[0] if len(shapes) == 1 else {}

    def _describe_class(self, cls: type) -> str:
        name = class_name(cls)
        if name not in self.types:
            self.types[name] = {}
            self.types[name] = self.describe_members(name, cls)
        return name

    def describe_members(self, name: str, cls: type) -> Json:
        """The properties of a type, the required ones, and its constants."""
        is_input = sdk_types.is_input_type(cls)
        hints = sdk_types.input_type_types(cls) if is_input else sdk_types.output_type_types(cls)
        properties = {key: self.describe(hint) for key, hint in hints.items()}
        for key, constant in _constants(cls).items():
            properties[key]["const"] = constant
        if is_input:
            _mark_string_sets(cls, properties)
        return _with_arm_names(name, properties, _required(cls) if is_input else [])


def _constants(cls: type) -> dict[str, str]:
    """The discriminators that the class sets itself: `pulumi.set(__self__, "scale_type", 'Default')`."""
    names = _pulumi_names(cls)
    source = inspect.getsource(cls.__init__)  # type: ignore[misc]  # the class's own constructor is what is read
    return {names[key]: value for key, value in re.findall(r"""pulumi\.set\(__self__, "(\w+)", '([^']*)'\)""", source)}


def _pulumi_names(cls: type) -> dict[str, str]:
    if sdk_types.is_input_type(cls):
        return sdk_types.input_type_py_to_pulumi_names(cls)
    return dict(sdk_types._py_to_pulumi_names_from_py_properties(cls))


def _required(cls: type) -> list[str]:
    names = sdk_types.input_type_py_to_pulumi_names(cls)
    parameters = inspect.signature(cls.__init__).parameters  # type: ignore[misc]  # the class's own constructor
    return [
        names[key] for key, parameter in parameters.items() if key in names and parameter.default is parameter.empty
    ]


def _mark_string_sets(cls: type, properties: dict[str, Json]) -> None:
    """A list of strings whose answer is a map is a set: ARM takes it as a map with empty values."""
    outputs = importlib.import_module(f"pulumi_azure_native.{cls.__module__.split('.')[1]}.outputs")
    answer = getattr(outputs, cls.__name__.removesuffix("Args") + "Response", None)
    if answer is not None:
        mark_sets(properties, sdk_types.output_type_types(answer))


def mark_sets(properties: dict[str, Json], answers: Mapping[str, object]) -> None:
    """Marks the sets among input properties by comparing with the types of the answer."""
    for key, shape in properties.items():
        origin = typing.get_origin(answers.get(key))
        if shape.get("items") == {"type": "string"} and origin is not None and issubclass(origin, Mapping):
            shape["set"] = True


def _with_arm_names(name: str, properties: dict[str, Json], required: list[str], path: Sequence[str] = ()) -> Json:
    for key, shape in properties.items():
        if key in path:
            continue  # a part of the id, not of the body
        containers, arm_name = arm_names.place(name, key, list(properties))
        if arm_name != key:
            shape["arm"] = arm_name
        if containers:
            shape["containers"] = containers
    return {"properties": properties} | ({"required": required} if required else {})


def resource_shape(walker: Walker, kind: ResourceType) -> Json:
    """The inputs and outputs of one resource, by their SDK names."""
    module = sdk_module(kind.token)
    resource = getattr(module, kind.token.rsplit(":", 1)[1])
    args = next(getattr(module, name) for name in module.__all__ if name.endswith("Args"))
    inputs = {key: walker.describe(hint) for key, hint in sdk_types.input_type_types(args).items()}
    answers = sdk_types.resource_types(resource)
    mark_sets(inputs, answers)
    outputs = {key: walker.describe(hint) for key, hint in answers.items() if key != "azureApiVersion"}
    short = kind.token.removeprefix("azure-native:")
    shape = {
        "inputs": _with_arm_names(short, inputs, _required(args), kind.parameters),
        "outputs": _with_arm_names(f"{short}Result", outputs, [])["properties"],
    }
    for key in {*arm_names.replaced_on_change(short), *arm_names.create_only_in_client(short)}:
        inputs[key]["replace"] = True
    if paths := arm_names.maintained(short):
        shape["maintained"] = paths
    if defaults := arm_names.restored(short):
        shape["restored"] = defaults
    return shape


def shapes() -> Json:
    """The content of `shapes.json`."""
    walker = Walker()
    resources = {kind.token: resource_shape(walker, kind) for kind in RESOURCE_TYPES}
    return {"resources": resources, "types": dict(sorted(walker.types.items()))}


def render(document: Json) -> str:
    """JSON with one line per entry, so that a change of the SDK reads well in a diff."""

    def lines(entries: Json) -> str:
        return ",\n".join(
            f"{json.dumps(key)}: {json.dumps(value, separators=(',', ':'))}" for key, value in entries.items()
        )

    if all(isinstance(value, str) for value in document.values()):
        return "{\n" + lines(document) + "\n}\n"
    return "{" + ",\n".join(f"{json.dumps(key)}: {{\n{lines(value)}\n}}" for key, value in document.items()) + "}\n"


def generated() -> dict[Path, str]:
    """Every generated file and its content."""
    return {
        FOLDER / "api_versions.json": render({kind.token: api_version(kind.token) for kind in RESOURCE_TYPES}),
        FOLDER / "shapes.json": render(shapes()),
    }


def main() -> None:
    """Writes the generated files; with `--check`, only reports whether they are up to date."""
    stale = [path for path, content in generated().items() if not path.exists() or path.read_text() != content]
    if "--check" in sys.argv[1:]:
        names = ", ".join(path.name for path in stale)
        sys.exit(
            f"{names}: out of date with the installed SDKs. Run `python -m localazure.catalog.generate`."
            if stale
            else 0
        )
    for path, content in generated().items():
        path.write_text(content)


if __name__ == "__main__":
    main()
