"""Makes all resources of a component wait for one resource, and go before it when it is deleted."""

from __future__ import annotations

import pulumi

__all__ = ["depend_on"]


def depend_on(first: pulumi.Resource) -> pulumi.ResourceTransformation:
    """What a component passes on to its children as a transformation: each azure-native resource depends on this one.

    A dependency of the component alone would not be in the state of its children.
    """

    def transform(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("azure-native:"):
            return None
        options = pulumi.ResourceOptions.merge(args.opts, pulumi.ResourceOptions(depends_on=[first]))
        return pulumi.ResourceTransformationResult(args.props, options)

    return transform
