"""Makes all resources of a component depend on one: they are created after it and deleted before it."""

from __future__ import annotations

import pulumi

__all__ = ["depend_on"]


def depend_on(first: pulumi.Resource) -> pulumi.ResourceTransformation:
    """A transformation that a component passes on to its children: each azure-native resource depends on this one.

    A dependency of the component alone would not be in the state of its children.
    """

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("azure-native:"):
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(depends_on=[first]))
        return pulumi.ResourceTransformationResult(args.props, options)

    return transform
