"""Scale options of online deployments: how many instances one can have."""

from __future__ import annotations

from localazure.arm.behaviour import Behaviour
from localazure.arm.reply import Reply, Request

MAX_INSTANCES = 50


class Skus(Behaviour):
    """Sizes that a deployment can have; the answer is the recorded one, spelling included."""

    lists_only = True
    read_only = True

    def list_children(self, parent_id: str, request: Request) -> Reply:
        capacity = {"minimum": 1, "maximum": MAX_INSTANCES, "default": 3, "scaleType": "Automatic"}
        kind = "Microsoft.MachineLearning.Services/endpoints/deployments"
        sku = {"resourceType": kind, "sku": {"name": "default", "tier": "Standard"}, "capacity": capacity}
        return Reply(200, {"value": [sku]})
