"""Files of proofs in a project's folder, for tests."""

from __future__ import annotations

from pathlib import Path

from models.proof import Proof, proofs_path, proofs_text, read_proofs


def append_proof(root: Path, model: str, proof: Proof) -> None:
    """Add a line to the file of its content; `root` is the project's folder."""
    path = proofs_path(root, model, proof.content)
    known = read_proofs(root, model, proof.content)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(proofs_text([*known, proof]))
