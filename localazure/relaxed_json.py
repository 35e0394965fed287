"""JSON as Resource Manager reads it in template deployments: with comments, and with unquoted keys. Pure.

az sends a template exactly as it is in its file, comments included, under the bare key `template` (JsonCTemplatePolicy
in azure-cli's resource module), so Resource Manager must accept that. All other requests must be strict JSON.
"""

from __future__ import annotations

import re

# Unclosed strings and comments extend to the end, so each character is read once, however hostile the text is.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|//[^\r\n]*|/\*.*?(?:\*/|\Z)|[A-Za-z_$][\w$]*', re.DOTALL)
_COLON = re.compile(r"\s*:")


def strict_json(text: str) -> str:
    """The same document without comments and with quoted keys. Otherwise invalid JSON stays invalid."""

    def replaced(match: re.Match[str]) -> str:
        token = match[0]
        if token.startswith("/"):
            return " "
        if token.startswith('"') or not _COLON.match(text, match.end()):
            return token
        return f'"{token}"'

    return _TOKEN.sub(replaced, text)
