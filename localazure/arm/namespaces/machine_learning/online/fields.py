"""Describes the effects of the fields of online endpoints and deployments: attributes of their behaviours, for the
coverage page. Each statement needs a test as proof (see `localazure.coverage.fields`)."""

from __future__ import annotations

from collections.abc import Mapping

ENDPOINT_HONOURED: Mapping[str, str] = {
    "properties.authMode": "keys, tokens of the service (aml_token) or of Entra (aad_token) open the endpoint",
    "properties.traffic": "weights of the next request on; left out, an update resets them (`--keep-omitted-traffic`)",
    "properties.mirrorTraffic": "copies of so many percent of the requests, their answers dropped",
    "properties.keys": "are the endpoint's keys from its creation on; never shown but by listKeys",
    "properties.description": "left out, an update keeps it",
    "properties.publicNetworkAccess": "left out, an update keeps it; no network is filtered",
    "properties.compute": "makes a Kubernetes endpoint, whose deployments must be Kubernetes ones",
    "identity": "a user-assigned identity needs roles on storage and registry, else deployments fail",
    "tags": "an update replaces them all",
    "regenerateKeys/keyType": "which key is renewed",
}
ENDPOINT_REFUSED: Mapping[str, str] = {
    "name": "not 3 to 32 letters, digits and single -, or taken by another endpoint (`--taken-endpoint-name`)",
    "properties.authMode": "missing or unknown",
    "properties.traffic": "names no deployment, no whole percent, or a sum other than 0 and 100",
    "properties.mirrorTraffic": "above 50, to more than one deployment, or to one with live traffic",
    "properties.publicNetworkAccess": "other than Enabled, Disabled",
    "properties.compute": "names nothing that exists",
    "regenerateKeys/keyType": "missing, or other than Primary, Secondary",
}
ENDPOINT_UNKEPT: Mapping[str, str] = {
    "kind": "follows from `compute`",
    "sku": "",
}
DEPLOYMENT_HONOURED: Mapping[str, str] = {
    "sku.capacity": "so many instances; a change of it alone only scales",
    "properties.model": "its files are at AZUREML_MODEL_DIR",
    "properties.codeConfiguration": "folder and script that the inference server runs",
    "properties.environmentId": "the environment that is built and run; one that cannot be built fails the deployment",
    "properties.environmentVariables": "are those of the instances; the service adds its own",
    "properties.requestSettings.requestTimeout": "a model that takes longer is a 408",
    "properties.requestSettings.maxConcurrentRequestsPerInstance": "more than twice as many per instance are a 429",
    "properties.livenessProbe": "an instance that fails it too often is replaced",
    "properties.readinessProbe": "an instance that fails it gets no requests until it is ready again",
    "properties.instanceType": "counts into `--quota`",
    "properties.egressPublicNetworkAccess": "Disabled: an MLflow model needs code of its own; no network is filtered",
    "properties.containerResourceRequirements": "filled in and in the service's units, as recorded; limits nothing",
    "getLogs/containerType": "which container's log",
    "getLogs/tail": "how many lines of it",
}
DEPLOYMENT_REFUSED: Mapping[str, str] = {
    "sku.capacity": "not a whole number from 1 to 50, or beyond the quota",
    "properties.endpointComputeType": "other than the endpoint's",
    "properties.instanceType": "different from before; neither on Microsoft's list for managed endpoints nor added "
    "with `--vm-size`",
    "properties.egressPublicNetworkAccess": "different from before, or other than Enabled, Disabled",
    "properties.scaleSettings": "other than Default for a managed deployment",
    "properties.model": "names nothing that exists; an asset of a registry (501)",
    "properties.requestSettings.requestTimeout": "not an ISO 8601 duration",
    "properties.requestSettings.maxQueueWait": "not an ISO 8601 duration; has no other effect",
    "properties.requestSettings.maxConcurrentRequestsPerInstance": "not a whole number of at least 1",
    "properties.codeConfiguration": "names nothing that exists; missing, with neither an inferenceConfig in the "
    "environment nor a model that brings code (managed: MissingDriverProgram)",
    "properties.environmentId": "names nothing that exists",
    "properties.livenessProbe": "thresholds below 1, durations that are none",
    "properties.readinessProbe": "thresholds below 1, durations that are none",
    "getLogs/containerType": "an unknown container",
}
DEPLOYMENT_UNKEPT: Mapping[str, str] = {
    "identity": "deployments have that of their endpoint",
    "kind": "follows from `endpointComputeType`",
    "sku.family": "",
    "sku.size": "",
}
