"""The resource types that the local Azure emulates: one entry per type, with only the facts that cannot be derived.

A path template names its parameters as azure-native does (camelCase inputs of the SDK); API versions come from the
generated `api_versions.json`. Shapes of bodies and behaviour are elsewhere.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

_GROUP = "/subscriptions/{subscriptionId}/resourceGroups/{resourceGroupName}"
_ML = _GROUP + "/providers/Microsoft.MachineLearningServices/workspaces/{workspaceName}"
_NETWORK = _GROUP + "/providers/Microsoft.Network"
_ENDPOINT = _NETWORK + "/privateEndpoints/{privateEndpointName}"

# Parameters that contain a whole ARM id and therefore span several path segments.
_ID_PARAMETERS = ("scope", "resourceUri")
# azure-native's exceptions to its rule for names.
_NAMED_BY_UUID = ("roleAssignmentName", "roleDefinitionId")
_NAMED_AT_RANDOM = ("resourceGroupName", "endpointName")


@dataclass(frozen=True, kw_only=True)
class ResourceType:
    """One ARM resource type and the azure-native resource that declares it."""

    token: str
    """azure-native's type token, for example `azure-native:keyvault:Vault`."""
    path: str
    """ARM path template with azure-native's parameter names."""
    operation: str | None = None
    """How a PUT ends: None at once (200 or 201), "mfe" (online endpoints and deployments), "workspace" and "compute"
    (operations of their own), "generic" (201 with `Azure-AsyncOperation`), "location" (202 with `Location`)."""
    deletion: str | None = None
    """How a DELETE ends, with the same values."""
    singleton: bool = False
    """Whether Azure creates it with its parent and has no DELETE for it: azure-native then adopts the existing
    resource and sends an empty body instead of a deletion (read in its table of default states)."""

    @property
    def api_version(self) -> str:
        """The version that azure-native 3.29 sends."""
        return _API_VERSIONS[self.token]

    @cached_property
    def arm(self) -> str:
        """The ARM type, for example `Microsoft.KeyVault/vaults`."""
        if "/providers/" not in self.path:
            return "Microsoft.Resources/resourceGroups"
        namespace, *segments = self.path.rsplit("/providers/", 1)[1].split("/")
        return "/".join([namespace, *segments[0::2]])

    @cached_property
    def parameters(self) -> tuple[str, ...]:
        """The path's parameters from left to right, including `subscriptionId`."""
        return tuple(re.findall(r"{(\w+)}", self.path))

    @property
    def name_parameter(self) -> str:
        """The path parameter that is the resource's own name."""
        return self.parameters[-1]

    @property
    def auto_name(self) -> str:
        """How azure-native names a resource when the program does not: "uuid", "random" (the logical name and 8 hex
        digits) if it has no parent of its own provider, else "copy" (the logical name).
        """
        if self.name_parameter in _NAMED_BY_UUID:
            return "uuid"
        own = self.path.rsplit("/providers/", 1)[-1]
        return "random" if self.name_parameter in _NAMED_AT_RANDOM or own.count("{") == 1 else "copy"

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Matches the ARM paths of this type, without regard to case, with the parameters as groups."""
        pattern = re.escape(self.path).replace(r"\{", "{").replace(r"\}", "}")
        for name in self.parameters:
            value = ".*" if name in _ID_PARAMETERS else "[^/]+"
            pattern = pattern.replace(
                f"/{{{name}}}", f"(?P<{name}>/{value})" if value == ".*" else f"/(?P<{name}>{value})"
            )
        return re.compile(pattern, re.IGNORECASE)


def _load_api_versions() -> Mapping[str, str]:
    versions: dict[str, str] = json.loads((Path(__file__).parent / "api_versions.json").read_text())
    return versions


_API_VERSIONS = _load_api_versions()


def _type(token: str, path: str, operation: str | None = None, deletion: str | None = None) -> ResourceType:
    return ResourceType(token=f"azure-native:{token}", path=path, operation=operation, deletion=deletion)


RESOURCE_TYPES: tuple[ResourceType, ...] = (
    _type("resources:ResourceGroup", _GROUP, None, "location"),
    _type(
        "operationalinsights:Workspace",
        _GROUP + "/providers/Microsoft.OperationalInsights/workspaces/{workspaceName}",
        "generic",
        "generic",
    ),
    _type("applicationinsights:Component", _GROUP + "/providers/Microsoft.Insights/components/{resourceName}"),
    _type("storage:StorageAccount", _GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}", "location"),
    ResourceType(
        token="azure-native:storage:BlobServiceProperties",
        path=_GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}/blobServices/{blobServicesName}",
        singleton=True,
    ),
    _type(
        "storage:BlobContainer",
        _GROUP + "/providers/Microsoft.Storage/storageAccounts/{accountName}/blobServices/default"
        "/containers/{containerName}",
    ),
    _type("keyvault:Vault", _GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}"),
    _type("keyvault:Key", _GROUP + "/providers/Microsoft.KeyVault/vaults/{vaultName}/keys/{keyName}"),
    _type(
        "containerregistry:Registry",
        _GROUP + "/providers/Microsoft.ContainerRegistry/registries/{registryName}",
        "generic",
        "generic",
    ),
    _type(
        "managedidentity:UserAssignedIdentity",
        _GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}",
    ),
    _type(
        "managedidentity:FederatedIdentityCredential",
        _GROUP + "/providers/Microsoft.ManagedIdentity/userAssignedIdentities/{resourceName}"
        "/federatedIdentityCredentials/{federatedIdentityCredentialResourceName}",
    ),
    _type(
        "authorization:RoleAssignment",
        "/{scope}/providers/Microsoft.Authorization/roleAssignments/{roleAssignmentName}",
    ),
    _type(
        "authorization:ManagementLockByScope",
        "/{scope}/providers/Microsoft.Authorization/locks/{lockName}",
    ),
    _type(
        "authorization:RoleDefinition",
        "/{scope}/providers/Microsoft.Authorization/roleDefinitions/{roleDefinitionId}",
    ),
    _type("machinelearningservices:Workspace", _ML, "workspace", "workspace"),
    _type("machinelearningservices:OnlineEndpoint", _ML + "/onlineEndpoints/{endpointName}", "mfe", "mfe"),
    _type(
        "machinelearningservices:OnlineDeployment",
        _ML + "/onlineEndpoints/{endpointName}/deployments/{deploymentName}",
        "mfe",
        "mfe",
    ),
    _type("machinelearningservices:ModelVersion", _ML + "/models/{name}/versions/{version}"),
    _type("machinelearningservices:CodeVersion", _ML + "/codes/{name}/versions/{version}"),
    _type("machinelearningservices:EnvironmentVersion", _ML + "/environments/{name}/versions/{version}"),
    _type("machinelearningservices:Compute", _ML + "/computes/{computeName}", "compute", "compute"),
    _type(
        "monitor:AutoscaleSetting", _GROUP + "/providers/Microsoft.Insights/autoscalesettings/{autoscaleSettingName}"
    ),
    _type(
        "monitor:DiagnosticSetting",
        "/{resourceUri}/providers/Microsoft.Insights/diagnosticSettings/{name}",
    ),
    _type("monitor:PrivateLinkScope", _GROUP + "/providers/Microsoft.Insights/privateLinkScopes/{scopeName}"),
    _type(
        "monitor:PrivateLinkScopedResource",
        _GROUP + "/providers/Microsoft.Insights/privateLinkScopes/{scopeName}/scopedResources/{name}",
        "generic",
        "location",
    ),
    _type("network:VirtualNetwork", _NETWORK + "/virtualNetworks/{virtualNetworkName}", "generic", "location"),
    _type(
        "network:Subnet",
        _NETWORK + "/virtualNetworks/{virtualNetworkName}/subnets/{subnetName}",
        "generic",
        "location",
    ),
    _type(
        "network:NetworkSecurityGroup",
        _NETWORK + "/networkSecurityGroups/{networkSecurityGroupName}",
        "generic",
        "location",
    ),
    _type("network:PublicIPAddress", _NETWORK + "/publicIPAddresses/{publicIpAddressName}", "generic", "location"),
    _type("network:NatGateway", _NETWORK + "/natGateways/{natGatewayName}", "generic", "location"),
    _type(
        "network:VirtualNetworkPeering",
        _NETWORK + "/virtualNetworks/{virtualNetworkName}/virtualNetworkPeerings/{virtualNetworkPeeringName}",
        "generic",
        "location",
    ),
    _type("network:PrivateEndpoint", _ENDPOINT, "generic", "location"),
    _type(
        "network:PrivateDnsZoneGroup",
        _ENDPOINT + "/privateDnsZoneGroups/{privateDnsZoneGroupName}",
        "generic",
        "location",
    ),
    _type("privatedns:PrivateZone", _NETWORK + "/privateDnsZones/{privateZoneName}", "generic", "location"),
    _type(
        "privatedns:VirtualNetworkLink",
        _NETWORK + "/privateDnsZones/{privateZoneName}/virtualNetworkLinks/{virtualNetworkLinkName}",
        "generic",
        "location",
    ),
)

_BY_TOKEN = {kind.token: kind for kind in RESOURCE_TYPES}
_BY_ARM_TYPE = {kind.arm.lower(): kind for kind in RESOURCE_TYPES}


def by_token(token: str) -> ResourceType | None:
    """The type with this azure-native token; None if the local Azure does not emulate it."""
    return _BY_TOKEN.get(token)


def by_arm_type(arm_type: str) -> ResourceType | None:
    """The type with this ARM name, in any case; None if the local Azure does not emulate it."""
    return _BY_ARM_TYPE.get(arm_type.lower())


def match_path(path: str) -> tuple[ResourceType, dict[str, str]] | None:
    """The type of the resource at an ARM path and the values of the path's parameters; None for any other path.

    A parameter that is an ARM id itself (the scope of a role assignment) keeps its leading slash.
    """
    path = path.rstrip("/")
    kind = by_arm_type(arm_type_of(path))
    match = kind.pattern.fullmatch(path) if kind else None
    return (kind, match.groupdict()) if kind and match else None


def arm_type_of(path: str) -> str:
    """The ARM type that a resource's path names, as written there; empty if it is not the path of a resource."""
    namespace, found, rest = path.rpartition("/providers/")
    if not found:
        return "Microsoft.Resources/resourceGroups" if path.count("/") == 4 else ""
    namespace, *segments = rest.split("/")
    return "/".join([namespace, *segments[0::2]]) if len(segments) % 2 == 0 else ""
