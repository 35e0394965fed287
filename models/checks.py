"""Refuses what azure-ai-ml silently alters or lets through in az ml YAML, with the field, the value and the fix.

Each check reads the file as written; what azure-ai-ml refuses itself is not checked here. The reasons are facts about
azure-ai-ml 1.35.2, observed by running it, unless a comment states another source.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from models.document import DocumentError, read_document
from models.preview_schema import check_deployment_preview, check_endpoint_preview
from models.reference_checks import check_environment, check_filled_in, check_reference
from models.values import check_shapes, check_strings, check_whole, is_whole
from problem import Problem

TARGET_UTILIZATION = "target_utilization"

# Azure's limit for managed endpoints, from its documentation; azure-ai-ml does not check it.
MAX_REQUEST_TIMEOUT_MS = {"managed": 180_000, "kubernetes": 300_000}

PROBES = ("liveness_probe", "readiness_probe")
PROBE_NUMBERS = ("initial_delay", "period", "timeout", "success_threshold", "failure_threshold")
REQUEST_NUMBERS = ("request_timeout_ms", "max_concurrent_requests_per_instance", "max_queue_wait_ms")

# The program accepts fewer names than Azure: ids that differ only in case are equal to ARM and different to Pulumi.
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
NAME_RULE = "3 to 32 lower-case letters, digits and single dashes, starting with a letter"
MAX_NAME = 32


def check_endpoint(content: dict[str, Any], model: str) -> Iterator[Problem]:
    """Yield what is wrong with endpoint.yml; `model` is the folder's name."""
    if not (NAME.fullmatch(model) and len(model) <= MAX_NAME):
        yield Problem(
            where="name",
            what=f"the folder is called {model!r}, but its name is also the key in the stack file, which must be at "
            f"most {MAX_NAME} lower-case letters, digits and single dashes, starting with a letter",
            fix="Rename the folder",
        )
    yield from check_endpoint_preview(content)
    if "compute" in content:
        yield from check_filled_in("compute", content["compute"])
    if "name" in content and content["name"] != model:
        yield Problem(
            where="name",
            what=f"name is {content['name']!r}, but the folder and the stack's key are {model!r}",
            fix=f"Write name: {model} (the name in Azure comes from the stack, which may set another)",
        )
    for field in ("traffic", "mirror_traffic"):
        if content.get(field):
            yield Problem(
                where=field,
                what=f"{field} is {content[field]!r}, but weights belong to the stack, which is their only owner",
                fix=f"Remove {field} here and set sluice:rollout.{model}.{field.removesuffix('_traffic')} instead",
            )
    if "identity" in content:
        yield from _check_identity(content["identity"])
    if "tags" in content:
        yield from check_strings("tags", content["tags"])
    if "properties" in content:
        yield from check_strings("properties", content["properties"])


def check_deployment(content: dict[str, Any], *, name: str, model: str, kubernetes: bool) -> Iterator[Problem]:
    """Yield what is wrong with a deployment's file; `kubernetes` tells whether its endpoint is a Kubernetes one."""
    if not (NAME.fullmatch(name) and 3 <= len(name) <= MAX_NAME):
        yield Problem(
            where="name",
            what=f"the file is called {name!r}, but the name of a deployment must be {NAME_RULE}",
            fix="Rename the file, and the deployment in it",
        )
    elif "name" in content and content["name"] != name:
        yield Problem(
            where="name",
            what=f"name is {content['name']!r}, but the file and the stack call the deployment {name!r}",
            fix=f"Write name: {name}",
        )
    yield from check_shapes(content)
    yield from check_deployment_preview(content)
    yield from check_filled_in("instance_type", content.get("instance_type"))
    if "endpoint_name" not in content:
        fix = f"Write endpoint_name: {model}"
        yield Problem(where="endpoint_name", what="endpoint_name is missing", fix=fix)
    elif content["endpoint_name"] != model:
        yield Problem(
            where="endpoint_name",
            what=f"endpoint_name is {content['endpoint_name']!r}, but the file belongs to {model!r}",
            fix=f"Write endpoint_name: {model}",
        )
    yield from _check_kind(content, kubernetes)
    yield from _check_numbers(content, kubernetes)
    yield from _check_scale_settings(content.get("scale_settings"), kubernetes)
    for field in ("environment_variables", "tags", "properties"):
        if field in content:
            yield from check_strings(field, content[field])
    yield from check_reference("model", content.get("model"))
    yield from check_reference("environment", content.get("environment"))
    yield from check_environment(content.get("environment"))
    if "data_collector" in content:
        yield Problem(
            where="data_collector",
            what="data_collector needs data assets, which az ml creates implicitly and this program does not declare",
            fix="Remove data_collector; log from the scoring script, or use app_insights_enabled: true",
        )
    if content.get("private_network_connection"):
        yield Problem(
            where="private_network_connection",
            what="private_network_connection is the retired name of a preview setting",
            fix="Write egress_public_network_access: disabled",
        )


def check_paths(content: dict[str, Any], folder: Path) -> Iterator[Problem]:
    """Yield the files that a deployment names but that do not exist; azure-ai-ml would print a traceback for them."""
    named = {}
    for field, key in (("model", "path"), ("environment", "conda_file")):
        inline = content.get(field)
        if isinstance(inline, dict) and isinstance(inline.get(key), str):
            named[f"{field}.{key}"] = inline[key]
    for field, path in named.items():
        if "://" not in path and not (folder / path.removeprefix("file:")).exists():
            yield Problem(
                where=field,
                what=f"{field} is {path!r}, which does not exist",
                fix="Correct the path; it counts from the folder of this file",
            )
        elif field == "environment.conda_file" and "://" not in path:
            yield from _check_conda_file(field, folder / path.removeprefix("file:"))


def _check_conda_file(field: str, path: Path) -> Iterator[Problem]:
    """For a broken file azure-ai-ml reports that the environment has no name; it accepts a list or an empty file."""
    try:
        read_document(path)
    except DocumentError as error:
        yield Problem(where=field, what=f"{field} {path.name}: {error}", fix="Correct that file")


def has_target_utilization(content: dict[str, Any]) -> bool:
    """Tell whether the file requests autoscale as az ml's Kubernetes deployments do."""
    settings = content.get("scale_settings")
    return isinstance(settings, dict) and settings.get("type") == TARGET_UTILIZATION


def is_kubernetes(content: dict[str, Any]) -> bool:
    """Tell whether a deployment's file uses the Kubernetes schema."""
    return content.get("type") == "kubernetes"


def _check_identity(identity: Any) -> Iterator[Problem]:
    if not isinstance(identity, dict) or not identity:
        yield Problem(
            where="identity",
            what=f"identity is {identity!r}",
            fix="Write type: system_assigned or type: user_assigned below it. Or remove it: the program creates one",
        )
    elif identity.get("type") == "user_assigned" and not identity.get("user_assigned_identities"):
        yield Problem(
            where="identity.user_assigned_identities",
            what="identity is user_assigned without an identity",
            fix="List user_assigned_identities: [{resource_id: <ARM id>}]. Or remove identity: the program creates one",
        )
    else:
        listed = identity.get("user_assigned_identities")
        for one in listed if isinstance(listed, list) else ():
            if isinstance(one, dict):
                yield from check_filled_in("identity.user_assigned_identities", one.get("resource_id"))


def _check_kind(content: dict[str, Any], kubernetes: bool) -> Iterator[Problem]:
    if content.get("type", "managed") not in ("managed", "kubernetes"):
        yield Problem(
            where="type",
            what=f"type is {content['type']!r}; azure-ai-ml treats every value except kubernetes as managed",
            fix="Write type: managed or type: kubernetes",
        )
    elif is_kubernetes(content) != kubernetes:
        here, there = ("kubernetes", "managed") if not kubernetes else ("managed", "kubernetes")
        yield Problem(
            where="type",
            what=f"this is a {here} deployment, but endpoint.yml describes a {there} endpoint",
            fix="Write type: kubernetes here and compute: in endpoint.yml, or neither",
        )
    if "instance_count" not in content and not has_target_utilization(content):
        yield Problem(where="instance_count", what="instance_count is missing", fix="Write instance_count: 1 or more")


def _check_numbers(content: dict[str, Any], kubernetes: bool) -> Iterator[Problem]:
    yield from check_whole("instance_count", content)
    settings = content.get("request_settings")
    if isinstance(settings, dict):
        for name in REQUEST_NUMBERS:
            yield from check_whole(f"request_settings.{name}", settings)
        limit = MAX_REQUEST_TIMEOUT_MS["kubernetes" if kubernetes else "managed"]
        timeout = settings.get("request_timeout_ms", 0)
        if is_whole(timeout) and timeout > limit:
            yield Problem(
                where="request_settings.request_timeout_ms",
                what=f"request_settings.request_timeout_ms is {timeout}; Azure allows at most {limit}",
                fix=f"Write {limit} or less",
            )
    for probe in PROBES:
        numbers = content.get(probe)
        if isinstance(numbers, dict):
            for name in PROBE_NUMBERS:
                yield from check_whole(f"{probe}.{name}", numbers)


def _check_scale_settings(settings: Any, kubernetes: bool) -> Iterator[Problem]:
    if not isinstance(settings, dict) or settings.get("type") != TARGET_UTILIZATION:
        return
    where = "scale_settings"
    for name in ("min_instances", "max_instances"):
        if name in settings:
            yield from check_whole(f"{where}.{name}", settings)
        else:
            yield Problem(where=f"{where}.{name}", what=f"{where}.{name} is missing", fix="Write 1 or more")
    yield from check_whole(f"{where}.target_utilization_percentage", settings, 1, 100)
    low, high = settings.get("min_instances", 0), settings.get("max_instances", 0)
    if is_whole(low) and is_whole(high) and low > high:
        yield Problem(
            where=f"{where}.min_instances",
            what=f"{where}: min_instances {low} is above max_instances {high}",
            fix="Write a minimum that is not above the maximum",
        )
    if kubernetes:
        return
    known = {"type", "min_instances", "max_instances", "target_utilization_percentage"}
    for name in settings.keys() - known:
        yield Problem(
            where=f"{where}.{name}",
            what=f"{where}.{name} has no counterpart in Azure Monitor autoscale, which scales a managed deployment",
            fix="Remove it",
        )
