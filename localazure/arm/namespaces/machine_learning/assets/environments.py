"""Versions of an environment: an image, or a conda file from which deployments' environments are built.

Not emulated: images built from a Dockerfile, labels other than `latest`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.namespaces.machine_learning.assets.containers import missing_environment
from localazure.arm.namespaces.machine_learning.assets.versions import AssetVersions
from localazure.arm.reply import Reply, Request
from localazure.errors import BadRequest, Conflict, NotFound
from localazure.resource import Resource
from localazure.resource_id import ResourceId

_LABELS = "azureml.labels"


class EnvironmentVersions(AssetVersions):
    """An image, or a conda file on top of one."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.condaFile": "is what deployments run in, built with uv",
        "properties.image": "without a conda file, what a table says of it; one that is in no table fails deployments",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "properties.condaFile": "not YAML; no condaFile, image and build at all; different from before (409)",
        "properties.image": "different from before (409)",
    }

    defaults: ClassVar[Mapping[str, Any]] = {
        "environmentType": "UserCreated",
        "osType": "Linux",
        "autoRebuild": "Disabled",
        "stage": "Development",
    }

    def missing(self, version_id: ResourceId) -> NotFound:
        return missing_environment(ResourceId(version_id.parent).name, version_id.name)

    def check(self, request: Request, existing: Resource | None) -> None:
        sent = request.sent_properties
        if not any(sent.get(field) for field in ("image", "condaFile", "build")):
            raise BadRequest(
                "UserError", "An environment needs properties.image, properties.condaFile or properties.build."
            )
        before = existing.properties if existing is not None else None
        if before is not None and any(
            (self.stored(field, sent.get(field)) or None) != (before.get(field) or None)
            for field in ("image", "condaFile", "build")
        ):
            # Text: Azure/azure-cli-extensions#5440. That a 409 makes azure-ai-ml take the next version, while other
            # fields may change: Azure/azure-sdk-for-python#38590.
            name, version = request.id.names[-2:]
            raise Conflict(
                "UserError", f"Environment {name} with version {version} is already registered and cannot be changed."
            )

    def stored(self, field: str, value: Any) -> Any:
        """Recorded: clients send a conda file as YAML, and the service returns it as a JSON string."""
        if field != "condaFile" or not isinstance(value, str):
            return value
        import yaml  # not needed to start

        try:
            document = yaml.safe_load(value)
            # A date becomes a string; a value that JSON cannot express is refused.
            as_json = json.dumps(document, indent=2, default=str, allow_nan=False)
        except (TypeError, ValueError, RecursionError, yaml.YAMLError) as exc:  # ValueError: an invalid date
            raise BadRequest("UserError", f"properties.condaFile is not YAML: {exc}") from exc
        # Clients send back an absent conda file as the YAML of an empty string.
        return as_json if document else ""

    def properties(self, request: Request, existing: Resource | None) -> dict[str, Any]:
        properties = super().properties(request, existing)
        if properties.get("image") and not properties.get("condaFile"):
            properties["condaFile"] = ""  # recorded
        bag = properties.get("properties") or {}
        properties["properties"] = {name: value for name, value in bag.items() if name != _LABELS}
        return properties

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        shown = super().read(resource, request)
        names = self.store.child_names(resource.resource_id.parent, self.shape.arm)
        if self.plane.machine_learning(request.api_version).labels_latest and names and names[-1] == resource.name:
            # Recorded for the version that was created last, not for older ones.
            shown["properties"]["properties"] = {_LABELS: "latest", **shown["properties"]["properties"]}
        return shown

    def complete_body(self, resource: Resource, request: Request) -> None:
        # The file as sent, including comments: environments are built from it.
        text = request.sent_properties.get("condaFile")
        resource.private["condaFile"] = text if self.stored("condaFile", text) else None

    def put(self, request: Request) -> Reply:
        reply = super().put(request)
        reply.status = 201  # recorded, for an existing version too
        return reply
