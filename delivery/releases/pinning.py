"""`sluice release pin`: freezes the release that a live deployment is, and pins the colour to it in the stack file.

What is live is known by its tag `sluice:release`. Whatever is pinned must have that digest with this stack's settings,
so that the preview right after the pin changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from command_errors import UsageError
from delivery.releases.commit_tree import commit_tree
from delivery.releases.deployment_text import edit_deployment
from delivery.releases.freeze import described, frozen_document, keep
from endpoint_state import LiveDeployment
from models.content import RELEASES_FOLDER
from models.errors import ModelError
from models.pin import deployment_of
from models.release_document import SHORT, ReleaseDocument, read
from models.spec import AutoscaleSpec, DeploymentSpec, release_digest
from rollout.declaration.stack_file import StackFile
from stack_config import DeploymentSettings


@dataclass(frozen=True, kw_only=True)
class Request:
    """Which colour to pin. `root` is the project's folder, `live` the deployment as Azure has it, None if it has none.

    `commit` is the commit whose files made it; None: the folder's own, or a document that exists already.
    """

    root: Path
    stack: str
    endpoint: str
    colour: str
    settings: DeploymentSettings
    live: LiveDeployment | None
    commit: str | None = None

    @property
    def named(self) -> str:
        """The colour for people."""
        return f"{self.colour} of {self.endpoint} in {self.stack}"

    @property
    def tag(self) -> str:
        """The `sluice:release` tag of what is live. Raises UsageError."""
        if self.live is None:
            raise UsageError(
                f"{self.named} does not exist in Azure, so there is nothing live to pin. To write the document of what "
                f"the folder says, run sluice release freeze {self.endpoint} {self.colour}."
            )
        if not self.live.release:
            raise UsageError(f"{self.named} has no tag sluice:release in Azure, so nothing says what it runs.")
        return self.live.release


@dataclass(frozen=True, kw_only=True)
class Pinned:
    """What a pin has changed."""

    document: ReleaseDocument
    document_is_new: bool
    values: Mapping[str, Any]
    """What the stack file says about the deployment since this run; nothing if it was pinned to this before."""
    notes: tuple[str, ...]
    """What the next update changes all the same, because the stack file cannot say it."""


def pin(request: Request, stack_file: StackFile) -> Pinned:
    """Freeze and pin what is live. Raises UsageError if nothing that was found is what is live."""
    found, is_new = _document(request)
    spec, original = deployment_of(found.document, _folder(request.root, request), request.colour), found.spec
    values = {"release": found.document.short, **_values(request, spec, original)}
    after = request.settings.model_copy(update={name: value for name, value in values.items() if name != "autoscale"})
    if (digest := _digest(spec, after)) != request.tag:
        raise UsageError(
            f"{found.document.path} has the content of {request.named}, but not its appInsightsEnabled or "
            f"egressPublicNetworkAccess: with this document it would be release {digest[:12]}, and {request.tag[:12]} "
            "is live. A stack file cannot say these two. Take the deployment to 0 percent before you pin it."
        )
    if request.settings.release is not None and found.document.content.startswith(request.settings.release):
        values = {}
    else:
        stack_file.replace(
            lambda text: edit_deployment(text, request.endpoint, request.colour, values, str(stack_file.path))
        )
    return Pinned(document=found.document, document_is_new=is_new, values=values, notes=tuple(_notes(spec, original)))


@dataclass(frozen=True, kw_only=True)
class _Found:
    """A document, and the deployment that was found to be what is live."""

    document: ReleaseDocument
    spec: DeploymentSpec


def _document(request: Request) -> tuple[_Found, bool]:
    """The document of what is live, and whether this run wrote it."""
    if request.commit is not None:
        with commit_tree(request.root, request.commit) as tree:
            spec = _described(tree, request)
            if _digest(spec, request.settings) != request.tag:
                raise _other(request, f"commit {request.commit}", _digest(spec, request.settings))
            document = frozen_document(tree, request.endpoint, spec)
        kept = keep(request.root, document)
        return _Found(document=kept.document, spec=spec), kept.is_new
    reason, digest = None, ""
    try:
        spec = _described(request.root, request)
        digest = _digest(spec, request.settings)
        if digest == request.tag:
            kept = keep(request.root, frozen_document(request.root, request.endpoint, spec))
            return _Found(document=kept.document, spec=spec), kept.is_new
    except ModelError as error:
        reason = str(error)
    if (known := _known(request)) is not None:
        return known, False
    if reason is not None:
        raise UsageError(f"{reason}\n{_hint(request)}")
    raise _other(request, f"the folder models/{request.endpoint}", digest)


def _described(root: Path, request: Request) -> DeploymentSpec:
    return described(root, request.endpoint, request.colour)


def _known(request: Request) -> _Found | None:
    """A document that exists already and is what is live: the one that the content tag names, or any other."""
    folder = _folder(request.root, request)
    paths = sorted((folder / RELEASES_FOLDER).glob("*.json"))
    content = request.live.content if request.live else None
    for path in sorted(paths, key=lambda path: path.stem != content):
        try:
            document = read(request.root, request.endpoint, path.stem)
        except ModelError:
            continue  # `sluice ci check` reports a broken document
        spec = deployment_of(document, folder, request.colour)
        if _digest(spec, request.settings) == request.tag:
            return _Found(document=document, spec=spec)
    return None


def _digest(spec: DeploymentSpec, settings: DeploymentSettings) -> str:
    """The `sluice:release` tag that a deployment would get with a stack's settings."""
    return release_digest(replace(spec, environment_variables=settings.environment_variables), settings.sku)[:SHORT]


def _values(request: Request, spec: DeploymentSpec, original: DeploymentSpec) -> dict[str, Any]:
    """What the stack file must say so that the document's deployment is the one that is live.

    Another colour with the same content may have written the document, with other defaults.
    """
    settings = request.settings
    values: dict[str, Any] = {}
    if settings.sku is None and spec.instance_type != original.instance_type:
        values["sku"] = original.instance_type
    if settings.autoscale is None and spec.autoscale != original.autoscale:
        if original.autoscale is None:
            raise UsageError(
                f"the document of this content has scale_settings, and {request.named} has a fixed number of "
                "instances, which a stack file cannot say beside it. Add autoscale to the deployment there first."
            )
        values["autoscale"] = _autoscale(original.autoscale)
    elif settings.autoscale is None and settings.instances is None and spec.instance_count != original.instance_count:
        values["instances"] = original.instance_count
    return values


def _autoscale(spec: AutoscaleSpec) -> dict[str, int]:
    return {
        "min": spec.min_instances,
        "max": spec.max_instances,
        "default": spec.min_instances,
        "target_cpu_percent": spec.target_cpu_percent,
    }


def _notes(spec: DeploymentSpec, original: DeploymentSpec) -> list[str]:
    """What is no part of a release and differs between the document and what was found live."""
    names = [name for name in ("description", "properties") if spec.body.get(name) != original.body.get(name)]
    names += ["tags"] if spec.tags != original.tags else []
    return [f"the next update also changes its {name}: the document was written for another colour" for name in names]


def _folder(root: Path, request: Request) -> Path:
    return (root / "models" / request.endpoint).resolve()


def _other(request: Request, where: str, digest: str) -> UsageError:
    return UsageError(
        f"{where} does not describe what is live: with the settings of {request.stack} it makes release {digest[:12]}, "
        f"but {request.named} is {request.tag[:12]}. Nothing was changed. {_hint(request)}"
    )


def _hint(request: Request) -> str:
    return (
        f"Name the commit from which it was deployed: sluice release pin {request.endpoint} {request.colour} --stack "
        f"{request.stack} --commit <commit>; git log --oneline -- models/{request.endpoint} lists those that changed "
        "it. Its sku and environment_variables in the stack file must be as they were, too."
    )
