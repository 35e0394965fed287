"""Every Azure name of a stack, computed from team, stack, subscription and the key in the stack config.

Pure: the same inputs give the same names on every machine, so the program can ask Azure about a resource before it
declares it. Each name respects the limits of its resource type; what is too long is cut and gets a hash of the whole.
It knows no Pulumi and asks nobody whether a name is taken.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one stack in one subscription."""

    team: str
    stack: str
    subscription_id: str

    @property
    def suffix(self) -> str: raise NotImplementedError
    @property
    def resource_group(self) -> str: raise NotImplementedError
    @property
    def workspace(self) -> str: raise NotImplementedError
    @property
    def workspace_identity(self) -> str: raise NotImplementedError
    @property
    def storage_account(self) -> str: raise NotImplementedError
    @property
    def key_vault(self) -> str: raise NotImplementedError
    @property
    def container_registry(self) -> str: raise NotImplementedError
    @property
    def log_analytics(self) -> str: raise NotImplementedError
    @property
    def application_insights(self) -> str: raise NotImplementedError
    @property
    def virtual_network(self) -> str: raise NotImplementedError
    @property
    def image_build_compute(self) -> str: raise NotImplementedError
    def subnet(self, purpose: str) -> str: raise NotImplementedError
    def network_security_group(self, purpose: str) -> str: raise NotImplementedError
    def private_endpoint(self, purpose: str) -> str: raise NotImplementedError
    def diagnostic_setting(self, purpose: str) -> str: raise NotImplementedError
    def endpoint(self, key: str, explicit_name: str | None = None) -> str: raise NotImplementedError
    def endpoint_identity(self, key: str) -> str: raise NotImplementedError
    def autoscale(self, endpoint: str, deployment: str) -> str: raise NotImplementedError
    @property
    def resource_group_id(self) -> str: raise NotImplementedError
    @property
    def workspace_id(self) -> str: raise NotImplementedError
    def endpoint_id(self, endpoint_name: str) -> str: raise NotImplementedError
    def deployment_id(self, endpoint_name: str, deployment: str) -> str: raise NotImplementedError
    def endpoint_identity_id(self, key: str) -> str: raise NotImplementedError
