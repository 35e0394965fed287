"""assessment/provenance.py: the pin of a deployment and the proofs beside its release document."""

from __future__ import annotations

from pathlib import Path

from assessment.provenance import provenance_of
from endpoint_state import Provenance
from models.proof import Proof, proofs_path
from stack_config import DeploymentSettings
from tests.models.proof_files import append_proof

CONTENT = "ab" * 32
PROOF = Proof(
    **{"stack": "dev", "endpoint": "fraud", "rollout": "20261127T140000Z-green", "head": "1" * 64, "content": CONTENT},
    **{"deployment": "2" * 16, "requests": 1, "errors": 0, "synthetic": False},
)


def test_a_pinned_deployment_is_proven_where_its_content_has_a_proof(tmp_path: Path) -> None:
    append_proof(tmp_path, "fraud", PROOF)
    folder = tmp_path / "models" / "fraud"
    pinned = DeploymentSettings(release=CONTENT[:16])
    assert provenance_of(folder, pinned) == Provenance(pin=CONTENT[:16], proven_in=frozenset({"dev"}))
    assert provenance_of(folder, DeploymentSettings(release="0" * 16)) == Provenance(pin="0" * 16)


def test_without_a_pin_there_is_no_proof_and_the_reason_is_kept(tmp_path: Path) -> None:
    excused = DeploymentSettings(allow_unproven="fixes the outage INC-4711")
    assert provenance_of(tmp_path / "models" / "fraud", excused) == Provenance(
        allow_unproven="fixes the outage INC-4711"
    )


def test_proofs_that_cannot_be_read_are_no_error(tmp_path: Path) -> None:
    append_proof(tmp_path, "fraud", PROOF)
    proofs_path(tmp_path, "fraud", CONTENT).write_text("nonsense\n")
    found = provenance_of(tmp_path / "models" / "fraud", DeploymentSettings(release=CONTENT[:16]))
    assert found.proven_in == frozenset()
    assert "line 1 is not JSON" in str(found.problem)
