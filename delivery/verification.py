"""Compares lines of proof with the records that they name, as the remote branch has them.

A proof is valid if the record is whole, is of the same project, stack, endpoint and content, ended `done` with the same
hash, and nothing went back afterwards. It must have run where this stack runs, so that a rehearsal proves nothing
(ADR 32): Resource Manager's host is the one that this shell works against, and the subscription is the one in the stack
file on that branch or, if the file names none, that of the stack's rollout before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Protocol

import yaml

from delivery.rollout_proof import NoProof, Place, proof_in
from models.content import RELEASES_FOLDER
from models.errors import ProofError
from models.proof import PROOFS_SUFFIX, Proof, read_proofs
from rollout.record.chain import FOLDER, read_lines
from rollout.record.event import Kind

SUBSCRIPTION = "azure-native:subscriptionId"


class Records(Protocol):
    """The branch that has the records; see `RemoteRecords`."""

    branch: str
    tip: str

    def read(self, path: str) -> bytes | None:
        """The content of a file; None if there is none."""

    def ids(self, stack: str, endpoint: str) -> tuple[str, ...]:
        """The ids of an endpoint's rollouts, oldest first."""

    def endpoints(self, stack: str) -> tuple[str, ...]:
        """The endpoints of a stack that have records."""


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
        named = {} if self.proof is None else {field.name: getattr(self.proof, field.name) for field in fields(Proof)}
        return {"file": self.file, "valid": self.valid, "reasons": list(self.reasons), **named}


@dataclass(frozen=True, kw_only=True)
class Verifier:
    """Judges lines of proof. `project` is the project's name, `arm_host` the Resource Manager of this shell."""

    records: Records
    project: str
    arm_host: str

    def judge(self, proof: Proof, file: str) -> Verdict:
        """Return the verdict on one line of a file."""
        return Verdict(file=file, proof=proof, reasons=tuple(self._reasons(proof)))

    def proof_of(self, stack: str, endpoint: str, rollout: str) -> Proof | NoProof:
        """Return what a rollout proves, or every reason why it proves nothing."""
        path = f"{FOLDER}/{stack}/{endpoint}/{rollout}.jsonl"
        record = self.records.read(path)
        if record is None:
            return NoProof(reasons=(f"there is no record {path} on {self.records.branch} of origin",))
        place, problem = self._place(stack, endpoint, rollout)
        found = proof_in(record, rollout, place)
        if problem is None:
            return found
        return NoProof(reasons=(*(found.reasons if isinstance(found, NoProof) else ()), problem))

    def _reasons(self, proof: Proof) -> Iterator[str]:
        found = self.proof_of(proof.stack, proof.endpoint, proof.rollout)
        if isinstance(found, NoProof):
            yield from found.reasons
            return
        for field in fields(Proof):
            said, recorded = getattr(proof, field.name), getattr(found, field.name)
            if said != recorded:
                yield f"it says {field.name} {_shown(said)}, but the record says {_shown(recorded)}"

    def _place(self, stack: str, endpoint: str, rollout: str) -> tuple[Place, str | None]:
        """Where the rollout must have taken place, and what stands against knowing that."""
        subscription, problem = self._declared_subscription(stack)
        place = Place(
            project=self.project,
            stack=stack,
            endpoint=endpoint,
            subscription=subscription or self._earlier_subscription(stack, rollout),
            arm_host=self.arm_host,
        )
        return place, problem

    def _declared_subscription(self, stack: str) -> tuple[str | None, str | None]:
        path = f"Pulumi.{stack}.yaml"
        text = self.records.read(path)
        if text is None:
            return None, None
        try:
            named = ((yaml.safe_load(text) or {}).get("config") or {}).get(SUBSCRIPTION)
        except (yaml.YAMLError, AttributeError, UnicodeDecodeError):
            return None, f"{path} on {self.records.branch} of origin cannot be read, so the stack's place is not known"
        return (named if isinstance(named, str) else None), None

    def _earlier_subscription(self, stack: str, rollout: str) -> str | None:
        """That of the stack's last rollout before this one, on any endpoint, in the same Azure."""
        earlier = [
            (one, endpoint)
            for endpoint in self.records.endpoints(stack)
            for one in self.records.ids(stack, endpoint)
            if one < rollout
        ]
        for one, endpoint in sorted(earlier, reverse=True):
            record = self.records.read(f"{FOLDER}/{stack}/{endpoint}/{one}.jsonl") or b""
            events = read_lines(record, one).events
            started = events[0].data if events and events[0].kind is Kind.STARTED else {}
            if str(started.get("arm_host")).lower() == self.arm_host.lower() and started.get("subscription"):
                return str(started["subscription"])
        return None


def verify_files(root: Path, models: Iterable[str], verifier: Verifier) -> list[Verdict]:
    """Judge every line of proof of these models; `root` is the project's folder."""
    verdicts: list[Verdict] = []
    for model in models:
        for path in sorted((root / "models" / model / RELEASES_FOLDER).glob(f"*{PROOFS_SUFFIX}")):
            file = path.relative_to(root).as_posix()
            try:
                proofs = read_proofs(root, model, path.name.removesuffix(PROOFS_SUFFIX))
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
