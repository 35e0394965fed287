"""What a pull request touches, and what of it is refused."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from delivery.pull_request.checked_change import Change, ChangedFile, parse_changes, record_problems

DECLARED = {"dev": {"fraud", "churn"}, "prod": {"fraud"}}


def changed(*files: str) -> Change:
    pairs = [file.split() for file in files]
    return Change(files=tuple(ChangedFile(path=PurePosixPath(path), operation=operation) for operation, path in pairs))


@pytest.mark.parametrize(
    ("files", "stacks"),
    [
        (("M Pulumi.dev.yaml",), ("dev",)),
        (("M models/churn/blue.yml",), ("dev",)),
        (("M models/fraud/src/score.py",), ("dev", "prod")),
        (("M models/loader.py",), ("dev", "prod")),
        (("M Pulumi.yaml",), ("dev", "prod")),
        (("D components/platform.py",), ("dev", "prod")),
        (("M docs/ci.md", "A tests/test_x.py", "M README.md", "M .github/workflows/check.yml"), ()),
        (("M rollouts/dev/fraud/1.jsonl",), ()),
        (("A models/other/blue.yml",), ()),
    ],
)
def test_a_change_touches_the_stacks_that_read_it(files: tuple[str, ...], stacks: tuple[str, ...]) -> None:
    assert changed(*files).stacks(DECLARED) == stacks


def test_a_release_document_may_come_and_go_and_never_change() -> None:
    path = "models/fraud/releases/0123456789abcdef.json"
    assert not list(changed(f"A {path}", f"D {path}").document_problems())
    (problem,) = changed(f"M {path}").document_problems()
    assert problem.startswith(f"{path} is changed, and a release document never changes")


def test_files_of_proofs_that_come_or_change_are_verified() -> None:
    folder = "models/fraud/releases"
    change = changed(f"A {folder}/aa.proofs.jsonl", f"M {folder}/bb.proofs.jsonl", f"D {folder}/cc.proofs.jsonl")
    assert change.proofs == (("fraud", "aa"), ("fraud", "bb"))
    assert change.models == ("fraud",)


def test_records_of_a_pull_request_are_refused_unless_the_pipelines_have_them_so() -> None:
    records = changed("A rollouts/dev/fraud/1.jsonl", "M rollouts/dev/fraud/2.jsonl").records
    assert not list(record_problems(records, {file.path for file in records}))
    (problem,) = record_problems(records, {records[0].path})
    assert problem.startswith("rollouts/dev/fraud/2.jsonl: only pipelines write below rollouts/")
    many = tuple(ChangedFile(path=PurePosixPath(f"rollouts/dev/fraud/{n}.jsonl"), operation="A") for n in range(9))
    assert " and 4 more" in next(record_problems(many, ()))


def test_gits_list_is_read_relative_to_the_project() -> None:
    listed = "M\0app/Pulumi.dev.yaml\0A\0other/file\0D\0app/a b.txt\0"
    assert parse_changes(listed, "app/") == Change(
        files=(
            ChangedFile(path=PurePosixPath("Pulumi.dev.yaml"), operation="M"),
            ChangedFile(path=PurePosixPath("a b.txt"), operation="D"),
        )
    )
    assert parse_changes("", "") == Change()
