"""What the local Azure knows about resource types: names, paths, API versions and operation families.

One table, read by the control plane and by the plugin. It imports neither Pulumi nor an Azure SDK: the control plane's
process must stay light. The shapes of the types (`localazure.catalog.shapes`) are only loaded by the plugin.
"""

from localazure.catalog.types import RESOURCE_TYPES, ResourceType, by_arm_type, by_token, match_path

__all__ = ["RESOURCE_TYPES", "ResourceType", "by_arm_type", "by_token", "match_path"]
