"""HTTP/1.1 answers as bytes: the head, and a body taken out of its framing. Strict, and without any I/O."""

from __future__ import annotations

import re

HEAD_LIMIT = 64 * 1024
_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110, 5.6.2
_CONTROL = re.compile(rb"[\x00-\x08\x0a-\x1f\x7f]")
_STATUS_LINE = re.compile(rb"HTTP/1\.[01] (\d{3})(?: ([^\r\n]*))?")


class Body:
    """Takes a body out of its framing: counted (`left`), until close, or chunked."""

    def __init__(self, left: int | None, chunked: bool) -> None:
        self.length = left
        self.until_close = left is None and not chunked
        self._left = left
        self._chunked = chunked
        self._buffer = bytearray()
        self._chunk_left = 0
        self._trailers = False

    def feed(self, data: bytes) -> tuple[bytes, bool]:
        """The payload in `data`, and whether it was the end."""
        if self._chunked:
            return self._feed_chunked(data)
        if self._left is None:
            return data, False
        payload = data[: self._left]
        self._left -= len(payload)
        return payload, self._left == 0

    def _feed_chunked(self, data: bytes) -> tuple[bytes, bool]:
        self._buffer += data
        payload = bytearray()
        while True:
            if self._chunk_left > 0:
                # A chunk is followed by CRLF, which is counted with it and cut off.
                part = bytes(self._buffer[: self._chunk_left])
                del self._buffer[: len(part)]
                before, self._chunk_left = self._chunk_left, self._chunk_left - len(part)
                payload += part[: max(0, before - 2)]
                if self._chunk_left > 0:
                    return bytes(payload), False
            end = self._buffer.find(b"\r\n")
            if end < 0:
                if len(self._buffer) > HEAD_LIMIT:
                    raise ValueError("a chunk's size line is too long")
                return bytes(payload), False
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 2]
            if self._trailers:
                if not line:
                    return bytes(payload), True
                continue
            size = int(line.partition(b";")[0].strip() or b"x", 16)
            if size < 0:
                raise ValueError("negative chunk size")
            if size == 0:
                self._trailers = True
            else:
                self._chunk_left = size + 2


def parse_head(head: bytes) -> tuple[int, list[tuple[bytes, bytes]]]:
    """Status and headers; ValueError for what could not be passed on to a caller as it is."""
    first, *lines = head.split(b"\r\n")
    matched = _STATUS_LINE.fullmatch(first)
    if matched is None:
        raise ValueError(f"status line {first[:80]!r}")
    headers = []
    for line in lines:
        name, colon, value = line.partition(b":")
        if not colon or _TOKEN.fullmatch(name) is None or _CONTROL.search(value) is not None:
            raise ValueError(f"header line {line[:80]!r}")
        headers.append((name, value.strip()))
    return int(matched[1]), headers


def body_of(status: int, headers: list[tuple[bytes, bytes]]) -> Body:
    """How the body of an answer is framed (RFC 9112, 6.3); ValueError when that is ambiguous."""
    lengths = {value for name, value in headers if name.lower() == b"content-length"}
    codings = [value.lower() for name, value in headers if name.lower() == b"transfer-encoding"]
    if status in (204, 304):
        return Body(0, chunked=False)
    if codings:
        if codings != [b"chunked"]:
            raise ValueError(f"transfer encoding {codings!r}")
        return Body(None, chunked=True)
    if len(lengths) > 1 or any(not value.isdigit() for value in lengths):
        raise ValueError(f"content length {sorted(lengths)!r}")
    return Body(int(lengths.pop()), chunked=False) if lengths else Body(None, chunked=False)
