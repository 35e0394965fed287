"""Checks single values in az ml YAML: whole numbers, strings, mappings. Each problem has the value, rule and fix.

The reasons are facts about azure-ai-ml 1.35.2, observed by running it.
"""

import json
from collections.abc import Iterator
from datetime import date, datetime
from typing import Any

from problem import Problem

STRINGS = ("name", "endpoint_name", "instance_type", "description", "model_mount_path", "egress_public_network_access")
MAPPINGS = (
    "code_configuration",
    "request_settings",
    "liveness_probe",
    "readiness_probe",
    "scale_settings",
    "environment_variables",
    "tags",
    "properties",
)
STRINGS_OR_MAPPINGS = ("model", "environment")
NAMES_OF_TYPES = {str: "a string", dict: "a mapping", list: "a list", bool: "a boolean", type(None): "nothing"}


def is_whole(value: Any) -> bool:
    """Tell whether a value is a whole number; true and false do not count."""
    return isinstance(value, int) and not isinstance(value, bool)


def check_shapes(content: dict[str, Any]) -> Iterator[Problem]:
    """Yield fields of a deployment's file whose values have the wrong type; azure-ai-ml's own errors help little."""
    for names, kinds, rule in (
        (STRINGS, (str,), "a string"),
        (MAPPINGS, (dict,), "a mapping (`key: value` lines below it)"),
        (STRINGS_OR_MAPPINGS, (str, dict), "a reference (a string) or a mapping (`key: value` lines below it)"),
    ):
        for name in names:
            if name in content and not isinstance(content[name], kinds):
                value = content[name]
                fix = (
                    f'Write {name}: "{value}", with quotes'
                    if _is_number(value) and kinds == (str,)
                    else f"Write {rule}"
                )
                yield Problem(where=name, what=f"{name} must be {rule}, got {_shown(value)}", fix=fix)


def check_whole(field: str, content: dict[str, Any], minimum: int = 1, maximum: int | None = None) -> Iterator[Problem]:
    """Check a whole number: azure-ai-ml cuts 33.3 to 33, accepts "2", true, 0 and -3, and never sends 0 s."""
    name = field.rpartition(".")[2]
    if name not in content:
        return
    value = content[name]
    if is_whole(value) and value >= minimum and (maximum is None or value <= maximum):
        return
    rule = f"a whole number of at least {minimum}" if maximum is None else f"a whole number from {minimum} to {maximum}"
    why = "; azure-ai-ml drops a 0 or sends it unchecked" if is_whole(value) and value == 0 else ""
    fix = _number_meant(name, value, minimum, maximum)
    if fix is None:
        fix = f"Write {minimum} or more" if maximum is None else f"Write {minimum} to {maximum}"
    if name != "instance_count" and is_whole(value) and value == 0:
        fix += ", or remove it, and Azure's default applies"
    yield Problem(where=field, what=f"{field} must be {rule}, got {value!r}{why}", fix=fix)


def check_strings(field: str, values: Any) -> Iterator[Problem]:
    """Check strings: azure-ai-ml sends a YAML number or boolean unchanged, and Azure's API accepts only strings."""
    if not isinstance(values, dict):
        return  # check_shapes reports it
    for name, value in values.items():
        if not isinstance(name, str):
            yield Problem(
                where=f"{field}.{name}",
                what=f"{field} has the key {_shown(name)}, but keys must be strings",
                fix=f'Put the key in quotes: "{_written(name)}": ...',
            )
        if not isinstance(value, str):
            yield Problem(
                where=f"{field}.{name}",
                what=f"{field}.{name} must be a string, got {value!r} ({type(value).__name__})",
                fix=_string_meant(name, value),
            )


def _number_meant(name: str, value: Any, minimum: int, maximum: int | None) -> str | None:
    """Return the fix for a number with the wrong type: without quotes, without a fraction of 0."""
    if isinstance(value, str):
        text = value.strip()
        number = int(text) if text.removeprefix("+").isdecimal() else None
        quotes = ", without quotes"
    else:
        number = int(value) if isinstance(value, float) and value.is_integer() else None
        quotes = ", without a fraction"
    if number is None or number < minimum or (maximum is not None and number > maximum):
        return None
    return f"Write {name}: {number}{quotes}"


def _string_meant(name: Any, value: Any) -> str:
    if value is None:
        return f'Write the intended string ({name}: "..."), or remove the line'
    if isinstance(value, dict | list):
        return f"Write one string, for example JSON in quotes: {name}: '{json.dumps(value, default=str)}'"
    return f'Put it in quotes: {name}: "{_written(value)}"'


def _written(value: Any) -> str:
    """Return a scalar in YAML's notation."""
    if isinstance(value, bool):
        return str(value).lower()
    return value.isoformat() if isinstance(value, date | datetime) else str(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _shown(value: Any) -> str:
    kind = NAMES_OF_TYPES.get(type(value), type(value).__name__)
    return kind if value is None else f"{value!r} ({kind})" if _is_scalar(value) else kind


def _is_scalar(value: Any) -> bool:
    return not isinstance(value, dict | list)
