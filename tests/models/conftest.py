"""What the tests of models/ share: a separate cache, the example model, and small models created as needed."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.loader import load_model

EXAMPLE = Path(__file__).resolve().parents[2] / "models" / "fraud-detection"

ENDPOINT = {"name": "shop", "auth_mode": "key"}
SCRIPT = "def init():\n    pass\n\n\ndef run(raw_data):\n    return raw_data\n"


@pytest.fixture(scope="session")
def shared_cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One cache for the session: azure-ai-ml is asked once for files that many tests read."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(autouse=True)
def own_environment(shared_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the user's cache and locks from the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(shared_cache))
    monkeypatch.delenv("SLUICE_RELEASE_LOCKS", raising=False)


@pytest.fixture
def example(tmp_path: Path) -> Path:
    """A copy of models/fraud-detection."""
    return Path(shutil.copytree(EXAMPLE, tmp_path / "models" / "fraud-detection"))


@pytest.fixture(scope="session")
def warm_cache(shared_cache: Path) -> None:
    """azure-ai-ml's results for the example are in the cache."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(shared_cache))
        load_model(EXAMPLE, ["amber", "blue", "green"])


@pytest.fixture
def no_library(warm_cache: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache knows the example; starting azure-ai-ml fails the test."""

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("azure-ai-ml was started")

    monkeypatch.setattr("models.azureml.subprocess.run", refuse)


def deployment(name: str, /, **changes: Any) -> dict[str, Any]:
    """Return a valid YAML of a deployment, with changes; None removes a key."""
    content: dict[str, Any] = {
        "name": name,
        "endpoint_name": "shop",
        "model": {"path": "./model.bin"},
        "code_configuration": {"code": "./src", "scoring_script": "score.py"},
        "environment": {"image": "registry.example/image:1", "conda_file": "./conda.yml"},
        "instance_type": "Standard_DS3_v2",
        "instance_count": 1,
        **changes,
    }
    return {key: value for key, value in content.items() if value is not None}


def write_model(folder: Path, endpoint: dict[str, Any] | None = None, **deployments: dict[str, Any] | str) -> Path:
    """Write a model's folder; a deployment may be given as a string."""
    (folder / "src").mkdir(parents=True)
    (folder / "src" / "score.py").write_text(SCRIPT)
    (folder / "model.bin").write_bytes(b"weights")
    (folder / "conda.yml").write_text("dependencies: [python=3.11]\n")
    (folder / "endpoint.yml").write_text(yaml.safe_dump({**ENDPOINT, **(endpoint or {})}))
    for name, content in deployments.items():
        text = content if isinstance(content, str) else yaml.safe_dump(content)
        (folder / f"{name}.yml").write_text(text)
    return folder
