"""The local Azure's azure-native plugin: turns the Pulumi engine's calls into ARM calls, as azure-native does.

Re-implemented from azure-native's source (docs/adr/0006); the resource types are those of `localazure.catalog`. It
imports nothing of the product and, of Pulumi, only the generated protocol.
"""
