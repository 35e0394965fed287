"""A new endpoint: the folder of models/ that a deployment is made from, checked before it appears.

It comes from a template, whose sample serves as it is, or from a folder that `az ml` deploys already. The copy is given
the endpoint's key as its name; what else `sluice model check` refuses is refused here too, all at once.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path

from models.document import DocumentError, read_document
from models.folder import ENDPOINT, SUFFIXES, survey
from models.inspection import inspect_models
from naming import MAX_ENDPOINT_NAME, NAME_PATTERN, RESERVED_KEYS
from problem import Problem
from scaffold.errors import ScaffoldError
from scaffold.writing import new_folder

__all__ = ["TEMPLATES", "next_lines", "write_endpoint"]

TEMPLATES = ("sklearn", "mlflow", "onnx")
_TEMPLATES = Path(__file__).parent / "templates"
_PLACEHOLDER = "KEY"
_TEXTS = (".yml", ".yaml", ".py", ".md")
_LEFT_BEHIND = shutil.ignore_patterns(".*", "__pycache__", "release.lock.yml", "releases", "proofs*")
"""Of a folder that is copied: what git and other stacks put into it."""
_TOP_LEVEL = r"(?m)^{}[ \t]*:[ \t]*(?P<value>\"[^\"\n]*\"|'[^'\n]*'|[^\s#]+)"


def write_endpoint(key: str, source: str, root: Path) -> Path:
    """Write models/<key> into a checkout and return it. Raises ScaffoldError with everything that is wrong."""
    what = f"the new endpoint {key}"
    folder = root / "models" / key
    problems = [*_problems(key, source, folder)]
    if problems:
        raise ScaffoldError(what, problems)
    origin = _TEMPLATES / source if source in TEMPLATES else Path(source)
    with new_folder(folder) as inside:
        shutil.copytree(origin, inside, dirs_exist_ok=True, ignore=_LEFT_BEHIND)
        if source in TEMPLATES:
            _fill_in(inside, key)
        else:
            _rename(inside, key)
        (result,) = inspect_models({inside: survey(inside)}, date.today())
        if result.problems:
            raise ScaffoldError(what, result.problems)
    return folder


def next_lines(key: str, folder: Path) -> list[str]:
    """What to add to the stack files, and the command that tries it."""
    colours = survey(folder).deployments
    first = colours[0]
    return [
        "Add to sluice:endpoints and sluice:rollout of a stack file (instead of {}):",
        f"  sluice:endpoints: {{{key}: {{deployments: {{{', '.join(f'{one}: {{}}' for one in colours)}}}}}}}",
        f"  sluice:rollout: {{{key}: {{stable: {first}, traffic: {{{first}: 100}}}}}}",
        f"Check it: sluice model check models/{key}",
    ]


def _problems(key: str, source: str, folder: Path) -> Iterator[Problem]:
    if not re.match(NAME_PATTERN, key) or not 3 <= len(key) <= MAX_ENDPOINT_NAME or "\n" in key:
        yield Problem(
            "KEY",
            f"must be 3 to {MAX_ENDPOINT_NAME} lower-case letters, digits and single dashes, starting with a letter, "
            f'got "{key}"',
            "Give another key.",
        )
    elif key in RESERVED_KEYS:
        yield Problem("KEY", f'must not be "{key}": an identity of the stack itself has that name', "Give another key.")
    elif folder.exists() or folder.is_symlink():
        yield Problem(
            f"models/{key}",
            "exists already; every team that serves this model uses this folder",
            "Name it in sluice:endpoints of the stack file, or give another key.",
        )
    if source in TEMPLATES:
        return
    origin = Path(source)
    if not origin.is_dir():
        known = ", ".join(TEMPLATES)
        yield Problem("--from", f'must be {known} or an existing folder, got "{source}"', "Give one of them.")
        return
    if not any((origin / f"{ENDPOINT}{suffix}").is_file() for suffix in SUFFIXES):
        yield Problem(
            "--from",
            f"must be a folder with the endpoint's file endpoint.yml, got {source}",
            "Rename the file that `az ml online-endpoint create --file` takes to endpoint.yml.",
        )
    elif not survey(origin).deployments:
        yield Problem(
            "--from",
            f"must be a folder with the file of a deployment, got {source}",
            "Add the file that `az ml online-deployment create --file` takes.",
        )


def _fill_in(folder: Path, key: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file() and path.suffix in _TEXTS and "artefacts" not in path.parts:
            text = path.read_text(encoding="utf-8")
            path.write_text(re.sub(rf"\b{_PLACEHOLDER}\b", key, text), encoding="utf-8", newline="\n")


def _rename(folder: Path, key: str) -> None:
    """Give the copy its key: the endpoint's name in its own file and in those of its deployments."""
    fields = {path: "endpoint_name" for name in survey(folder).deployments for path in _files(folder, name)}
    fields |= dict.fromkeys(_files(folder, ENDPOINT), "name")
    for path, field in fields.items():
        try:
            read_document(path)
        except DocumentError:
            continue  # the check says so
        with path.open(encoding="utf-8", newline="") as stream:
            text = stream.read()
        path.write_text(
            re.sub(_TOP_LEVEL.format(field), f"{field}: {key}", text, count=1), encoding="utf-8", newline=""
        )


def _files(folder: Path, name: str) -> list[Path]:
    return [path for suffix in SUFFIXES if (path := folder / f"{name}{suffix}").is_file()]
