"""Decides who may access blobs: network rules, bearer tokens, SAS and, when enabled, role assignments."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web

from localazure.callers import ExpiredToken, bearer_token
from localazure.resource import Resource
from localazure.storage.accounts import Accounts
from localazure.storage.errors import BlobError, not_emulated
from localazure.storage.signatures import check_signature


@dataclass(frozen=True)
class BlobAddress:
    """The subject of a request; container and blob may be empty."""

    account: Resource
    container: str
    blob: str

    @property
    def names(self) -> tuple[str, str, str]:
        return self.account.name, self.container, self.blob


class Access:
    """Checks requests to the blob service."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts

    def check(self, request: web.Request, target: BlobAddress) -> None:
        """Raise BlobError when the service would refuse."""
        if not self._accounts.caller_reaches(target.account):
            # A known code; that Azure checks it before authentication is not verified.
            raise BlobError(403, "AuthorizationFailure", "This request is not authorized to perform this operation.")
        write = request.method not in ("GET", "HEAD")
        if "sig" in request.query:
            keys, now = target.account.private["keys"], self._accounts.clock()
            check_signature(dict(request.query), *target.names, keys, now, _permissions(request))
            return
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.startswith("SharedKey"):
            raise not_emulated("Authorization with a shared key")
        if scheme != "Bearer" or not token:
            challenge = f'Bearer authorization_uri={self._accounts.base_url}/ resource_id="https://storage.azure.com"'
            message = "Server failed to authenticate the request. See the www-authenticate header."
            raise BlobError(401, "NoAuthenticationInformation", message, {"WWW-Authenticate": challenge})
        self._check_roles(target, token, write=write)

    def check_source(self, request: web.Request, source: BlobAddress, query: dict[str, str]) -> None:
        """Raise BlobError unless the caller of a copy may read its source; `query` is that of the source's URL."""
        if "sig" in query:
            check_signature(query, *source.names, source.account.private["keys"], self._accounts.clock(), "r")
        elif "sig" in request.query:
            # A known code (REST reference, "Copy Blob"): a SAS of the target grants nothing on the source.
            raise BlobError(404, "CannotVerifyCopySource", "The specified resource does not exist.")
        else:
            self._check_roles(source, bearer_token(request.headers.get("Authorization", "")), write=False)

    def _check_roles(self, target: BlobAddress, token: str, *, write: bool) -> None:
        try:
            permitted = self._accounts.caller_may_use_blobs(target.account, write, token, target.container)
        except ExpiredToken:
            # A known code; which message comes with it is not verified.
            message = "Server failed to authenticate the request. Lifetime validation failed. The token is expired."
            raise BlobError(401, "InvalidAuthenticationInfo", message) from None
        if not permitted:
            raise _mismatch()


def _mismatch() -> BlobError:
    code = "AuthorizationPermissionMismatch"
    return BlobError(403, code, "This request is not authorized to perform this operation using this permission.")


def _permissions(request: web.Request) -> str:
    """The SAS permissions, of which one is required."""
    if request.method == "DELETE":
        return "d"
    if request.method == "PUT":
        return "cw" if request.query.get("comp", "") in ("", "block", "blocklist") else "w"
    return "l" if request.query.get("comp") == "list" else "r"
