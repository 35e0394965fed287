"""What a stack's state holds, how its resources depend on each other, and which endpoints serve.

Pure: it takes state documents and Azure's answers as values. A state document is what `pulumi stack export` prints:
`deployment.resources`, each with urn, type, id, parent, dependencies, protect.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

WORKSPACE = "azure-native:machinelearningservices:Workspace"
LOG_ANALYTICS = "azure-native:operationalinsights:Workspace"
VAULT = "azure-native:keyvault:Vault"
LOCK = "azure-native:authorization:ManagementLockByScope"
GROUP = "azure-native:resources:ResourceGroup"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One resource of the state."""

    urn: str
    type: str
    id: str
    protected: bool
    needs: frozenset[str]
    """URNs of the resources that it depends on, its parent included."""

    @property
    def name(self) -> str:
        """The logical name."""
        return self.urn.rsplit("::", 1)[-1]

    @property
    def in_azure(self) -> bool:
        """Whether it is a resource of Azure: neither a component nor a provider."""
        return bool(self.id) and not self.type.startswith("pulumi:")

    def __str__(self) -> str:
        return f"{self.type.removeprefix('azure-native:')} {self.id.rpartition('/')[2]}"


def items_of(state: Mapping[str, Any]) -> list[Item]:
    """Return every resource of an exported state, in its order: dependencies come first."""
    return [_item(resource) for resource in (state.get("deployment") or {}).get("resources") or []]


def _item(resource: Mapping[str, Any]) -> Item:
    needs = {resource.get("parent"), resource.get("deletedWith"), *(resource.get("dependencies") or [])}
    for urns in (resource.get("propertyDependencies") or {}).values():
        needs |= set(urns or [])
    return Item(
        urn=resource["urn"],
        type=resource["type"],
        id=str(resource.get("id") or ""),
        protected=bool(resource.get("protect")),
        needs=frozenset(urn for urn in needs if urn),
    )


def dependents_of(items: Iterable[Item], urn: str) -> list[Item]:
    """Return everything that depends on the resource, directly or through others, without the resource itself."""
    listed, gone = list(items), {urn}
    while found := {item.urn for item in listed if item.urn not in gone and item.needs & gone}:
        gone |= found
    return [item for item in listed if item.urn in gone and item.urn != urn]


def unprotected(state: Mapping[str, Any], urns: Collection[str]) -> dict[str, Any]:
    """Return the state without the protection of these resources; all others keep theirs."""
    deployment = dict(state["deployment"])
    deployment["resources"] = [
        {key: value for key, value in resource.items() if key != "protect"} if resource["urn"] in urns else resource
        for resource in deployment.get("resources") or []
    ]
    return {**state, "deployment": deployment}


def still_serving(endpoints: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return one line for every online endpoint that has live or mirror weight in Azure."""
    lines = []
    for endpoint in endpoints:
        properties = endpoint.get("properties")
        facts = properties if isinstance(properties, Mapping) else {}
        weights = [
            f"{kind}{name} {weight}"
            for kind, key in (("", "traffic"), ("mirror ", "mirrorTraffic"))
            for name, weight in sorted(_mapping(facts.get(key)).items())
            if weight
        ]
        if weights:
            lines.append(f"{endpoint.get('name')} serves: {', '.join(weights)}")
    return lines


def beside(items: Iterable[Item], in_group: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return the ids of what is in the resource group but not in the state; Azure deletes it with the group."""
    known = {item.id.lower() for item in items}
    ids = [str(resource.get("id") or "") for resource in in_group]
    return sorted(one for one in ids if one and not any(one.lower() == own for own in known))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
