"""Which outputs a stack has: see `stack_outputs.py` for their keys."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pulumi

from components.online_endpoint import OnlineEndpoint
from components.platform import Platform

__all__ = ["export_outputs"]


def export_outputs(
    platform: Platform, endpoints: Mapping[str, OnlineEndpoint], tags: pulumi.Output[dict[str, str] | None]
) -> None:
    """Make them the outputs of the stack; `next` is the command of the first endpoint that waits."""
    outputs = {key: endpoint.outputs for key, endpoint in endpoints.items()}
    commands: pulumi.Output[Sequence[str | None]] = pulumi.Output.all(*(one["next"] for one in outputs.values()))
    pulumi.export("endpoints", outputs)
    pulumi.export("workspace", platform.outputs)
    pulumi.export("platform", platform.foundation_outputs)
    pulumi.export("next", commands.apply(lambda known: next((one for one in known if one), None)))
    pulumi.export("tags", tags)
