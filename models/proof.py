"""Proofs: in which rollout a content ended well.

One line of canonical JSON each, in `models/<model>/releases/<16 hex>.proofs.jsonl` beside the release document of that
content. A line repeats what a rollout's record says, so that a reviewer and the program can read it offline; it proves
nothing by itself. `delivery/proofs/verification.py` compares it with the record on the remote branch. This module
reads the lines and makes the text of a file; it knows neither records nor git.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from models.content import RELEASES_FOLDER
from models.errors import ProofError
from strict_json import read_json

PROOFS_SUFFIX = ".proofs.jsonl"
SHORT = 16
"""So many hexadecimal digits of a content name its files."""
_DIGITS = {"head": 64, "content": 64, "deployment": SHORT}
"""Hexadecimal digits of each digest."""


@dataclass(frozen=True, kw_only=True)
class Proof:
    """What one rollout has proven about one content."""

    stack: str
    endpoint: str
    """Its key in the stack file, which is the model's folder."""
    rollout: str
    """Id of the rollout: its record is `rollouts/<stack>/<endpoint>/<rollout>.jsonl`."""
    head: str
    """SHA-256 of the record's `ended` line, 64 hex digits."""
    content: str
    """Content digest of the colour that was rolled out, 64 hex digits."""
    deployment: str
    """Its deployment digest in that stack, 16 hex digits as in the tag `sluice:release`."""
    requests: int
    """Requests to that colour that the evidence covers."""
    errors: int
    """Those of them that failed."""
    synthetic: bool
    """The rollout made its own load."""
    skipped_gates: tuple[str, ...] = ()
    """Gates whose evidence a person skipped with `sluice rollout promote`."""
    approvers: tuple[str, ...] = ()
    """Who approved steps, in the order of the steps."""

    @property
    def short(self) -> str:
        """The 16 digits that name the content's files."""
        return self.content[:SHORT]

    @property
    def record_path(self) -> str:
        """The record, relative to the folder of the stack file."""
        return f"rollouts/{self.stack}/{self.endpoint}/{self.rollout}.jsonl"

    def as_values(self) -> dict[str, Any]:
        """The proof as JSON values."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def line(self) -> str:
        """The proof as canonical JSON (keys sorted, no spaces, ASCII), without the line's end."""
        return json.dumps(self.as_values(), sort_keys=True, separators=(",", ":"))


def proofs_path(root: Path, model: str, content: str) -> Path:
    """Return the file of a content's proofs; `root` is the project's folder, `content` has 16 digits or more."""
    return root / "models" / model / RELEASES_FOLDER / f"{content[:SHORT]}{PROOFS_SUFFIX}"


def read_proofs(root: Path, model: str, content: str) -> tuple[Proof, ...]:
    """Return the proofs of a content, in the order of the file; none if there is no file.

    `root` is the project's folder, `content` has 16 digits or more. Raises ProofError with every line that is wrong.
    """
    path = proofs_path(root, model, content)
    where = path.relative_to(root).as_posix()
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise ProofError(f"{where} cannot be read: {error}. Restore it from the repository (git checkout).") from error
    return parse_proofs(text, where, content=content[:SHORT])


def stacks_with_proof(root: Path, model: str, pin: str) -> tuple[frozenset[str], str | None]:
    """Return the stacks that have proven what a pin names (16 to 64 digits), and why the file cannot be read, if so.

    `root` is the project's folder.
    """
    try:
        proofs = read_proofs(root, model, pin)
    except ProofError as error:
        return frozenset(), str(error)
    found = (proof.stack for proof in proofs if proof.content.startswith(pin) and proof.endpoint == model)
    return frozenset(found), None


def parse_proofs(text: str, where: str, *, content: str) -> tuple[Proof, ...]:
    """Return the proofs in a file's text; `where` is how messages call it, `content` its 16 digits.

    Raises ProofError with every line that is wrong.
    """
    proofs: list[Proof] = []
    wrong: list[str] = []
    lines = text.split("\n")
    if lines[-1] != "":
        wrong.append(f"line {len(lines)} has no end: it was cut off")
    for number, line in enumerate(lines[:-1], start=1):
        try:
            proof = _parse(line)
        except ValueError as error:
            wrong.append(f"line {number} {error}")
            continue
        if proof.short != content:
            wrong.append(f"line {number} is about the content {proof.short}, but the file's name says {content}")
        proofs.append(proof)
    if wrong:
        raise ProofError(
            f"{where} is not a file of proofs as `sluice promote` writes it: {'; '.join(wrong)}. Restore it from the "
            "repository (git checkout), or remove these lines and run `sluice promote` again."
        )
    return tuple(proofs)


def proofs_text(proofs: Iterable[Proof]) -> str:
    """Return the content of a file of proofs."""
    return "".join(f"{proof.line()}\n" for proof in proofs)


def _parse(line: str) -> Proof:
    """Return the proof of one line. Raises ValueError that continues "line 3 ..."."""
    try:
        values = read_json(line)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("it ")) from error
    names = [field.name for field in fields(Proof)]
    if not isinstance(values, dict) or set(values) != set(names):
        raise ValueError(f"must have exactly {', '.join(sorted(names))}")
    if reasons := [reason for name in names if (reason := _wrong(name, values[name])) is not None]:
        raise ValueError(", and ".join(reasons))
    proof = Proof(
        **{**values, "skipped_gates": tuple(values["skipped_gates"]), "approvers": tuple(values["approvers"])}
    )
    if proof.line() != line:
        raise ValueError("was edited: its keys or spaces are not as they were written")
    return proof


def _wrong(name: str, value: Any) -> str | None:
    """Say what is wrong with one value, or None."""
    shown = json.dumps(value)
    if name in _DIGITS:
        valid = isinstance(value, str) and re.fullmatch(rf"[0-9a-f]{{{_DIGITS[name]}}}", value) is not None
        return None if valid else f"{name} must have {_DIGITS[name]} hexadecimal digits, got {shown}"
    if name in ("requests", "errors"):
        valid = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        return None if valid else f"{name} must be a whole number from 0, got {shown}"
    if name == "synthetic":
        return None if isinstance(value, bool) else f"{name} must be true or false, got {shown}"
    if name in ("skipped_gates", "approvers"):
        valid = isinstance(value, list) and all(isinstance(one, str) for one in value)
        return None if valid else f"{name} must be a list of strings, got {shown}"
    # These are parts of a path on the remote branch: nothing in them may lead out of the folder of records.
    valid = isinstance(value, str) and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", value) is not None
    return None if valid else f"{name} must have letters, digits, dots, hyphens and underscores only, got {shown}"
