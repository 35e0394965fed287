"""Batch deployments in the recorded form. `jobs` and `runs` implement the invocation."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any, ClassVar

from localazure.arm.namespaces.machine_learning.assets.references import check_asset
from localazure.arm.namespaces.machine_learning.endpoint_resource import OPERATION_URI, BatchResource, read_choice
from localazure.arm.namespaces.machine_learning.names import check_name
from localazure.arm.operations import Commit, Operation
from localazure.arm.reply import Reply, Request
from localazure.errors import BadRequest, NotEmulated
from localazure.resource import Resource

_LOGGING_LEVELS = ("Info", "Warning", "Debug")
_OUTPUT_ACTIONS = ("AppendRow", "SummaryOnly")
_OBJECTS = (
    *("codeConfiguration", "deploymentConfiguration", "environmentVariables", "model", "properties", "resources"),
    "retrySettings",
)


class BatchDeployments(BatchResource):
    """A batch deployment; its script runs when it is invoked, without a cluster."""

    honoured: ClassVar[Mapping[str, str]] = {
        "properties.codeConfiguration.codeId": "the folder whose script jobs run",
        "properties.codeConfiguration.scoringScript": "`run(mini_batch)` scores the input; without one jobs fail",
        "properties.environmentId": "its conda file is what the script runs in, built with uv",
        "properties.environmentVariables": "of the script's processes",
        "properties.errorThreshold": "more inputs that fail make the job fail; -1: any number may",
        "properties.maxConcurrencyPerInstance": "times instances: processes that share the mini batches, 16 at most",
        "properties.miniBatchSize": "inputs of one call of the script",
        "properties.model.assetId": "what AZUREML_MODEL_DIR holds",
        "properties.outputAction": "AppendRow: rows that the script returns become one file",
        "properties.outputFileName": "the name of that file",
        "properties.retrySettings": "attempts and seconds of a mini batch",
    }
    refused: ClassVar[Mapping[str, str]] = {
        "name": "not 3 to 32 letters, digits and single -",
        "properties.model.assetId": "names nothing that exists",
        "properties.environmentId": "names nothing that exists",
        "properties.codeConfiguration.codeId": "names nothing that exists",
        "properties.compute": "names nothing that exists",
        "properties.loggingLevel": "other than Info, Warning, Debug",
        "properties.outputAction": "other than AppendRow, SummaryOnly",
        "properties.deploymentConfiguration.deploymentConfigurationType": "a pipeline component (501)",
        "properties.model.referenceType": "a model that is not given by its id (501)",
    }
    unkept: ClassVar[Mapping[str, str]] = {"identity": "", "kind": "", "sku": ""}

    noun = "a batch deployment"

    def put(self, request: Request) -> Reply:
        existing, endpoint, location = self.admit(request)
        if existing is None:
            check_name("a deployment", request.id.name)
        self._check(request)
        resource = existing or Resource(id=self.canonical_id(request.id, endpoint), body={})
        resource.body = self._body(request, existing, resource, location)
        with self.store.transaction():
            operation = self.begin(request, resource, "put", update=existing is not None)
            self._write_operation_uri(resource)
            self.store.save(resource)
        return self.accepted(operation, "PUT batch", self.read(resource, request))

    def _write_operation_uri(self, resource: Resource) -> None:
        """Recorded in 2022: the resource names the operation that the header calls `bd:` with the prefix `be:`."""
        bag = resource.properties["properties"]
        if OPERATION_URI in bag:
            bag[OPERATION_URI] = bag[OPERATION_URI].replace("/bd:", "/be:")

    def _check(self, request: Request) -> None:
        sent = request.sent_properties
        for field in _OBJECTS:  # the catalog does not have this type, so nothing else checks the form
            if not isinstance(sent.get(field) or {}, dict):
                raise BadRequest("BadRequest", f"properties.{field} must be an object.")
        configuration = sent.get("deploymentConfiguration") or {}
        if configuration.get("deploymentConfigurationType", "Model") != "Model":
            raise NotEmulated("A batch deployment of a pipeline component")
        model = sent.get("model") or {}
        if model.get("referenceType", "Id") != "Id":
            raise NotEmulated(f"A batch deployment whose model is given by {model.get('referenceType')}")
        check_asset(self.store, "model.assetId", model.get("assetId"))
        check_asset(self.store, "environmentId", sent.get("environmentId"))
        check_asset(self.store, "codeConfiguration.codeId", (sent.get("codeConfiguration") or {}).get("codeId"))
        compute = sent.get("compute")
        if compute is not None and (not isinstance(compute, str) or self.store.get(compute) is None):
            # It is an assumption that the service checks this; the wording is ours.
            raise BadRequest("BadRequest", f"properties.compute names {compute}, which does not exist.")

    def _body(self, request: Request, existing: Resource | None, resource: Resource, location: str) -> dict[str, Any]:
        sent = copy.deepcopy(request.sent_properties)
        before = existing.properties if existing else {}
        resources = {"instanceCount": 1, "instanceType": None} | (sent.get("resources") or {})
        resources["properties"] = resources.get("properties") or None
        resources |= {"maxInstanceCount": resources.get("maxInstanceCount"), "locations": resources.get("locations")}
        state = self.plane.machine_learning(request.api_version).batch_deployment_state(creates=existing is None)
        properties: dict[str, Any] = {
            "description": sent.get("description"),
            "properties": (before.get("properties") or {}) | (sent.get("properties") or {}),
            "codeConfiguration": sent.get("codeConfiguration"),
            "environmentId": sent.get("environmentId"),
            "environmentVariables": sent.get("environmentVariables") or {},
            "compute": sent.get("compute"),
            "errorThreshold": sent.get("errorThreshold", -1),
            "retrySettings": {"maxRetries": 3, "timeout": "PT30S"} | (sent.get("retrySettings") or {}),
            "miniBatchSize": sent.get("miniBatchSize", 10),
            "loggingLevel": read_choice("loggingLevel", sent.get("loggingLevel"), _LOGGING_LEVELS, "Info"),
            "model": sent.get("model"),
            "maxConcurrencyPerInstance": sent.get("maxConcurrencyPerInstance", 1),
            "outputAction": read_choice("outputAction", sent.get("outputAction"), _OUTPUT_ACTIONS, "AppendRow"),
            "outputFileName": sent.get("outputFileName", "predictions.csv"),
            "resources": resources,
            "deploymentConfiguration": sent.get("deploymentConfiguration"),
            "provisioningState": state,
        }
        return self.resource_body(request, existing, resource, properties, location)

    def read(self, resource: Resource, request: Request) -> dict[str, Any]:
        return self.plane.machine_learning(request.api_version).batch_deployment_view(resource.body)

    async def finish_put(self, operation: Operation) -> Commit:
        def commit() -> None:
            deployment = self.store.get(operation.target)
            if deployment is not None:
                if "tags" in operation.payload:
                    deployment.body["tags"] = operation.payload["tags"]
                deployment.properties["provisioningState"] = "Succeeded"
                self.store.save(deployment)

        return commit

    def removed(self, resource: Resource) -> None:
        """Drop a default that no longer exists."""
        endpoint = self.store.get(self.endpoint_id(resource.resource_id))
        if endpoint is None or not endpoint.properties.get("defaults"):
            return
        default = endpoint.properties["defaults"].get("deploymentName")
        if default and default.lower() == resource.name.lower():
            endpoint.properties["defaults"] = {"deploymentName": None}
            self.store.save(endpoint)
