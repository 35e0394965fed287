"""Service SAS of containers and blobs: signed here for uploads, checked here for requests.

The string to sign has the format of service versions 2020-12-06 and later, which every current client uses. Stored
access policies, account SAS, user delegation SAS and IP ranges are refused, not ignored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import quote, urlencode

from localazure.storage.errors import BlobError, not_emulated

VERSION = "2021-12-02"
_OLDEST = "2020-12-06"
_PLAIN_FIELDS = ("rscc", "rscd", "rsce", "rscl", "rsct")


def container_signature(account: str, container: str, key: str, until: float, permissions: str) -> str:
    """Query text of a SAS for one container."""
    expiry = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    query = {"sv": VERSION, "sr": "c", "sp": permissions, "se": expiry}
    return urlencode(query | {"sig": _sign(query, f"/blob/{account}/{container}", key)}, quote_via=quote)


def check_signature(
    query: Mapping[str, str], account: str, container: str, blob: str, keys: Sequence[str], now: float, needed: str
) -> None:
    """Raise BlobError unless the request's SAS is valid now and grants one of the permissions in `needed`."""
    if "skoid" in query or "ss" in query or query.get("si") or query.get("sip"):
        raise not_emulated("A SAS of this kind (account, user delegation, stored policy or IP range)")
    if query.get("sv", "") < _OLDEST:
        raise not_emulated(f"A SAS of service version {query.get('sv')}")
    kind = query.get("sr", "")
    if kind not in ("c", "b"):
        raise not_emulated(f"A SAS with sr={kind}")
    resource = f"/blob/{account}/{container}" + (f"/{blob}" if kind == "b" else "")
    given = query.get("sig", "")
    if not any(hmac.compare_digest(_sign(query, resource, key).encode(), given.encode()) for key in keys):
        raise _refused("Signature did not match.")
    if not _time(query.get("st")) <= now < _time(query.get("se"), missing=0):
        raise _refused("Signature not valid in the specified time frame.")
    if not set(needed) & set(query.get("sp", "")):
        code = "AuthorizationPermissionMismatch"
        raise BlobError(403, code, "This request is not authorized to perform this operation using this permission.")


def _sign(query: Mapping[str, str], resource: str, key: str) -> str:
    fields = [query.get("sp", ""), query.get("st", ""), query.get("se", ""), resource, query.get("si", "")]
    fields += [query.get("sip", ""), query.get("spr", ""), query.get("sv", ""), query.get("sr", "")]
    fields += ["", query.get("ses", "")]  # no snapshots
    fields += [query.get(name, "") for name in _PLAIN_FIELDS]
    digest = hmac.new(base64.b64decode(key), "\n".join(fields).encode(), hashlib.sha256).digest()
    return base64.b64encode(digest).decode()


def _time(text: str | None, missing: float = 0.0) -> float:
    if not text:
        return missing
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError as exc:
        raise _refused("The signature contains a time that cannot be parsed.") from exc
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _refused(why: str) -> BlobError:
    message = f"Server failed to authenticate the request. {why}"
    return BlobError(403, "AuthenticationFailed", message)
