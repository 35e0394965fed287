"""Release documents: what one content is, written down once, so that a stack can serve it whatever the folder says.

`models/<model>/releases/<16 hex>.json` is named after the digest of its content. The digests of model, code and
environment in that content follow from the file lists and the environment beside it, so an edit of any of them is
found without the files. A document is never changed. This module reads and writes documents; `models/pin.py` makes a
deployment of one, `delivery/releases/freeze.py` makes one of a folder.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from models.atomic_write import replace_file
from models.content import RELEASES_FOLDER
from models.errors import ReleaseError
from models.release_check import problems_of
from strict_json import read_json

SHORT = 16
"""So many hexadecimal digits of a content name its files."""
FORMAT = 1
"""Raised when a document means something else; a reader refuses what it does not know."""
RESTORE = "Restore it from the repository (git checkout): a release document is never edited."

Part = Literal["model", "code"]
PARTS: tuple[Part, ...] = ("model", "code")


@dataclass(frozen=True, kw_only=True)
class FileEntry:
    """One file of the model or of the code."""

    path: str  # relative to that model or code, POSIX; of a single file its name
    size: int  # bytes
    sha256: str  # 64 hex digits
    part: Part


@dataclass(frozen=True, kw_only=True)
class Place:
    """A local model or code: the name under which it is mounted, and where its files are."""

    name: str
    path: str  # relative to the model's folder, POSIX; may begin with ../
    is_file: bool = False  # a single file; False: a folder


@dataclass(frozen=True, kw_only=True)
class Environment:
    """An inline environment, except its conda file."""

    image: str
    name: str | None
    inference_config: Mapping[str, Any] | None


@dataclass(frozen=True, kw_only=True)
class ReleaseDocument:
    """One content and where its bytes come from."""

    model: str
    """The model's folder, which is the endpoint's key in the stack file."""
    content: str
    """Content digest, 64 hex digits: of `settings`."""
    settings: Mapping[str, Any]
    """What the content digest covers (`models/spec.py: content_of`); model, code and environment by their digests."""
    conda: str | None
    """The conda file as azure-ai-ml sends it; None without one."""
    files: tuple[FileEntry, ...]
    """Every file of model and code, model first, in the order of their paths."""
    commit: str
    """The commit whose tree has these bytes, 40 hex digits (64 in a repository with SHA-256)."""
    places: Mapping[Part, Place] = field(default_factory=dict)
    """Of the local model and code; a reference to a registry has none."""
    environment: Environment | None = None
    """None: a reference, or no environment."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """What the az ml file says besides the content, and the stack file may override: `instance_type`,
    `instance_count`, `autoscale`, `tags`, and the rest of the request `body`."""

    @property
    def short(self) -> str:
        """The 16 digits that name the content's files and stand in tags and pins."""
        return self.content[:SHORT]

    @property
    def path(self) -> str:
        """Where the document is, relative to the project's folder."""
        return f"models/{self.model}/{RELEASES_FOLDER}/{self.short}.json"

    def files_of(self, part: Part) -> tuple[FileEntry, ...]:
        """The files of the model or of the code."""
        return tuple(entry for entry in self.files if entry.part == part)

    def text(self) -> str:
        """The document as JSON: keys sorted, ASCII, ends with a line end."""
        values: dict[str, Any] = {
            "format": FORMAT,
            "model": self.model,
            "content": self.content,
            "settings": self.settings,
            "conda": self.conda,
            "files": [vars(entry) for entry in self.files],
            "commit": self.commit,
            "places": {part: vars(place) for part, place in self.places.items()},
            "environment": vars(self.environment) if self.environment else None,
            "defaults": self.defaults,
        }
        return json.dumps(values, indent=2, sort_keys=True) + "\n"


def document_path(root: Path, model: str, digits: str) -> Path:
    """Return the file of a content; `root` is the project's folder, `digits` are 16 or more of the content digest."""
    return root / "models" / model / RELEASES_FOLDER / f"{digits[:SHORT]}.json"


def read(root: Path, model: str, digits: str) -> ReleaseDocument:
    """Return the document of a content; `root` is the project's folder, `digits` are 16 to 64 of the content digest.

    Raises ReleaseError with everything that is wrong with it.
    """
    return read_in(root / "models" / model, digits)


def read_in(folder: Path, digits: str) -> ReleaseDocument:
    """Return the document of a content in a model's folder. Raises ReleaseError."""
    model = folder.name
    path = folder / RELEASES_FOLDER / f"{digits[:SHORT]}.json"
    where = f"models/{model}/{RELEASES_FOLDER}/{path.name}"
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError as error:
        there = sorted(one.stem for one in path.parent.glob("*.json"))
        raise ReleaseError(
            f"there is no release document {where}",
            [f"known contents: {', '.join(there) or 'none'}"],
            f"Correct the pin, restore the document, or write it with `sluice release freeze {model} <colour>`.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"{where} cannot be read", [str(error)], RESTORE) from error
    document = parse(text, where, model=model)
    if not document.content.startswith(digits):
        raise ReleaseError(
            f"{where} is another content", [f"{digits} was asked for, it has {document.content}"], "Correct the pin."
        )
    return document


def parse(text: str, where: str, *, model: str) -> ReleaseDocument:
    """Return the document in a file's text, checked; `where` is its path, `model` its folder. Raises ReleaseError."""
    try:
        document = _document(read_json(text))
    except ValueError as error:
        raise ReleaseError(f"{where} is not a release document", [str(error)], RESTORE) from error
    reasons = list(problems_of(document))
    if document.model != model:
        reasons.append(f"it is of model {document.model}, not of {model}")
    if PurePosixPath(where).name != f"{document.short}.json":
        reasons.append(f"its content {document.content} does not begin with its file's name")
    if reasons:
        raise ReleaseError(f"{where} is not a valid release document", reasons, RESTORE)
    return document


def write(root: Path, document: ReleaseDocument) -> bool:
    """Write a document; False if its content has one already, which stays as it is.

    Raises ReleaseError if the document, or the one that is there, is invalid or cannot be written.
    """
    if reasons := list(problems_of(document)):
        raise ReleaseError(f"{document.path} was not written: it is not a valid release document", reasons, "")
    path = root / document.path
    if path.exists():
        read(root, document.model, document.content)
        return False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, document.text())
        path.chmod(0o644)
    except OSError as error:
        raise ReleaseError(
            f"{document.path} cannot be written", [str(error)], "Free space or fix its permissions."
        ) from error
    return True


def _document(values: Any) -> ReleaseDocument:
    """Return a document of parsed JSON. Raises ValueError with the reason."""
    if isinstance(values, dict) and "format" in values and values["format"] is not FORMAT:
        raise ValueError(f"format {values['format']!r} is not known to this version ({FORMAT})")
    _require_keys(values, "it", {"format", *ReleaseDocument.__dataclass_fields__})
    if not isinstance(values["files"], list):
        raise ValueError(f"files must be a list, got {json.dumps(values['files'])}")
    for name in ("settings", "places", "defaults"):
        if not isinstance(values[name], dict):
            raise ValueError(f"{name} must be a mapping, got {json.dumps(values[name])}")
    return ReleaseDocument(
        model=_text(values["model"]),
        content=_text(values["content"]),
        settings=values["settings"],
        conda=_text_or_none(values["conda"]),
        files=tuple(map(_file_entry, values["files"])),
        commit=_text(values["commit"]),
        places={_part(part): _place(place) for part, place in values["places"].items()},
        environment=None if values["environment"] is None else _environment(values["environment"]),
        defaults=values["defaults"],
    )


def _file_entry(values: Any) -> FileEntry:
    _require_keys(values, "an entry of files", FileEntry.__dataclass_fields__)
    return FileEntry(
        path=_text(values["path"]),
        size=_size(values["size"]),
        sha256=_text(values["sha256"]),
        part=_part(values["part"]),
    )


def _place(values: Any) -> Place:
    _require_keys(values, "an entry of places", Place.__dataclass_fields__)
    path = _text(values["path"])
    if "\0" in path:
        raise ValueError(f"a path is expected, got {json.dumps(path)}")
    return Place(name=_text(values["name"]), path=path, is_file=_flag(values["is_file"]))


def _environment(values: Any) -> Environment:
    _require_keys(values, "environment", Environment.__dataclass_fields__)
    return Environment(
        image=_text(values["image"]),
        name=_text_or_none(values["name"]),
        inference_config=values["inference_config"],
    )


def _require_keys(values: Any, what: str, names: Iterable[str]) -> None:
    """Raise ValueError unless the value is a mapping with exactly these keys."""
    if not isinstance(values, dict):
        raise ValueError(f"{what} must be a mapping, got {json.dumps(values)[:80]}")
    if missing := sorted({*names} - values.keys()):
        raise ValueError(f"{what} lacks {', '.join(missing)}")
    if unknown := sorted(values.keys() - {*names}):
        raise ValueError(f"{what} has the unknown keys {', '.join(unknown)}")


def _text_or_none(value: Any) -> str | None:
    return None if value is None else _text(value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"a string is expected, got {json.dumps(value)}")
    return value


def _size(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"a size in bytes is expected, got {json.dumps(value)}")
    return value


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"true or false is expected, got {json.dumps(value)}")
    return value


def _part(value: Any) -> Part:
    for part in PARTS:
        if value == part:
            return part
    raise ValueError(f"a part is model or code, got {json.dumps(value)}")
