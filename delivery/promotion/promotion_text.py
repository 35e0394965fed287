"""What a reviewer reads about a promotion: what was proven, where, by which record, and what differs. Pure.

Markdown that also reads well in a terminal. Names come from files that people write, so they are escaped for a git
server. The value of an environment variable is never shown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from delivery.promotion.promote import Promotion
from git_server.markdown import escaped
from models.proof import Proof
from models.release_document import Environment

Shown = Callable[[str], str]
"""Writes a name: `markdown.escaped` for a git server, `str` for a terminal."""


def title_of(promotion: Promotion) -> str:
    """One line: `Promote fraud-detection 0123456789abcdef to prod as green`."""
    request = promotion.request
    return f"Promote {request.endpoint} {promotion.document.short} to {request.target} as {promotion.colour}"


def text_of(promotion: Promotion, shown: Shown = escaped) -> str:
    """The description of the pull request."""
    request, proof = promotion.request, promotion.proven.proof
    lines = [
        f"**{shown(promotion.colour)} enters {shown(request.endpoint)} in {shown(request.target)} at 0 %.** "
        f"It is the release `{proof.short}`, which serves in {shown(request.source)} as "
        f"{shown(promotion.proven.colour)}. Nothing else changes.",
        "",
        "### Proof",
        "",
        *(f"- {line}" for line in _proof_lines(promotion, shown)),
        "",
        f"### What differs in {shown(request.target)}",
        "",
        *(f"- {line}" for line in _differences(promotion, shown)),
        "",
        f"After the merge, a rollout gives it weight step by step: `sluice rollout run {request.endpoint} --stack "
        f"{request.target}`.",
    ]
    return "\n".join(lines) + "\n"


def facts_of(proof: Proof, shown: Shown = escaped) -> str:
    """Counts, load, gates and approvers of a proof in one sentence, for text and lists."""
    rate = f" ({proof.errors / proof.requests:.2%})" if proof.requests else ""
    load = "sent by the rollout itself (synthetic)" if proof.synthetic else "from real callers"
    skipped = ", ".join(map(shown, proof.skipped_gates))
    gates = f"a person skipped the evidence of {skipped}" if skipped else "no gate was skipped"
    approvers = ", ".join(map(shown, proof.approvers))
    approved = f"approved by {approvers}" if approvers else "no step asked for an approval"
    return f"{proof.errors:,} of {proof.requests:,} requests failed{rate}, {load}; {gates}; {approved}"


def _proof_lines(promotion: Promotion, shown: Shown) -> Iterator[str]:
    proven, proof = promotion.proven, promotion.proven.proof
    ended = datetime.fromtimestamp(proven.ended_at, UTC).strftime("%Y-%m-%d %H:%M UTC")
    yield f"Rollout `{proof.rollout}` in {shown(proof.stack)}, ended well at {ended}"
    yield facts_of(proof, shown)
    yield f"Record `{proof.record_path}`, verified on {shown(proven.branch)} at `{proven.tip[:12]}`"
    yield f"Content `{proof.content}`, document `{promotion.document.path}` (commit `{promotion.document.commit[:12]}`)"


def _differences(promotion: Promotion, shown: Shown) -> Iterator[str]:
    request, document = promotion.request, promotion.document
    source, target = promotion.proven.values, promotion.target_values
    before, after = (_size(values, document.defaults) for values in (source, target))
    yield f"Size: {after} (in {shown(request.source)}: {before})" if before != after else f"Size: the same, {after}"
    overridden = {
        request.source: sorted(_names(source, document.settings)),
        request.target: sorted(_names(target, document.settings)),
    }
    if any(overridden.values()):
        said = "; ".join(
            f"{shown(stack)} overrides {', '.join(map(shown, names)) or 'none'}" for stack, names in overridden.items()
        )
        yield f"Environment variables: {said}"
    else:
        yield "Environment variables: those of the release, in both stacks"
    networks = promotion.proven.network or "not known", promotion.target_network or "not known"
    yield f"Network: {networks[1]} (in {shown(request.source)}: {networks[0]})"
    yield f"Environment: {_environment(document.settings, document.environment, document.conda)}"
    yield "Files of model and code: the same, byte for byte"


def _size(values: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    sku = values.get("sku") or defaults["instance_type"]
    autoscale = values.get("autoscale")
    if isinstance(autoscale, Mapping):
        return f"{autoscale.get('min')} to {autoscale.get('max')} instances of {sku}"
    own = defaults.get("autoscale")
    if isinstance(own, Mapping) and values.get("instances") is None:
        return f"{own['min_instances']} to {own['max_instances']} instances of {sku}"
    return f"{values.get('instances') or defaults['instance_count']} × {sku}"


def _names(values: Mapping[str, Any], settings: Mapping[str, Any]) -> set[str]:
    """The variables of the release that a stack gives other values."""
    given = values.get("environment_variables")
    declared = settings["body"].get("environmentVariables")
    return set(given or ()) & set(declared or ())


def _environment(settings: Mapping[str, Any], inline: Environment | None, conda: str | None) -> str:
    """The environment is the one part that two stacks may not share byte for byte."""
    if settings.get("environment") is None:
        return "the one that Azure chooses for this type of model"
    if inline is None:
        return "the same version in a registry"
    if "@sha256:" in inline.image and conda is None:
        return "the same image, byte for byte"
    return "the same definition, built once in each workspace, so not byte for byte"
