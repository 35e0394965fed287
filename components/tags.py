"""Tags of others stay: an update changes the tags that this stack declares, and no others.

Azure Policy and Azure ML add tags to resources. A refresh takes them into the engine's inputs, and the next update
would remove them as undeclared. Once every resource has the declared tags, which the output `tags` records, the engine
is told to ignore tags. Until then it ignores the keys that others have added to what the program reads. A tag that no
refresh has read is lost when the resource itself changes, because azure-native sends whole bodies.

The tags `sluice:environment` and `sluice:endpoint` are newer than many stacks. The workspace, identities, and what
endpoints consist of get them when they are created: no update for the sake of such a tag touches what serves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pulumi

from assessment.declaration import StackDeclaration
from naming import dns_tag_key
from ownership import ENDPOINT_TAG, ENVIRONMENT_TAG, SUBSCRIPTION_TAG

__all__ = ["NEW_TAGS", "TagKeeper", "tag_paths"]

NEW_TAGS = (ENVIRONMENT_TAG, ENDPOINT_TAG)
"""Tags that a resource which exists does not get."""

_TYPE = "azure-native:{}".format
_OF_THEIR_OWN = frozenset(
    {_TYPE("machinelearningservices:OnlineEndpoint"), _TYPE("machinelearningservices:OnlineDeployment")}
)
"""They are read at the program's start and may be recreated, so their components decide."""
_SERVING = frozenset({_TYPE("machinelearningservices:Workspace"), _TYPE("machinelearningservices:Compute")})
_IDENTITY = _TYPE("managedidentity:UserAssignedIdentity")
"""While an identity is to be updated, a preview does not know its principal and plans to replace what it may do."""


def tag_paths(keys: Iterable[str], *, within: str = "tags") -> list[str]:
    """The engine's paths of these tags."""
    return [f'{within}["{key}"]' for key in sorted(keys)]


class TagKeeper:
    """Tells the engine, for every resource that is declared from here on, which tags are not its business."""

    def __init__(self, declaration: StackDeclaration) -> None:
        others = declaration.tags_of_others
        self._declaration = declaration
        self._others = others | {dns_tag_key(key) for key in others}
        self._declared: list[tuple[pulumi.Resource, Mapping[str, str]]] = []
        pulumi.runtime.register_stack_transformation(self._transform)

    def written(self) -> pulumi.Output[dict[str, str] | None]:
        """The stack's tags, once every resource that takes them has them; None before."""
        wanted = [declared for _, declared in self._declared]
        found = pulumi.Output.all(*(resource.tags for resource, _ in self._declared))  # type: ignore[attr-defined]  # those with tags alone
        own = (
            None if self._declaration.recreates else dict(self._declaration.placement.tags)
        )  # the next update compares
        return found.apply(
            lambda live: own if all(_has(tags, one) for tags, one in zip(live, wanted, strict=True)) else None
        )

    def _transform(self, args: pulumi.ResourceTransformationArgs) -> pulumi.ResourceTransformationResult | None:
        if not args.type_.startswith("azure-native:") or args.type_ in _OF_THEIR_OWN:
            return None
        within, declared = _declared_tags(args.props)
        if declared is None:
            return None
        if self._declaration.recreates:
            return None
        paths = tag_paths(self._others - declared.keys(), within=within)
        records = SUBSCRIPTION_TAG in declared
        if args.type_ in _SERVING or ENDPOINT_TAG in declared or (args.type_ == _IDENTITY and not records):
            paths += tag_paths(NEW_TAGS, within=within)
        elif within == "tags":
            self._declared.append((args.resource, declared))
        if self._declaration.tags_are_written and not records:  # group and stack identity have tags of their own
            paths = [within]
        args.opts.ignore_changes = [*(args.opts.ignore_changes or []), *paths]
        return pulumi.ResourceTransformationResult(args.props, args.opts)


def _declared_tags(props: Mapping[str, Any]) -> tuple[str, Mapping[str, str] | None]:
    """Where a resource has its tags, and which; None for one without tags."""
    if isinstance(tags := props.get("tags"), Mapping):
        return "tags", tags
    properties = props.get("properties")
    inner = properties.get("tags") if isinstance(properties, Mapping) else getattr(properties, "tags", None)
    return "properties.tags", inner if isinstance(inner, Mapping) else None


def _has(live: Mapping[str, str] | None, declared: Mapping[str, str]) -> bool:
    return declared.items() <= (live or {}).items()
