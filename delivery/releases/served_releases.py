"""What each endpoint of a stack serves, as release documents, so that two stacks can be compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from command_errors import UsageError
from delivery.proofs.proven_release import pin_of, section_of, serving_colours
from delivery.proofs.record_branch import config_of
from delivery.proofs.stack_place import Files
from models.content import RELEASES_FOLDER
from models.release_document import SHORT, ReleaseDocument, parse


class Folder(Protocol):
    """A model's folder in the checkout."""

    def document(self, colour: str) -> ReleaseDocument:
        """What a document of a colour would say. Raises ModelError."""


@dataclass(frozen=True, kw_only=True)
class Served:
    """The colour of an endpoint with the most live weight."""

    colour: str
    document: ReleaseDocument
    overridden: tuple[str, ...] = ()
    """Names of the environment variables that have other values in this stack."""


def served_releases(stack: str, files: Files, folder_of: Callable[[str], Folder]) -> dict[str, Served]:
    """Return what serves, by endpoint; an endpoint without weight is left out.

    A colour that is not pinned is read from its folder in the checkout. Raises UsageError and ModelError.
    """
    config = config_of(files.read(f"Pulumi.{stack}.yaml"))
    if not config:
        raise UsageError(
            f"stack {stack} has no file Pulumi.{stack}.yaml on {files.branch}, or it cannot be read. Correct the name "
            "or the file."
        )
    endpoints = config.get("sluice:endpoints")
    found: dict[str, Served] = {}
    for endpoint in endpoints if isinstance(endpoints, Mapping) else ():
        serving = serving_colours(config, endpoint)
        if not serving:
            continue
        deployments = section_of(config, "sluice:endpoints", endpoint).get("deployments")
        values = deployments.get(serving[0]) if isinstance(deployments, Mapping) else None
        pin = pin_of(values)
        overridden = values.get("environment_variables") if isinstance(values, Mapping) else None
        found[endpoint] = Served(
            colour=serving[0],
            document=folder_of(endpoint).document(serving[0]) if pin is None else _pinned(files, endpoint, pin),
            overridden=tuple(sorted(overridden)) if isinstance(overridden, Mapping) else (),
        )
    return found


def _pinned(files: Files, endpoint: str, pin: str) -> ReleaseDocument:
    path = f"models/{endpoint}/{RELEASES_FOLDER}/{pin[:SHORT]}.json"
    text = files.read(path)
    if text is None:
        raise UsageError(f"there is no release document {path} on {files.branch}. Correct the pin, or restore it.")
    return parse(text.decode(errors="replace"), path, model=endpoint)
