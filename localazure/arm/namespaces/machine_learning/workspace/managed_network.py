"""The managed network of a workspace: its rules in the service's form, including required ones. Pure.

Recorded for AllowOnlyApprovedOutbound (azure-cli-extensions, test_workspace_managednetwork_outbound_rule_operations).
That AllowInternetOutbound requires the private endpoints only is documented. Nothing is isolated here.
"""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Mapping
from typing import Any

from localazure.errors import BadRequest

MODES = ("Disabled", "AllowInternetOutbound", "AllowOnlyApprovedOutbound")
READY = "Active"
REQUIRED = "Required"
SERVICE_OWNED = (REQUIRED, "Recommended")
"""Categories of rules that the service adds."""
_KINDS = ("FQDN", "PrivateEndpoint", "ServiceTag")
# Service tag, protocol, ports and the part of the rule's name after the tag; {region} is the workspace's.
_REQUIRED_TAGS = (
    ("MicrosoftContainerRegistry.{region}", "TCP", "443", "_TCP"),
    ("AzureActiveDirectory", "TCP", "80, 443", "_TCP"),
    ("AzureFrontDoor.FirstParty", "*", "*", ""),
    ("VirtualNetwork", "*", "*", ""),
    ("AzureMachineLearning", "TCP", "443", "_TCP"),
    ("AzureResourceManager", "TCP", "443", "_TCP"),
    ("AzureMonitor", "TCP", "443", "_TCP"),
    ("AzureMachineLearning", "UDP", "5831", "_UDP"),
    ("BatchNodeManagement", "TCP", "443", "_TCP"),
)


def complete_rule(sent: Any, *, where: str) -> dict[str, Any]:
    """A user's rule as the service returns it. Raises BadRequest (in our wording) for an invalid rule."""
    kind = sent.get("type") if isinstance(sent, Mapping) else None
    if kind not in _KINDS:
        raise BadRequest("BadRequest", f"{where}.type must be one of {', '.join(_KINDS)}, got {kind!r}.")
    destination = sent.get("destination")
    if isinstance(destination, Mapping) == (kind == "FQDN") or not destination:
        wanted = "a host name" if kind == "FQDN" else "an object"
        raise BadRequest("BadRequest", f"{where}.destination of a rule of type {kind} must be {wanted}.")
    rule: dict[str, Any] = {"type": kind, "destination": _destination(kind, destination)}
    if sent.get("fqdns"):
        rule["fqdns"] = copy.deepcopy(sent["fqdns"])
    return rule | {"status": "Inactive", "category": str(sent.get("category") or "UserDefined")}


def _destination(kind: str, sent: Any) -> Any:
    if kind == "FQDN":
        return str(sent)
    given = {name: copy.deepcopy(value) for name, value in sent.items() if value is not None}
    if kind == "ServiceTag":
        return given | {"action": given.get("action", "Allow"), "addressPrefixes": given.get("addressPrefixes", [])}
    return given | {"sparkEnabled": bool(given.get("sparkEnabled", False)), "sparkStatus": "Inactive"}


def required_rules(workspace: Mapping[str, Any], mode: str) -> dict[str, Any]:
    """Rules that the service adds to a workspace's body, by name."""
    properties, workspace_id = workspace["properties"], str(workspace["id"])
    suffix = hashlib.sha256(str(properties["workspaceId"]).encode()).hexdigest()[:8]  # 8 hex digits are recorded
    targets = [(properties["keyVault"], "vault"), (properties["storageAccount"], "blob")]
    targets += [(workspace_id, "amlworkspace"), (properties["storageAccount"], "file")]
    if properties.get("containerRegistry"):
        targets.append((properties["containerRegistry"], "registry"))
    rules = {}
    if mode == "AllowOnlyApprovedOutbound":
        for tag, protocol, ports, ending in _REQUIRED_TAGS:
            tag = tag.format(region=workspace.get("location", ""))
            rules[f"__SYS_ST_{tag}{ending}"] = _required(
                "ServiceTag",
                {
                    "serviceTag": tag,
                    "protocol": protocol,
                    "portRanges": ports,
                    "action": "Allow",
                    "addressPrefixes": [],
                },
            )
    for target, subresource in targets:
        name = f"__SYS_PE_{str(target).rsplit('/', 1)[-1]}_{subresource}_{suffix}"
        rules[name] = _required(
            "PrivateEndpoint",
            {
                "serviceResourceId": target,
                "subresourceTarget": subresource,
                "sparkEnabled": True,
                "sparkStatus": "Inactive",
            },
        )
    return rules


def _required(kind: str, destination: dict[str, Any]) -> dict[str, Any]:
    return {"type": kind, "destination": destination, "status": "Inactive", "category": REQUIRED}


def network_of(sent: Any, before: Mapping[str, Any] | None, new_id: str) -> dict[str, Any]:
    """`managedNetwork` after a PUT or a PATCH: the mode changes, the named rules are added to the others (recorded)."""
    network: dict[str, Any] = {"isolationMode": "Disabled"} | copy.deepcopy(dict(before or {}))
    if isinstance(sent, Mapping):
        rules = dict(network.get("outboundRules") or {})
        for name, rule in (sent.get("outboundRules") or {}).items():
            where = f"managedNetwork.outboundRules.{name}"
            if str((rule or {}).get("category")) in SERVICE_OWNED:
                # That Azure refuses them is known (azure-sdk-for-python#31663, #32643); the wording is ours.
                raise BadRequest("BadRequest", f"{where} is a rule of the service and cannot be sent.")
            rules[name] = complete_rule(rule, where=where)
        kept = ("status", "networkId", "outboundRules", "changeableIsolationModes")
        network |= {key: copy.deepcopy(value) for key, value in sent.items() if key not in kept and value is not None}
        if rules:
            network["outboundRules"] = rules
    if network["isolationMode"] != "AllowOnlyApprovedOutbound":
        for name, rule in (network.get("outboundRules") or {}).items():
            if rule["category"] not in SERVICE_OWNED and rule["type"] != "PrivateEndpoint":
                # The rule is documented (MicrosoftDocs/azure-ai-docs, how-to-managed-network); the wording is ours.
                raise BadRequest(
                    "BadRequest",
                    f"managedNetwork.outboundRules.{name} of type {rule['type']} needs the isolation mode "
                    f"AllowOnlyApprovedOutbound, got {network['isolationMode']}.",
                )
    if network["isolationMode"] != "Disabled":
        network.setdefault("networkId", new_id)
        network.setdefault("status", {"status": "Inactive", "sparkReady": False})
    network["changeableIsolationModes"] = changeable(network["isolationMode"])
    return network


def add_required_rules(workspace: Mapping[str, Any]) -> None:
    """Give a workspace's network the rules that it needs."""
    network = workspace["properties"]["managedNetwork"]
    if network["isolationMode"] != "Disabled":
        own = network.get("outboundRules") or {}
        needed = required_rules(workspace, network["isolationMode"])
        network["outboundRules"] = own | {name: rule for name, rule in needed.items() if name not in own}
        if is_ready(network):
            activate(network)


def changeable(mode: str) -> list[str]:
    """Modes to which a network can still change: recorded for the first and the last."""
    return list(MODES[MODES.index(mode) + 1 :])


def is_ready(network: Mapping[str, Any]) -> bool:
    return bool(network["isolationMode"] == "Disabled" or network["status"]["status"] == READY)


def activate(network: dict[str, Any], *, spark: bool = False) -> None:
    """Mark the network as provisioned: its rules apply. The status `Active` of rules is documented, not recorded."""
    spark = spark or bool((network.get("status") or {}).get("sparkReady"))
    network["status"] = {"status": READY, "sparkReady": spark}
    for rule in (network.get("outboundRules") or {}).values():
        rule["status"] = READY
        if rule["type"] == "PrivateEndpoint" and rule["destination"]["sparkEnabled"] and spark:
            rule["destination"]["sparkStatus"] = READY
