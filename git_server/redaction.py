"""Leaves secret values out of what goes into comments, issues and summaries. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

HIDDEN = "[hidden]"
SECRET_VARIABLES = (
    *("GITHUB_TOKEN", "ACTIONS_ID_TOKEN_REQUEST_TOKEN", "SYSTEM_ACCESSTOKEN", "PULUMI_ACCESS_TOKEN"),
    *("PULUMI_CONFIG_PASSPHRASE", "AZURE_CLIENT_SECRET", "ARM_CLIENT_SECRET", "AZURE_CLIENT_CERTIFICATE_PASSWORD"),
    *("AZURE_STORAGE_KEY", "AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "ARM_OIDC_TOKEN"),
)
LEAST_LENGTH = 4
"""Shorter values, such as `1` or `on`, occur in every text and tell nothing."""


def secrets_in(variables: Mapping[str, str]) -> tuple[str, ...]:
    """Return the values of variables that hold a secret; also the header by which git signs in (git_access.py)."""
    headers = [value for name, value in variables.items() if name.startswith("GIT_CONFIG_VALUE_")]
    tokens = [value.split()[-1] for value in headers if value.upper().startswith("AUTHORIZATION: ")]
    return (*(variables[name] for name in SECRET_VARIABLES if variables.get(name)), *tokens)


def redacted(text: str, values: Iterable[str]) -> str:
    """Return the text without these values; the longest goes first, because it may hold another one."""
    for value in sorted({value.strip() for value in values}, key=len, reverse=True):
        if len(value) >= LEAST_LENGTH:
            text = text.replace(value, HIDDEN)
    return text
