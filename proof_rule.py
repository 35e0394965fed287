"""`sluice:limits.require_proof`: a colour gets more weight only if another stack has proven its release.

Pure and offline: what counts is the line of proof beside the release document. Whether the record says the same, the
pipelines verify on the remote branch (`delivery/proofs/verification.py`). Always allowed are every decrease, the stable
colour, the first colour of an endpoint without weight (no rollout could have proven it), and `allow_unproven`.
"""

from __future__ import annotations

from collections.abc import Iterator

from declared_change import DeclaredChange
from endpoint_state import Provenance
from problem import Problem


def proof_problems(change: DeclaredChange) -> Iterator[Problem]:
    """Every rise of a live or mirrored weight that no proof allows."""
    stack = change.limits.require_proof
    if stack is None:
        return
    sections = (
        ("traffic", change.wanted, change.live_weights),
        ("mirror", change.wanted_mirror, change.live_mirror),
    )
    for section, wanted, live in sections:
        for name, weight in wanted.items():
            declared = change.declared.deployments.get(name)
            if declared is None or weight <= live.get(name, 0) or name == change.stable or _is_first(change):
                continue
            if missing := missing_proof(declared.provenance, stack):
                yield Problem(
                    f"{change.rollout_key}.{section}.{name}",
                    f"must not rise from {live.get(name, 0)} to {weight} without a proof of {stack} "
                    f"(sluice:limits.require_proof): {missing}",
                    how_to_prove(change.declared.key, name, stack, change.declared.stack),
                )


def missing_proof(provenance: Provenance, stack: str) -> str | None:
    """Return what a deployment lacks of a proof of this stack, as a clause; None if it may get more weight."""
    pin = provenance.pin
    if provenance.allow_unproven is not None or (pin is not None and stack in provenance.proven_in):
        return None
    if pin is None:
        return "it is not pinned to a release"
    if provenance.problem is not None:  # refuses nothing else, so that a way back stays open
        return provenance.problem.rstrip(".")
    proven = ", ".join(sorted(provenance.proven_in)) or "no stack"
    return f"its release {pin[:16]} is proven in {proven}"


def how_to_prove(endpoint: str, name: str, stack: str, here: str) -> str:
    """Return the two ways out."""
    return (
        f"Roll the release out in {stack} and carry it over (sluice promote {endpoint} --from {stack} --to {here}). If "
        f"it cannot wait for that, set allow_unproven: <reason> for {name} in Pulumi.{here}.yaml."
    )


def _is_first(change: DeclaredChange) -> bool:
    """Whether the endpoint has no weight, and one colour is to get all of it."""
    return not (change.live_weights or change.live_mirror) and len({*change.wanted, *change.wanted_mirror}) == 1
