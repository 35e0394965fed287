"""models/proof.py: the lines that say in which rollout a content ended well."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import ProofError
from models.proof import Proof, parse_proofs, proofs_path, read_proofs, stacks_with_proof
from tests.models.proof_files import append_proof

CONTENT = "ab" * 32
PROOF = Proof(
    stack="dev",
    endpoint="fraud-detection",
    rollout="20261127T140000Z-green",
    head="1" * 64,
    content=CONTENT,
    deployment="2" * 16,
    requests=1200,
    errors=3,
    synthetic=True,
    skipped_gates=("latency_p95",),
    approvers=("ada", "Éva"),
)


def test_proofs_that_are_written_are_read_back_as_they_were(tmp_path: Path) -> None:
    second = replace(PROOF, rollout="20261128T140000Z-green", approvers=())
    append_proof(tmp_path, "fraud-detection", PROOF)
    append_proof(tmp_path, "fraud-detection", second)

    assert read_proofs(tmp_path, "fraud-detection", CONTENT[:16]) == (PROOF, second)


def test_a_content_without_a_file_has_no_proofs(tmp_path: Path) -> None:
    assert read_proofs(tmp_path, "fraud-detection", CONTENT) == ()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "is not JSON"),
        ("[" * 100_000, "is nested too deeply"),
        (PROOF.line().replace('"errors":3', '"errors":3,"errors":3'), 'has the key "errors" twice'),
        (PROOF.line().replace('"errors":3', '"errors":NaN'), "has NaN in place of a number"),
        ("[]", "must have exactly approvers, content"),
        (PROOF.line().replace('"errors":3', '"errors":-3'), "errors must be a whole number from 0, got -3"),
        (PROOF.line().replace('"errors":3', '"errors":true'), "errors must be a whole number from 0, got true"),
        (PROOF.line().replace('"head":"1', '"head":"x'), "head must have 64 hexadecimal digits"),
        (PROOF.line().replace('"synthetic":true', '"synthetic":1'), "synthetic must be true or false, got 1"),
        (PROOF.line().replace('"stack":"dev"', '"stack":"../../etc"'), "stack must have letters, digits"),
        (PROOF.line().replace(",", ", "), "was edited: its keys or spaces"),
        (PROOF.line() + "\r", "was edited: its keys or spaces"),
        (replace(PROOF, content="c" * 64).line(), "is about the content cccccccccccccccc, but the file's name says"),
    ],
)
def test_a_line_that_no_promotion_has_written_is_refused(line: str, said: str) -> None:
    with pytest.raises(ProofError) as error:
        parse_proofs(f"{PROOF.line()}\n{line}\n", "x.proofs.jsonl", content=CONTENT[:16])
    assert f"line 2 {said}" in str(error.value)


def test_every_wrong_line_and_a_cut_one_are_named_together() -> None:
    with pytest.raises(ProofError) as error:
        parse_proofs(f"[]\n{PROOF.line()}\n{{\n{PROOF.line()[:40]}", "x.proofs.jsonl", content=CONTENT[:16])
    for said in ("line 1 must have exactly", "line 3 is not JSON", "line 4 has no end"):
        assert said in str(error.value)


def test_a_pin_is_proven_in_the_stacks_whose_proofs_have_its_content(tmp_path: Path) -> None:
    model = "fraud-detection"
    append_proof(tmp_path, model, PROOF)
    append_proof(tmp_path, model, replace(PROOF, stack="test", content=CONTENT[:16] + "0" * 48))
    append_proof(tmp_path, model, replace(PROOF, stack="other", endpoint="churn"))

    assert stacks_with_proof(tmp_path, model, CONTENT[:16]) == (frozenset({"dev", "test"}), None)
    assert stacks_with_proof(tmp_path, model, CONTENT) == (frozenset({"dev"}), None)
    assert stacks_with_proof(tmp_path, model, "0" * 16) == (frozenset(), None)


def test_proofs_that_cannot_be_read_prove_nothing_and_stop_nothing(tmp_path: Path) -> None:
    append_proof(tmp_path, "fraud-detection", PROOF)
    proofs_path(tmp_path, "fraud-detection", CONTENT).write_text("[]\n")
    stacks, problem = stacks_with_proof(tmp_path, "fraud-detection", CONTENT)
    assert stacks == frozenset()
    assert "line 1 must have exactly" in str(problem)
