"""Builds the Python environment of a deployment from its conda file, with uv, once per content.

An environment stays where it was built (virtual environments cannot be moved) and is valid only with its marker file; a
file lock prevents two processes from building the same one. Docker images are not run: an image without a conda file is
looked up in a table (`curated.py`), and packages installed in the image itself are missing.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from localazure.scoring import processes
from localazure.scoring.conda_file import (
    CondaRequirements,
    brought_by_python,
    python_distance,
    python_satisfies,
    read_conda_file,
)
from localazure.scoring.curated import curated_environment
from localazure.scoring.specification import DeploymentFailed

# Part of the content key. Increment it when a change of the build changes the result.
_FORMAT = 1
_MARKER = "sluice-environment.json"
_BUILD_SECONDS = 1800.0
_LOG_TAIL_LINES = 40
_SERVER = "azureml-inference-server-http"
_NOTHING_TO_BUILD = (
    "the deployment names no environment, or one with a Dockerfile, and the local Azure does not build "
    f"images. Give it an environment with a conda_file that lists {_SERVER} and the model's packages."
)


@dataclass(frozen=True)
class Environment:
    """A built environment."""

    python: Path
    server_version: str
    """Of azureml-inference-server-http."""
    log: Path


@dataclass(frozen=True)
class Interpreter:
    """A Python of this machine."""

    path: str
    version: tuple[int, int, int]


class EnvironmentCache:
    """All environments of one cache folder, which several local Azures may share."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def provide(self, conda_file: str | None, image: str | None = None, *, serves: bool = True) -> Environment:
        """Return the environment of a conda file and build it if necessary; raises `DeploymentFailed`.

        With `serves`, it must contain the inference server, which batch jobs do not need.
        """
        notes = []
        if conda_file is None:
            if image is None:
                raise DeploymentFailed("NotEmulated", _NOTHING_TO_BUILD)
            curated = await asyncio.to_thread(curated_environment, image)
            conda_file, notes = curated.conda_file, [curated.note]
        wanted = read_conda_file(conda_file)
        interpreter, note = await _choose_interpreter(wanted.python)
        brought = brought_by_python(wanted.python, interpreter.version, wanted.requirements)
        wanted = replace(wanted, requirements=(*wanted.requirements, *brought))
        notes += [*wanted.notes, *([note] if note else [])]
        key = json.dumps([_FORMAT, interpreter.path, interpreter.version, wanted.requirements])
        digest = hashlib.sha256(key.encode()).hexdigest()[:32]
        folder, log = self._folder / digest, self._folder / f"{digest}.log"
        if not _is_complete(folder):
            await self._build(folder, log, wanted, interpreter, notes)
        return Environment(folder / "bin" / "python", _server_version(folder, log) if serves else "", log)

    async def _build(
        self, folder: Path, log: Path, wanted: CondaRequirements, interpreter: Interpreter, notes: list[str]
    ) -> None:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            async with _locked(folder.with_suffix(".lock")) as lock:
                if _is_complete(folder):
                    return  # another process built it while this one waited
                await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)
                with log.open("wb") as output:
                    await self._run_build(folder, log, output, lock, wanted, interpreter, notes)
                marker = folder / _MARKER
                marker.with_suffix(".new").write_text(json.dumps({"python": interpreter.version, "notes": notes}))
                marker.with_suffix(".new").replace(marker)
        except OSError as exc:
            raise DeploymentFailed("ImageBuildFailure", f"the environment cannot be built in {folder}: {exc}.") from exc

    async def _run_build(
        self,
        folder: Path,
        log: Path,
        output: BinaryIO,
        lock: int,
        wanted: CondaRequirements,
        interpreter: Interpreter,
        notes: list[str],
    ) -> None:
        requirements = folder.with_suffix(".txt")
        requirements.write_text("".join(f"{line}\n" for line in wanted.requirements))
        version = ".".join(map(str, interpreter.version))
        output.write("".join(f"# {note}\n" for note in [*notes, f"Python {version} ({interpreter.path})"]).encode())
        output.flush()
        uv = _find_uv()
        steps = [[uv, "venv", "--no-config", "--python", interpreter.path, str(folder)]]
        if wanted.requirements:
            target = ["--python", str(folder / "bin" / "python"), "--compile-bytecode"]
            steps.append([uv, "pip", "install", *target, "--requirements", str(requirements)])
        for step in steps:
            process = await processes.start(
                step,
                pid_file=folder.with_suffix(".pid"),
                output=output,
                environment=_build_environment(os.environ),
                folder=self._folder,
                keep_open=[lock],  # if this process is killed, the lock is held until uv itself has ended
            )
            try:
                code = await asyncio.wait_for(process.wait(), _BUILD_SECONDS)
            except TimeoutError:
                raise _build_failed(f"not finished after {_BUILD_SECONDS:.0f} s", log) from None
            finally:
                await process.end(grace_seconds=2)
            if code != 0:
                raise _build_failed(f"exit code {code} of uv {' '.join(step[1:3])}", log)


async def _choose_interpreter(specification: str) -> tuple[Interpreter, str | None]:
    """The Python that the specification requests, or else the nearest one and a line for the build log."""
    own = Interpreter(getattr(sys, "_base_executable", sys.executable), sys.version_info[:3])
    if python_satisfies(specification, own.version):
        return own, None
    installed = [own, *await _installed_interpreters()]
    fitting = [python for python in installed if python_satisfies(specification, python.version)]
    if fitting:
        return max(fitting, key=lambda python: python.version), None
    nearest = min(installed, key=lambda python: python_distance(specification, python.version))
    version = ".".join(map(str, nearest.version))
    return nearest, f"Python {specification} is not installed on this machine; Python {version} is used instead"


async def _installed_interpreters() -> list[Interpreter]:
    process = await asyncio.create_subprocess_exec(
        *(_find_uv(), "python", "list", "--only-installed", "--output-format", "json"),
        env=os.environ | {"PATH": os.pathsep.join([os.environ.get("PATH", os.defpath), *_pyenv_folders(os.environ)])},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    answer, _ = await process.communicate()
    if process.returncode != 0:
        return []
    found = []
    for entry in json.loads(answer):
        parts = entry["version_parts"]
        if entry["implementation"] == "cpython" and entry.get("variant", "default") == "default" and entry["path"]:
            found.append(Interpreter(entry["path"], (parts["major"], parts["minor"], parts["patch"])))
    return found


def _pyenv_folders(environment: Mapping[str, str]) -> list[str]:
    """pyenv's versions: only the active one is on PATH, and uv searches only PATH."""
    root = Path(environment.get("PYENV_ROOT") or Path.home() / ".pyenv")
    return sorted(map(str, root.glob("versions/3.*/bin")))


def _find_uv() -> str:
    beside = Path(sys.executable).with_name("uv")
    uv = os.environ.get("SLUICE_UV") or shutil.which("uv") or (str(beside) if beside.exists() else None)
    if uv is None:
        raise DeploymentFailed(
            "ImageBuildFailure",
            "uv is required to build environments but was not found in SLUICE_UV, on PATH or next to "
            f"{sys.executable}. Install it (https://docs.astral.sh/uv/) or set SLUICE_UV to its path.",
        )
    return uv


def _build_environment(environment: Mapping[str, str]) -> dict[str, str]:
    # The caller's own virtual environment and Python settings would override the given paths.
    dropped = {"VIRTUAL_ENV", "CONDA_PREFIX", "PYTHONPATH", "PYTHONHOME", "PYTHONDONTWRITEBYTECODE", "UV_PYTHON"}
    return {key: value for key, value in environment.items() if key not in dropped} | {
        "UV_PYTHON_DOWNLOADS": "never",
        "UV_NO_PROGRESS": "1",
    }


def _is_complete(folder: Path) -> bool:
    return (folder / _MARKER).exists() and (folder / "bin" / "python").exists()


def _server_version(folder: Path, log: Path) -> str:
    for found in folder.glob("lib/python*/site-packages/azureml_inference_server_http-*.dist-info"):
        return found.name.removesuffix(".dist-info").rpartition("-")[2]
    # Azure builds such an image and its container then cannot start; adding the package here would hide that.
    raise DeploymentFailed(
        "ResourceNotReady",
        f"the environment does not contain {_SERVER}, so its container cannot start (nor could it on Azure). "
        f"Add {_SERVER} to the 'pip:' list of the conda file. Build log: {log}",
    )


def _build_failed(why: str, log: Path) -> DeploymentFailed:
    lines = log.read_text(errors="replace").splitlines()[-_LOG_TAIL_LINES:]
    return DeploymentFailed(
        "ImageBuildFailure", f"the environment could not be built: {why}. End of {log}:\n" + "\n".join(lines)
    )


@contextlib.asynccontextmanager
async def _locked(path: Path) -> AsyncIterator[int]:
    """Hold an exclusive lock on a file; waits without blocking the event loop and yields the descriptor."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                await asyncio.sleep(0.1)
        yield descriptor
    finally:
        os.close(descriptor)
