"""Loads az ml YAML with azure-ai-ml itself, in a separate process, and caches the result.

Importing the library takes 1.4 s and 130 MiB, reads cloud settings from the environment (and may ask the network for
them), and prints warnings; a separate process keeps all of that out of the caller. The user's cache holds each result
under a digest of all its inputs, including the library's version; a hit starts no process. Only successes are cached.
Other modules check what the library lets through.
"""

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from models.cache import Kind, remember, remembered
from models.document import Document
from models.errors import ModelError

FORMAT = 1  # raise when the shape of a cached result changes
TIMEOUT_SECONDS = 120.0  # the import takes 1.4 s, 4.4 s without bytecode, more on a loaded runner

# They direct azure-ai-ml to a cloud other than the public one and make it look up that cloud's addresses on import.
CLOUD_VARIABLES = ("ARM_CLOUD_METADATA_URL", "AZUREML_CURRENT_CLOUD", "AZUREML_DEV_URL_MFE")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One file for azure-ai-ml."""

    kind: str  # "endpoint" | "deployment"
    document: Document
    content: dict[str, Any] | None = None  # replaces the file's own, without what azure-ai-ml cannot process


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """azure-ai-ml's result for one file: the body it would send and the assets it found, or why it refuses the file."""

    result: dict[str, Any] | None
    errors: tuple[str, ...] = ()


class LibraryError(ModelError):
    """azure-ai-ml could not run at all: a problem of the installation, not of the file."""


def load(requests: Sequence[Request]) -> list[Loaded]:
    """Return azure-ai-ml's result for each file, from the cache if it is there."""
    keys = [_key(request) for request in requests]
    known = [remembered(Kind.AZURE_ML_RESULTS, key) for key in keys]
    loaded = [Loaded(result=result) if result is not None else None for result in known]
    missing = [index for index, one in enumerate(loaded) if one is None]
    if missing:
        for index, fresh in zip(missing, _run([requests[index] for index in missing]), strict=True):
            loaded[index] = fresh
            if fresh.result is not None:
                remember(Kind.AZURE_ML_RESULTS, keys[index], fresh.result)
    return [one for one in loaded if one is not None]


def library_version() -> str:
    """Return a string that identifies the installed azure-ai-ml, without importing it."""
    spec = importlib.util.find_spec("azure.ai.ml")
    if spec is None or spec.origin is None:
        raise LibraryError("azure-ai-ml is not installed in this environment. Install the project's requirements.lock")
    return Path(spec.origin).with_name("_version.py").read_text(encoding="utf-8")


def _key(request: Request) -> str:
    folder = request.document.path.parent
    read: dict[str, str | None] = {}
    for path in request.document.read_files():
        name = os.path.relpath(path, folder).replace(os.sep, "/")
        read[name] = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None
    made_from = [FORMAT, library_version(), request.kind, request.document.path.name, _text(request), read]
    return hashlib.sha256(json.dumps(made_from, sort_keys=True).encode("utf-8")).hexdigest()


def _text(request: Request) -> str:
    if request.content is None:
        return request.document.text
    return yaml.safe_dump(request.content, sort_keys=True, allow_unicode=True)


def _run(requests: list[Request]) -> list[Loaded]:
    """Let azure-ai-ml load the files in a child process."""
    environment = {name: value for name, value in os.environ.items() if name not in CLOUD_VARIABLES}
    question = [
        {"kind": request.kind, "path": str(request.document.path), "text": _text(request)} for request in requests
    ]
    try:
        child = subprocess.run(
            [sys.executable, "-W", "ignore", "-m", "models.azureml_process"],
            input=json.dumps(question),
            capture_output=True,
            text=True,
            encoding="utf-8",
            cwd=Path(__file__).resolve().parents[1],
            env=environment | {"PYTHONIOENCODING": "utf-8"},
            timeout=TIMEOUT_SECONDS,
            check=True,
        )
    except subprocess.TimeoutExpired as error:
        raise LibraryError(f"azure-ai-ml did not answer within {TIMEOUT_SECONDS:.0f} s. Try again") from error
    except (OSError, subprocess.CalledProcessError) as error:
        told = (getattr(error, "stderr", None) or str(error)).strip().splitlines()
        raise LibraryError(
            f"azure-ai-ml cannot run: {told[-1] if told else error}. Install the project's requirements.lock again"
        ) from error
    answers = json.loads(child.stdout.splitlines()[-1])
    return [Loaded(result=answer.get("result"), errors=tuple(answer.get("errors", ()))) for answer in answers]
