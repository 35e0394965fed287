"""Starting the local Azure: what is said when the server could not say it."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from cli import localserver
from cli.errors import UnavailableError
from cli.localhome import LocalHome


def test_a_server_that_dies_without_a_word_on_a_full_disk_is_explained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its log is on the same disk, so `(it printed nothing)` was all there was to read."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    monkeypatch.setattr(sys, "executable", "/bin/false")
    home = LocalHome(tmp_path / "home")
    with pytest.raises(UnavailableError, match=r"the disk that holds .* is full") as error:
        localserver.start(home, port=None, say=lambda text: None)
    assert "exit code 1" in str(error.value)
