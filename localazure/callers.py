"""Who sends a request: the caller of the local Azure, who may do everything, or a workload identity, by its token."""

from __future__ import annotations

from dataclasses import dataclass

from localazure import identity


class ExpiredToken(Exception):
    """The token of a workload identity has ended; other tokens are not looked at."""


@dataclass(frozen=True)
class Workload:
    """A user-assigned identity that a client assertion proved; its role assignments decide what it may do."""

    client_id: str
    object_id: str


def workload_of(token: str, secret: str, now: float) -> Workload | None:
    """The workload identity that a bearer token names; None for every other token: it is the caller's.

    Raises ExpiredToken, so that a workload's old token is not taken for the caller's.
    """
    claims = identity.read_token(token, secret)
    if claims is None or "appid" not in claims or claims.get("oid") == identity.CALLER_OBJECT_ID:
        return None
    if claims.get("exp", 0) <= now:
        raise ExpiredToken
    return Workload(str(claims["appid"]), str(claims["oid"]))


def bearer_token(authorization: str) -> str:
    """The token in a header `Authorization`; empty without one."""
    scheme, _, token = authorization.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""
