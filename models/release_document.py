"""Release documents: what one content is, written down once, so that a stack can serve it whatever the folder says.

`models/<model>/releases/<16 hex>.json` is named after the digest of its content. The digests of model, code and
environment in that content follow from the file lists and the environment beside it, so an edit of any of them is
found without the files. A document is never changed. This module reads and writes documents; `models/pin.py` makes a
deployment of one, `delivery/releases/freeze.py` makes one of a folder.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import yaml

from models.atomic_write import replace_file
from models.content import RELEASES_FOLDER
from models.errors import ReleaseError
from models.spec import AssetKind, asset_digest, digest_of, environment_digest

SHORT = 16
"""So many hexadecimal digits of a content name its files."""
FORMAT = 1
"""Raised when a document means something else; a reader refuses what it does not know."""
RESTORE = "Restore it from the repository (git checkout): a release document is never edited."

Part = Literal["model", "code"]
PARTS: tuple[Part, ...] = ("model", "code")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


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
        document = _document(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ReleaseError(f"{where} is not a release document", [reason], RESTORE) from error
    reasons = list(check(document))
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
    if reasons := list(check(document)):
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


def check(document: ReleaseDocument) -> Iterable[str]:
    """Yield everything that is wrong with a document, as ends of "it is invalid: ..."."""
    settings = document.settings
    if (found := digest_of(settings)) != document.content:
        yield f"its content says {document.content}, but its settings have the digest {found}"
    if settings.get("release") != 1:
        yield f"its settings are of the kind {settings.get('release')!r}, which this version does not know (1)"
    if not _COMMIT.fullmatch(document.commit):
        yield f"its commit must be a whole commit id, got {document.commit!r}"
    for part in PARTS:
        yield from _check_part(document, part)
    yield from _check_environment(document)
    yield from _check_defaults(document)


def _check_part(document: ReleaseDocument, part: Part) -> Iterable[str]:
    asset, place, entries = document.settings.get(part), document.places.get(part), document.files_of(part)
    if not isinstance(asset, Mapping) or "content" not in asset:
        if place is not None or entries:
            yield f"it lists files of the {part}, but its settings name none"
        return
    if place is None:
        yield f"it does not say where the files of the {part} are"
        return
    paths = [entry.path for entry in entries]
    yield from (
        f"it lists {path} of the {part} twice" for path in sorted({one for one in paths if paths.count(one) > 1})
    )
    yield from (f"{path!r} is not a path below the {part}" for path in paths if not _is_below(path))
    yield from (
        f"{entry.path} of the {part} has an invalid size or sha256"
        for entry in entries
        if not _SHA256.fullmatch(entry.sha256) or entry.size < 0
    )
    if asset_digest(AssetKind(part), place.name, {entry.path: entry.sha256 for entry in entries}) != asset["content"]:
        yield f"its files of the {part} do not have the digest that its settings name"


def _check_environment(document: ReleaseDocument) -> Iterable[str]:
    named, environment = document.settings.get("environment"), document.environment
    if not (isinstance(named, Mapping) and "content" in named):
        if environment is not None or document.conda is not None:
            yield "it has an inline environment, but its settings name none"
        return
    if environment is None:
        yield "its settings name an inline environment, but it has none"
        return
    try:
        conda = yaml.safe_load(document.conda) if document.conda else None
    except yaml.YAMLError:
        yield "its conda file is not YAML"
        return
    if environment_digest(environment.image, conda, environment.inference_config) != named["content"]:
        yield "its environment (image, conda, inference_config) does not have the digest that its settings name"


def _check_defaults(document: ReleaseDocument) -> Iterable[str]:
    """The part that no digest covers, so its shape is checked: a deployment is made of it."""
    defaults = document.defaults
    kinds = {"body": dict, "instance_type": str, "instance_count": int, "tags": dict, "autoscale": dict | None}
    for name, kind in kinds.items():
        if name not in defaults or not isinstance(defaults[name], kind):
            yield f"its defaults have no valid {name}"
    autoscale = defaults.get("autoscale")
    known = {"min_instances", "max_instances", "target_cpu_percent"}
    if isinstance(autoscale, dict) and (set(autoscale) != known or not all(map(_is_number, autoscale.values()))):
        yield f"its defaults have no valid autoscale ({', '.join(sorted(known))})"
    for place in ("body", "scoring_script", "model", "code", "environment"):
        if place not in document.settings:
            yield f"its settings have no {place}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_below(path: str) -> bool:
    parts = path.split("/")
    return "\\" not in path and all(part not in ("", ".", "..") for part in parts)


def _document(values: Any) -> ReleaseDocument:
    """Return a document of parsed JSON. Raises ValueError, KeyError or TypeError."""
    if values["format"] != FORMAT:
        raise ValueError(f"format {values['format']!r} is not known to this version ({FORMAT})")
    known = {"format", *ReleaseDocument.__dataclass_fields__}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"unknown keys {', '.join(unknown)}")
    if not isinstance(values["settings"], dict) or not isinstance(values["defaults"], dict):
        raise ValueError("settings and defaults must be mappings")
    environment = values["environment"]
    return ReleaseDocument(
        model=_text(values["model"]),
        content=_text(values["content"]),
        settings=values["settings"],
        conda=None if values["conda"] is None else _text(values["conda"]),
        files=tuple(
            FileEntry(
                path=_text(one["path"]), size=_size(one["size"]), sha256=_text(one["sha256"]), part=_part(one["part"])
            )
            for one in values["files"]
        ),
        commit=_text(values["commit"]),
        places={
            _part(part): Place(name=_text(one["name"]), path=_text(one["path"]), is_file=_flag(one["is_file"]))
            for part, one in values["places"].items()
        },
        environment=Environment(
            image=_text(environment["image"]),
            name=environment["name"],
            inference_config=environment["inference_config"],
        )
        if environment is not None
        else None,
        defaults=values["defaults"],
    )


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
