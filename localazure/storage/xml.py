"""Writes and reads XML bodies of the blob service with the standard library. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import formatdate
from typing import Any
from xml.etree import ElementTree
from xml.sax.saxutils import escape, quoteattr

from localazure.storage.errors import BlobError, not_emulated

_HEAD = '<?xml version="1.0" encoding="utf-8"?>'
_UNPRINTABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")

Blob = tuple[str, dict[str, Any]]


def list_containers_xml(
    endpoint: str, query: Mapping[str, str], page: tuple[list[Blob], str], with_metadata: bool
) -> str:
    containers, next_marker = page
    items = "".join(
        f"<Container><Name>{_text(name)}</Name><Properties>{_stamp(document)}<LeaseStatus>unlocked</LeaseStatus>"
        f"<LeaseState>available</LeaseState></Properties>{_metadata(document, with_metadata)}</Container>"
        for name, document in containers
    )
    body = f"{_echoed(query)}<Containers>{items}</Containers><NextMarker>{_text(next_marker)}</NextMarker>"
    return f"{_HEAD}<EnumerationResults ServiceEndpoint={quoteattr(endpoint)}>{body}</EnumerationResults>"


def list_blobs_xml(
    endpoint: str,
    container: str,
    query: Mapping[str, str],
    page: tuple[list[Blob], list[str], str],
    with_metadata: bool,
) -> str:
    blobs, folders, next_marker = page
    entries = [(name, _blob(name, document, with_metadata)) for name, document in blobs]
    entries += [(name, f"<BlobPrefix><Name>{_text(name)}</Name></BlobPrefix>") for name in folders]
    items = "".join(text for _, text in sorted(entries))
    head = f"ServiceEndpoint={quoteattr(endpoint)} ContainerName={quoteattr(container)}"
    marker = f"<NextMarker>{_text(next_marker)}</NextMarker>"
    return f"{_HEAD}<EnumerationResults {head}>{_echoed(query)}<Blobs>{items}</Blobs>{marker}</EnumerationResults>"


def block_list_ids(body: bytes) -> list[str]:
    """Ids of a block list in order. Only uncommitted blocks can be joined here."""
    if b"<!DOCTYPE" in body or b"<!ENTITY" in body:
        raise BlobError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.")
    try:
        root = ElementTree.fromstring(body)
    except ElementTree.ParseError as exc:
        raise BlobError(400, "InvalidXmlDocument", "XML specified is not syntactically valid.") from exc
    ids = []
    for element in root:
        if element.tag not in ("Latest", "Uncommitted"):
            raise not_emulated(f"A block list with <{element.tag}> entries")
        ids.append(element.text or "")
    return ids


def _blob(name: str, document: dict[str, Any], with_metadata: bool) -> str:
    content_type = document["headers"].get("Content-Type", "application/octet-stream")
    properties = (
        f"<Creation-Time>{formatdate(document['created'], usegmt=True)}</Creation-Time>{_stamp(document)}"
        f"<Content-Length>{document['size']}</Content-Length><Content-Type>{_text(content_type)}</Content-Type>"
        f"<Content-MD5>{document['md5']}</Content-MD5><BlobType>BlockBlob</BlobType>"
        "<LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState><ServerEncrypted>true</ServerEncrypted>"
    )
    shown = _metadata(document, with_metadata)
    return f"<Blob><Name>{_text(name)}</Name><Properties>{properties}</Properties>{shown}</Blob>"


def _metadata(document: dict[str, Any], wanted: bool) -> str:
    if not wanted:
        return ""
    items = "".join(f"<{key}>{_text(value)}</{key}>" for key, value in document["metadata"].items())
    return f"<Metadata>{items}</Metadata>"


def _echoed(query: Mapping[str, str]) -> str:
    tags = (("prefix", "Prefix"), ("marker", "Marker"), ("maxresults", "MaxResults"), ("delimiter", "Delimiter"))
    return "".join(f"<{tag}>{_text(query[key])}</{tag}>" for key, tag in tags if key in query)


def _stamp(document: dict[str, Any]) -> str:
    modified = formatdate(document["modified"], usegmt=True)
    return f"<Last-Modified>{modified}</Last-Modified><Etag>{_text(document['etag'].strip(chr(34)))}</Etag>"


def _text(value: str) -> str:
    return escape(_UNPRINTABLE.sub("", value))
