"""What is asked of a promotion, and its refusal. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from command_errors import UsageError


@dataclass(frozen=True, kw_only=True)
class PromotionRequest:
    """What a person or a pipeline asks for: an endpoint's release, from one stack to another."""

    endpoint: str
    source: str
    target: str
    colour: str | None = None


class PromotionRefused(UsageError):
    """Nothing was promoted, and nothing was changed; `reasons` has everything that stands against it."""

    def __init__(self, request: PromotionRequest, reasons: Sequence[str]) -> None:
        self.reasons = tuple(reasons)
        listed = "\n".join(f"  - {reason.rstrip('.')}." for reason in self.reasons)
        super().__init__(
            f"{request.endpoint} was not promoted from {request.source} to {request.target}, and nothing was "
            f"changed:\n{listed}"
        )
