"""Decides whether a caller may score. Compares keys in constant time and never writes them anywhere."""

from __future__ import annotations

import hashlib
import hmac

from localazure.scoring.replies import Refusal
from localazure.scoring.specification import EndpointRouting

# Both messages come from public reports of users. Which one Azure returns for a missing header is not verified.
_DENIED = "key_auth_access_denied"
_BAD_HEADER = "key_auth_bad_header_forbidden"


def check(routing: EndpointRouting, header: str | None) -> None:
    """Raise `Refusal` unless the Authorization header opens the endpoint."""
    scheme, _, credential = (header or "").strip().partition(" ")
    credential = credential.strip()
    if scheme.lower() != "bearer" or not credential:
        raise Refusal(401, _BAD_HEADER)
    if routing.auth_mode.lower() == "key":
        if not _is_key(routing, credential):
            raise Refusal(401, _DENIED)
    elif routing.accepts_token is None:
        mode = routing.auth_mode
        raise Refusal(501, f"NotEmulated: endpoints with auth mode {mode} cannot be called on this local Azure yet.")
    elif not routing.accepts_token(credential):
        raise Refusal(401, "token_auth_access_denied")


def _is_key(routing: EndpointRouting, credential: str) -> bool:
    # Digests have one length and both keys are always compared, so the time reveals nothing about the key.
    given = _digest(credential)
    matches = [
        bool(key) & hmac.compare_digest(given, _digest(key)) for key in (routing.primary_key, routing.secondary_key)
    ]
    return any(matches)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).digest()
