"""The blob service over HTTP, as azure-storage-blob uses it: `https://localhost:<port>/<account>/<container>/<blob>`.

Block blobs only. Not emulated, and refused as such: append and page blobs, copies from other accounts, leases,
snapshots, versions, tags, batches, shared-key authorization and user delegation keys.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import uuid
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import unquote

from aiohttp import web

from localazure.storage.access import Access, BlobAddress
from localazure.storage.accounts import Accounts
from localazure.storage.blobs import BlobStore
from localazure.storage.copies import SOURCE, Copies, copy_headers
from localazure.storage.errors import BlobError, not_emulated
from localazure.storage.headers import (
    blob_headers,
    check_conditions,
    check_write_conditions,
    metadata_headers,
    read_content_headers,
    read_metadata,
    read_page_size,
    read_range,
    stamp,
    wants_metadata,
)
from localazure.storage.xml import block_list_ids, list_blobs_xml, list_containers_xml

MAX_UPLOAD_BYTES = 5000 << 20  # the service's limit for one PUT of a block blob
MAX_XML_BYTES = 16 << 20
_CHUNK = 1 << 18
# Headers and parameters whose effect on a blob or container is not emulated.
_REFUSED_HEADERS = (
    "x-ms-access-tier",
    "x-ms-blob-public-access",
    "x-ms-encryption-key",
    "x-ms-encryption-scope",
    "x-ms-if-tags",
    "x-ms-immutability-policy-until-date",
    "x-ms-lease-action",
    "x-ms-lease-id",
    "x-ms-legal-hold",
    "x-ms-structured-body",
    "x-ms-tags",
)
_REFUSED_QUERY = ("snapshot", "versionid")
Handler = Callable[[web.Request, BlobAddress], Awaitable[web.StreamResponse]]


class BlobService:
    """Answers requests whose first path segment is a storage account."""

    def __init__(self, accounts: Accounts) -> None:
        self._accounts = accounts
        self._blobs: BlobStore = accounts.blobs
        self._access = Access(accounts)
        self._copies = Copies(accounts, self._access)
        self._container_handlers: dict[tuple[str, str], Handler] = {
            ("PUT", ""): self._create_container,
            ("GET", ""): self._container_properties,
            ("HEAD", ""): self._container_properties,
            ("GET", "metadata"): self._container_properties,
            ("DELETE", ""): self._delete_container,
            ("GET", "list"): self._list_blobs,
            ("PUT", "metadata"): self._set_container_metadata,
        }
        self._blob_handlers: dict[tuple[str, str], Handler] = {
            ("PUT", ""): self._put_blob,
            ("PUT", "block"): self._put_block,
            ("PUT", "blocklist"): self._put_block_list,
            ("PUT", "metadata"): self._set_metadata,
            ("PUT", "properties"): self._set_properties,
            ("GET", ""): self._get_blob,
            ("GET", "metadata"): self._head_blob,
            ("HEAD", ""): self._head_blob,
            ("HEAD", "metadata"): self._head_blob,
            ("DELETE", ""): self._delete_blob,
        }

    async def handle(self, request: web.Request, account_name: str, path: str) -> web.StreamResponse:
        """One request; `path` is the escaped rest after the account."""
        try:
            container, _, blob = path.strip("/").partition("/")
            account = self._accounts.storage_account(account_name)
            if account is None:
                raise BlobError(404, "ResourceNotFound", f"There is no storage account named {account_name}.")
            target = BlobAddress(account, unquote(container), unquote(blob, errors="strict"))
            self._refuse_unknown(request)
            handler = self._handler(request, target)
            self._access.check(request, target)
            response = await handler(request, target)
        except BlobError as error:
            body = error.body() if request.method != "HEAD" else b""
            response = web.Response(
                status=error.status, body=body, headers=error.headers, content_type="application/xml"
            )
        except UnicodeDecodeError:
            response = web.Response(status=400, headers={"x-ms-error-code": "InvalidUri"})
        if not response.prepared:
            self._add_common_headers(request, response)
        return response

    def _add_common_headers(self, request: web.Request, response: web.StreamResponse) -> None:
        response.headers["x-ms-request-id"] = str(uuid.uuid4())
        response.headers["x-ms-version"] = request.headers.get("x-ms-version", "2021-12-02")
        if client_id := request.headers.get("x-ms-client-request-id"):
            response.headers["x-ms-client-request-id"] = client_id

    def _refuse_unknown(self, request: web.Request) -> None:
        for header in _REFUSED_HEADERS:
            if header in request.headers:
                raise not_emulated(f"The header {header}")
        for name in _REFUSED_QUERY:
            if name in request.query:
                raise not_emulated(f"The query parameter {name}")

    def _handler(self, request: web.Request, target: BlobAddress) -> Handler:
        kind, component = request.query.get("restype", ""), request.query.get("comp", "")
        found: Handler | None = None
        if SOURCE in request.headers:
            if not target.blob or (request.method, component, kind) != ("PUT", "", ""):
                raise not_emulated(f"The header {SOURCE} with {request.method} and comp={component!r}")
            found = self._copies.copy
        elif not target.container:
            found = self._list_containers if (request.method, component, kind) == ("GET", "list", "") else None
        elif not target.blob:
            found = self._container_handlers.get((request.method, component)) if kind == "container" else None
        elif not kind:
            found = self._blob_handlers.get((request.method, component))
        if found is None:
            raise not_emulated(f"{request.method} with restype={kind!r} comp={component!r}")
        return found

    # Containers

    async def _list_containers(self, request: web.Request, target: BlobAddress) -> web.Response:
        query = request.query
        page = self._blobs.list_containers(
            target.account.name, query.get("prefix", ""), query.get("marker", ""), read_page_size(query)
        )
        return _xml(list_containers_xml(self._endpoint(target), query, page, wants_metadata(query)))

    async def _create_container(self, request: web.Request, target: BlobAddress) -> web.Response:
        document = self._blobs.create_container(target.account.name, target.container, read_metadata(request))
        return web.Response(status=201, headers=stamp(document))

    async def _container_properties(self, request: web.Request, target: BlobAddress) -> web.Response:
        document = self._blobs.container(target.account.name, target.container)
        headers = stamp(document) | metadata_headers(document)
        headers |= {"x-ms-lease-status": "unlocked", "x-ms-lease-state": "available"}
        return web.Response(headers=headers)

    async def _set_container_metadata(self, request: web.Request, target: BlobAddress) -> web.Response:
        check_conditions(request, self._blobs.container(target.account.name, target.container))
        document = self._blobs.update_container(target.account.name, target.container, read_metadata(request))
        return web.Response(headers=stamp(document))

    async def _delete_container(self, request: web.Request, target: BlobAddress) -> web.Response:
        check_conditions(request, self._blobs.container(target.account.name, target.container))
        self._blobs.delete_container(target.account.name, target.container)
        return web.Response(status=202)

    async def _list_blobs(self, request: web.Request, target: BlobAddress) -> web.Response:
        query = request.query
        page = self._blobs.list_blobs(
            target.account.name,
            target.container,
            query.get("prefix", ""),
            query.get("delimiter", ""),
            query.get("marker", ""),
            read_page_size(query),
        )
        return _xml(list_blobs_xml(self._endpoint(target), target.container, query, page, wants_metadata(query)))

    def _endpoint(self, target: BlobAddress) -> str:
        return f"{self._accounts.base_url}/{target.account.name}/"

    # Reading blobs

    async def _head_blob(self, request: web.Request, target: BlobAddress) -> web.Response:
        document = self._blobs.properties(*target.names)
        check_conditions(request, document)
        length = document["size"] if request.method == "HEAD" else 0
        return web.Response(headers={**blob_headers(document), **copy_headers(document), "Content-Length": str(length)})

    async def _get_blob(self, request: web.Request, target: BlobAddress) -> web.StreamResponse:
        document = self._blobs.properties(*target.names)
        check_conditions(request, document)
        start, end, partial = read_range(request, document["size"])
        headers = blob_headers(document) | copy_headers(document)
        headers["Content-Length"] = str(end - start)
        if partial:
            headers["Content-Range"] = f"bytes {start}-{end - 1}/{document['size']}"
            headers["x-ms-blob-content-md5"] = document["md5"]
            headers.pop("Content-MD5", None)
            if request.headers.get("x-ms-range-get-content-md5", "").lower() == "true":
                headers["Content-MD5"] = await asyncio.to_thread(self._blobs.range_md5, *target.names, start, end)
        response = web.StreamResponse(status=206 if partial else 200, headers=headers)
        self._add_common_headers(request, response)
        path = self._blobs.path(*target.names)
        with path.open("rb") as file:
            await response.prepare(request)
            file.seek(start)
            left = end - start
            while left:
                chunk = file.read(min(_CHUNK, left))
                if not chunk:
                    break  # the blob was replaced meanwhile: the client sees a short body and tries again
                left -= len(chunk)
                await response.write(chunk)
        await response.write_eof()
        return response

    # Writing blobs

    async def _put_blob(self, request: web.Request, target: BlobAddress) -> web.Response:
        kind = request.headers.get("x-ms-blob-type", "")
        if kind != "BlockBlob":
            raise not_emulated(f"A blob of type {kind!r}")
        self._blobs.container(target.account.name, target.container)
        self._blobs.path(*target.names)
        check_write_conditions(request, self._blobs.find(*target.names))
        upload = self._blobs.new_upload(target.account.name, target.container)
        size, md5 = await self._receive(request, upload)
        check_write_conditions(request, self._blobs.find(*target.names), upload)
        return self._commit(request, target, upload, size, md5)

    async def _put_block(self, request: web.Request, target: BlobAddress) -> web.Response:
        self._blobs.container(target.account.name, target.container)
        path = self._blobs.block_path(*target.names, request.query.get("blockid", ""))
        upload = self._blobs.new_upload(target.account.name, target.container)
        _, md5 = await self._receive(request, upload)
        upload.replace(path)
        return web.Response(status=201, headers={"Content-MD5": md5, "x-ms-request-server-encrypted": "true"})

    async def _put_block_list(self, request: web.Request, target: BlobAddress) -> web.Response:
        if (request.content_length or 0) > MAX_XML_BYTES:
            raise BlobError(413, "RequestBodyTooLarge", "The request body is too large.")
        block_ids = block_list_ids(await request.content.read(MAX_XML_BYTES))
        check_write_conditions(request, self._blobs.find(*target.names))
        upload, size, md5 = await asyncio.to_thread(self._blobs.assemble, *target.names, block_ids)
        check_write_conditions(request, self._blobs.find(*target.names), upload)
        response = self._commit(request, target, upload, size, md5)
        self._blobs.discard_blocks(*target.names)
        return response

    async def _receive(self, request: web.Request, upload: Path) -> tuple[int, str]:
        """Write the request's body to a file; returns size and MD5. On failure it leaves no file behind."""
        digest, size = hashlib.md5(usedforsecurity=False), 0
        try:
            with upload.open("wb") as file:
                async for chunk in request.content.iter_chunked(_CHUNK):
                    size += len(chunk)
                    if size > MAX_UPLOAD_BYTES:
                        raise BlobError(413, "RequestBodyTooLarge", "The request body is too large.")
                    file.write(chunk)
                    digest.update(chunk)
            md5 = base64.b64encode(digest.digest()).decode()
            sent = request.headers.get("Content-MD5")
            if sent and sent != md5:
                raise BlobError(400, "Md5Mismatch", "The MD5 value specified in the request did not match the content.")
        except BaseException:
            upload.unlink(missing_ok=True)
            raise
        return size, md5

    def _commit(self, request: web.Request, target: BlobAddress, upload: Path, size: int, md5: str) -> web.Response:
        headers = {"metadata": read_metadata(request), "headers": read_content_headers(request)}
        document = self._blobs.commit_upload(*target.names, upload, size, md5, headers)
        answer = stamp(document) | {"Content-MD5": md5, "x-ms-request-server-encrypted": "true"}
        return web.Response(status=201, headers=answer)

    async def _set_metadata(self, request: web.Request, target: BlobAddress) -> web.Response:
        check_conditions(request, self._blobs.properties(*target.names))
        document = self._blobs.update(*target.names, {"metadata": read_metadata(request)})
        return web.Response(headers=stamp(document))

    async def _set_properties(self, request: web.Request, target: BlobAddress) -> web.Response:
        check_conditions(request, self._blobs.properties(*target.names))
        document = self._blobs.update(*target.names, {"headers": read_content_headers(request), "copy": None})
        return web.Response(headers=stamp(document))

    async def _delete_blob(self, request: web.Request, target: BlobAddress) -> web.Response:
        check_conditions(request, self._blobs.properties(*target.names))
        self._blobs.delete(*target.names)
        return web.Response(status=202, headers={"x-ms-delete-type-permanent": "true"})


def _xml(text: str) -> web.Response:
    return web.Response(body=text.encode(), content_type="application/xml")
