"""Which tests prove what the coverage page says: read from the tests' source, without running or importing them.

    @pytest.mark.proves("onlineEndpoints", honours=["properties.traffic"], refuses=["name"], client="MLClient")
    @pytest.mark.proves("onlineEndpoints", drives=["get", "list", "PUT", "PATCH", "DELETE", "listKeys"], client=...)

The type may be the end of a type's name, if only one type has it; `*` means every type, `catalog` all types that the
program declares, `deletable` those of them that have a DELETE. `client` names the real client that the test
drives; without one, requests go into the control plane in the test's own process.
"""

from __future__ import annotations

import ast
import gc
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

CLIENTS = {
    "MLClient": "azure.ai.ml",
    "Pulumi engine": "pulumi",
    "azure-mgmt": "azure.mgmt",
    "azure-monitor-query": "azure.monitor.query",
    "azure-storage-blob": "azure.storage.blob",
    "HTTP": "requests",
}
"""Real clients -> a word that the test, or a file that it names, must contain."""
CLAIMS = frozenset({"honours", "refuses", "drives"})
_MARKER = "proves"


@dataclass(frozen=True, order=True)
class Proof:
    """One test and one thing that it proves."""

    arm_type: str
    claim: str
    """honours, refuses or drives"""
    field: str
    client: str
    test: str
    """`path::name`, the path below tests/."""


class ProofError(Exception):
    """A marker cannot be read; the message states where."""


def collect(tests: Path, types: Collection[str], groups: Mapping[str, Collection[str]] | None = None) -> list[Proof]:
    """Every proof below a folder; `groups` are names for several types. Raises ProofError for a marker with an
    unknown type or client."""
    known = {one: (one,) for one in types} | {name: tuple(group) for name, group in (groups or {}).items()}
    return sorted({proof for path in tests.rglob("test_*.py") for proof in _of_file(path, tests, known)})


def _of_file(path: Path, tests: Path, types: Mapping[str, Collection[str]]) -> Iterator[Proof]:
    text = path.read_text(encoding="utf-8")
    if _MARKER not in text:
        return
    for function in _parsed(text):
        if not isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        for marker in function.decorator_list:
            if isinstance(marker, ast.Call) and ast.unparse(marker.func) == f"pytest.mark.{_MARKER}":
                where = f"{path.relative_to(tests)}::{function.name}"
                yield from _of_marker(marker, where, types, path)


def _parsed(text: str) -> list[ast.AST]:
    # The parser of CPython 3.11 breaks when it is re-entered, for example by a finalizer that prints a traceback.
    gc.disable()
    try:
        return list(ast.walk(ast.parse(text)))
    finally:
        gc.enable()


def _of_marker(marker: ast.Call, where: str, types: Mapping[str, Collection[str]], path: Path) -> Iterator[Proof]:
    try:
        (named,) = [str(ast.literal_eval(argument)) for argument in marker.args]
        given = {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in marker.keywords}
    except ValueError as error:
        raise ProofError(f"{where}: a marker has one type and literal fields ({error}).") from error
    client = given.pop("client", "")
    if client and CLIENTS.get(client, "\0") not in _text_around(path):
        raise ProofError(f"{where}: nothing there drives {client!r}; clients are {', '.join(CLIENTS)}.")
    if not given or not set(given) <= CLAIMS:
        raise ProofError(f"{where}: a marker has one or more of honours, refuses, drives, got {sorted(given)}.")
    for arm_type in _full(named, types, where):
        for claim, paths in given.items():
            for field in paths:
                yield Proof(arm_type, claim, str(field), client, where)


def _full(named: str, types: Mapping[str, Collection[str]], where: str) -> Collection[str]:
    if named == "*":
        return (named,)
    end = re.compile(rf"(.*[/.])?{re.escape(named)}", re.IGNORECASE)
    found = [one for one in types if end.fullmatch(one)]
    if len(found) != 1:
        raise ProofError(f"{where}: {named!r} is the end of {len(found)} types: {', '.join(found) or 'none'}.")
    return types[found[0]]


def _text_around(path: Path) -> str:
    """The test's file, its folder's fixtures, and the scripts next to or below it that it names."""
    own = path.read_text(encoding="utf-8")
    beside = [one for one in path.parent.rglob("*.py") if one.name in own or one.name == "conftest.py"]
    return own + "".join(one.read_text(encoding="utf-8") for one in beside)
