"""Release documents that tests need, without a folder that they describe."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from typing import Any

from models.release_document import Environment, FileEntry, Place, ReleaseDocument
from models.spec import AssetKind, asset_digest, digest_of, environment_digest

COMMIT = "c" * 40
IMAGE = "registry.example/image:1"


def entry(path: str, content: bytes, part: Any) -> FileEntry:
    return FileEntry(path=path, size=len(content), sha256=sha256(content).hexdigest(), part=part)


def settings_of(files: tuple[FileEntry, ...], *, variables: Mapping[str, str] | None = None) -> dict[str, Any]:
    def digest(part: str, name: str) -> str:
        return asset_digest(AssetKind(part), name, {one.path: one.sha256 for one in files if one.part == part})

    return {
        "release": 1,
        "body": {"endpointComputeType": "Managed", "environmentVariables": {"LEVEL": "info", **(variables or {})}},
        "model": {"content": digest("model", "model.bin"), "type": "custom_model"},
        "code": {"content": digest("code", "src"), "type": "code"},
        "scoring_script": "score.py",
        "environment": {"content": environment_digest(IMAGE, {"dependencies": ["python=3.11"]}, None)},
    }


def a_document(model: str = "shop", *, weights: bytes = b"weights", **changes: Any) -> ReleaseDocument:
    """A valid document; other `weights` make another content."""
    files = (entry("model.bin", weights, "model"), entry("score.py", b"code", "code"))
    settings = settings_of(files)
    values: dict[str, Any] = {
        "model": model,
        "content": digest_of(settings),
        "settings": settings,
        "conda": "dependencies:\n- python=3.11\n",
        "files": files,
        "commit": COMMIT,
        "places": {
            "model": Place(name="model.bin", path="model.bin", is_file=True),
            "code": Place(name="src", path="src"),
        },
        "environment": Environment(image=IMAGE, name=None, inference_config=None),
        "defaults": {
            "body": {"instanceType": "Standard_DS3_v2", "appInsightsEnabled": True},
            "instance_type": "Standard_DS3_v2",
            "instance_count": 1,
            "autoscale": None,
            "tags": {},
        },
        **changes,
    }
    return ReleaseDocument(**values)
