"""Refuses requests that are not meant for this server: other host names, and calls of its controls from other pages."""

from __future__ import annotations

from aiohttp import web

from localazure.errors import ArmError
from localazure.startup import HOST

LOCAL_NAMES = ("localhost", HOST)
BLOB_SUFFIX = ".blob.localhost"


def blob_account(request: web.Request) -> str:
    """The storage account that the host names (`ACCOUNT.blob.localhost`, which clients derive from its name), or ""."""
    host = request.host.lower().partition(":")[0]
    return host.removesuffix(BLOB_SUFFIX) if host.endswith(BLOB_SUFFIX) else ""


def path_on_localhost(request: web.Request) -> str:
    """The equivalent escaped path for the plain host `localhost`."""
    account = blob_account(request)
    return f"/{account}{request.rel_url.raw_path}" if account else request.rel_url.raw_path


def check_origin(request: web.Request) -> None:
    """Raise unless the request is meant for this server.

    A web page whose own name resolves to 127.0.0.1, or which is open in the same browser, must not reach a server that
    trusts its callers.
    """
    host, _, port = request.host.lower().partition(":")
    local = host in LOCAL_NAMES and (not port or port.isdecimal())
    own = (request.path == "/" and not blob_account(request)) or request.path.startswith("/_local")
    if not local and (own or not host.endswith(".localhost")):
        text = f"The local Azure answers to localhost, not to {request.host[:100]!r}."
        raise ArmError("InvalidHost", text, status=421)
    origin = request.headers.get("Origin")
    if own and origin is not None and origin.partition("://")[2].lower() != request.host.lower():
        raise ArmError(
            "InvalidOrigin", f"Pages of {origin[:100]!r} may not use the local Azure's controls.", status=403
        )
