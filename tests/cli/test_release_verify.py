"""`sluice release verify --proofs` on a real clone: 0 valid, 1 invalid, 4 not reachable."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.main import main
from delivery.proofs.rollout_proof import Place, proof_in
from models.proof import Proof
from tests.delivery.promotions import RELEASE, document
from tests.delivery.records import ID, content_of, done
from tests.models.proof_files import append_proof
from tests.rollout.repository.clones import Checkout, Remote

pytestmark = pytest.mark.slow

MODEL = "fraud-detection"


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkout:
    """The working directory: a clone whose remote has the record of one rollout in dev, and a proof of it."""
    checkout = Remote(tmp_path).checkout("clone")
    record = f"rollouts/dev/{MODEL}/{ID}.jsonl"
    (checkout.path / record).parent.mkdir(parents=True)
    checkout.commit(record, content_of(done()).decode())
    checkout.commit("Pulumi.yaml", "name: sluice\n")
    (checkout.path / "models" / MODEL).mkdir(parents=True)
    found = proof_in(content_of(done()), ID, Place(project="sluice", stack="dev", endpoint=MODEL))
    assert isinstance(found, Proof)
    append_proof(checkout.path, MODEL, found)
    for name in ("ARM_CLOUD_METADATA_URL", "ARM_ENVIRONMENT"):
        monkeypatch.delenv(name, raising=False)
    for name, value in checkout.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(checkout.path)
    return checkout


def test_a_valid_proof_is_shown_with_what_it_says(clone: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "verify", "--proofs"]) == 0
    assert capsys.readouterr().out == f"valid      {MODEL} {'cd' * 8} in dev by {ID}: 3 of 1200 requests failed\n"


def test_an_invalid_proof_ends_with_1_and_the_reason(clone: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    clone.git("rm", "--quiet", f"rollouts/dev/{MODEL}/{ID}.jsonl")
    clone.git("commit", "--quiet", "-m", "Remove the record")
    clone.git("push", "--quiet", "origin", "HEAD")
    assert main(["release", "verify", "--proofs", MODEL, "--json"]) == 1
    (verdict,) = json.loads(capsys.readouterr().out)["proofs"]
    assert (verdict["equal"], verdict["stack"], verdict["rollout"]) == (False, "dev", ID)
    assert verdict["problems"] == [f"there is no record rollouts/dev/{MODEL}/{ID}.jsonl on main of origin"]


def test_a_remote_that_does_not_answer_ends_with_4(clone: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    clone.git("remote", "set-url", "origin", "file:///nowhere.git")
    assert main(["release", "verify", "--proofs"]) == 4
    assert "the records of rollouts cannot be read" in capsys.readouterr().err


def test_an_unknown_model_is_refused(clone: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "verify", "--proofs", "fraud"]) == 2
    assert "there is no folder models/fraud (there are: fraud-detection)" in capsys.readouterr().err


def test_without_proofs_there_is_nothing_to_check_and_no_remote_is_asked(
    clone: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    clone.git("remote", "remove", "origin")
    for file in (clone.path / "models" / MODEL / "releases").iterdir():
        file.unlink()
    assert main(["release", "verify", "--proofs"]) == 0
    assert capsys.readouterr().err == "there are no proofs to check\n"


def test_without_an_option_every_document_of_the_checkout_is_checked(
    clone: Checkout, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["release", "verify"]) == 0
    assert capsys.readouterr().err == "there are no release documents to check\n"
    for release in (RELEASE, document()):
        (clone.path / release.path).write_text(release.text())
    assert main(["release", "verify"]) == 0
    path = clone.path / RELEASE.path
    path.write_text(path.read_text().replace("dev.example", "evil.example"))
    capsys.readouterr()

    assert main(["release", "verify"]) == 1
    said = capsys.readouterr().out
    assert f"ok         {document().path}" in said
    assert f"DIFFERENT  {RELEASE.path} is not a valid release document" in said
    assert main(["release", "verify", "--json"]) == 1
    assert [one["equal"] for one in json.loads(capsys.readouterr().out)["documents"]].count(False) == 1


def test_deep_is_about_a_stack(clone: Checkout, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["release", "verify", "--deep"]) == 2
    assert "Give --stack as well" in capsys.readouterr().err
