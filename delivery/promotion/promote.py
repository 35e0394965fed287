"""What a promotion changes: a content that one stack has proven, written into the files of another one.

Three files: the release document, its proofs, and the other stack's file, in which a colour is pinned, without weight.
This module decides and returns their texts; it writes nothing, neither here nor in Azure. `promotion_branch.py` commits
them, and `promotion_text.py` says what a reviewer reads.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from command_errors import UsageError
from delivery.promotion.promotion_request import PromotionRefused, PromotionRequest
from delivery.promotion.promotion_target import Target, busy_colours, choose_colour, deployment_values
from delivery.proofs.proven_release import ProvenRelease, pin_of
from delivery.proofs.record_branch import BRANCH, config_of
from delivery.proofs.stack_place import Files
from delivery.proofs.verification import Verifier
from delivery.releases.deployment_text import edit_deployment
from models.errors import ModelError
from models.proof import Proof, parse_proofs, proofs_text
from models.references import registry_of
from models.release_document import ReleaseDocument, parse
from models.spec import DeploymentSpec
from record_folders import FOLDER
from rollout.record.chain import read_lines
from rollout.record.fold import fold
from rollout.record.state import RolloutState

RELEASES = "models/{model}/releases/{short}"


class Base(Protocol):
    """The files that the promotion changes: a working tree, or the tip of a branch. Paths are the project's."""

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none."""


class Releases(Protocol):
    """The model of the endpoint, as the checkout has it."""

    def content(self, colour: str) -> str:
        """Content digest of a colour that is not pinned. Raises ModelError."""

    def freeze(self, colour: str) -> ReleaseDocument:
        """The document of a colour that every stack can share. Raises ModelError or UsageError with every reason."""

    def deployment(self, colour: str, pin: str | None) -> DeploymentSpec:
        """What a colour serves, pinned or not. Raises ModelError."""


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """A release, where it was proven, and the files that carry it to the other stack."""

    request: PromotionRequest
    colour: str
    """In the target stack."""
    proven: ProvenRelease
    document: ReleaseDocument
    target_values: Mapping[str, Any]
    """The colour's keys in the target stack's file, after the promotion."""
    target_network: str | None
    """`sluice:network` of the target stack."""
    files: Mapping[str, str] = field(default_factory=dict)
    """The new text of every file that changes, by its path in the project; none: it was promoted before."""


def plan_promotion(
    request: PromotionRequest,
    base: Base,
    releases: Releases,
    verifier: Verifier,
    target_files: Callable[[str], Files],
    *,
    now: int,
) -> Promotion:
    """Return the promotion of the newest valid proof of what serves in the source stack.

    `target_files` reads the weights and records of the target stack; `now` is seconds since 1970. Raises
    PromotionRefused with every reason, and RecordsUnreachable.
    """
    _require_two_stacks(request)
    path = f"Pulumi.{request.target}.yaml"
    text = _text(base, path, request)
    proven = ProvenRelease.newest(request, releases, verifier)
    target = _target(request, base, target_files(request.target), now)
    reasons: list[str] = []
    colour = ""
    try:
        colour = choose_colour(target, proven.proof.content, request.colour, proven.colour)
    except ValueError as error:
        reasons.append(str(error))
    document, document_text = _document(request, base, releases, proven, reasons)
    if document is None or reasons:
        raise PromotionRefused(request, reasons)
    files = {document.path: document_text} if document_text is not None else {}
    files |= _proofs(request, base, verifier, proven.proof)
    values = target.deployments.get(colour, {})
    if target.pinned_to(document.content) is None:
        stable = _stable(request, target, releases)
        changes = deployment_values(target, colour, stable, document)
        files[path] = edit_deployment(text, request.endpoint, colour, changes, path)
        values = {name: value for name, value in {**values, **changes}.items() if value is not None}
    return Promotion(
        request=request,
        colour=colour,
        proven=proven,
        document=document,
        target_values=values,
        target_network=target.network,
        files=files,
    )


def _require_two_stacks(request: PromotionRequest) -> None:
    if request.source == request.target:
        raise PromotionRefused(
            request, ["--from and --to name the same stack. Name the stack that has the proof first"]
        )


def _text(base: Base, path: str, request: PromotionRequest) -> str:
    found = base.read(path)
    if found is None:
        raise PromotionRefused(request, [f"there is no {path}. Correct --to, or create that stack's file"])
    try:
        return found.decode()
    except UnicodeDecodeError as error:
        raise PromotionRefused(request, [f"{path} is not UTF-8 text (byte {error.start}). Correct it"]) from error


def _target(request: PromotionRequest, base: Base, files: Files, now: int) -> Target:
    """The endpoint in the target stack. With a branch of its own, the weights of that branch count, else both."""
    stack, path = request.target, f"Pulumi.{request.target}.yaml"
    config = config_of(base.read(path))
    kept = config_of(files.read(path))
    weights = [kept] if config.get(BRANCH) else [config, kept]
    busy = busy_colours(_last_state(request, files), now)
    target = Target.of(config, weights, stack, request.endpoint, busy)
    if target is None:
        what = f"{path} declares no endpoint {request.endpoint}. Declare it there with its first colour"
        raise PromotionRefused(request, [what])
    if target.stable is None or target.stable not in target.deployments:
        what = (
            f"{path} names no stable colour of {request.endpoint} (sluice:rollout.{request.endpoint}.stable), whose "
            "size the promoted colour would take. Deploy the first colour by hand, and name it there"
        )
        raise PromotionRefused(request, [what])
    return target


def _stable(request: PromotionRequest, target: Target, releases: Releases) -> DeploymentSpec:
    name = str(target.stable)
    try:
        return releases.deployment(name, pin_of(target.deployments[name]))
    except ModelError as error:
        what = f"the size of {name}, the stable colour of {target.stack}, is not known: {error}"
        raise PromotionRefused(request, [what]) from error


def _last_state(request: PromotionRequest, files: Files) -> RolloutState | None:
    ids = [rollout for rollout, endpoint in files.rollouts(request.target) if endpoint == request.endpoint]
    if not ids:
        return None
    path = f"{FOLDER}/{request.target}/{request.endpoint}/{ids[-1]}.jsonl"
    lines = read_lines(files.read(path) or b"", path)
    try:
        return fold(lines.events)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise PromotionRefused(
            request,
            [
                f"{path} on {files.branch} of origin cannot be read, so it is not known which colours a rollout needs: "
                f"{lines.broken or error}"
            ],
        ) from error


def _document(
    request: PromotionRequest, base: Base, releases: Releases, proven: ProvenRelease, reasons: list[str]
) -> tuple[ReleaseDocument | None, str | None]:
    """The document of the content, and its text if it is not there yet."""
    content = proven.proof.content
    path = f"{RELEASES.format(model=request.endpoint, short=content[:16])}.json"
    there = base.read(path)
    try:
        if there is not None:
            document, text = parse(there.decode(errors="replace"), path, model=request.endpoint), None
        else:
            document = releases.freeze(proven.colour)
            text = document.text()
    except (ModelError, UsageError) as error:
        reasons.append(str(error))
        return None, None
    if document.content != content:
        reasons.append(f"{path} is the content {document.content}, but {content} was proven")
    reasons += _bound_to_a_workspace(document)
    return document, text


def _bound_to_a_workspace(document: ReleaseDocument) -> list[str]:
    """An asset of a workspace is another one in another workspace, under the same name and version."""
    found = []
    for part in ("model", "code", "environment"):
        named = document.settings.get(part)
        reference = named.get("reference") if isinstance(named, Mapping) else None
        if isinstance(reference, str) and registry_of(reference) is None:
            found.append(
                f"its {part} is {reference}, an asset of one workspace, which another workspace does not have or has "
                "with other content. Use local files, or an asset of a registry (azureml://registries/...)"
            )
    return found


def _proofs(request: PromotionRequest, base: Base, verifier: Verifier, proof: Proof) -> dict[str, str]:
    """The file of proofs with this one, if no valid one of this stack is in it."""
    path = f"{RELEASES.format(model=request.endpoint, short=proof.short)}.proofs.jsonl"
    there = base.read(path)
    try:
        known = () if there is None else parse_proofs(there.decode(errors="replace"), path, content=proof.short)
    except ModelError as error:
        raise PromotionRefused(request, [str(error)]) from error
    same_stack = [one for one in known if one.stack == request.source]
    if any(verifier.judge(one, path).valid and one.content == proof.content for one in same_stack):
        return {}
    kept = [one for one in known if one not in same_stack]  # invalid lines would make every later check fail
    return {path: proofs_text([*kept, proof])}
