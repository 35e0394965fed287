"""ARM ids of what a landing zone gives to a stack, in the subscription of the recording engine."""

from __future__ import annotations

from tests.components.engine import SUBSCRIPTION_ID

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/landing"
HUB = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/hub/providers"
LOG_ANALYTICS = f"{HUB}/Microsoft.OperationalInsights/workspaces/hub-logs"
INSIGHTS = f"{HUB}/Microsoft.Insights/components/hub-insights"
REGISTRY = f"{HUB}/Microsoft.ContainerRegistry/registries/hubregistry"
VAULT = f"{HUB}/Microsoft.KeyVault/vaults/hub-vault"
STORAGE = f"{HUB}/Microsoft.Storage/storageAccounts/hubstorage"
IDENTITY = f"{HUB}/Microsoft.ManagedIdentity/userAssignedIdentities/hub-identity"
WORKSPACE = f"{HUB}/Microsoft.MachineLearningServices/workspaces/hub-ml"
SUBNET = "/subscriptions/hub-subscription/resourceGroups/hub/providers/Microsoft.Network/virtualNetworks/v/subnets/pe"
