"""Errors of the blob service: an XML body and the code again in `x-ms-error-code`."""

from __future__ import annotations

from xml.sax.saxutils import escape


class BlobError(Exception):
    """One refusal; codes are the service's own, messages are short forms of its texts."""

    def __init__(self, status: int, code: str, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.headers = {"x-ms-error-code": code, **(headers or {})}

    def body(self) -> bytes:
        text = f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message></Error>"
        return b'<?xml version="1.0" encoding="utf-8"?>' + text.encode()


def container_not_found() -> BlobError:
    return BlobError(404, "ContainerNotFound", "The specified container does not exist.")


def blob_not_found() -> BlobError:
    return BlobError(404, "BlobNotFound", "The specified blob does not exist.")


def not_emulated(what: str) -> BlobError:
    return BlobError(501, "NotEmulated", f"{what} is not emulated by the local Azure.")
