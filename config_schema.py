"""The JSON Schemas of Pulumi.<stack>.yaml and of fleet files for editors, generated from their models.

It covers the keys of this program and ignores those of Pulumi and other packages. A schema cannot express all that the
program checks: it lacks sums of weights, references between sections, and the live state.

    python -m config_schema > docs/stack-config.schema.json
    python -m config_schema fleet > docs/fleet.schema.json
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
from functools import cache
from itertools import pairwise
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

import autoscale_config
import compute_config
import existing_config
import fleet_config
import gate_config
import identity_config
import network_config
import rollout_config
import stack_config
from fleet_config import FleetSettings
from stack_config import StackConfig

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The dialect that YAML language servers know best."""

MODULES = (
    stack_config,
    identity_config,
    autoscale_config,
    compute_config,
    existing_config,
    network_config,
    rollout_config,
    gate_config,
    fleet_config,
)
"""Where the models are."""


class _EditorSchema(GenerateJsonSchema):
    """Without titles, which repeat the keys and make the hover text longer."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: Any) -> JsonSchemaValue:
        """A mapping whose keys have a pattern is closed to other keys, as the models are."""
        result = super().dict_schema(schema)
        if "patternProperties" in result:
            result["additionalProperties"] = False
        return result


def stack_file_schema() -> dict[str, Any]:
    """The schema of a whole stack file."""
    config, definitions = _described(StackConfig)
    network = config["properties"]["network"]
    modes = {"enum": [mode.value for mode in network_config.Network]}
    config["properties"]["network"] = {"description": network.pop("description"), "anyOf": [modes, network]}
    keys = {f"sluice:{key}": schema for key, schema in config["properties"].items()}
    known = "|".join(key.removeprefix("sluice:") for key in keys)
    return {
        "$schema": DIALECT,
        "title": "Stack file of Sluice",
        "type": "object",
        "properties": {
            "config": {
                "type": "object",
                "properties": {
                    "azure-native:location": {
                        "description": "Azure region, by its short name.",
                        "type": "string",
                        "pattern": "^[a-z][a-z0-9]*$",
                    },
                    **keys,
                },
                "required": ["azure-native:location", *(f"sluice:{key}" for key in config["required"])],
                # Other namespaces may have any key; an unknown key of ours is a spelling mistake.
                "propertyNames": {"pattern": f"^(?!sluice:)|^sluice:({known})$"},
            }
        },
        "required": ["config"],
        "definitions": definitions,
    }


def fleet_file_schema() -> dict[str, Any]:
    """The schema of a whole fleet file."""
    fleet, definitions = _described(FleetSettings)
    return {
        "$schema": DIALECT,
        "title": "Fleet file of Sluice",
        "type": "object",
        "properties": fleet["properties"],
        "required": fleet["required"],
        "additionalProperties": False,
        "definitions": definitions,
    }


def _described(model: type[BaseModel]) -> tuple[JsonSchemaValue, dict[str, JsonSchemaValue]]:
    """The schema of a model and its definitions, with the docstrings of their fields."""
    schema = model.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_EditorSchema)
    definitions: dict[str, JsonSchemaValue] = schema["$defs"]
    _describe(model, schema)
    for name, definition in definitions.items():
        definition.pop("title", None)
        _describe(_model(name), definition)
    return schema, definitions


def _model(name: str) -> type:
    """A model or an enumeration by its name."""
    found: type = next(getattr(module, name) for module in MODULES if hasattr(module, name))
    return found


def _describe(model: type, schema: JsonSchemaValue) -> None:
    """Give each field the docstring below it in the source, its own or inherited."""
    for parent in model.__mro__:
        for name, text in _field_docstrings().get(parent.__name__, {}).items():
            if name in schema.get("properties", {}):
                schema["properties"][name].setdefault("description", text)


@cache
def _field_docstrings() -> dict[str, dict[str, str]]:
    """The docstrings of all fields of all models: {model: {field: text}}."""
    statements = [each for module in MODULES for each in ast.parse(inspect.getsource(module)).body]
    return {
        statement.name: {
            field.target.id: inspect.cleandoc(text.value.value)
            for field, text in pairwise(statement.body)
            if isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
            and isinstance(text.value.value, str)
        }
        for statement in statements
        if isinstance(statement, ast.ClassDef)
    }


def render(*, fleet: bool = False) -> str:
    """A schema as the text of docs/stack-config.schema.json, or of docs/fleet.schema.json."""
    return json.dumps(fleet_file_schema() if fleet else stack_file_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(render(fleet="fleet" in sys.argv[1:]), end="")
