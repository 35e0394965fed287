"""Around a preview: what is proven about the colours that it concerns, and locks as they will be."""

from __future__ import annotations

from pathlib import Path

import pytest

from command_errors import UnavailableError
from delivery.proofs.rollout_proof import NoProof
from delivery.proofs.verification import Verdict, Verifier
from delivery.pull_request.preview import attempt, proofs_of, without_values
from exit_codes import ExitCode
from models.proof import Proof
from rollout.errors import EngineRefused
from rollout.events import Preview
from tests.delivery.pull_request.test_comment import PROOF
from tests.delivery.recorded_previews import MODEL, report, settings
from tests.models.proof_files import append_proof


class Files:
    branch = "main"


class Judge(Verifier):
    """A verifier that says what a test wants."""

    reasons: tuple[str, ...] = ()
    error: Exception | None = None

    def judge(self, proof: Proof, file: str) -> Verdict:
        if self.error is not None:
            raise self.error
        return Verdict(file=file, proof=proof, reasons=self.reasons)

    def proof_of(self, stack: str, endpoint: str, rollout: str) -> Proof | NoProof:
        raise NotImplementedError


def judge(*reasons: str, error: Exception | None = None) -> Verifier:
    found = Judge(files_of=lambda stack: Files(), project="sluice", arm_host="x")  # type: ignore[arg-type]  # a fake
    object.__setattr__(found, "reasons", reasons)
    object.__setattr__(found, "error", error)
    return found


GREEN = report("green").preview or Preview()
CONTENTS = {(MODEL, "green"): "c" * 64, (MODEL, "blue"): "b" * 64}


def test_a_colour_that_enters_is_shown_with_its_newest_proof(tmp_path: Path) -> None:
    for rollout in ("20261101T000000Z-green", "20261128T081500Z-green", "20261115T000000Z-green"):
        append_proof(tmp_path, MODEL, Proof(**{**vars(PROOF), "rollout": rollout}))
    (found,) = proofs_of(tmp_path, GREEN, CONTENTS, judge())
    assert found.proof is not None
    assert (found.colour, found.proof.rollout, found.verified) == ("green", "20261128T081500Z-green", "main")


def test_a_proof_that_the_record_does_not_bear_out_is_shown_with_the_reason(tmp_path: Path) -> None:
    append_proof(tmp_path, MODEL, PROOF)
    (found,) = proofs_of(tmp_path, GREEN, CONTENTS, judge("it ended as rolled back"))
    assert (found.verified, found.problem) == (None, "it ended as rolled back")
    (silent,) = proofs_of(tmp_path, GREEN, CONTENTS, judge(error=UnavailableError("no branch")))
    assert (silent.verified, silent.problem) == (None, "no branch")


def test_a_colour_whose_weight_rises_is_shown_and_one_whose_weight_falls_is_not(tmp_path: Path) -> None:
    weights = report("weights").preview or Preview()
    assert [(one.colour, one.proof) for one in proofs_of(tmp_path, weights, CONTENTS, judge())] == [("green", None)]
    assert proofs_of(tmp_path, report("gone").preview or Preview(), CONTENTS, judge()) == ()


@pytest.mark.parametrize(
    ("error", "failures", "code"),
    [
        (
            EngineRefused("x", errors=("The change of stack dev has 2 problems; nothing was changed:\n  a.\n  b.",)),
            ("a.", "b."),
            ExitCode.USAGE,
        ),
        (
            UnavailableError("Azure does not answer. Try again."),
            ("Azure does not answer. Try again.",),
            ExitCode.UNAVAILABLE,
        ),
    ],
)
def test_what_a_preview_refuses_is_a_result(error: Exception, failures: tuple[str, ...], code: ExitCode) -> None:
    def refuse() -> Preview:
        raise error

    found = attempt(refuse)
    assert (found.preview, found.failures, found.exit_code) == (None, failures, code)


def test_a_value_that_a_message_repeats_is_hidden() -> None:
    after = settings(environment_variables={"DB_URL": "postgres://host"})
    shown = report("refused", failures=("DB_URL must be short, got postgres://host.",), after=after)
    assert without_values(shown, ()).failures == ("DB_URL must be short, got [hidden].",)
