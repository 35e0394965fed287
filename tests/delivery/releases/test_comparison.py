"""delivery/releases/comparison.py: the files and settings in which two releases differ."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from delivery.releases.comparison import differences
from models.release_document import Environment, FileEntry, Place, ReleaseDocument
from models.spec import digest_of, environment_digest

CONDA = "dependencies: [python=3.11, {pip: [numpy==1.26, flask==3.0]}]\n"


def document(files: dict[str, str] | None = None, conda: str = CONDA, **body: Any) -> ReleaseDocument:
    """A release with code; what is compared here needs no valid digests of the files."""
    entries = tuple(
        FileEntry(path=path, size=len(text), sha256=digest_of(text), part="code")
        for path, text in (files or {"score.py": "x"}).items()
    )
    settings: dict[str, Any] = {
        "release": 1,
        "body": body,
        "model": None,
        "code": {"content": digest_of([vars(entry) for entry in entries]), "type": "code"},
        "scoring_script": "score.py",
        "environment": {"content": environment_digest("image:1", conda, None)},
    }
    return ReleaseDocument(
        model="fraud",
        content=digest_of(settings),
        settings=settings,
        conda=conda,
        files=entries,
        commit="0" * 40,
        places={"code": Place(name="src", path="src")},
        environment=Environment(image="image:1", name=None, inference_config=None),
    )


def lines(first: ReleaseDocument, second: ReleaseDocument) -> list[str]:
    return [str(difference) for difference in differences(first, second)]


def test_the_same_content_has_no_differences_whatever_the_commit() -> None:
    assert differences(document(), replace(document(), commit="1" * 40)) == []


def test_files_are_named_that_were_changed_added_or_removed() -> None:
    first = document({"score.py": "one", "old.py": "1"})
    second = document({"score.py": "other", "new.py": "22"})
    assert lines(first, second) == [
        f"+ file code/new.py: {digest_of('22')[:12]}, 2 bytes",
        f"- file code/old.py: {digest_of('1')[:12]}, 1 byte",
        f"~ file code/score.py: {digest_of('one')[:12]}, 3 bytes -> {digest_of('other')[:12]}, 5 bytes",
    ]


def test_settings_are_named_with_both_values() -> None:
    first = document(requestSettings={"maxConcurrentRequestsPerInstance": 1})
    second = document(requestSettings={"maxConcurrentRequestsPerInstance": 4}, livenessProbe={"period": "PT10S"})
    assert lines(first, second) == [
        "+ setting body.livenessProbe.period: PT10S",
        "~ setting body.requestSettings.maxConcurrentRequestsPerInstance: 1 -> 4",
    ]


def test_a_package_of_the_environment_is_named_and_the_environments_digest_is_not() -> None:
    assert lines(document(), document(conda=CONDA.replace("1.26", "2.0"))) == [
        "- setting environment.conda.dependencies.pip[numpy==1.26]: listed",
        "+ setting environment.conda.dependencies.pip[numpy==2.0]: listed",
    ]


def test_the_value_of_an_environment_variable_is_not_shown() -> None:
    first = document(environmentVariables={"DB": "secret-1", "OLD": "secret-2"})
    second = document(environmentVariables={"DB": "secret-3"})
    assert lines(first, second) == [
        "~ setting body.environmentVariables.DB: set (not shown) -> set (not shown)",
        "- setting body.environmentVariables.OLD: set (not shown)",
    ]


def test_two_environments_that_differ_in_their_kind_differ() -> None:
    registry = replace(document(), environment=None, conda=None, content="9" * 64)
    registry = replace(registry, settings={**registry.settings, "environment": {"reference": "azureml://registries/r"}})
    assert "+ setting environment.reference: azureml://registries/r" in lines(document(), registry)
    assert "- setting environment.image: image:1" in lines(document(), registry)
