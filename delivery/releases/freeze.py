"""`sluice release freeze`: writes the release document of what a folder says about a colour.

The document names a commit, so every file of model and code must be what that commit has, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from command_errors import UsageError
from delivery.releases.committed_files import CommittedFiles
from models.content import ContentError
from models.errors import ModelError
from models.loader import load_model
from models.pin import document_of
from models.references import registry_of
from models.release_document import ReleaseDocument, read, write
from models.spec import AssetReference, DeploymentSpec, LocalAsset


@dataclass(frozen=True, kw_only=True)
class Frozen:
    """A release document, and whether this run wrote it."""

    document: ReleaseDocument
    is_new: bool


def freeze(root: Path, model: str, colour: str) -> Frozen:
    """Write the document of a colour as its az ml file describes it; `root` is the project's folder.

    An existing document of the same content stays as it is. Raises UsageError or ModelError if nothing was written.
    """
    return keep(root, frozen_document(root, model, described(root, model, colour)))


def described(root: Path, model: str, colour: str) -> DeploymentSpec:
    """Return a colour as its az ml file describes it, if stacks can share it. Raises UsageError or ModelError."""
    spec = load_model(root / "models" / model, [colour]).deployments[colour]
    for field, asset in (("model", spec.model), ("code", spec.code), ("environment", spec.environment)):
        if isinstance(asset, AssetReference) and registry_of(asset.reference) is None:
            raise UsageError(
                f"nothing was written: {field} of models/{model}/{colour}.yml is {asset.reference!r}, an asset of one "
                "workspace: the same name may be something else in another stack. Write the files or the image itself, "
                "or refer to a registry (azureml://registries/<registry>/...)."
            )
    return spec


def frozen_document(root: Path, model: str, spec: DeploymentSpec) -> ReleaseDocument:
    """Return the document of a colour whose files are what the commit of `root` has. Raises UsageError."""
    committed = CommittedFiles(root)
    committed.require(asset for asset in (spec.model, spec.code) if isinstance(asset, LocalAsset))
    try:
        return document_of(spec, (root / "models" / model).resolve(), committed.commit)
    except (ContentError, OSError) as error:
        raise UsageError(f"nothing was written: {error}") from error


def keep(root: Path, document: ReleaseDocument) -> Frozen:
    """Write a document unless its content has one; return the one that is there now."""
    try:
        is_new = write(root, document)
        return Frozen(document=document if is_new else read(root, document.model, document.content), is_new=is_new)
    except ModelError as error:
        raise UsageError(str(error)) from error
