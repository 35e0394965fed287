"""Copy Blob: a blob copied to another name of its account, finished when the answer is sent.

Copies from another account or another host are refused: the local Azure sends no request to other servers. The
asynchronous form only (`x-ms-copy-source` without `x-ms-requires-sync`), which is what Pulumi's blob backend and
`start_copy_from_url` send. That a finished copy keeps the source's content headers, and its metadata unless the request
carries some, is documented ("Copy Blob", REST reference).
"""

from __future__ import annotations

import asyncio
import shutil
import uuid
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from aiohttp import web

from localazure.storage.access import Access, BlobAddress
from localazure.storage.accounts import Accounts
from localazure.storage.errors import BlobError, not_emulated
from localazure.storage.headers import check_write_conditions, read_metadata, stamp

SOURCE = "x-ms-copy-source"
_SOURCE_PREFIX = "x-ms-source-"
# With x-ms-blob-type the request is Put Blob From URL, with x-ms-requires-sync it is Copy Blob From URL.
_REFUSED = (
    *("x-ms-blob-type", "x-ms-requires-sync", "x-ms-copy-source-authorization", "x-ms-seal-blob"),
    "x-ms-rehydrate-priority",
)


class Copies:
    """Answers PUT requests that name a source in place of a body."""

    def __init__(self, accounts: Accounts, access: Access) -> None:
        self._accounts = accounts
        self._blobs = accounts.blobs
        self._access = access

    async def copy(self, request: web.Request, target: BlobAddress) -> web.Response:
        """Copy the blob that the header names; 202 with the state of the finished copy."""
        for name in request.headers:
            if name.lower() in _REFUSED or name.lower().startswith(_SOURCE_PREFIX):
                raise not_emulated(f"The header {name.lower()}")
        url = request.headers[SOURCE]
        source, query = self._source(url, target)
        self._access.check_source(request, source, query)
        self._blobs.container(*target.names[:2])
        self._blobs.path(*target.names)
        check_write_conditions(request, self._blobs.find(*target.names))
        document = self._blobs.properties(*source.names)
        upload = self._blobs.new_upload(*target.names[:2])
        try:
            await asyncio.to_thread(shutil.copyfile, self._blobs.path(*source.names), upload)
            # A writer may have replaced the source meanwhile: what was read must be what is described.
            if self._blobs.properties(*source.names)["etag"] != document["etag"]:
                raise BlobError(412, "SourceConditionNotMet", "The source blob changed while it was copied.")
        except FileNotFoundError:
            raise BlobError(412, "SourceConditionNotMet", "The source blob changed while it was copied.") from None
        except BaseException:
            upload.unlink(missing_ok=True)
            raise
        check_write_conditions(request, self._blobs.find(*target.names), upload)
        state: dict[str, Any] = {
            "id": str(uuid.uuid4()),
            "source": url.partition("?")[0],
            "ended": self._accounts.clock(),
        }
        kept = {"headers": document["headers"], "metadata": read_metadata(request) or document["metadata"]}
        made = self._blobs.commit_upload(
            *target.names, upload, document["size"], document["md5"], kept | {"copy": state}
        )
        answer = stamp(made) | {"x-ms-copy-id": str(state["id"]), "x-ms-copy-status": "success"}
        return web.Response(status=202, headers=answer)

    def _source(self, url: str, target: BlobAddress) -> tuple[BlobAddress, dict[str, str]]:
        """The blob that a URL names, and the URL's query. Raises BlobError 501 for another account or host."""
        parts = urlsplit(url)
        own_host = urlsplit(self._accounts.base_url).netloc
        account, _, path = parts.path.lstrip("/").partition("/")
        if parts.netloc.lower() == f"{target.account.name}.blob.{own_host}".lower():
            account, path = target.account.name, parts.path.lstrip("/")
        elif parts.netloc.lower() not in (own_host, own_host.replace("localhost", "127.0.0.1")):
            raise not_emulated(f"A copy from another host ({parts.netloc[:100]})")
        if account != target.account.name:
            raise not_emulated(f"A copy from another account ({account[:100]})")
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in ("snapshot", "versionid", "sharesnapshot"):
            if name in query:
                raise not_emulated(f"A copy from a {name}")
        container, _, blob = path.partition("/")
        try:
            names = unquote(container, errors="strict"), unquote(blob, errors="strict")
        except UnicodeDecodeError:
            names = "", ""
        if not all(names):
            raise BlobError(400, "InvalidHeaderValue", f"{SOURCE} does not name a blob: {url[:200]}")
        return BlobAddress(target.account, *names), query


def copy_headers(document: dict[str, Any]) -> dict[str, str]:
    """The state of the copy that made a blob; empty for a blob that was written otherwise."""
    state = document.get("copy")
    if state is None:
        return {}
    return {
        "x-ms-copy-id": state["id"],
        "x-ms-copy-source": state["source"],
        "x-ms-copy-status": "success",
        "x-ms-copy-progress": f"{document['size']}/{document['size']}",
        "x-ms-copy-completion-time": formatdate(state["ended"], usegmt=True),
    }
