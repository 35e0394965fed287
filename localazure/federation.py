"""Client assertions: whether an ID token of a pipeline proves to be a managed identity, as Microsoft Entra ID decides.

Issuer, subject and audience must equal one of the identity's federated credentials, exactly and case-sensitively. The
codes and the first sentences of the messages are those of public reports (Azure/login#482, #515, #517,
azure-workload-identity#1200, Azure/azure-cli#28708); where Entra fetches an issuer's keys, this local Azure has them
from `--oidc-issuer`. In which order Entra checks is not verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

_SKEW_SECONDS = 300.0
"""How far ahead an issuer's clock may be (documented for Entra's tokens; for assertions not verified)."""
_LINK = "https://learn.microsoft.com/entra/workload-id/workload-identity-federation"


class AssertionRefused(Exception):
    """An assertion that proves nothing; `code` is the number after AADSTS, 0 where only this local Azure refuses."""

    def __init__(self, code: int, text: str) -> None:
        super().__init__(f"AADSTS{code}: {text}" if code else text)
        self.code = code


@dataclass(frozen=True)
class FederatedCredential:
    """Whose ID tokens an identity accepts."""

    issuer: str
    subject: str
    audiences: tuple[str, ...]


def read_public_key(file: Path) -> RSAPublicKey:
    """The RSA key of an issuer, from a PEM file. Raises ValueError with what is wrong with the file."""
    try:
        key = load_pem_public_key(file.read_bytes())
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ValueError(f"{file} is not a public key in PEM form (BEGIN PUBLIC KEY)") from error
    if not isinstance(key, RSAPublicKey):
        raise ValueError(f"{file} is not an RSA key, which ID tokens of GitHub and Azure DevOps are signed with")
    return key


def is_federated(assertion: str, client_id: str) -> bool:
    """Whether an assertion comes from another issuer; one of the client's own is signed with its certificate."""
    try:
        claims = jwt.decode(assertion, options={"verify_signature": False})
    except jwt.PyJWTError:
        return True  # and so refused
    return claims.get("iss") != client_id


def check_assertion(
    assertion: str, credentials: Iterable[FederatedCredential], keys: Mapping[str, RSAPublicKey], now: float
) -> None:
    """Raise AssertionRefused unless the assertion proves one of the credentials at this time, in epoch seconds."""
    claims = _claims(assertion, keys)
    _check_times(claims, now)
    issuer, subject, audience = (str(claims.get(name, "")) for name in ("iss", "sub", "aud"))
    known = list(credentials)
    if not any(one.issuer == issuer for one in known):
        raise _unmatched(700211, f"issuer '{issuer}'")
    of_issuer = [one for one in known if one.issuer == issuer]
    matching = [one for one in of_issuer if one.subject == subject]
    if not matching and any(one.subject.lower() == subject.lower() for one in of_issuer):
        text = "The subject matches with case-insensitive comparison, but not with case-sensitive comparison."
        raise _unmatched(7002138, f"subject '{subject}'", text)
    if not matching:
        raise _unmatched(700213, f"subject '{subject}'")
    if not any(audience in one.audiences for one in matching):
        raise _unmatched(700212, f"audience '{audience}'")


def _claims(assertion: str, keys: Mapping[str, RSAPublicKey]) -> dict[str, Any]:
    try:
        issuer = str(jwt.decode(assertion, options={"verify_signature": False}).get("iss", ""))
    except jwt.PyJWTError:
        raise AssertionRefused(50027, "JWT token is invalid or malformed.") from None
    key = keys.get(issuer)
    if key is None:
        raise AssertionRefused(
            0,
            f"NotEmulated: the local Azure fetches no keys and knows none of the issuer '{issuer}'. Start it with "
            f"`sluice local start --oidc-issuer {issuer or 'URL'}=KEYFILE`.",
        )
    unchecked = {f"verify_{name}": False for name in ("aud", "exp", "iat", "iss", "nbf", "sub", "jti")}
    try:
        return dict(jwt.decode(assertion, key, algorithms=["RS256"], options=unchecked))  # type: ignore[arg-type] # keys
    except jwt.PyJWTError:
        raise AssertionRefused(700027, "Client assertion failed signature validation.") from None


def _check_times(claims: Mapping[str, Any], now: float) -> None:
    starts, ends = claims.get("nbf", claims.get("iat", 0)), claims.get("exp")
    if not isinstance(starts, int | float) or not isinstance(ends, int | float):
        raise AssertionRefused(50027, "JWT token is invalid or malformed.")
    if not starts - _SKEW_SECONDS <= now < ends:
        raise AssertionRefused(
            700024,
            f"Client assertion is not within its valid time range. Current time: {_time(now)}, assertion valid from "
            f"{_time(starts)}, expiry time of assertion {_time(ends)}.",
        )


def _time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _unmatched(code: int, what: str, more: str = "") -> AssertionRefused:
    return AssertionRefused(
        code,
        f"No matching federated identity record found for presented assertion {what}. {more}{' ' if more else ''}Check "
        f"your federated identity credential Subject, Audience and Issuer against the presented assertion. {_LINK}",
    )
