"""The content of local models and scoring code: which files belong to it, and a digest that is equal on every machine.

A digest depends on relative paths and bytes; not on times, absolute paths, locale, platform or listing order. Ignore
files work as in az ml: `.amlignore`, else `.gitignore`, at the top of the folder. Files that they exclude are not
opened, followed or refused. Unlike az ml, this module always excludes two kinds of files: Python's compiled files,
because a trial run on a laptop must not change a release; and this program's own records (release lock, release
documents), because publishing must not change the published content if the model's folder is the code or the model.
"""

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from models.cache import Kind, remember, remembered
from models.release_lock import LOCK_NAME
from models.spec import AssetKind, LocalAsset, asset_digest

LARGE_FILE_BYTES = 4 * 1024 * 1024  # above this size, the digest of an unchanged file is cached
CHUNK_BYTES = 1024 * 1024
IGNORE_FILES = (".amlignore", ".gitignore")  # the first that exists counts, as in az ml
RELEASES_FOLDER = "releases"  # in a model's folder; holds release documents
ENDPOINT_FILES = ("endpoint.yml", "endpoint.yaml")  # a folder that holds one of these is a model's folder


class ContentError(ValueError):
    """A local asset cannot be read; the message says what is wrong and how to fix it."""


def local_asset(kind: AssetKind, path: Path, asset_type: str) -> LocalAsset:
    """Return a file or folder as an asset. Raises ContentError when there is nothing to upload."""
    files = dict(list_files(path))
    if not files:
        raise ContentError(f"{path.name}/ holds no file that would be uploaded. Put the {kind} there")
    digest = asset_digest(kind, path.name, {relative: file_digest(file) for relative, file in files.items()})
    return LocalAsset(
        kind=kind,
        path=path,
        name=path.name,
        digest=digest,
        asset_type=asset_type,
        files=tuple(files),
        is_file=not path.is_dir(),
    )


def list_files(path: Path) -> Iterator[tuple[str, Path]]:
    """Yield (relative POSIX path, file) of an asset, in the order of the paths' bytes."""
    if not path.is_dir():
        _check_entry(path.name, path)
        yield path.name, path
        return
    found = dict(_walk(path, "", frozenset(), _Ignored(path)))
    for relative in sorted(found, key=lambda name: name.encode("utf-8", "surrogateescape")):
        _check_entry(relative, found[relative])
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
    """Spare large models a read on every preview: as in git, an unchanged stat (with ctime) means unchanged content."""
    stamp = [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev]
    key = hashlib.sha256(str(file.resolve()).encode()).hexdigest()
    known = remembered(Kind.DIGESTS, key) or {}
    if known.get("stamp") == stamp and "sha256" in known:
        return str(known["sha256"])
    digest = hashlib.sha256()
    with file.open("rb") as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
    remember(Kind.DIGESTS, key, {"stamp": stamp, "sha256": digest.hexdigest()})
    return digest.hexdigest()


class _Ignored:
    """What an asset's ignore file excludes."""

    def __init__(self, folder: Path) -> None:
        self._matches: Callable[[str], bool] | None = None
        self.takes_back = False
        """Whether a later line (`!keep.csv`) may re-include something in an ignored folder; az ml uploads it then."""
        for name in IGNORE_FILES:
            if (folder / name).is_file():
                self._read(folder / name)
                return

    def _read(self, file: Path) -> None:
        from pathspec import GitIgnoreSpec  # as azure-ai-ml does; imported only if there is such a file

        try:
            spec = GitIgnoreSpec.from_lines(file.read_text(encoding="utf-8-sig").splitlines())
        except OSError as error:
            raise ContentError(f"{file.name} cannot be read: {error.strerror}. Fix its permissions") from error
        except (ValueError, re.error) as error:  # not UTF-8, or an invalid pattern such as [z-a]
            raise ContentError(f"{file.name} is not a valid ignore file: {error}. Correct it") from error
        self.takes_back = any(pattern.include is False for pattern in spec.patterns)
        self._matches = spec.match_file

    def __call__(self, relative: str) -> bool:
        """Tell whether a path is excluded; the path of a folder ends in a slash."""
        return self._matches is not None and self._matches(relative)


def _walk(folder: Path, prefix: str, parents: frozenset[Path], ignored: _Ignored) -> Iterator[tuple[str, Path]]:
    """Yield (relative path, file) below a folder; follow links, as az ml does, but refuse cycles."""
    try:
        real = folder.resolve()
        entries = list(folder.iterdir())
    except OSError as error:
        if ignored(prefix):
            return
        raise ContentError(f"{prefix or folder.name} cannot be read: {error.strerror}. Fix its permissions") from error
    if real in parents:
        raise ContentError(f"{prefix or folder.name} contains itself through a symbolic link. Remove the link")
    names = {entry.name for entry in entries}
    for entry in entries:
        relative = f"{prefix}{entry.name}"
        left_out = ignored(relative)
        if left_out and (entry.is_symlink() or not ignored.takes_back):
            continue
        if os.path.isdir(entry):
            left_out = left_out or ignored(f"{relative}/")
            closed = left_out and (entry.is_symlink() or not ignored.takes_back)
            if not closed and not _is_kept_out(entry.name, names, folder=True):
                yield from _walk(entry, f"{relative}/", parents | {real}, ignored)
        elif not left_out and not _is_kept_out(entry.name, names, folder=False):
            yield relative, entry


def _is_kept_out(name: str, beside: set[str], *, folder: bool) -> bool:
    """Tell whether an entry is never content; `beside` are the names in its folder."""
    if folder:
        return name == "__pycache__" or (name == RELEASES_FOLDER and not beside.isdisjoint(ENDPOINT_FILES))
    # The lock is replaced through a temporary file with a random name beside it (models/atomic_write.py).
    lock = name == LOCK_NAME or (name.startswith(f".{LOCK_NAME}.") and name.endswith(".tmp"))
    return lock or name.endswith(".pyc")


def _check_entry(name: str, entry: Path) -> None:
    """Refuse what cannot be uploaded; opening a pipe would block forever."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError as error:
        shown = os.fsencode(name).decode("utf-8", "backslashreplace")
        raise ContentError(f"{shown} has a name that is not UTF-8. Rename it") from error
    try:
        exists = entry.exists()
    except OSError as error:  # for example a link into a folder that the caller may not enter
        raise ContentError(f"{name} cannot be read: {error.strerror}. Fix its permissions") from error
    if not exists:
        raise ContentError(f"{name} is a link to something that does not exist. Repair or remove it")
    if not entry.is_file():
        raise ContentError(f"{name} is neither a file nor a folder. Remove it")
