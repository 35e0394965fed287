"""Which requests are meant for this server: those to local names, and to its own controls only from its own pages."""

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
    """The escaped path that means the same when the host is plain `localhost`."""
    account = blob_account(request)
    return f"/{account}{request.rel_url.raw_path}" if account else request.rel_url.raw_path


def check_origin(request: web.Request) -> None:
    """Raise unless the request is meant for this server.

    A web page that points its own name at 127.0.0.1, or that a browser shows beside us, must not reach a server that
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
