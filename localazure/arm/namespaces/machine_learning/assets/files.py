"""Finds the content of an asset: from a URI to blobs, and to files on disk.

Reads the store and the blob folder, changes nothing.
"""

from __future__ import annotations

import re
from pathlib import Path

from localazure.arm.control_plane import ControlPlane
from localazure.resource import Resource
from localazure.scoring.specification import DeploymentFailed
from localazure.storage.errors import BlobError

_DATASTORE_URI = re.compile(
    r"azureml://(?:subscriptions/[^/]+/resourcegroups/[^/]+/workspaces/(?P<workspace>[^/]+)/)?"
    r"datastores/(?P<datastore>[^/]+)/paths/(?P<path>.+)",
    re.IGNORECASE,
)


def local_path(plane: ControlPlane, workspace: Resource, uri: str) -> Path | None:
    """The path of a URI's content on disk; None for locations that this local Azure does not serve. Raises
    DeploymentFailed when the URI names a datastore that does not exist, or an invalid blob name."""
    try:
        return _named_path(plane, workspace, uri)
    except BlobError as error:
        raise DeploymentFailed("BadArgument", f"{uri} cannot be read: {error.message}") from error


def _named_path(plane: ControlPlane, workspace: Resource, uri: str) -> Path | None:
    place = blob_place(plane, workspace, uri)
    return plane.blobs.path(*place) if place else None


def blob_place(plane: ControlPlane, workspace: Resource, uri: str) -> tuple[str, str, str] | None:
    """Account, container and blob name of a URI; None for locations that this local Azure does not serve."""
    base = f"{plane.base_url}/"
    if uri.lower().startswith(base):
        account, _, rest = uri[len(base) :].partition("/")
        container, _, path = rest.partition("/")
        return account, container, path.rstrip("/")
    match = _DATASTORE_URI.fullmatch(uri)
    if match is None:
        return None
    workspace_id = workspace.id
    if match["workspace"] and match["workspace"].lower() != workspace.name.lower():
        workspace_id = f"{workspace.resource_id.parent}/providers/{workspace.body['type']}/{match['workspace']}"
    datastore = plane.store.get(f"{workspace_id}/datastores/{match['datastore']}")
    if datastore is None:
        raise DeploymentFailed("ResourceNotFound", f"Could not find datastore: {match['datastore']}.")
    shown = datastore.properties
    if shown["datastoreType"] != "AzureBlob":
        return None
    return shown["accountName"], shown["containerName"], match["path"].rstrip("/")
