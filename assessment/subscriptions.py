"""How the program reaches what is in another subscription than its stack, such as the zones and networks of a hub.

azure-native acts in the one subscription that it is configured with, so each other one needs a provider of its own.
It is declared when it is first needed and appears in the stack's state; it is nothing in Azure.
"""

from __future__ import annotations

import pulumi
import pulumi_azure_native

__all__ = ["Subscriptions"]


class Subscriptions:
    """The providers of one run."""

    def __init__(self, own: str, *, cloud: str) -> None:
        self._own = own.lower()
        self._cloud = cloud
        self._others: dict[str, pulumi.ProviderResource] = {}

    def provider(self, subscription_id: str) -> pulumi.ProviderResource | None:
        """What acts in this subscription; None for the stack's own, where the default provider does."""
        key = subscription_id.lower()
        if key == self._own:
            return None
        if key not in self._others:
            # Credentials come from the environment, as the default provider's do. The SDK would set "public" where no
            # cloud is given, whatever the environment says.
            self._others[key] = pulumi_azure_native.Provider(
                f"subscription-{key}", subscription_id=subscription_id, environment=self._cloud
            )
        return self._others[key]
