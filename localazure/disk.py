"""Recognises a full disk and reports it to clients. Reads continue; writes are refused."""

from __future__ import annotations

import errno
import sqlite3

from localazure.errors import ArmError


def is_full(error: BaseException) -> bool:
    """Whether an exception means that the disk, or the user's quota on it, is full."""
    if isinstance(error, sqlite3.Error):
        return getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
    return isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)


def disk_full() -> ArmError:
    """The refusal of a write. Azure has no such error; its clients do not retry 507 and cannot mistake it."""
    text = (
        "The disk that holds the local Azure's home is full, so nothing was written. Free space and send the request "
        "again. This is an error of the local Azure, not one of Azure."
    )
    return ArmError("LocalDiskFull", text, status=507)
