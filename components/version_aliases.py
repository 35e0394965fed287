"""Leaves out the aliases by which azure-native finds resources in states that other API versions of it wrote.

Each resource of the SDK carries one alias per API version of its type, up to eighty. Working them out takes nine tenths
of the program's own time (prod: a second of 1.1), for states that this program never wrote: all its types are the
default ones. An upgrade that moves a type to another module needs them again, for one update.
"""

from __future__ import annotations

from typing import Any

import pulumi

__all__ = ["omit_version_aliases"]


def omit_version_aliases() -> None:
    """Register the omission for every azure-native resource that is declared from here on."""
    pulumi.runtime.register_stack_transformation(_omit)


def _omit(args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
    if not args.type_.startswith("azure-native:"):
        return None
    args.opts.aliases = [alias for alias in args.opts.aliases or [] if not _is_of_the_sdk(alias)]
    return pulumi.ResourceTransformationResult(args.props, args.opts)


def _is_of_the_sdk(alias: Any) -> bool:
    """The SDK's aliases name a type and nothing else; an alias for a renamed or moved resource names more."""
    named = (
        {field for field, value in vars(alias).items() if value is not ...} if isinstance(alias, pulumi.Alias) else {}
    )
    return named == {"type_"}
