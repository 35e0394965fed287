"""The schema of fleet files for editors."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from config_schema import fleet_file_schema, render

SCHEMA_FILE = Path(__file__).parents[1] / "docs" / "fleet.schema.json"
PILOT = {"name": "pilot", "rollouts": [{"endpoint": "fraud-detection", "stack": "prod-weu"}], "bake": "10m"}


def test_the_schema_file_is_up_to_date() -> None:
    assert SCHEMA_FILE.read_text() == render(fleet=True), "run: make schema"


def test_the_schema_accepts_a_fleet_and_describes_its_keys() -> None:
    schema = fleet_file_schema()
    jsonschema.Draft7Validator.check_schema(schema)
    jsonschema.Draft7Validator(schema).validate({"waves": [PILOT]})
    assert "next wave waits" in schema["definitions"]["Wave"]["properties"]["bake"]["description"]


@pytest.mark.parametrize("change", [{"bake": "soon"}, {"rollouts": []}, {"name": ""}, {"stack": "dev"}])
def test_the_schema_marks_slips_in_the_editor(change: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft7Validator(fleet_file_schema()).validate({"waves": [{**PILOT, **change}]})
