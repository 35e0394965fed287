"""Headers of the blob service: what it answers about a blob, conditions, ranges, metadata. Keeps no state."""

from __future__ import annotations

from email.utils import formatdate
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.storage.errors import BlobError

# Request header -> name under which it is kept and answered.
_CONTENT_HEADERS = {
    "x-ms-blob-content-type": "Content-Type",
    "x-ms-blob-content-encoding": "Content-Encoding",
    "x-ms-blob-content-language": "Content-Language",
    "x-ms-blob-content-disposition": "Content-Disposition",
    "x-ms-blob-cache-control": "Cache-Control",
}


def stamp(document: dict[str, Any]) -> dict[str, str]:
    return {"ETag": document["etag"], "Last-Modified": formatdate(document["modified"], usegmt=True)}


def blob_headers(document: dict[str, Any]) -> dict[str, str]:
    headers: dict[str, str] = stamp(document) | {"Content-Type": "application/octet-stream"} | document["headers"]
    return (
        headers
        | metadata_headers(document)
        | {
            "Accept-Ranges": "bytes",
            "Content-MD5": document["md5"],
            "x-ms-blob-type": "BlockBlob",
            "x-ms-creation-time": formatdate(document["created"], usegmt=True),
            "x-ms-lease-state": "available",
            "x-ms-lease-status": "unlocked",
            "x-ms-server-encrypted": "true",
        }
    )


def metadata_headers(document: dict[str, Any]) -> dict[str, str]:
    return {f"x-ms-meta-{name}": value for name, value in document["metadata"].items()}


def read_metadata(request: web.Request) -> dict[str, str]:
    prefix = "x-ms-meta-"
    return {name[len(prefix) :]: value for name, value in request.headers.items() if name.lower().startswith(prefix)}


def read_content_headers(request: web.Request) -> dict[str, str]:
    headers = {kept: request.headers[sent] for sent, kept in _CONTENT_HEADERS.items() if sent in request.headers}
    if "Content-Type" not in headers and request.headers.get("Content-Type"):
        headers["Content-Type"] = request.headers["Content-Type"]
    return headers


def check_conditions(request: web.Request, document: dict[str, Any]) -> None:
    match = request.headers.get("If-Match")
    if match and match not in ("*", document["etag"]):
        raise _condition_not_met()
    none_match = request.headers.get("If-None-Match")
    if none_match and none_match in ("*", document["etag"]):
        if request.method in ("GET", "HEAD"):
            raise BlobError(
                304, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
            )
        raise _condition_not_met()


def check_write_conditions(request: web.Request, document: dict[str, Any] | None, upload: Path | None = None) -> None:
    """As above for a blob that may not exist; drops the upload when the write is refused."""
    error: BlobError | None = None
    if request.headers.get("If-None-Match") == "*" and document is not None:
        error = BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    match = request.headers.get("If-Match")
    if match and (document is None or match not in ("*", document["etag"])):
        error = _condition_not_met()
    if error is not None:
        if upload is not None:
            upload.unlink(missing_ok=True)
        raise error


def _condition_not_met() -> BlobError:
    return BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def read_range(request: web.Request, size: int) -> tuple[int, int, bool]:
    """Start, end (exclusive) and whether a part was asked for."""
    text = request.headers.get("x-ms-range") or request.headers.get("Range")
    if not text:
        return 0, size, False
    first, _, last = text.removeprefix("bytes=").partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise BlobError(
            400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format."
        )
    start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= size or end <= start:
        message = "The range specified is invalid for the current size of the resource."
        raise BlobError(416, "InvalidRange", message, {"Content-Range": f"bytes */{size}"})
    return start, end, True
