"""What serves in a stack, and the newest rollout that proves it.

It reads the stack's file and records on the remote branch that keeps them, never Azure: the program refuses to change
what has weight, so a colour that serves has the content that it declares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from delivery.promotion.promotion_request import PromotionRefused, PromotionRequest
from delivery.proofs.record_branch import config_of
from delivery.proofs.rollout_proof import NoProof
from delivery.proofs.verification import Verifier
from models.errors import ModelError
from models.proof import Proof
from rollout.record.chain import read_lines
from rollout.record.fold import fold
from weights import nonzero, whole_percents

MOST_REASONS = 5
"""Of an endpoint with hundreds of records, the newest explain enough."""


class Contents(Protocol):
    """The model's files in the checkout."""

    def content(self, colour: str) -> str:
        """Content digest of a colour that is not pinned. Raises ModelError."""


@dataclass(frozen=True, kw_only=True)
class ProvenRelease:
    """The newest valid proof of what serves in the source stack."""

    proof: Proof
    colour: str
    ended_at: int
    branch: str
    tip: str
    values: Mapping[str, Any]
    network: str | None

    @classmethod
    def newest(cls, request: PromotionRequest, contents_here: Contents, verifier: Verifier) -> ProvenRelease:
        """Look through the source stack's records, the newest first. Raises PromotionRefused with what it found."""
        stack, endpoint = request.source, request.endpoint
        files = verifier.files_of(stack)
        config = config_of(files.read(f"Pulumi.{stack}.yaml"))
        serving = serving_colours(config, endpoint)
        if not serving:
            raise PromotionRefused(
                request, [f"no colour of {endpoint} has live weight in Pulumi.{stack}.yaml on {files.branch} of origin"]
            )
        declared = section_of(config, "sluice:endpoints", endpoint).get("deployments") or {}
        contents: dict[str, str] = {}
        reasons: list[str] = []
        for colour in serving:
            try:
                contents[colour] = pin_of(declared.get(colour)) or contents_here.content(colour)
            except ModelError as error:
                reasons.append(f"{colour}, which serves in {stack}, cannot be read: {error}")
        for rollout, of_endpoint in reversed(files.rollouts(stack)):
            if of_endpoint != endpoint:
                continue
            found = verifier.proof_of(stack, endpoint, rollout)
            if isinstance(found, NoProof):
                reasons.append(f"the rollout {rollout} proves nothing: {'; '.join(found.reasons)}")
                continue
            named = [one for one, digits in contents.items() if found.content.startswith(digits)]
            if not named:
                reasons.append(f"the rollout {rollout} proved {found.short}, which does not serve in {stack} now")
                continue
            colour = named[0]
            values = declared.get(colour)
            return cls(
                proof=found,
                colour=colour,
                ended_at=_ended_at(files.read(found.record_path) or b"", rollout),
                branch=files.branch,
                tip=files.tip,
                values=values if isinstance(values, Mapping) else {},
                network=network_of(config),
            )
        serves = ", ".join(f"{colour} {digits[:16]}" for colour, digits in contents.items()) or ", ".join(serving)
        raise PromotionRefused(
            request,
            [
                f"no rollout on {files.branch} of origin proves what serves in {stack} ({serves}). "
                f"Roll it out there first (sluice rollout run {endpoint} --stack {stack})",
                *reasons[:MOST_REASONS],
            ],
        )


def serving_colours(config: Mapping[str, Any], endpoint: str) -> list[str]:
    """Return the colours with live weight, the one with most first."""
    traffic = section_of(config, "sluice:rollout", endpoint).get("traffic")
    weights = nonzero(whole_percents(traffic)) if isinstance(traffic, Mapping) else {}
    return sorted(weights, key=lambda colour: -weights[colour])


def section_of(config: Mapping[str, Any], name: str, endpoint: str) -> Mapping[str, Any]:
    """Return one endpoint's part of `sluice:endpoints` or `sluice:rollout`; empty if there is none."""
    section = config.get(name)
    found = section.get(endpoint) if isinstance(section, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def pin_of(values: Any) -> str | None:
    """Return the pin in a deployment's keys."""
    return text_or_none(values.get("release")) if isinstance(values, Mapping) else None


def network_of(config: Mapping[str, Any]) -> str | None:
    """Return `public` or `private`, which a stack file gives by itself or as the `mode` of its network."""
    network = config.get("sluice:network")
    return text_or_none(network.get("mode") if isinstance(network, Mapping) else network)


def text_or_none(value: Any) -> str | None:
    """Return a string of a stack file, None in place of any other value."""
    return value if isinstance(value, str) else None


def _ended_at(record: bytes, rollout: str) -> int:
    state = fold(read_lines(record, rollout).events)
    assert state.ended is not None  # it is a proof
    return state.ended.at
