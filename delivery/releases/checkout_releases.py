"""The releases of one model as the checkout has them; `promotion.Releases`."""

from __future__ import annotations

from pathlib import Path

from delivery.releases.freeze import described, frozen_document
from models.content import ContentError
from models.errors import ModelError
from models.loader import load_model
from models.pin import document_of
from models.release_document import ReleaseDocument
from models.spec import DeploymentSpec, content_digest

NO_COMMIT = "0" * 40
"""In a document that is compared and never written."""


class CheckoutReleases:
    """The folder of one model below the project's folder `root`."""

    def __init__(self, root: Path, model: str) -> None:
        self._root = root
        self._folder = (root / "models" / model).resolve()

    def content(self, colour: str) -> str:
        """Content digest of a colour that is not pinned. Raises ModelError."""
        return content_digest(self.deployment(colour, None))

    def deployment(self, colour: str, pin: str | None) -> DeploymentSpec:
        """What a colour serves, pinned or not. Raises ModelError."""
        return load_model(self._folder, {colour: pin}).deployments[colour]

    def document(self, colour: str) -> ReleaseDocument:
        """What a document of a colour would say, whatever the commit has. Raises ModelError."""
        try:
            return document_of(self.deployment(colour, None), self._folder, NO_COMMIT)
        except (ContentError, OSError) as error:
            raise ModelError(f"the files of {self._folder.name}/{colour} cannot be read: {error}") from error

    def freeze(self, colour: str) -> ReleaseDocument:
        """The document of a colour that every stack can share. Raises ModelError or UsageError with every reason."""
        return frozen_document(self._root, self._folder.name, described(self._root, self._folder.name, colour))
