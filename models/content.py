"""The content of local models and scoring code: which files belong to it, and one digest that is the same everywhere.

A digest depends on relative paths and bytes; not on times, absolute paths, locale, platform or the order of a listing.
Ignore files work as in az ml: `.amlignore`, else `.gitignore`, at the top of the folder; unlike in az ml, Python's
compiled files are always left out, because a trial run on a laptop must not change a release.
"""

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from models.cache import cache_folder, write_atomically
from models.spec import AssetKind, LocalAsset

LARGE_FILE_BYTES = 4 * 1024 * 1024  # above, the digest of an unchanged file is remembered
CHUNK_BYTES = 1024 * 1024
IGNORE_FILES = (".amlignore", ".gitignore")  # the first that exists counts, as in az ml


class ContentError(ValueError):
    """A local asset cannot be read; the message says what is wrong and how to fix it."""


def local_asset(kind: AssetKind, path: Path, asset_type: str) -> LocalAsset:
    """Return a file or folder as an asset. Raises ContentError when there is nothing to upload."""
    files = dict(list_files(path))
    if not files:
        raise ContentError(f"{path.name}/ holds no file that would be uploaded. Put the {kind} there")
    digest = hashlib.sha256()
    # A model's own name is part of it: it is mounted under that name, and scoring scripts look for it there.
    digest.update(f"sluice {kind} 1\n{path.name if kind is AssetKind.MODEL else ''}\n".encode())
    for relative, file in files.items():
        name = relative.encode("utf-8")
        digest.update(b"%d:%s:%s\n" % (len(name), name, file_digest(file).encode("ascii")))
    return LocalAsset(
        kind=kind, path=path, name=path.name, digest=digest.hexdigest(), asset_type=asset_type, files=tuple(files)
    )


def list_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (relative POSIX path, file) of an asset, in the order of the paths' bytes."""
    if not path.is_dir():
        _check_entry(path.name, path)
        yield path.name, path
        return
    found = {file.relative_to(path).as_posix(): file for file in _walk(path, frozenset())}
    ignored = _ignored(path, list(found))
    wanted = found.keys() - ignored
    for relative in wanted:
        _check_entry(relative, found[relative])
    for relative in sorted(wanted, key=lambda name: name.encode("utf-8")):
        yield relative, found[relative]


def file_digest(file: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    try:
        status = file.stat()
        if status.st_size < LARGE_FILE_BYTES:
            return hashlib.sha256(file.read_bytes()).hexdigest()
        return _remembered_digest(file, status)
    except OSError as error:
        raise ContentError(f"{file.name} cannot be read: {error.strerror}. Fix its permissions") from error


def _remembered_digest(file: Path, status: os.stat_result) -> str:
    """Large models are not read on every preview: as in git, an unchanged stat (with ctime) means unchanged."""
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
    memory = cache_folder() / "files" / hashlib.sha256(str(file.resolve()).encode()).hexdigest()
    try:
        known = json.loads(memory.read_text(encoding="utf-8"))
        if known["stamp"] == stamp:
            return str(known["sha256"])
    except (OSError, ValueError, KeyError, TypeError):
        pass  # never seen, or not readable: read the file
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    write_atomically(memory, json.dumps({"stamp": stamp, "sha256": digest.hexdigest()}))
    return digest.hexdigest()


def _walk(folder: Path, parents: frozenset[Path]) -> Iterator[Path]:
    """Yield the files below a folder; links are followed, as az ml does, but not in circles."""
    real = folder.resolve()
    if real in parents:
        raise ContentError(f"{folder.name}/ contains itself through a symbolic link. Remove the link")
    try:
        entries = list(folder.iterdir())
    except OSError as error:
        raise ContentError(f"{folder.name}/ cannot be read: {error.strerror}. Fix its permissions") from error
    for entry in entries:
        if entry.is_dir():
            if entry.name != "__pycache__":
                yield from _walk(entry, parents | {real})
        elif entry.suffix != ".pyc":
            yield entry


def _check_entry(name: str, entry: Path) -> None:
    """Refuse what cannot be uploaded; opening a pipe would wait for ever."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise ContentError(f"{shown} has a name that is not UTF-8. Rename it") from error
    if not entry.exists():
        raise ContentError(f"{name} is a link to what does not exist. Repair or remove it")
    if not entry.is_file():
        raise ContentError(f"{name} is neither a file nor a folder. Remove it")


def _ignored(folder: Path, relative_paths: list[str]) -> set[str]:
    for name in IGNORE_FILES:
        if (folder / name).is_file():
            from pathspec import GitIgnoreSpec  # what azure-ai-ml uses; only imported where there is such a file

            lines = (folder / name).read_text(encoding="utf-8").splitlines()
            return set(GitIgnoreSpec.from_lines(lines).match_files(relative_paths))
    return set()
