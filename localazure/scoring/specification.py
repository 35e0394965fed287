"""What the control plane passes to the data plane: plain values, no behaviour.

`DeploymentSpec` is one deployment with its assets already on the local disk. `EndpointRouting` states who may call an
endpoint and where its requests go. `DeploymentFailed` means that a deployment cannot be started. Nothing here knows
ARM's JSON, ids or api-versions.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Probe:
    """A liveness or readiness probe, with the service's defaults."""

    initial_delay_seconds: float = 10
    period_seconds: float = 10
    timeout_seconds: float = 2
    success_threshold: int = 1
    failure_threshold: int = 30


@dataclass(frozen=True, kw_only=True)
class DeploymentSpec:
    """One deployment of an endpoint. Applying a spec equal to the current one does nothing."""

    endpoint: str
    deployment: str
    instance_count: int = 1
    conda_file: str | None = None
    """The text of the environment's conda file."""
    image: str | None = None
    code_folder: Path | None = None
    scoring_script: str | None = None
    """Relative to `code_folder`, forward slashes."""
    model_folder: Path | None = None
    """A folder or a file; AZUREML_MODEL_DIR contains it under its own name."""
    mlflow: bool = False
    """Whether the model is of the type mlflow_model, which can be deployed without code."""
    model_mount: str = "azureml-models/model/1"
    """`azureml-models/<name>/<version>`: the location of AZUREML_MODEL_DIR below the application's root."""
    environment_variables: Mapping[str, str] = field(default_factory=dict)
    request_timeout_seconds: float = 5.0
    max_concurrent_requests_per_instance: int = 1
    max_queue_wait_seconds: float = 0.5
    liveness_probe: Probe = field(default_factory=Probe)
    readiness_probe: Probe = field(default_factory=Probe)
    app_insights: bool = False


@dataclass(frozen=True, kw_only=True)
class EndpointRouting:
    """Who may call an endpoint, and where its requests go."""

    endpoint: str
    traffic: Mapping[str, int] = field(default_factory=dict)
    """Live weights in whole percents; sum 0 or 100 (checked by the control plane)."""
    mirror: Mapping[str, int] = field(default_factory=dict)
    auth_mode: str = "Key"
    """Key | AMLToken | AADToken, in any case."""
    primary_key: str = field(default="", repr=False)
    secondary_key: str = field(default="", repr=False)
    accepts_token: Callable[[str], bool] | None = field(default=None, repr=False, compare=False)
    """For AMLToken and AADToken: whether a bearer token opens this endpoint. Without it such endpoints answer 501."""


class DeploymentFailed(Exception):
    """A deployment cannot be started; `code` is the error code that Azure documents for the cause."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
