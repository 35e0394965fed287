"""Turns a deployment's ARM body into what the data plane needs: files on disk, probes in seconds, rights to pull.

Reads the store and the blob folder, changes nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from localazure.arm.control_plane import ControlPlane
from localazure.arm.namespaces.machine_learning.assets.files import local_path
from localazure.arm.namespaces.machine_learning.assets.references import check_asset
from localazure.arm.namespaces.machine_learning.durations import seconds_of
from localazure.arm.namespaces.machine_learning.online.kubernetes import instance_count
from localazure.arm.namespaces.machine_learning.workspace.workspaces import workspace_id_of
from localazure.arm.roles import BLOB_READERS, IMAGE_PULLERS, principals
from localazure.errors import BadRequest
from localazure.resource import Resource
from localazure.scoring.curated import is_curated
from localazure.scoring.specification import DeploymentFailed, DeploymentSpec, Probe
from localazure.store import Store

ROLES_MISSING = "Startup task failed due to authorization error / incorrect role assignments on resource"
# Set by the service for the container; clients that read a deployment and send it back send these along.
SERVICE_VARIABLES = ("AZUREML_MODEL_DIR", "AZUREML_ENTRY_SCRIPT", "AML_APP_ROOT")
_NO_TIMEOUT_SECONDS = 5.0  # recorded for Kubernetes deployments: PT0S, which stands for the documented default
_MODEL_ROOT = "azureml-models"
_APPLICATION_ROOT = "/var/azureml-app"
_WITH_CODE = ("mlflow_model", "triton_model")
"""Types of models that can be deployed without code (documented)."""
_REFERENCES = {"model": "models", "environmentId": "environments"}


def check_references(store: Store, sent: dict[str, Any]) -> None:
    """Raise when a deployment names an asset that does not exist or is not available here.

    `ResourceNotFound` is a documented code for deployments; its timing (immediate) and its wording are ours.
    """
    named = {field: sent.get(field) for field in _REFERENCES}
    named["codeConfiguration.codeId"] = (sent.get("codeConfiguration") or {}).get("codeId")
    for field, value in named.items():
        check_asset(store, field, value)


def check_driver(store: Store, sent: dict[str, Any]) -> None:
    """Raise when nothing defines what a managed deployment runs.

    That is: it has no code, its environment has no `inferenceConfig`, and its model contains no code.

    Code, detail and texts are verbatim from users' reports (Azure/azure-sdk-for-python#35387) and documented
    (prompt-flow/how-to-deploy-for-real-time-inference: the environment has no inference_config). Environments that
    Azure curates are not judged: their definitions are not here.
    """
    if (sent.get("codeConfiguration") or {}).get("scoringScript"):
        return
    environment_id = str(sent.get("environmentId") or "").removeprefix("azureml:")
    environment = store.get(environment_id)
    if environment_id and (environment is None or environment.properties.get("inferenceConfig")):
        return
    model = store.get(str(sent.get("model") or "").removeprefix("azureml:"))
    if model is not None and model.properties.get("modelType") in _WITH_CODE:
        return
    detail = {"code": "MissingDriverProgram", "message": "Could not find driver program in the request."}
    raise BadRequest("BadRequest", "The request is invalid.", details=[detail | {"details": [], "additionalInfo": []}])


def check_numbers(properties: dict[str, Any]) -> None:
    """Raise when a duration or a count of a deployment cannot be read."""
    requests = properties["requestSettings"]
    for field in ("requestTimeout", "maxQueueWait"):
        seconds_of(requests[field])
    _whole("requestSettings.maxConcurrentRequestsPerInstance", requests["maxConcurrentRequestsPerInstance"])
    for name in ("livenessProbe", "readinessProbe"):
        for field in ("timeout", "period", "initialDelay"):
            seconds_of(properties[name][field])
        for field in ("successThreshold", "failureThreshold"):
            _whole(f"{name}.{field}", properties[name][field])


def _whole(field: str, value: Any) -> None:
    whole = type(value) is int or (isinstance(value, float) and value.is_integer())
    if not whole or value < 1:
        raise BadRequest("BadRequest", f"{field} must be a whole number of at least 1, got {value!r}.")


class Assembly:
    """One deployment and the resources that it refers to."""

    def __init__(self, plane: ControlPlane, deployment: Resource) -> None:
        self._plane = plane
        self._store = plane.store
        self._deployment = deployment
        self._properties = deployment.properties
        workspace = self._store.get(workspace_id_of(deployment.resource_id))
        endpoint = self._store.get(deployment.resource_id.parent)
        assert workspace is not None
        assert endpoint is not None
        self._workspace = workspace
        self._endpoint = endpoint

    def missing_roles(self) -> str:
        """The roles that the endpoint's identity lacks; empty when it can read all it needs.

        A system-assigned identity gets its roles from the service, a user-assigned one only from role assignments.
        """
        kind = str((self._endpoint.body.get("identity") or {}).get("type", ""))
        if "UserAssigned" not in kind:
            return ""
        holders = principals(self._endpoint)
        missing = []
        storage = self._workspace.properties.get("storageAccount")
        if storage and not self._plane.roles.allows(holders, str(storage), BLOB_READERS):
            missing.append(f"Storage Blob Data Reader on {storage}")
        registry = self._workspace.properties.get("containerRegistry")
        if registry and not self._plane.roles.allows(holders, str(registry), IMAGE_PULLERS):
            missing.append(f"AcrPull on {registry}")
        return ", ".join(missing)

    def specification(self) -> DeploymentSpec:
        """Raises DeploymentFailed when a file that the deployment needs is missing."""
        properties = self._properties
        code = properties.get("codeConfiguration") or {}
        curated = _curated(self._store, properties.get("environmentId"))
        model = self._asset(properties.get("model"))
        environment = None if curated else self._asset(properties.get("environmentId"))
        code_version = self._asset(code.get("codeId"))
        mlflow = model is not None and model.properties.get("modelType") == "mlflow_model"
        if mlflow and not code and str(properties.get("egressPublicNetworkAccess")).lower() == "disabled":
            raise DeploymentFailed(  # documented; the wording is ours
                "BadArgument",
                "An MLflow model cannot be deployed without code where egress_public_network_access is disabled.",
            )
        requests = properties["requestSettings"]
        variables = properties["environmentVariables"].items()
        return DeploymentSpec(
            endpoint=self._endpoint.name,
            deployment=self._deployment.name,
            instance_count=instance_count(self._deployment.body),
            conda_file=environment.private.get("condaFile") if environment else None,
            image=environment.properties.get("image") if environment else curated,
            code_folder=self._files(code_version.properties["codeUri"], code_version.id) if code_version else None,
            scoring_script=code.get("scoringScript"),
            model_folder=self._files(model.properties["modelUri"], model.id) if model else None,
            mlflow=mlflow,
            model_mount=self._model_mount(),
            environment_variables={name: str(value) for name, value in variables if name not in SERVICE_VARIABLES},
            request_timeout_seconds=seconds_of(requests["requestTimeout"]) or _NO_TIMEOUT_SECONDS,
            max_concurrent_requests_per_instance=int(requests["maxConcurrentRequestsPerInstance"]),
            max_queue_wait_seconds=seconds_of(requests["maxQueueWait"]),
            liveness_probe=_probe(properties["livenessProbe"]),
            readiness_probe=_probe(properties["readinessProbe"]),
            app_insights=properties["appInsightsEnabled"],
        )

    def added_variables(self) -> dict[str, str]:
        """The environment variables that the service adds after success (recorded since 2024)."""
        added = {}
        if self._properties.get("model"):
            added["AZUREML_MODEL_DIR"] = f"{_APPLICATION_ROOT}/{self._model_mount()}"
        code = self._properties.get("codeConfiguration") or {}
        version = self._asset(code.get("codeId"))
        if version is not None:
            added["AZUREML_ENTRY_SCRIPT"] = str(code.get("scoringScript"))
            folder = str(version.properties["codeUri"]).rstrip("/").rsplit("/", 1)[-1]
            added["AML_APP_ROOT"] = f"{_APPLICATION_ROOT}/{folder}"
        return added

    def _model_mount(self) -> str:
        model = self._properties.get("model")
        if not model:
            return f"{_MODEL_ROOT}/model/1"
        segments = str(model).split("/")
        return f"{_MODEL_ROOT}/{segments[-3]}/{segments[-1]}"

    def _asset(self, asset_id: Any) -> Resource | None:
        if not asset_id:
            return None
        asset = self._store.get(str(asset_id).removeprefix("azureml:"))
        if asset is None:
            raise DeploymentFailed("ResourceNotFound", f"{asset_id} does not exist.")
        return asset

    def _files(self, uri: str, asset_id: str) -> Path:
        path = local_path(self._plane, self._workspace, str(uri))
        if path is None:
            raise DeploymentFailed("NotEmulated", f"The local Azure cannot read {uri} (of {asset_id}).")
        if not path.exists():
            # Documented: a model with missing blobs is a BadArgument ("Unable to download user model").
            raise DeploymentFailed("BadArgument", f"There are no files at {uri} (of {asset_id}).")
        return path


def _curated(store: Store, environment_id: Any) -> str | None:
    """The id of a registry's environment, or of one that Azure adds to every workspace."""
    if environment_id and is_curated(str(environment_id)) and store.get(str(environment_id)) is None:
        return str(environment_id)
    return None


def _probe(shown: dict[str, Any]) -> Probe:
    return Probe(
        initial_delay_seconds=seconds_of(shown["initialDelay"]),
        period_seconds=seconds_of(shown["period"]),
        timeout_seconds=seconds_of(shown["timeout"]),
        success_threshold=int(shown["successThreshold"]),
        failure_threshold=int(shown["failureThreshold"]),
    )
