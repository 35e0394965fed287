"""Every Azure name of a stack, computed from team, environment, subscription, generation and the key of an endpoint.

Pure: the same inputs give the same names on every machine, so the program can ask Azure about a resource before it
declares it. Each name respects the limits of its resource type; a name that is too long is cut and ends in a hash of
the whole, so that two long names never collide. Names that are unique in all of Azure contain the stack's `suffix`;
names that Azure keeps after a deletion contain the stack's generation, from the second on. From then on, two stacks
never share a name; in generation 1 they can, and `ownership.py` tells them apart.
It imports no Pulumi and does not check whether a name is taken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from uuid import NAMESPACE_URL, uuid5

MAX_ENDPOINT_NAME = 32
"""Azure ML's limit for endpoint and deployment names."""

NAME_PATTERN = r"^[a-z][a-z0-9]*(-[a-z0-9]+)*$"
"""Lower-case letters, digits and single dashes, a letter first. Azure allows capitals too; ids that differ only in case
are the same resource to ARM and different ones to Pulumi, so this program does without."""

RESERVED_KEYS = frozenset({"workspace", "compute", "stack"})
"""No endpoint may have such a key: the stack itself has an identity of that name."""

ENDPOINT_TAG_PREFIX = "sluice:endpoint:"
"""In stacks of earlier versions, tags of the resource group say which endpoints the stack declares, one to a tag."""


def kept_names_advice(names: Names) -> str:
    """Return the fix if Azure still keeps the name of a deleted resource."""
    return (
        "Azure keeps the name of a deleted workspace and of a deleted Log Analytics workspace for 14 days, and the "
        f"name of a deleted key vault for 7 to 90. Write the line `sluice:generation: {names.generation + 1}` into "
        f"Pulumi.{names.stack}.yaml and run pulumi up --stack {names.stack}: the stack then gets new names."
    )


def dns_tag_key(key: str) -> str:
    """A tag's key as Azure DNS keeps it: `sluice-team` for `sluice:team`."""
    return key.replace(":", "-")


def endpoint_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Those of a resource group's tags that say which endpoints an earlier version declared."""
    return {tag: key for tag, key in sorted(tags.items()) if tag.startswith(ENDPOINT_TAG_PREFIX)}


def endpoints_from_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """The endpoints that an update of an earlier version declared, by name in Azure, with their keys."""
    return {tag.removeprefix(ENDPOINT_TAG_PREFIX): key for tag, key in endpoint_tags(tags).items()}


@dataclass(frozen=True, kw_only=True)
class Names:
    """The names of one stack in one subscription.

    `environment` is what the names contain beside the team; None means the stack's name.
    `generation` is a whole number from 1 on. The first has the names without a mark. From the second on, `g2`, `g3` and
    so on are part of the names that Azure keeps for days after a deletion (workspace, key vault, Log Analytics) and of
    those that only one resource in Azure can have (storage, registry), so that a stack can be recreated at once.
    """

    team: str
    stack: str
    subscription_id: str
    generation: int = 1
    given_group_id: str | None = None
    """ARM id of a resource group that the stack uses and does not create."""
    given_workspace_id: str | None = None
    """ARM id of a workspace that the stack uses and does not create."""
    environment: str | None = None

    @cached_property
    def suffix(self) -> str:
        """Six hex digits that belong to this subscription, team and environment, the same in every generation."""
        return _hash(f"{self.subscription_id.lower()}/{self.team}/{self.place}", 6)

    @property
    def place(self) -> str:
        """The environment, which is the stack's name where the stack file sets none."""
        return self.environment or self.stack

    @cached_property
    def base(self) -> str:
        """`<team>-<environment>`, the part that all names share.

        Another pair can give the same text: `a-b` and `c`, `a` and `b-c`. Where that is so, a hash of the pair follows
        from generation 2 on. Generation 1 has the names of earlier versions.
        """
        plain = f"{_dashed(self.team)}-{_dashed(self.place)}"
        if self.generation == 1 or plain.split("-") == [self.team, self.place]:
            return plain
        return f"{plain}-{_hash(f'{self.team}/{self.place}', 6)}"

    @property
    def resource_group(self) -> str:
        """Up to 90 characters."""
        return self.given_group_id.rsplit("/", 1)[1] if self.given_group_id else _cut(f"rg-{self.base}", 90)

    @property
    def workspace(self) -> str:
        """3 to 33 characters, unique in the group; kept for 14 days after a deletion."""
        if self.given_workspace_id:
            return self.given_workspace_id.rsplit("/", 1)[1]
        return self._of_generation(f"mlw-{self.base}", 33)

    @property
    def workspace_group(self) -> str:
        """The resource group of the workspace, its endpoints and its assets."""
        return self.given_workspace_id.split("/")[4] if self.given_workspace_id else self.resource_group

    @property
    def workspace_identity(self) -> str:
        """3 to 128 characters."""
        return _cut(f"id-{self.base}-workspace", 128)

    @property
    def stack_identity(self) -> str:
        """3 to 128 characters."""
        return _cut(f"id-{self.base}-stack", 128)

    @property
    def compute_identity(self) -> str:
        """3 to 128 characters."""
        return _cut(f"id-{self.base}-compute", 128)

    @property
    def storage_account(self) -> str:
        """3 to 24 lower-case letters and digits, unique in Azure."""
        return self._globally_unique("st", 24)

    @property
    def key_vault(self) -> str:
        """3 to 24 characters, unique in Azure, a letter first; kept for 7 to 90 days after a deletion."""
        if self.generation == 1:
            return f"{_cut(f'kv-{self.base}', 24 - 7)}-{self.suffix}"
        tail = f"-{self._mark}-{self.suffix}"
        return f"kv-{self.base}"[: 24 - len(tail)].rstrip("-") + tail

    @property
    def container_registry(self) -> str:
        """5 to 50 letters and digits, unique in Azure."""
        return self._globally_unique("cr", 50)

    @property
    def log_analytics(self) -> str:
        """4 to 63 characters; kept for 14 days after a deletion, and its data comes back with it."""
        return self._of_generation(f"log-{self.base}", 63)

    @property
    def application_insights(self) -> str:
        """Up to 255 characters."""
        return _cut(f"appi-{self.base}", 255)

    @property
    def virtual_network(self) -> str:
        """2 to 64 characters."""
        return _cut(f"vnet-{self.base}", 64)

    @property
    def nat_gateway(self) -> str:
        """Up to 80 characters."""
        return _cut(f"ng-{self.base}", 80)

    @property
    def nat_address(self) -> str:
        """Of the NAT gateway's public address, up to 80 characters."""
        return _cut(f"pip-{self.base}-nat", 80)

    def peering(self, network_id: str) -> str:
        """Up to 80 characters, unique in the network; the hash tells networks of one name apart."""
        return _cut(f"peer-{network_id.rsplit('/', 1)[1]}", 73) + f"-{_hash(network_id.lower(), 6)}"

    @property
    def monitor_scope(self) -> str:
        """Of the private link scope, up to 255 characters."""
        return _cut(f"ampls-{self.base}", 255)

    def in_monitor_scope(self, linked_name: str) -> str:
        """Up to 255 characters, unique in a scope that other stacks and subscriptions may share."""
        return f"{_cut(linked_name, 240)}-{self.suffix}"

    @property
    def image_build_compute(self) -> str:
        """Compute names are unique in the workspace only, 3 to 24 characters."""
        return "image-build"

    def batch_compute(self, kind: str) -> str:
        """The same limits."""
        return f"batch-{kind}"

    def subnet(self, purpose: str) -> str:
        """Up to 80 characters, unique in the network."""
        return _cut(f"snet-{purpose}", 80)

    def network_security_group(self, purpose: str) -> str:
        """Up to 80 characters."""
        return _cut(f"nsg-{self.base}-{purpose}", 80)

    def private_endpoint(self, purpose: str) -> str:
        """2 to 64 characters."""
        return _cut(f"pe-{self.base}-{purpose}", 64)

    def diagnostic_setting(self, purpose: str) -> str:
        """Up to 260 characters, unique on the resource it watches."""
        return _cut(f"diag-{purpose}", 260)

    def endpoint(self, key: str, explicit_name: str | None = None) -> str:
        """The endpoint's name, 3 to 32 characters, unique in the Azure region among all customers of Azure.

        The explicit one, else `<key>-<environment>-<hash>`. Where that is too long, the key and the environment are
        cut, never the hash.
        """
        if explicit_name is not None:
            return explicit_name
        subscription = self.subscription_id.lower()
        tail = f"-{_hash(f'{subscription}/{self.team}/{self.place}/{self.generation}/{key}', 6)}"
        return _dashed(f"{key}-{self.place}")[: MAX_ENDPOINT_NAME - len(tail)].rstrip("-") + tail

    def former_endpoint(self, key: str) -> str | None:
        """The name that earlier versions gave an endpoint by default; None where they refused it, as too long."""
        name = f"{key}-{_dashed(self.place)}"
        return name if re.fullmatch(NAME_PATTERN, name) and len(name) <= MAX_ENDPOINT_NAME else None

    def endpoint_identity(self, key: str) -> str:
        """3 to 128 characters."""
        return _cut(f"id-{self.base}-{key}", 128)

    def asset(self, key: str) -> str:
        """What the names of an endpoint's assets begin with: in a given workspace, another stack may have the key."""
        return f"{key}-{self.suffix}" if self.given_workspace_id else key

    def autoscale(self, endpoint: str, deployment: str) -> str:
        """Autoscale settings are unique in the group; up to 260 characters."""
        return _cut(f"as-{endpoint}-{deployment}", 260)

    def autoscale_id(self, endpoint: str, deployment: str) -> str:
        """ARM id of a deployment's autoscale setting; `endpoint` is the endpoint's Azure name."""
        name = self.autoscale(endpoint, deployment)
        return f"{self.resource_group_id}/providers/Microsoft.Insights/autoscaleSettings/{name}"

    @property
    def resource_group_id(self) -> str:
        """ARM id of the group."""
        return self.given_group_id or f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"

    @property
    def workspace_id(self) -> str:
        """ARM id of the workspace."""
        return self.given_workspace_id or self._id("Microsoft.MachineLearningServices", "workspaces", self.workspace)

    @property
    def storage_account_id(self) -> str:
        """ARM id of the stack's own storage account."""
        return self._id("Microsoft.Storage", "storageAccounts", self.storage_account)

    @property
    def key_vault_id(self) -> str:
        """ARM id of the key vault."""
        return self._id("Microsoft.KeyVault", "vaults", self.key_vault)

    def endpoint_id(self, endpoint_name: str) -> str:
        """ARM id of an online endpoint, by its name in Azure."""
        return f"{self.workspace_id}/onlineEndpoints/{endpoint_name}"

    def deployment_id(self, endpoint_name: str, deployment: str) -> str:
        """ARM id of an online deployment."""
        return f"{self.endpoint_id(endpoint_name)}/deployments/{deployment}"

    def endpoint_identity_id(self, key: str) -> str:
        """ARM id of the identity that the program makes for an endpoint."""
        return self._id("Microsoft.ManagedIdentity", "userAssignedIdentities", self.endpoint_identity(key))

    @property
    def stack_identity_id(self) -> str:
        """ARM id of the identity whose tags hold what the stack declared last."""
        return self._id("Microsoft.ManagedIdentity", "userAssignedIdentities", self.stack_identity)

    def _id(self, provider: str, resource_type: str, name: str) -> str:
        return f"{self.resource_group_id}/providers/{provider}/{resource_type}/{name}"

    @property
    def _mark(self) -> str:
        """What names of later generations have in them; empty for the first."""
        return f"g{self.generation}" if self.generation > 1 else ""

    def _of_generation(self, name: str, limit: int) -> str:
        """The name, cut to the limit, with the generation's mark as its end."""
        end = f"-{self._mark}" if self._mark else ""
        return _cut(name, limit - len(end)) + end

    def _globally_unique(self, prefix: str, limit: int) -> str:
        tail = f"{self._mark}{self.suffix}"
        return f"{prefix}{self.base.replace('-', '')}"[: limit - len(tail)] + tail


def _dashed(text: str) -> str:
    """Lower-case, with a dash for whatever is not a letter or digit (stack names may have `_` and `.`)."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def guid_of(text: str) -> str:
    """A UUID that belongs to this text, the same in every run."""
    return str(uuid5(NAMESPACE_URL, text.lower()))


def short_hash(text: str) -> str:
    """Six hex digits that tell long texts apart in the logical names of resources."""
    return _hash(text, 6)


def _hash(text: str, digits: int) -> str:
    return sha256(text.encode()).hexdigest()[:digits]


def _cut(name: str, limit: int) -> str:
    """The name itself, or as much of it as leaves room for a dash and six digits of its hash."""
    if len(name) <= limit:
        return name
    return f"{name[: limit - 7].rstrip('-')}-{_hash(name, 6)}"
