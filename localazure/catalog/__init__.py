"""The local Azure's facts about resource types: names, paths, API versions and operation families.

The control plane and the plugin read the same table. It imports neither Pulumi nor an Azure SDK, so that the control
plane's process stays small. Only the plugin loads the shapes of the types (`localazure.catalog.shapes`).
"""

from localazure.catalog.types import RESOURCE_TYPES, ResourceType, by_arm_type, by_token, match_path

__all__ = ["RESOURCE_TYPES", "ResourceType", "by_arm_type", "by_token", "match_path"]
