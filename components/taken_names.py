"""Explains a creation that Azure refuses because it still keeps the name of a deleted resource.

Azure's error names neither the stack file nor the way out. The program cannot ask beforehand whether a name is kept,
because azure-native has no function for it. So an error hook of the engine adds the line to write.
"""

from __future__ import annotations

import re

import pulumi
from pulumi.runtime.proto import resource_pb2
from pulumi.runtime.settings import monitor_supports_feature

from naming import Names, kept_names_advice

__all__ = ["explain_taken_names", "explanation"]

KINDS = frozenset(
    {
        "azure-native:keyvault:Vault",
        "azure-native:machinelearningservices:Workspace",
        "azure-native:operationalinsights:Workspace",
    }
)
"""Types whose names Azure keeps after a deletion."""

_KEPT = re.compile(
    # As reported for workspaces (Azure/ResourceModules#3596), vaults (data-safe-haven#2523), Log Analytics in another
    # region (azure-docs#41719).
    r"soft-deleted workspace exists|already exists in deleted state|is not unique",
    re.IGNORECASE,
)


def explain_taken_names(names: Names) -> pulumi.ResourceTransformation:
    """A transformation that a component passes on to its children: an error hook where Azure keeps names."""
    hook = _hook(names)

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if hook is None or args.type_ not in KINDS:
            return None
        hooks = pulumi.ResourceHookBinding(on_error=[hook])
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(hooks=hooks))
        return pulumi.ResourceTransformationResult(args.props, options)

    return transform


def _hook(names: Names) -> pulumi.ErrorHook | None:
    """None in a preview, which creates nothing, and where the engine is too old to have such hooks."""
    feature = resource_pb2.RESOURCE_MONITOR_FEATURE_ERROR_HOOKS
    if pulumi.runtime.is_dry_run() or not monitor_supports_feature(feature):
        return None

    def explain(args: pulumi.ErrorHookArgs) -> bool:
        text = explanation(args.errors[0] if args.errors else "", names)
        if args.failed_operation == "create" and text:
            pulumi.log.error(f"{args.name}: {text}")
        return False  # trying again would not help

    return pulumi.ErrorHook("explain-taken-names", explain)


def explanation(error: str, names: Names) -> str | None:
    """What to do about a refused creation; None if it was refused for another reason."""
    return kept_names_advice(names) if _KEPT.search(error) else None
