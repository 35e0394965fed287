"""The local Azure's process gets what it needs to build the environments of models."""

import os
from pathlib import Path

import pytest

from cli.localserver import _environment


def test_the_server_is_told_which_uv_to_use_where_none_is_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.delenv("SLUICE_UV", raising=False)
    uv = Path(_environment()["SLUICE_UV"])
    assert uv.name == "uv"
    assert os.access(uv, os.X_OK)
