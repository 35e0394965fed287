"""The local Azure's azure-native plugin: turns the Pulumi engine's calls into ARM calls, the way azure-native does.

Re-implemented from azure-native's source (docs/adr/0006); the resource types are those of `localazure.catalog`.
Nothing of the product is imported here, and nothing of Pulumi but the generated protocol.
"""
