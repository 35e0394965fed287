"""Facts about a type that the azure-native SDK does not contain.

Where ARM stores a property, renamed properties, inputs that force a replacement.

Small tables with the source of each fact, and one rule: ARM keeps a resource's own fields in `properties`, except
those of its envelope. The rule and the renames were compared once, property by property, with the models of
Microsoft's management libraries for the same API versions (azure-mgmt-network 28.1, -storage 22.0, -containerregistry
10.3, -keyvault 11.0, -monitor 6.0, -loganalytics 13.0b7, -applicationinsights 4.0, -msi 7.0, -authorization 4.0,
-privatedns 1.2, -resource 23.2) and with azure-ai-ml's client. Only the generator imports this module.
"""

from collections.abc import Mapping, Sequence

_ENVELOPE = frozenset(
    (
        "id",
        "name",
        "type",
        "etag",
        "location",
        "tags",
        "kind",
        "sku",
        "identity",
        "zones",
        "extendedLocation",
        "systemData",
        "managedBy",
        "plan",
    )
)
# Nested types that ARM writes as resources, with a `properties` of their own. In the network namespace: every type
# with a name or tags.
_NESTED_RESOURCES = (
    "PrivateEndpointConnectionResponse",
    "PrivateEndpointConnectionItemResponse",
    "SharedPrivateLinkResourceArgs",
    "SharedPrivateLinkResourceResponse",
)
_NAMED_VALUES = ("ExtendedLocation", "Sku")

# Log Analytics stores the price tier in its properties; an autoscale setting has a second name there.
_NOT_IN_ENVELOPE = (
    ("operationalinsights:Workspace", "sku"),
    ("operationalinsights:WorkspaceResult", "sku"),
    ("monitor:AutoscaleSetting", "name"),
    ("network:BackendAddressPoolResponse", "location"),
)

# Application Insights has its own spelling of properties.
_COMPONENT = {
    "applicationType": "Application_Type",
    "flowType": "Flow_Type",
    "requestSource": "Request_Source",
} | {
    name[0].lower() + name[1:]: name
    for name in (
        "AppId",
        "ApplicationId",
        "ConnectionString",
        "CreationDate",
        "DisableIpMasking",
        "DisableLocalAuth",
        "ForceCustomerStorageForProfiler",
        "HockeyAppId",
        "HockeyAppToken",
        "ImmediatePurgeDataOn30Days",
        "IngestionMode",
        "InstrumentationKey",
        "LaMigrationDate",
        "PrivateLinkScopedResources",
        "RetentionInDays",
        "SamplingPercentage",
        "TenantId",
        "WorkspaceResourceId",
    )
}
_STORAGE_ACCOUNT = {
    "enableHttpsTrafficOnly": "supportsHttpsTrafficOnly",
    "enableNfsV3": "isNfsV3Enabled",
    "networkRuleSet": "networkAcls",
}
_RENAMED: Mapping[str, Mapping[str, str]] = {
    "applicationinsights:Component": _COMPONENT,
    "applicationinsights:PrivateLinkScopedResource": {"resourceId": "ResourceId", "scopeId": "ScopeId"},
    "containerregistry:IPRule": {"iPAddressOrRange": "value"},
    "monitor:ScaleRuleMetricDimension": {"dimensionName": "DimensionName", "operator": "Operator", "values": "Values"},
    "storage:StorageAccount": _STORAGE_ACCOUNT,
    "storage:Encryption": {"encryptionIdentity": "identity", "keyVaultProperties": "keyvaultproperties"},
    "storage:EncryptionIdentity": {
        "encryptionFederatedIdentityClientId": "federatedIdentityClientId",
        "encryptionUserAssignedIdentity": "userAssignedIdentity",
    },
    "storage:IPRule": {"iPAddressOrRange": "value"},
    "storage:KeyVaultProperties": {"keyName": "keyname", "keyVaultUri": "keyvaulturi", "keyVersion": "keyversion"},
    "storage:VirtualNetworkRule": {"virtualNetworkResourceId": "id"},
}

# Top-level inputs whose change replaces the resource, besides the parameters of its path. Read in azure-native's
# generator (forceNewMap), except those marked: their `x-ms-mutability` is from memory, not checked.
_REPLACED: Mapping[str, Sequence[str]] = {
    "authorization:RoleAssignment": ("principalId", "scope"),
    "network:PrivateEndpoint": ("subnet",),
    "network:VirtualNetwork": ("location",),
    "resources:ResourceGroup": ("location",),
    "storage:StorageAccount": ("isHnsEnabled", "location"),
    "applicationinsights:Component": ("location",),
    "containerregistry:Registry": ("location",),  # from memory
    "managedidentity:UserAssignedIdentity": ("location",),  # from memory
    "operationalinsights:Workspace": ("location",),  # from memory
}

# Arrays that other resources may own: azure-native keeps Azure's value when the program does not set them. The list is
# derived from its generator: the item type is the body of a separate resource.
_MAINTAINED: Mapping[str, Sequence[Sequence[str]]] = {
    "keyvault:Vault": (("properties", "accessPolicies"),),
    "network:NetworkSecurityGroup": (("securityRules",),),
    "network:VirtualNetwork": (("subnets",), ("virtualNetworkPeerings",)),
}

# Inputs that azure-native resets to the service's default when the program no longer sets them.
_RESTORED: Mapping[str, Mapping[str, object]] = {
    "storage:StorageAccount": {
        "networkRuleSet": {
            "bypass": "AzureServices",
            "defaultAction": "Allow",
            "ipRules": [],
            "virtualNetworkRules": [],
        }
    }
}


def place(name: str, key: str, siblings: Sequence[str]) -> tuple[list[str], str]:
    """Where ARM stores the property `key` of the type `name`: the containers, outermost first, and its ARM name."""
    base = name.removesuffix("Args").removesuffix("Response").removesuffix("Result")
    if base == "network:IpamPoolPrefixAllocation" and key == "id":
        return ["pool"], "id"
    arm_name = _RENAMED.get(base, {}).get(key, key)
    in_envelope = key in _ENVELOPE and (name, key) not in _NOT_IN_ENVELOPE
    return (["properties"] if _has_properties(name, siblings) and not in_envelope else []), arm_name


def _has_properties(name: str, siblings: Sequence[str]) -> bool:
    """Whether ARM has a `properties` object that the SDK flattens."""
    namespace, short = name.split(":")
    if "properties" in siblings or short.startswith("ResourceGroup"):
        return False
    is_resource = not short.endswith(("Args", "Response"))
    if is_resource or short in _NESTED_RESOURCES:
        return True
    if name == "monitor:AutoscaleSettingResponse":
        return False  # already the content of `properties`
    return (
        namespace == "network"
        and ("name" in siblings or "tags" in siblings)
        and not any(value in short for value in _NAMED_VALUES)
    )


def replaced_on_change(resource: str) -> Sequence[str]:
    """The top-level inputs whose change replaces a resource (`storage:StorageAccount`), path parameters aside."""
    return _REPLACED.get(resource, ())


def maintained(resource: str) -> Sequence[Sequence[str]]:
    """The inputs, as SDK paths, that keep Azure's value when the program does not set them."""
    return _MAINTAINED.get(resource, ())


def restored(resource: str) -> Mapping[str, object]:
    """The inputs that return to these values when the program no longer sets them."""
    return _RESTORED.get(resource, {})


def create_only_in_client(resource: str) -> Sequence[str]:
    """The top-level inputs that azure-ai-ml's client for the same API version marks as create-only.

    That the client's visibility equals the swagger's `x-ms-mutability`, which azure-native reads, is inferred.
    """
    namespace, short = resource.split(":")
    if namespace != "machinelearningservices":
        return ()
    from azure.ai.ml._restclient.arm_ml_service import models

    model = getattr(models, short, None)
    if model is None or short == "Compute":  # the client's Compute is the content of `properties`
        return ()
    model.__new__(model)  # fills the class's table of fields
    fields = model._attr_to_rest_field.values()
    return sorted(
        field._rest_name
        for field in fields
        if "create" in (field._visibility or ()) and "update" not in field._visibility
    )
