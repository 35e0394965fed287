"""Headers of the blob service: properties of a blob, conditions, ranges, metadata. Stateless."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate, parsedate_to_datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from localazure.storage.errors import BlobError

MAX_PAGE = 5000  # the service's limit
# Request header -> name under which it is stored and returned.
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
    found = {name[len(prefix) :]: value for name, value in request.headers.items() if name.lower().startswith(prefix)}
    if not all(name.isascii() and name.isidentifier() for name in found):
        # The rule and the code are documented (names are those of C# identifiers), the wording is ours.
        raise BlobError(400, "InvalidMetadata", "A metadata name has characters that are not permitted.")
    return found


def read_content_headers(request: web.Request) -> dict[str, str]:
    headers = {kept: request.headers[sent] for sent, kept in _CONTENT_HEADERS.items() if sent in request.headers}
    if "Content-Type" not in headers and request.headers.get("Content-Type"):
        headers["Content-Type"] = request.headers["Content-Type"]
    return headers


def read_page_size(query: Mapping[str, str]) -> int:
    wanted = query.get("maxresults", "")
    if not wanted:
        return MAX_PAGE
    if not (wanted.isascii() and wanted.isdigit() and len(wanted) < 10 and int(wanted)):
        text = "One of the query parameters specified in the request URI is outside the permissible range."
        raise BlobError(400, "OutOfRangeQueryParameterValue", text)
    return min(int(wanted), MAX_PAGE)


def wants_metadata(query: Mapping[str, str]) -> bool:
    return "metadata" in query.get("include", "").split(",")


def check_conditions(request: web.Request, document: dict[str, Any]) -> None:
    match = request.headers.get("If-Match")
    if match and match not in ("*", document["etag"]):
        raise _condition_not_met()
    # Times are compared in whole seconds, the precision of the header.
    unmodified_since = _moment(request, "If-Unmodified-Since")
    if unmodified_since is not None and int(document["modified"]) > unmodified_since:
        raise _condition_not_met()
    none_match = request.headers.get("If-None-Match")
    modified_since = _moment(request, "If-Modified-Since")
    same = none_match in ("*", document["etag"]) if none_match else False
    old = modified_since is not None and int(document["modified"]) <= modified_since
    if same or old:
        if request.method in ("GET", "HEAD"):
            raise BlobError(
                304, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met."
            )
        raise _condition_not_met()


def _moment(request: web.Request, name: str) -> float | None:
    text = request.headers.get(name)
    if text is None:
        return None
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        raise _bad_header() from None


def check_write_conditions(request: web.Request, document: dict[str, Any] | None, upload: Path | None = None) -> None:
    """As above for a blob that may not exist; drops the upload when the write is refused."""
    error: BlobError | None = None
    if request.headers.get("If-None-Match") == "*" and document is not None:
        error = BlobError(409, "BlobAlreadyExists", "The specified blob already exists.")
    elif document is None and request.headers.get("If-Match"):
        error = _condition_not_met()
    elif document is not None:
        try:
            check_conditions(request, document)
        except BlobError as refused:
            error = refused
    if error is not None:
        if upload is not None:
            upload.unlink(missing_ok=True)
        raise error


def _condition_not_met() -> BlobError:
    return BlobError(412, "ConditionNotMet", "The condition specified using HTTP conditional header(s) is not met.")


def _bad_header() -> BlobError:
    return BlobError(400, "InvalidHeaderValue", "The value for one of the HTTP headers is not in the correct format.")


def read_range(request: web.Request, size: int) -> tuple[int, int, bool]:
    """Start, end (exclusive) and whether the request has a range."""
    text = request.headers.get("x-ms-range") or request.headers.get("Range")
    if not text:
        return 0, size, False
    first, _, last = text.removeprefix("bytes=").partition("-")
    if not first.isdigit() or (last and not last.isdigit()):
        raise _bad_header()
    start, end = int(first), min(int(last) + 1, size) if last else size
    if start >= size or end <= start:
        message = "The range specified is invalid for the current size of the resource."
        raise BlobError(416, "InvalidRange", message, {"Content-Range": f"bytes */{size}"})
    return start, end, True
