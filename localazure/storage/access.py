"""Who may touch blobs: network rules, bearer tokens, SAS and, when asked for, role assignments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aiohttp import web

from localazure.storage.errors import BlobError, not_emulated
from localazure.storage.signatures import check_signature

if TYPE_CHECKING:
    from localazure.arm.control_plane import ControlPlane
    from localazure.store import Resource


@dataclass(frozen=True)
class Target:
    """What a request is about; container and blob may be empty."""

    account: Resource
    container: str
    blob: str

    @property
    def names(self) -> tuple[str, str, str]:
        return self.account.name, self.container, self.blob


class Access:
    """Checks requests to the blob service."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane

    def check(self, request: web.Request, target: Target) -> None:
        """Raise BlobError when the service would refuse."""
        # Here and not above: it imports the control plane, which imports this package.
        from localazure.arm.namespaces.storage import is_closed_to_public

        if self._plane.options.outside_network and is_closed_to_public(target.account):
            # Known code; that it comes before authentication is not verified.
            raise BlobError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        write = request.method not in ("GET", "HEAD")
        if "sig" in request.query:
            keys, now = target.account.private["keys"], self._plane.clock()
            check_signature(dict(request.query), *target.names, keys, now, _permissions(request))
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.startswith("SharedKey"):
            raise not_emulated("Authorization with a shared key")
        if scheme != "Bearer" or not token:
            challenge = f'Bearer authorization_uri={self._plane.base_url}/ resource_id="https://storage.azure.com"'
            message = "Server failed to authenticate the request. See the www-authenticate header."
            raise BlobError(401, "NoAuthenticationInformation", message, {"WWW-Authenticate": challenge})
        if not self._plane.caller_may_use_blobs(target.account, write):
            code = "AuthorizationPermissionMismatch"
            raise BlobError(
                403, code, "This request is not authorized to perform this operation using this permission."
            )


def _permissions(request: web.Request) -> str:
    """The SAS permissions of which one is needed."""
    if request.method == "DELETE":
        return "d"
    if request.method == "PUT":
        return "cw" if request.query.get("comp", "") in ("", "block", "blocklist") else "w"
    return "l" if request.query.get("comp") == "list" else "r"
