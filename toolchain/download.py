"""Downloads the official Pulumi CLI: the release's tarball, verified with the checksums published next to it.

It extracts only what Python programs need. The address is the one that Pulumi's installer uses. On a machine that can
reach only package registries the download fails within seconds, and set-up builds the CLI instead.
"""

from __future__ import annotations

import hashlib
import platform
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path, PurePosixPath
from typing import IO

from toolchain.cache import require_disk
from toolchain.console import ToolchainError, say
from toolchain.selection import VERSION
from toolchain.versions import show

SOURCES = (
    f"https://github.com/pulumi/pulumi/releases/download/v{show(VERSION)}",
    "https://get.pulumi.com/releases/sdk",
)
CONNECT_SECONDS = 5.0  # also the longest silence while reading
SIZE_GIB = 1.0
CHUNK_BYTES = 1 << 20
BY_HAND = "download it by hand, or let set-up build it with Go"


def download(target: Path, sources: tuple[str, ...] = SOURCES) -> None:
    """Fill `target` with `pulumi`, its Python language host and their scripts."""
    archive = f"pulumi-v{show(VERSION)}-{_platform()}.tar.gz"
    problems = []
    for source in sources:
        try:
            _download_from(source, archive, target)
            return
        except (OSError, ValueError, tarfile.TarError) as error:
            problems.append(f"{source}: {getattr(error, 'reason', None) or error}")
            if isinstance(error, urllib.error.HTTPError):
                error.close()
    raise ToolchainError("; ".join(problems), BY_HAND)


def _platform() -> str:
    systems = {"linux": "linux", "darwin": "darwin"}
    machines = {"x86_64": "x64", "amd64": "x64", "aarch64": "arm64", "arm64": "arm64"}
    system, machine = systems.get(sys.platform), machines.get(platform.machine().lower())
    if system is None or machine is None:
        raise ToolchainError(f"there is no official build for {sys.platform} on {platform.machine()}", BY_HAND)
    return f"{system}-{machine}"


def _download_from(source: str, archive: str, target: Path) -> None:
    with _open(f"{source}/pulumi-{show(VERSION)}-checksums.txt") as answer:
        expected = _checksum(answer.read().decode(), archive)
    require_disk(target, SIZE_GIB, purpose="the official Pulumi CLI")
    say(f"downloading the official Pulumi CLI {show(VERSION)}")
    digest = hashlib.sha256()
    file = target / archive
    with _open(f"{source}/{archive}") as answer, file.open("wb") as output:
        while chunk := answer.read(CHUNK_BYTES):
            digest.update(chunk)
            output.write(chunk)
    if digest.hexdigest() != expected:
        file.unlink()
        raise ValueError(f"{archive} has SHA-256 {digest.hexdigest()}, but {expected} is published: not used")
    _unpack(file, target)
    file.unlink()


def _open(url: str) -> IO[bytes]:
    response: IO[bytes] = urllib.request.urlopen(url, timeout=CONNECT_SECONDS)
    return response


def _checksum(published: str, archive: str) -> str:
    for line in published.splitlines():
        digest, _, name = line.strip().partition(" ")
        if name.strip().lstrip("*") == archive and len(digest) == hashlib.sha256().digest_size * 2:
            return digest.lower()
    raise ValueError(f"the published checksums do not name {archive}")


def _unpack(archive: Path, target: Path) -> None:
    """Extract the CLI and the files for Python; the hosts of other languages would add hundreds of megabytes."""
    with tarfile.open(archive) as tar:
        for member in tar:
            name = PurePosixPath(member.name).name
            stream = tar.extractfile(member) if member.isfile() and (name == "pulumi" or "python" in name) else None
            if stream is None:
                continue
            with stream, (target / name).open("wb") as output:  # by bare name, so never outside the folder
                while chunk := stream.read(CHUNK_BYTES):
                    output.write(chunk)
            (target / name).chmod(0o755)
    if not (target / "pulumi-language-python").exists():
        raise ValueError(f"{archive.name} holds no Python language host")
