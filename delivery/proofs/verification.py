"""Compares lines of proof with the records that they name, as the remote branch has them.

A proof is valid if the record is whole, is of the same project, stack, endpoint and content, took place where the stack
is, ended `done` with the same hash, and nothing went back afterwards.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from delivery.proofs.rollout_proof import NoProof, Place, proof_in
from delivery.proofs.stack_place import Files, place_of
from models.content import RELEASES_FOLDER
from models.errors import ProofError
from models.proof import PROOFS_SUFFIX, Proof, proofs_path, read_proofs
from record_folders import FOLDER


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What became of one line of proof, or of a file that holds something else."""

    file: str
    """Path from the project's folder."""
    proof: Proof | None
    """The line; None if the file cannot be read."""
    reasons: tuple[str, ...] = ()
    """Why it is invalid; none: it is valid."""

    @property
    def valid(self) -> bool:
        """Whether the record says what the line says."""
        return not self.reasons

    def as_values(self) -> dict[str, Any]:
        """The verdict as JSON values."""
        named = {} if self.proof is None else self.proof.as_values()
        return {"file": self.file, "equal": self.valid, "problems": list(self.reasons), **named}


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Judges lines of proof. `project` is the project's name, `arm_host` the Resource Manager of this shell."""

    files_of: Callable[[str], Files]
    """The tip of the branch that has a stack's records."""
    project: str
    arm_host: str

    def judge(self, proof: Proof, file: str) -> Verdict:
        """Return the verdict on one line of a file."""
        return Verdict(file=file, proof=proof, reasons=tuple(self._reasons(proof)))

    def proof_of(self, stack: str, endpoint: str, rollout: str) -> Proof | NoProof:
        """Return what a rollout proves, or every reason why it proves nothing."""
        path, files = f"{FOLDER}/{stack}/{endpoint}/{rollout}.jsonl", self.files_of(stack)
        record = files.read(path)
        if record is None:
            return NoProof(reasons=(f"there is no record {path} on {files.branch} of origin",))
        known = place_of(files, stack, self.arm_host, before=rollout)
        place = Place(project=self.project, stack=stack, endpoint=endpoint, **vars(known))
        return proof_in(record, rollout, place)

    def _reasons(self, proof: Proof) -> Iterator[str]:
        found = self.proof_of(proof.stack, proof.endpoint, proof.rollout)
        if isinstance(found, NoProof):
            yield from found.reasons
            return
        for field in fields(Proof):
            said, recorded = getattr(proof, field.name), getattr(found, field.name)
            if said != recorded:
                yield f"it says {field.name} {_shown(said)}, but the record says {_shown(recorded)}"


def proof_files(root: Path, models: Iterable[str]) -> list[tuple[str, str]]:
    """Return the model and the content (16 digits) of every file of proofs; `root` is the project's folder."""
    return [
        (model, path.name.removesuffix(PROOFS_SUFFIX))
        for model in models
        for path in sorted((root / "models" / model / RELEASES_FOLDER).glob(f"*{PROOFS_SUFFIX}"))
    ]


def verify_files(root: Path, files: Iterable[tuple[str, str]], verifier: Verifier) -> list[Verdict]:
    """Judge every line of proof of these models and contents. Raises RecordsUnreachable."""
    verdicts: list[Verdict] = []
    for model, content in files:
        file = proofs_path(root, model, content).relative_to(root).as_posix()
        try:
            proofs = read_proofs(root, model, content)
        except ProofError as error:
            verdicts.append(Verdict(file=file, proof=None, reasons=(str(error),)))
            continue
        verdicts += [_of_its_model(verifier.judge(proof, file), model) for proof in proofs]
    return verdicts


def _of_its_model(verdict: Verdict, model: str) -> Verdict:
    """A model's folder has the name of its endpoint, so another endpoint's proof is in the wrong folder."""
    if verdict.proof is None or verdict.proof.endpoint == model:
        return verdict
    reason = f"it is about the endpoint {verdict.proof.endpoint}, but lies in models/{model}"
    return Verdict(file=verdict.file, proof=verdict.proof, reasons=(*verdict.reasons, reason))


def _shown(value: object) -> str:
    return (", ".join(map(str, value)) or "none") if isinstance(value, tuple) else str(value)
