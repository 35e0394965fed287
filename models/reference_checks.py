"""Checks the references in az ml YAML: models, environments and images must name a version and hold no placeholder.

The reasons are facts about azure-ai-ml 1.35.2, observed by running it, unless a comment states another source.
"""

import re
from collections.abc import Iterator
from typing import Any

from models.references import is_image, placeholder_in
from problem import Problem

ASSET_REFERENCE = re.compile(r"azureml:(?!//)(?P<rest>.+)")

# "The version of a registered model must be a positive integer" (read in Azure/azureml-examples#2725). How a registry
# numbers its models is not known, so references to a registry are not checked.
MODEL_VERSION = re.compile(r"[1-9][0-9]*")


def check_filled_in(field: str, value: Any) -> Iterator[Problem]:
    """Yield a placeholder that no template replaced: azure-ai-ml sends it, and Azure treats it as a name."""
    found = placeholder_in(value) if isinstance(value, str) else None
    if found is not None:
        yield Problem(
            where=field,
            what=f"{field} is {value!r}, in which the placeholder {found} was never replaced",
            fix="Write the value itself: neither az ml nor this program replaces placeholders",
        )


def check_reference(field: str, value: Any) -> Iterator[Problem]:
    """Yield a bad reference: without a version, azure-ai-ml fails late or takes the newest one."""
    if not isinstance(value, str) or value.startswith("file:"):
        return
    if placeholder_in(value):
        yield from check_filled_in(field, value)
        return
    moving = "@" in value or "/labels/" in value
    match = ASSET_REFERENCE.fullmatch(value)
    unversioned = match is not None and "/" not in match["rest"] and ":" not in match["rest"]
    if moving or unversioned:
        yield Problem(
            where=field,
            what=f"{field} is {value!r}, which names no version, so that a release could change by itself",
            fix=f"Write azureml:<name>:<version>; az ml {field} list --name <name> shows the versions",
        )
    elif (
        field == "model" and (version := _workspace_version(value)) is not None and not MODEL_VERSION.fullmatch(version)
    ):
        yield Problem(
            where=field,
            what=f"{field} is {value!r}, but the version of a model must be a positive whole number",
            fix="Write azureml:<name>:<version>; az ml model list --name <name> shows the versions",
        )
    elif not value.startswith(("azureml:", "azureml://")):
        yield Problem(
            where=field,
            what=f"{field} is {value!r}, which is not a reference",
            fix=f"Write azureml:<name>:<version>, azureml://registries/..., or a mapping with "
            f"{'path' if field == 'model' else 'image'}:",
        )


def _workspace_version(reference: str) -> str | None:
    """Return the version that a reference to an asset of a workspace names, None for one of a registry."""
    match = ASSET_REFERENCE.fullmatch(reference)
    if match is None:
        return None
    name, _, version = match["rest"].rpartition("/versions/" if "/versions/" in match["rest"] else ":")
    return version if name else None


def check_environment(environment: Any) -> Iterator[Problem]:
    """Yield what is wrong with an inline environment: a Docker build context, no image, an impossible image name."""
    if not isinstance(environment, dict):
        return
    if "build" in environment:
        yield Problem(
            where="environment.build",
            what="environment.build needs a Docker build context, which this program does not publish",
            fix="Build and push the image, and name it as environment.image",
        )
    elif not environment.get("image") and "docker" not in environment:
        yield Problem(
            where="environment.image",
            what="environment.image is missing",
            fix="Name an image, e.g. mcr.microsoft.com/azureml/openmpi4.1.0-ubuntu22.04:<tag>",
        )
    elif isinstance(image := environment.get("image"), str) and not is_image(image):
        if placeholder_in(image):
            yield from check_filled_in("environment.image", image)
        else:
            yield Problem(
                where="environment.image",
                what=f"environment.image is {image!r}, which is not a valid image name",
                fix="Write <registry>/<repository>:<tag>, the repository in lower case",
            )
