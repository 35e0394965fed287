"""Compares a recorded answer with ours: status, headers, every leaf of the body. Pure.

Both sides are first written in one alphabet: placeholders of the recordings, hosts, GUIDs, times and signatures become
the same words. What remains different is a difference, named by where it is, so that a deviation can be listed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Headers that the recordings keep; others were cut from them.
KEPT_HEADERS = (
    "Azure-AsyncOperation",
    "Location",
    "Retry-After",
    "x-ms-async-operation-timeout",
    "x-ms-failure-cause",
    "azureml-model-deployment",
    "x-ms-run-function-failed",
)
# Leaves that the service chooses at will: the kind of value has to be the same, not the value.
FREE = {"createdBy", "lastModifiedBy", "expiryTimeUtc", "refreshAfterTimeUtc", "content"}
_MASKED = "***"
_GUID = r"[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}"
_WORDS = (
    # Hosts: every name of Azure's is the one local address here.
    (r"https://([\w-]+)\.[\w-]+\.inference\.ml\.azure\.com", r"<host>/endpoints/\1"),
    (r"https://management\.azure\.com|https://[\w-]+\.api\.azureml\.ms|https://ml\.azure\.com", "<host>"),
    (r"https://storage\.blob\.core\.windows\.net(:443)?", "<host>/storage"),
    (r"azureml://[\w-]+\.api\.azureml\.ms", "azureml://<host>"),
    # The signature of operation URLs, and of shared access.
    (r"&t=[^&]*&c=[^&]*&s=[^&]*&h=[^&]*", "<signature>"),
    (r"\?(<sas>|s[a-z]=.*sig=.*)", "?<shared access>"),
    (rf"[0-9a-f]{{8}}-b-{_GUID}", "<upload>"),
    (_GUID, "<guid>"),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00)", "<time>"),
    (r"(?<![0-9a-f])[0-9a-f]{32}(?![0-9a-f])", "<hex32>"),
    (r"(?<![0-9a-f])[0-9a-f]{16}(?![0-9a-f])", "<hex16>"),
)


@dataclass(frozen=True)
class Difference:
    """One place where the answers differ. `where` is `status`, `header X` or `body.a.b[0].c`."""

    where: str
    recorded: Any
    answered: Any

    def __str__(self) -> str:
        return f"{self.where}: recorded {self.recorded!r}, answered {self.answered!r}"


class Alphabet:
    """Writes texts of both sides in the same words."""

    def __init__(self, placeholders: Mapping[str, str], base_url: str) -> None:
        self._placeholders = placeholders
        self._base_url = base_url

    def fill(self, value: Any) -> Any:
        """A recorded value with this installation's names in place of the placeholders."""
        if isinstance(value, dict):
            return {self.fill(key): self.fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.fill(item) for item in value]
        if isinstance(value, str):
            for placeholder, name in self._placeholders.items():
                value = value.replace(placeholder, name)
        return value

    def write(self, text: str) -> str:
        text = text.replace(self._base_url, "<host>")
        text = text.replace("azureml://" + self._base_url.removeprefix("https://"), "azureml://<host>")
        for pattern, word in _WORDS:
            text = re.sub(pattern, word, text)
        return text


def compare(
    alphabet: Alphabet, recorded: Mapping[str, Any], status: int, headers: Mapping[str, str], body: Any
) -> list[Difference]:
    """Every difference between a recorded response and ours."""
    differences = []
    if recorded["status"] != status:
        differences.append(Difference("status", recorded["status"], status))
    expected = {name.lower(): value for name, value in recorded["headers"].items()}
    given = {name.lower(): value for name, value in headers.items()}
    for name in KEPT_HEADERS:
        one, other = expected.get(name.lower()), given.get(name.lower())
        if one is None and other is None:
            continue
        if one is None or other is None or alphabet.write(alphabet.fill(one)) != alphabet.write(other):
            differences.append(Difference(f"header {name}", one, other))
    differences += _compare_values(alphabet, "body", alphabet.fill(recorded["body"]), body)
    return differences


def _compare_values(alphabet: Alphabet, where: str, one: Any, other: Any) -> list[Difference]:
    if isinstance(one, dict) and isinstance(other, dict):
        differences = []
        written = {alphabet.write(key): value for key, value in other.items()}
        for key, value in {alphabet.write(key): value for key, value in one.items()}.items():
            if key not in written:
                differences.append(Difference(f"{where}.{key}", value, "(absent)"))
            else:
                differences += _compare_values(alphabet, f"{where}.{key}", value, written.pop(key))
        return differences + [Difference(f"{where}.{key}", "(absent)", value) for key, value in written.items()]
    if isinstance(one, list) and isinstance(other, list):
        if len(one) != len(other):
            return [Difference(f"{where}.length", len(one), len(other))]
        pairs = enumerate(zip(one, other, strict=True))
        return [d for i, (a, b) in pairs for d in _compare_values(alphabet, f"{where}[{i}]", a, b)]
    return [] if _same_leaf(alphabet, where.rpartition(".")[2], one, other) else [Difference(where, one, other)]


def _same_leaf(alphabet: Alphabet, name: str, one: Any, other: Any) -> bool:
    if type(one) is not type(other):
        return False
    if isinstance(one, str):
        if one == _MASKED:
            return bool(other)
        if name in FREE:
            return bool(one) == bool(other)
        return alphabet.write(one) == alphabet.write(other)
    return bool(one == other or name in FREE)
