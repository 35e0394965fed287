"""Fields of az ml's first schema (the preview of 2021), which old projects still use, and what to write today.

azure-ai-ml only reports that it does not know them. Sources: an example of that time (sethjuarez/tlaloc,
cloud/deployment.yml at commit 4eda3b0), and today's schema in azure-ai-ml 1.35.2.
"""

from collections.abc import Iterator
from typing import Any

from problem import Problem

BEFORE = "is from az ml's first preview (2021), and az ml no longer reads it"


def check_deployment_preview(content: dict[str, Any]) -> Iterator[Problem]:
    """Yield the fields of a deployment's file that today's schema has under other names."""
    yield from _code(content.get("code_configuration"))
    model, environment = content.get("model"), content.get("environment")
    if isinstance(model, dict) and "local_path" in model:
        yield Problem(
            where="model.local_path", what=f"model.local_path {BEFORE}", fix=_path("path", model["local_path"])
        )
    if isinstance(environment, dict) and "docker" in environment:
        docker = environment["docker"]
        image = docker.get("image") if isinstance(docker, dict) else None
        written = image if isinstance(image, str) else "<image>:<tag>"
        yield Problem(
            where="environment.docker",
            what=f"environment.docker {BEFORE}",
            fix=f"Write image: {written} in place of docker, directly below environment",
        )
    yield from _scale(content.get("scale_settings"))


def check_endpoint_preview(content: dict[str, Any]) -> Iterator[Problem]:
    """Yield the fields of endpoint.yml that today's schema has elsewhere."""
    if "deployments" in content:
        yield Problem(
            where="deployments",
            what=f"deployments in the endpoint's file {BEFORE}",
            fix="Move each of them into a file of its own, <name>.yml, with name: <name> and endpoint_name",
        )
    if content.get("type") == "online":
        yield Problem(where="type", what=f"type: online {BEFORE}", fix="Remove the line")


def _code(configuration: Any) -> Iterator[Problem]:
    code = configuration.get("code") if isinstance(configuration, dict) else None
    if isinstance(code, dict) and "local_path" in code:
        yield Problem(
            where="code_configuration.code",
            what=f"code_configuration.code is a mapping with local_path; that {BEFORE}",
            fix=_path("code", code["local_path"]),
        )


def _scale(settings: Any) -> Iterator[Problem]:
    if not isinstance(settings, dict) or "scale_type" not in settings:
        return
    count = settings.get("instance_count")
    names = ", ".join(str(name) for name in settings)
    if str(settings["scale_type"]).lower() == "auto":
        fix = "Write scale_settings: {type: target_utilization, min_instances: ..., max_instances: ...}"
    else:
        number = count if isinstance(count, int) else "<number>"
        fix = f"Remove scale_settings and write instance_count: {number} at the top level"
    yield Problem(where="scale_settings", what=f"scale_settings has {names}; that {BEFORE}", fix=fix)


def _path(field: str, path: Any) -> str:
    return f"Write {field}: {path}" if isinstance(path, str) else f"Write {field}: <path>"
