"""Freezing writes down what a folder says, and only if a commit has its bytes."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.releases.freeze import freeze
from models.errors import ModelError
from models.loader import load_model
from models.spec import content_digest
from tests.delivery.repository import commit_all, git, new_repository
from tests.models.conftest import EXAMPLE, deployment, write_model

pytestmark = pytest.mark.slow  # real git, and azure-ai-ml


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture
def team(tmp_path: Path) -> Path:
    """A team's repository with the example model."""
    root = new_repository(tmp_path / "team")
    shutil.copytree(EXAMPLE, root / "models" / "fraud-detection")
    (root / ".gitattributes").write_text("models/** -text\n")
    commit_all(root)
    return root


@pytest.fixture
def other_umask() -> Iterator[None]:
    before = os.umask(0o077)
    yield
    os.umask(before)


def test_a_release_is_frozen_once(team: Path) -> None:
    first = freeze(team, "fraud-detection", "blue")
    spec = load_model(team / "models" / "fraud-detection", ["blue"]).deployments["blue"]
    assert first.is_new
    assert first.document.content == content_digest(spec)
    assert first.document.commit == git(team, "rev-parse", "HEAD")
    assert [entry.path for entry in first.document.files] == ["about.json", "model.joblib", "score.py"]
    written = (team / first.document.path).read_bytes()
    commit_all(team)
    again = freeze(team, "fraud-detection", "blue")
    assert (again.is_new, again.document) == (False, first.document)
    assert (team / first.document.path).read_bytes() == written


def test_what_is_not_committed_is_not_frozen(team: Path) -> None:
    script = team / "models" / "fraud-detection" / "src" / "score.py"
    script.write_bytes(script.read_bytes().replace(b"\n", b"\r\n"))
    with pytest.raises(UsageError, match=r"nothing was written: models/fraud-detection/src/score.py has other line"):
        freeze(team, "fraud-detection", "blue")
    assert not (team / "models" / "fraud-detection" / "releases").exists()


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"model": "azureml:weights:1"}, "model"),
        ({"environment": "azureml:env:1"}, "environment"),
        ({"code_configuration": {"code": "azureml:code:1", "scoring_script": "score.py"}}, "code"),
    ],
)
def test_an_asset_of_one_workspace_is_refused(changes: dict[str, object], field: str, tmp_path: Path) -> None:
    root = new_repository(tmp_path / "team")
    write_model(root / "models" / "shop", green=deployment("green", **changes))
    commit_all(root)
    with pytest.raises(UsageError) as caught:
        freeze(root, "shop", "green")
    assert f"{field} of models/shop/green.yml is" in str(caught.value)
    assert "an asset of one workspace" in str(caught.value)


def test_a_colour_that_does_not_exist_is_the_loaders_error(team: Path) -> None:
    with pytest.raises(ModelError, match="deployment gren has no file"):
        freeze(team, "fraud-detection", "gren")


def test_a_clone_on_another_machine_has_the_same_digests_or_is_refused(
    team: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other_umask: None
) -> None:
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    monkeypatch.setenv("LC_ALL", "tr_TR.UTF-8")
    document = freeze(team, "fraud-detection", "green").document
    commit_all(team)
    for name, attributes in (("kept", True), ("converted", False)):
        if not attributes:
            git(team, "rm", "-q", ".gitattributes")
            commit_all(team)
        other = tmp_path / name
        git(tmp_path, "clone", "-q", "-c", "core.autocrlf=true", "-c", "core.symlinks=false", str(team), str(other))
        if attributes:
            assert freeze(other, "fraud-detection", "green").document == document
        else:
            with pytest.raises(UsageError, match="has other line endings than in the commit"):
                freeze(other, "fraud-detection", "green")
