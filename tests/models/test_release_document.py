"""A release document proves itself: its name and every digest follow from what is in it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import ReleaseError
from models.release_check import problems_of
from models.release_document import parse, read, write
from models.spec import digest_of
from tests.models.release_documents import a_document

DOCUMENT = a_document()


def edited(change: Callable[[dict[str, Any]], object]) -> str:
    values = json.loads(DOCUMENT.text())
    change(values)
    return json.dumps(values)


def test_a_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    assert write(tmp_path, DOCUMENT)
    path = tmp_path / DOCUMENT.path
    assert path.relative_to(tmp_path).as_posix() == f"models/shop/releases/{DOCUMENT.content[:16]}.json"
    for digits in (DOCUMENT.short, DOCUMENT.content[:40], DOCUMENT.content):
        assert read(tmp_path, "shop", digits) == DOCUMENT
    assert [entry.path for entry in DOCUMENT.files_of("code")] == ["score.py"]


def test_a_document_is_never_changed(tmp_path: Path) -> None:
    write(tmp_path, DOCUMENT)
    other = a_document(commit="d" * 40)
    assert not write(tmp_path, other)
    assert read(tmp_path, "shop", other.short).commit == DOCUMENT.commit


def test_line_ends_of_the_document_itself_mean_nothing(tmp_path: Path) -> None:
    """A clone with core.autocrlf=true may write them; the conda file is a JSON string and keeps its own."""
    write(tmp_path, DOCUMENT)
    path = tmp_path / DOCUMENT.path
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(tmp_path, "shop", DOCUMENT.short) == DOCUMENT


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda v: v["settings"].update(scoring_script="x.py"), "but its settings have the digest"),
        (lambda v: v["files"][0].update(sha256="0" * 64), "its files of the model do not have the digest"),
        (lambda v: v["files"][1].update(path="other.py"), "its files of the code do not have the digest"),
        (lambda v: v["files"].pop(), "its files of the code do not have the digest"),
        (lambda v: v["files"].append(v["files"][0]), "it lists model.bin of the model twice"),
        (lambda v: v["files"][0].update(path="../model.bin"), "'../model.bin' is not a path below the model"),
        (lambda v: v["files"][0].update(size=-1), "model.bin of the model has an invalid size or sha256"),
        (lambda v: v["places"]["model"].update(name="other.bin"), "its files of the model do not have the digest"),
        (lambda v: v["places"].pop("code"), "it does not say where the files of the code are"),
        (lambda v: v.update(conda="dependencies: [python=3.12]"), "its environment (image, conda, inference_config)"),
        (lambda v: v["environment"].update(image="registry.example/image:2"), "its environment (image, conda"),
        (lambda v: v.update(environment=None), "its settings name an inline environment, but it has none"),
        (lambda v: v.update(commit="HEAD"), "its commit must be a whole commit id, got 'HEAD'"),
        (lambda v: v.update(model="other"), "it is of model other, not of shop"),
        (lambda v: v.update(content="0" * 64), "does not begin with its file's name"),
        (lambda v: v.update(format=2), "format 2 is not known to this version (1)"),
        (lambda v: v.update(extra=1), "unknown keys extra"),
        (lambda v: v.pop("files"), "it lacks files"),
        (lambda v: v.update(format=True), "format True is not known"),
        (lambda v: v.update(files={}), "files must be a list, got {}"),
        (lambda v: v.update(files=[3]), "an entry of files must be a mapping, got 3"),
        (lambda v: v["files"][0].pop("sha256"), "an entry of files lacks sha256"),
        (lambda v: v.update(places=[]), "places must be a mapping, got []"),
        (lambda v: v["places"]["code"].update(path="a\0b"), "a path is expected"),
        (lambda v: v["environment"].update(name=3), "a string is expected, got 3"),
        (lambda v: v.update(environment="x"), "environment must be a mapping"),
        (lambda v: v.update(conda="a: 2001-99-99"), "its conda file cannot be read"),
        (lambda v: v.update(conda="a: 2001-01-01"), "its conda file cannot be read"),
        (lambda v: v.update(conda="a: " + "[" * 5000), "its conda file cannot be read"),
        (
            lambda v: v["defaults"]["body"].update(environmentVariables={"A": "1"}),
            "its defaults set environmentVariables",
        ),
        (lambda v: v["defaults"]["body"].update(environmentVariables={}), "its defaults set environmentVariables"),
        (lambda v: v["files"][0].update(size="7"), "a size in bytes is expected"),
        (lambda v: v["files"][0].update(part="data"), "a part is model or code"),
    ],
)
def test_an_edited_document_is_refused_with_the_reason(change: Callable[[dict[str, Any]], object], reason: str) -> None:
    with pytest.raises(ReleaseError) as caught:
        parse(edited(change), DOCUMENT.path, model="shop")
    assert reason in str(caught.value)
    assert "git checkout" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("body", []),
        ("body", {"description": "x"}),
        ("body", {"requestSettings": {}}),
        ("scoring_script", 3),
        ("model", {"content": "0" * 64}),
        ("code", "azureml:code:1"),
        ("environment", {"reference": 3}),
    ],
)
def test_settings_of_which_no_deployment_can_be_made_are_refused_though_their_digest_fits(
    name: str, value: object
) -> None:
    settings = {**DOCUMENT.settings, name: value}
    assert f"its settings have no valid {name}" in problems_of(
        a_document(settings=settings, content=digest_of(settings))
    )


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ('"format": 1', '"format": 2, "format": 1', 'it has the key "format" twice'),
        ('"size": 7', '"size": NaN', "it has NaN in place of a number"),
        ('"size": 7', '"size": 1e999', "it has a number that is too large"),
        ('"size": 7', '"size": ' + "9" * 5000, "it has a number that is too large"),
        ('"size": 7', '"size": ' + "[" * 100_000, "it is nested too deeply"),
        ('"model.bin"', r'"\ud800"', "it has half of a character"),
    ],
)
def test_json_that_has_no_one_meaning_is_refused(old: str, new: str, reason: str) -> None:
    text = DOCUMENT.text()
    assert old in text
    with pytest.raises(ReleaseError, match=reason):
        parse(text.replace(old, new), DOCUMENT.path, model="shop")


def test_every_reason_is_listed() -> None:
    def spoil(values: dict[str, Any]) -> None:
        values["files"][0]["sha256"] = "0" * 64
        values["commit"] = "main"
        values["conda"] = None

    with pytest.raises(ReleaseError) as caught:
        parse(edited(spoil), DOCUMENT.path, model="shop")
    assert len(caught.value.reasons) == 3


@pytest.mark.parametrize("text", ["", "[]", "null", "<<<<<<< HEAD\n", "{}"])
def test_what_is_no_document_is_refused(text: str) -> None:
    with pytest.raises(ReleaseError, match="is not a release document"):
        parse(text, DOCUMENT.path, model="shop")


def test_a_document_that_is_missing_is_named_with_those_that_exist(tmp_path: Path) -> None:
    write(tmp_path, DOCUMENT)
    with pytest.raises(ReleaseError) as caught:
        read(tmp_path, "shop", "0123456789abcdef")
    assert "there is no release document models/shop/releases/0123456789abcdef.json" in str(caught.value)
    assert DOCUMENT.short in str(caught.value)


def test_more_digits_than_the_file_name_has_are_compared_too(tmp_path: Path) -> None:
    write(tmp_path, DOCUMENT)
    digits = f"{DOCUMENT.short}{'0' if DOCUMENT.content[16] != '0' else '1'}"
    with pytest.raises(ReleaseError, match="is another content"):
        read(tmp_path, "shop", digits)


def test_an_invalid_document_is_not_written(tmp_path: Path) -> None:
    with pytest.raises(ReleaseError, match="was not written"):
        write(tmp_path, a_document(content="0" * 64))
    assert not (tmp_path / "models").exists()
    assert list(problems_of(DOCUMENT)) == []
