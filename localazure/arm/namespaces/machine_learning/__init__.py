"""Microsoft.MachineLearningServices: workspaces, datastores, computes, assets, endpoints and deployments, jobs."""

from localazure.arm.behaviour import Behaviour
from localazure.arm.long_running import MFE, WORKSPACE
from localazure.arm.namespaces.machine_learning.assets.containers import AssetContainers, DataContainers
from localazure.arm.namespaces.machine_learning.assets.environments import EnvironmentVersions
from localazure.arm.namespaces.machine_learning.assets.versions import (
    CodeVersions,
    DataVersions,
    ModelVersions,
)
from localazure.arm.namespaces.machine_learning.batch.deployments import BatchDeployments
from localazure.arm.namespaces.machine_learning.batch.endpoints import BatchEndpoints
from localazure.arm.namespaces.machine_learning.batch.jobs import Jobs
from localazure.arm.namespaces.machine_learning.online.deployments import OnlineDeployments
from localazure.arm.namespaces.machine_learning.online.endpoints import OnlineEndpoints
from localazure.arm.namespaces.machine_learning.online.skus import Skus
from localazure.arm.namespaces.machine_learning.workspace.computes import Computes
from localazure.arm.namespaces.machine_learning.workspace.datastores import Datastores
from localazure.arm.namespaces.machine_learning.workspace.outbound_rules import OutboundRules
from localazure.arm.namespaces.machine_learning.workspace.workspaces import Workspaces
from localazure.arm.resource_body import Shape

_WORKSPACES = "Microsoft.MachineLearningServices/workspaces"

BEHAVIOURS: dict[str, type[Behaviour]] = {
    _WORKSPACES: Workspaces,
    f"{_WORKSPACES}/datastores": Datastores,
    f"{_WORKSPACES}/computes": Computes,
    f"{_WORKSPACES}/codes": AssetContainers,
    f"{_WORKSPACES}/models": AssetContainers,
    f"{_WORKSPACES}/environments": AssetContainers,
    f"{_WORKSPACES}/data": DataContainers,
    f"{_WORKSPACES}/codes/versions": CodeVersions,
    f"{_WORKSPACES}/models/versions": ModelVersions,
    f"{_WORKSPACES}/environments/versions": EnvironmentVersions,
    f"{_WORKSPACES}/data/versions": DataVersions,
    f"{_WORKSPACES}/onlineEndpoints": OnlineEndpoints,
    f"{_WORKSPACES}/onlineEndpoints/deployments": OnlineDeployments,
    f"{_WORKSPACES}/onlineEndpoints/deployments/skus": Skus,
    f"{_WORKSPACES}/batchEndpoints": BatchEndpoints,
    f"{_WORKSPACES}/batchEndpoints/deployments": BatchDeployments,
    f"{_WORKSPACES}/jobs": Jobs,
    f"{_WORKSPACES}/outboundRules": OutboundRules,
}

EXTRA_SHAPES: tuple[Shape, ...] = (
    Shape(f"{_WORKSPACES}/datastores"),
    Shape(f"{_WORKSPACES}/codes"),
    Shape(f"{_WORKSPACES}/models"),
    Shape(f"{_WORKSPACES}/environments"),
    Shape(f"{_WORKSPACES}/data"),
    Shape(f"{_WORKSPACES}/data/versions"),
    Shape(f"{_WORKSPACES}/onlineEndpoints/deployments/skus"),
    Shape(f"{_WORKSPACES}/batchEndpoints", MFE, MFE),
    Shape(f"{_WORKSPACES}/batchEndpoints/deployments", MFE, MFE),
    Shape(f"{_WORKSPACES}/jobs"),
    Shape(f"{_WORKSPACES}/outboundRules", WORKSPACE, WORKSPACE),
)

__all__ = ["BEHAVIOURS", "EXTRA_SHAPES"]
