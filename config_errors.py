"""Translates pydantic's errors about the stack config, or a fleet file, for the person who wrote the file.

Each becomes a `Problem`: the key as it stands in the stack file, what was expected, the value received, the fix.
Errors about the weights themselves are left out: `weights.py` says more about them than a type error can.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from config_values import (
    DELAY_PATTERN,
    GUID_PATTERN,
    REGISTRY_ID_PATTERN,
    REGISTRY_NAME_PATTERN,
    RELEASE_PATTERN,
    TAG_KEY_PATTERN,
    VARIABLE_PATTERN,
)
from existing_config import (
    CONTAINER_REGISTRY_ID_PATTERN,
    GROUP_ID_PATTERN,
    IDENTITY_ID_PATTERN,
    INSIGHTS_ID_PATTERN,
    LOG_ANALYTICS_ID_PATTERN,
    STORAGE_ID_PATTERN,
    SUBNET_ID_PATTERN,
    VAULT_ID_PATTERN,
    WORKSPACE_ID_PATTERN,
)
from gate_config import FUNCTION_PATTERN, URL_PATTERN
from identity_config import KEY_URI_PATTERN
from naming import NAME_PATTERN
from network_config import (
    HOST_PATTERN,
    MONITOR_SCOPE_PATTERN,
    PORTS_PATTERN,
    RESOURCE_ID_PATTERN,
    VNET_ID_PATTERN,
    ZONE_ID_PATTERN,
)
from problem import Problem
from stack_config import Settings

_EXPECTED = {
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "string_type": "must be a string",
    "bool_type": "must be true or false",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "tuple_type": "must be a list",
    "list_type": "must be a list",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be below {lt}",
    "less_than_equal": "must be at most {le}",
    "enum": "must be {expected}",
    "literal_error": "must be {expected}",
    "string_too_short": "must have at least {min_length} characters",
    "string_too_long": "must have at most {max_length} characters",
    "too_short": "must have at least {min_length} entry",
    "too_long": "must have at most {max_length} entries",
}

_PATTERNS = {
    NAME_PATTERN: "must be lower-case letters, digits and single dashes, starting with a letter",
    TAG_KEY_PATTERN: "must be letters, digits, dots, dashes and underscores, starting with a letter and not "
    "ending in a dot or dash",
    DELAY_PATTERN: "must be a number of seconds or minutes, such as 0s, 90s or 3m",
    REGISTRY_NAME_PATTERN: "must be the name of an Azure ML registry: 3 to 33 letters, digits, dashes and underscores",
    REGISTRY_ID_PATTERN: "must be an ARM id, /subscriptions/<id>/resourceGroups/<group>/providers/"
    "Microsoft.MachineLearningServices/registries/<name> (az ml registry show --name <name> --query id)",
    r"^[a-z][a-z0-9]*$": "must be a region's short name, such as westeurope",
    r"^([01][0-9]|2[0-3]):[0-5][0-9]$": 'must be a time "HH:MM" in quotes',
    r"^[A-Za-z0-9][A-Za-z0-9 .()+-]*$": 'must be a Windows time zone name, such as "W. Europe Standard Time"',
    URL_PATTERN: "must be an address that begins with http:// or https://",
    FUNCTION_PATTERN: "must be module:function, such as checks.scores:agree_with_stable",
    r"^[A-Za-z0-9_.-]+$": "must be the name of a stack: letters, digits, dots, dashes and underscores, such as prod",
    r"^[A-Za-z0-9][A-Za-z0-9._/-]*[A-Za-z0-9]$": "must be the name of a branch, such as sluice/prod",
    RELEASE_PATTERN: "must be 16 to 64 hexadecimal digits in lower case, the content of a release document "
    "(models/<model>/releases/<16 hex>.json)",
    VARIABLE_PATTERN: "must be the name of an environment variable, not its value: letters, digits and underscores",
    HOST_PATTERN: "must be a host name, such as scores.example.org or *.example.org",
    PORTS_PATTERN: "must be ports or ranges separated by commas, such as 443 or 8000-8010, or *",
    RESOURCE_ID_PATTERN: "must be the ARM id of a resource, /subscriptions/<id>/resourceGroups/<group>/providers/...",
    GROUP_ID_PATTERN: "must be the ARM id of a resource group (az group show --name <name> --query id)",
    LOG_ANALYTICS_ID_PATTERN: "must be the ARM id of a Log Analytics workspace (az monitor log-analytics workspace "
    "show --query id)",
    INSIGHTS_ID_PATTERN: "must be the ARM id of an Application Insights component (az monitor app-insights component "
    "show --query id)",
    CONTAINER_REGISTRY_ID_PATTERN: "must be the ARM id of a container registry (az acr show --name <name> --query id)",
    VAULT_ID_PATTERN: "must be the ARM id of a key vault (az keyvault show --name <name> --query id)",
    STORAGE_ID_PATTERN: "must be the ARM id of a storage account (az storage account show --name <name> --query id)",
    SUBNET_ID_PATTERN: "must be the ARM id of a subnet (az network vnet subnet show --query id)",
    WORKSPACE_ID_PATTERN: "must be the ARM id of an Azure ML workspace (az ml workspace show --query id)",
    IDENTITY_ID_PATTERN: "must be the ARM id of a user-assigned identity (az identity show --query id)",
    VNET_ID_PATTERN: "must be the ARM id of a virtual network (az network vnet show --query id)",
    ZONE_ID_PATTERN: "must be the ARM id of a private DNS zone (az network private-dns zone show --query id)",
    MONITOR_SCOPE_PATTERN: "must be none, own or the ARM id of a private link scope of Azure Monitor (az monitor "
    "private-link-scope show --query id)",
    r"^privatelink\.[a-z0-9.-]+$": "must be the name of a private DNS zone, such as privatelink.azurecr.io",
    r"^[A-Za-z][A-Za-z0-9.]*$": "must be a service tag of Azure, such as AzureFrontDoor.FirstParty",
    r"^[1-9][0-9]*[smhd]$": "must be a duration, such as 90s, 10m, 2h or 1d",
    r"^[1-9][0-9]*[mhd]$": "must be a duration in whole minutes, hours or days, such as 10m, 2h or 1d",
    r"^\S(.*\S)?$": "must be a name without spaces at its ends",
    KEY_URI_PATTERN: "must be the address of a key, such as https://<vault>.vault.azure.net/keys/<name>",
    r"^\S+$": "must be without spaces",
    r"^https://\S+$": "must be an address that begins with https://",
    GUID_PATTERN: "must be the object id of an Entra group, a GUID",
}

_ONLY_KEY = "[key]"
_WORD, _MAPPING = "literal[", "dict["


def delay_problem(variable: str, value: str) -> Problem:
    """The problem of an environment variable whose value is not a delay."""
    fix = "Set it to such a value in the environment, or unset it."
    return Problem(variable, f"{_PATTERNS[DELAY_PATTERN]}, got {json.dumps(value, ensure_ascii=False)}", fix)


def explain(error: ValidationError, *, stack: str) -> Iterator[Problem]:
    """One problem for each of pydantic's errors, except those about single weights."""
    for detail in error.errors(include_url=False):
        path = _path(detail)
        if not _is_weight(path) and not _is_echo(detail):
            what, hint = _what(detail, path)
            yield Problem(_key(path), what, f"{hint}{_fix(path, stack)}")


def explain_file(error: ValidationError, *, model: type[BaseModel], file: str) -> Iterator[Problem]:
    """One problem for each of pydantic's errors about another file than the stack file, whose model is `model`."""
    for detail in error.errors(include_url=False):
        path = _path(detail)
        if not _is_echo(detail):
            what, hint = _what(detail, path, model)
            key = _dotted(path)
            yield Problem(key, f"{key} {what}".strip(), hint.strip() or "Correct it.", file=file)


def _path(detail: ErrorDetails) -> list[int | str]:
    """Where in the file, without pydantic's own parts: the mark of a mapping's key, and the kind of a value that can be
    a word or a mapping."""
    return [part for part in detail["loc"] if part != _ONLY_KEY and not str(part).startswith(_MAPPING)]


def _is_weight(path: list[int | str]) -> bool:
    return len(path) == 4 and path[0] == "rollout" and path[2] in ("traffic", "mirror")


def _is_echo(detail: ErrorDetails) -> bool:
    """Return whether an error only repeats others: a list whose entries are all wrong also counts as too short, and a
    mapping with a wrong entry is no word either."""
    if str(detail["loc"][-1]).startswith(_WORD) and isinstance(detail["input"], dict):
        return True
    return detail["type"] == "too_short" and bool(detail["input"])


def _key(path: list[int | str]) -> str:
    if path in (["location"], ["cloud"]):
        return {"location": "azure-native:location", "cloud": "azure-native:environment"}[str(path[0])]
    head, *rest = path or ["", ""]
    if ":" in str(head):
        return str(head)
    return f"sluice:{_dotted([head, *rest])}"


def _dotted(path: list[int | str]) -> str:
    """`waves[0].rollouts[1].stack`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _fix(path: list[int | str], stack: str) -> str:
    if len(path) == 1 and path[0] in ("team", "network", "location"):
        example = {"team": "payments", "network": "private", "location": "westeurope"}[str(path[0])]
        return f"Run: pulumi config set {_key(path)} {example} --stack {stack}"
    return f"Fix it in Pulumi.{stack}.yaml."


def _what(detail: ErrorDetails, path: list[int | str], model: type[BaseModel] = Settings) -> tuple[str, str]:
    """What is wrong, and a hint that ends in a space; mostly there is none."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing, and there is no default", ""
    if kind == "extra_forbidden":
        return _unknown_key(path, model)
    if kind == "string_pattern_mismatch":
        return f"{_PATTERNS[context['pattern']]}, got {_value(detail)}", ""
    if kind in _EXPECTED:
        expected = _EXPECTED[kind].format(**context).replace("'", "")
        return f"{expected}, got {_secret(detail) if _may_be_secret(path) else _value(detail)}", ""
    return detail["msg"], ""  # the models' own rules, which are worded there


def _may_be_secret(path: list[int | str]) -> bool:
    """Whether the value at this place is, or holds, the value of an environment variable."""
    return path[:1] == ["endpoints"] and path[4:5] == ["environment_variables"]


def _secret(detail: ErrorDetails) -> str:
    """Describe a value that must not be printed."""
    value = detail["input"]
    kinds = {type(None): "nothing", bool: "true or false", int: "a number", float: "a number", str: "a string"}
    kind = kinds.get(type(value), "a list" if isinstance(value, list) else "a mapping")
    return f"{kind} (not shown){': put it in quotes' if detail['type'] == 'string_type' else ''}"


def _value(detail: ErrorDetails) -> str:
    """Return the value in YAML's flow style, with a hint about the usual mistakes."""
    value = detail["input"]
    if detail["type"] == "too_long":
        return f"{len(value)}"
    text = json.dumps(value, default=str, ensure_ascii=False)
    if len(text) > 60:
        text = f"{text[:57]}..."
    if value is None:
        return (
            "nothing (write {} for an empty mapping)" if "mapping" in _EXPECTED.get(detail["type"], "") else "nothing"
        )
    if isinstance(value, str) and detail["type"] in ("int_type", "float_type", "bool_type"):
        return f"{text}, which is a string: remove the quotes"
    if isinstance(value, int | float) and detail["type"] == "string_type" and detail["loc"][-1:] == ("release",):
        return f"{text}, which YAML reads as a number: put it in quotes"
    return text


def _unknown_key(path: list[int | str], model: type[BaseModel]) -> tuple[str, str]:
    from difflib import get_close_matches  # only when there is an error to explain

    namespace, separator, name = str(path[-1]).partition(":")
    if separator:
        return f"belongs to the unknown namespace {namespace}", f"Did you mean sluice:{name}? "
    known = _known_keys(path[:-1], model)
    close = get_close_matches(str(path[-1]).lower(), known, n=1)
    hint = f"Did you mean {close[0]}? " if close else ""
    return f"is not a known key (known here: {', '.join(known)})", hint


def _known_keys(path: list[int | str], outermost: type[BaseModel]) -> list[str]:
    """The fields of the model at this place, in the order of the models."""
    model: Any = outermost
    for part in path:
        # A name that the user chose is no field, and neither is one that only looks like a field.
        field = model.model_fields.get(part)
        model = (_model_in(field.annotation) if field else None) or model
    hidden = ("stack", "location", "cloud") if model is Settings else ()
    return [name for name in model.model_fields if name not in hidden]


def _model_in(annotation: Any) -> Any:
    """The model inside `dict[str, Model]`, `tuple[Model, ...]` or `Model | None`."""
    if _is_model(annotation):
        return annotation
    if get_origin(annotation) in (dict, tuple, Union, UnionType) or get_args(annotation):
        models = [found for part in get_args(annotation) if (found := _model_in(part)) is not None]
        return models[0] if models else None
    return None


def _is_model(candidate: object) -> bool:
    return isinstance(candidate, type) and issubclass(candidate, BaseModel)
