"""source.json: what is wrong with it is said in one message."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from command_errors import UsageError
from delivery.stack_branch.source_document import SourceDocument, parse, path_of, read

DOCUMENT = SourceDocument(branch="main", commit="a" * 40, at=1, subscription="s", arm_host="management.azure.com")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is not JSON"),
        ("[" * 100_000, "it is nested too deeply"),
        ("[]", "must hold a JSON object"),
        (DOCUMENT.text().replace('"at": 1', '"at": 1, "at": 2'), 'it has the key "at" twice'),
        (DOCUMENT.text().replace('"at": 1', '"at": true'), "at must be int, got True"),
        (DOCUMENT.text().replace("a" * 40, "main"), "commit must be the id of a commit, got 'main'"),
        (json.dumps({**json.loads(DOCUMENT.text()), "weights": {"fraud": 3}}), "weights.fraud: weights must have"),
    ],
)
def test_a_broken_document_is_refused_with_the_reason(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text, "source.json")
    assert said in str(caught.value)
    assert "sluice ci sync" in str(caught.value)


@pytest.mark.parametrize("content", [b"\xff{}", DOCUMENT.text().encode("utf-16")])
def test_a_document_in_another_encoding_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / path_of("prod")
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    with pytest.raises(UsageError, match=r"source\.json cannot be read"):
        read(tmp_path, "prod")
