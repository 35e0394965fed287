"""The JSON Schema of Pulumi.<stack>.yaml for editors, generated from the models of the stack config.

It covers the keys of this program and leaves those of Pulumi and of other packages alone. A schema can say less than
the program checks: sums of weights, references between sections and what is live are not in it.

    python -m config_schema > docs/stack-config.schema.json
"""

from __future__ import annotations

import json
from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue

from stack_config import StackConfig

DIALECT = "http://json-schema.org/draft-07/schema#"
"""The dialect that YAML language servers know best."""


class _EditorSchema(GenerateJsonSchema):
    """Without titles, which repeat the keys and make hover texts longer."""

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
    config = StackConfig.model_json_schema(ref_template="#/definitions/{model}", schema_generator=_EditorSchema)
    definitions: dict[str, JsonSchemaValue] = config["$defs"]
    for definition in definitions.values():
        definition.pop("title", None)
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
                # Keys of other namespaces are not ours to judge; an unknown one of ours is a slip of the pen.
                "propertyNames": {"pattern": f"^(?!sluice:)|^sluice:({known})$"},
            }
        },
        "required": ["config"],
        "definitions": definitions,
    }


def render() -> str:
    """The schema as the text of docs/stack-config.schema.json."""
    return json.dumps(stack_file_schema(), indent=2) + "\n"


if __name__ == "__main__":
    print(render(), end="")
