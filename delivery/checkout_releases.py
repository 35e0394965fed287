"""The releases of one model as the checkout has them; `promotion.Releases`."""

from __future__ import annotations

from pathlib import Path

from command_errors import UsageError
from models.loader import load_model
from models.release_document import ReleaseDocument
from models.spec import DeploymentSpec, content_digest


class CheckoutReleases:
    """The folder of one model below the project's folder `root`."""

    def __init__(self, root: Path, model: str) -> None:
        self._root = root
        self._folder = root / "models" / model

    def content(self, colour: str) -> str:
        """Content digest of a colour that is not pinned. Raises ModelError."""
        return content_digest(self.deployment(colour, None))

    def deployment(self, colour: str, pin: str | None) -> DeploymentSpec:
        """What a colour serves, pinned or not. Raises ModelError."""
        return load_model(self._folder, {colour: pin}).deployments[colour]

    def freeze(self, colour: str, content: str) -> ReleaseDocument:
        """The document of what a colour has. Raises ModelError or UsageError with every reason."""
        raise UsageError(
            f"the content {content[:16]} of {colour} has no release document. Run `sluice release freeze "
            f"{self._folder.name} {colour}` first, and commit what it writes"
        )
