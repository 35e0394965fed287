"""Environments by content: built once, never half, and a broken one tells why. uv itself is a stand-in here."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path

import pytest

from localazure.scoring.environments import EnvironmentCache
from localazure.scoring.specification import DeploymentFailed

pytestmark = pytest.mark.slow

CONDA = "dependencies:\n- pip:\n  - azureml-inference-server-http==1.5.1\n"

# Notes each call, makes what uv would make, and fails when a requirement is named "broken".
UV = """#!/bin/sh
echo "$@" >> {folder}/calls
if [ "$1" = venv ]; then
  for folder; do :; done
  mkdir -p "$folder/bin" "$folder/lib/python3.11/site-packages" && touch "$folder/bin/python"
elif [ "$1" = python ]; then
  echo "$PATH" > {folder}/path
  echo '[]'
else
  for file; do :; done
  grep -q broken "$file" && echo "no such package: broken" && exit 1
  sleep 0.1
  while read -r line; do
    name=$(echo "${{line%%==*}}" | tr - _)
    mkdir "$(dirname "$file")/$(basename "$file" .txt)/lib/python3.11/site-packages/$name-1.5.1.dist-info"
  done < "$file"
fi
"""


@pytest.fixture
def cache(tmp_path, monkeypatch) -> Path:
    uv = tmp_path / "uv"
    uv.write_text(UV.format(folder=tmp_path))
    uv.chmod(0o755)
    monkeypatch.setenv("SLUICE_UV", str(uv))
    return tmp_path / "environments"


def provide(cache: Path, *conda_files: str | None):
    async def main():
        return await asyncio.gather(*(EnvironmentCache(cache).provide(conda) for conda in conda_files))

    return asyncio.run(main())


def calls(cache: Path) -> int:
    return len((cache.parent / "calls").read_text().splitlines())


@pytest.mark.proves("environments/versions", honours=["properties.condaFile"])
def test_the_same_content_is_built_once_even_by_two_at_a_time(cache):
    first, second = provide(cache, CONDA, CONDA)
    again = provide(cache, CONDA + "# a comment is not content\n")[0]
    assert first == second == again
    assert first.server_version == "1.5.1"
    assert calls(cache) == 2  # venv, install


def test_other_content_is_another_environment(cache):
    first, second = provide(cache, CONDA, CONDA + "  - numpy==2.0\n")
    assert first.python != second.python


def test_what_was_left_half_built_is_built_again(cache):
    folder = provide(cache, CONDA)[0].python.parents[1]
    (folder / "sluice-environment.json").unlink()
    (folder / "half").touch()
    provide(cache, CONDA)
    assert not (folder / "half").exists()
    assert calls(cache) == 4


def test_an_environment_whose_python_is_gone_is_built_again(cache):
    python = provide(cache, CONDA)[0].python
    python.unlink()
    assert provide(cache, CONDA)[0].python.exists()


def test_a_failed_build_is_an_image_build_failure_with_the_end_of_the_log(cache):
    with pytest.raises(DeploymentFailed, match="no such package: broken") as caught:
        provide(cache, CONDA + "  - broken\n")
    assert caught.value.code == "ImageBuildFailure"
    assert not list(cache.glob("*/sluice-environment.json"))


def test_the_build_log_notes_what_was_done_differently(cache):
    text = "channels: [conda-forge]\ndependencies:\n- python=3.7\n- pip: [azureml-inference-server-http]\n"
    log = provide(cache, text)[0].log.read_text()
    assert "channels ['conda-forge'] are ignored" in log
    assert "Python =3.7 is not installed on this machine; Python 3." in log


def test_the_pythons_of_pyenv_are_looked_at_too(cache, monkeypatch):
    theirs = cache.parent / "pyenv" / "versions" / "3.7.16" / "bin"
    theirs.mkdir(parents=True)
    monkeypatch.setenv("PYENV_ROOT", str(cache.parent / "pyenv"))
    provide(cache, "dependencies:\n- python=3.7\n- pip: [azureml-inference-server-http]\n")
    assert (cache.parent / "path").read_text().strip().endswith(f":{theirs}")


def test_without_the_inference_server_the_container_could_not_start(cache):
    with pytest.raises(DeploymentFailed, match="does not contain azureml-inference-server-http") as caught:
        provide(cache, "dependencies: [{pip: [numpy]}]")
    assert caught.value.code == "ResourceNotReady"


@pytest.mark.proves("environments/versions", honours=["properties.image"])
def test_no_environment_and_an_unknown_image_are_not_emulated_and_the_error_has_a_fix(cache):
    with pytest.raises(DeploymentFailed, match="names no environment, or one with a Dockerfile") as caught:
        provide(cache, None)
    assert caught.value.code == "NotEmulated"
    with pytest.raises(DeploymentFailed, match=r'SLUICE_ENVIRONMENTS.*\n"acme\.io/model":\n') as caught:
        asyncio.run(EnvironmentCache(cache).provide(None, "acme.io/model:3"))
    assert caught.value.code == "NotEmulated"


@pytest.mark.proves("environments/versions", honours=["properties.image"])
def test_a_curated_image_is_built_from_the_table_and_the_log_lists_what_is_left_out(cache):
    image = "mcr.microsoft.com/azureml/minimal-py311-inference:20260101.v1"
    log = asyncio.run(EnvironmentCache(cache).provide(None, image)).log.read_text()
    assert f"{image} is not pulled" in log
    assert "left out: the base image's system packages" in log


def test_what_conda_installs_with_python_is_there_too(cache):
    folder = provide(cache, CONDA)[0].python.parents[1]
    names = {found.name.rpartition("-")[0] for found in folder.glob("lib/python*/site-packages/*.dist-info")}
    assert "pip" in {name.partition("-")[0] for name in names}


def test_without_uv_the_error_lists_where_it_was_looked_for(cache, monkeypatch):
    monkeypatch.delenv("SLUICE_UV")
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr("sys.executable", "/nonexistent/python")
    with pytest.raises(DeploymentFailed, match="not found in SLUICE_UV, on PATH or next to"):
        provide(cache, CONDA)


def test_a_cache_that_cannot_be_written_is_an_image_build_failure(cache):
    cache.write_text("a file where the folder should be")
    with pytest.raises(DeploymentFailed) as caught:
        provide(cache, CONDA)
    assert caught.value.code == "ImageBuildFailure"


def test_the_marker_is_json(cache):
    folder = provide(cache, CONDA)[0].python.parents[1]
    assert json.loads((folder / "sluice-environment.json").read_text())["notes"] == []
    assert not os.path.exists(folder.with_suffix(".pid"))
