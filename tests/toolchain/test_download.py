"""The official download, against a server on this machine: it is verified, or not used."""

import functools
import hashlib
import http.server
import io
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from toolchain.console import ToolchainError
from toolchain.download import _platform, download
from toolchain.selection import VERSION
from toolchain.versions import show

ARCHIVE = f"pulumi-v{show(VERSION)}-{_platform()}.tar.gz"
CHECKSUMS = f"pulumi-{show(VERSION)}-checksums.txt"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def release(tmp_path: Path) -> Path:
    """A folder with a release as it is published."""
    folder = tmp_path / "release"
    folder.mkdir()
    with tarfile.open(folder / ARCHIVE, "w:gz") as tar:
        for name in (
            "pulumi/pulumi",
            "pulumi/pulumi-language-python",
            "pulumi/pulumi-language-go",
            "../../pulumi-python-evil",
        ):
            member = tarfile.TarInfo(name)
            member.size = 4
            tar.addfile(member, io.BytesIO(b"data"))
    digest = hashlib.sha256((folder / ARCHIVE).read_bytes()).hexdigest()
    (folder / CHECKSUMS).write_text(f"{'0' * 64}  pulumi-v{show(VERSION)}-plan9-x64.tar.gz\n{digest}  {ARCHIVE}\n")
    return folder


@pytest.fixture
def source(release: Path) -> Iterator[str]:
    handler = functools.partial(Quiet, directory=str(release))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "deep" / "target"
    folder.mkdir(parents=True)
    return folder


def test_a_verified_release_is_unpacked_python_only_and_into_its_folder_only(
    source: str, target: Path, tmp_path: Path
) -> None:
    download(target, (source,))
    assert sorted(file.name for file in target.iterdir()) == [
        "pulumi",
        "pulumi-language-python",
        "pulumi-python-evil",
    ]
    assert (target / "pulumi").stat().st_mode & 0o111
    assert not (tmp_path / "pulumi-python-evil").exists()


def test_a_release_with_another_checksum_is_not_used(source: str, release: Path, target: Path) -> None:
    (release / CHECKSUMS).write_text(f"{'0' * 64}  {ARCHIVE}\n")
    with pytest.raises(ToolchainError, match=f"but {'0' * 64} is published: not used"):
        download(target, (source,))
    assert list(target.iterdir()) == []


def test_a_release_whose_checksum_is_not_published_is_not_used(source: str, release: Path, target: Path) -> None:
    (release / CHECKSUMS).write_text("")
    with pytest.raises(ToolchainError, match="the published checksums do not name pulumi"):
        download(target, (source,))


def test_the_second_source_is_tried_and_all_problems_are_reported(source: str, release: Path, target: Path) -> None:
    unreachable = "http://127.0.0.1:9"
    download(target, (unreachable, source))
    (release / CHECKSUMS).unlink()
    with pytest.raises(ToolchainError) as error:
        download(target, (unreachable, source))
    assert f"{unreachable}: " in str(error.value)
    assert "refused" in str(error.value)
    assert f"{source}: File not found" in str(error.value)
