"""A preview of what would be deployed, and what is known around it: a `PreviewReport` that a comment is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from command_errors import expected_code
from delivery.proofs.verification import Verifier
from delivery.pull_request.preview_reading import EndpointMove, read_preview
from delivery.pull_request.preview_report import ColourProof, PreviewReport, refusals_in
from exit_codes import ExitCode
from git_server.redaction import redacted
from models.errors import ProofError
from models.proof import SHORT, proofs_path, read_proofs
from rollout.events import Preview
from stack_config import Settings


@dataclass(frozen=True)
class Previewed:
    """A preview, or why there is none, each reason with its fix."""

    preview: Preview | None = None
    failures: tuple[str, ...] = ()
    exit_code: ExitCode = ExitCode.DONE


def attempt(preview: Callable[[], Preview]) -> Previewed:
    """Return a preview, or the reasons of an error that the product expects."""
    try:
        return Previewed(preview())
    except Exception as error:
        return refusal(error)


def refusal(error: Exception) -> Previewed:
    """Return the reasons of an error that the product expects. Raises any other error again."""
    if (code := expected_code(error)) is None:
        raise error
    errors: Iterable[str] = getattr(error, "errors", ()) or (str(error),)
    return Previewed(failures=tuple(one for text in errors for one in refusals_in(text)), exit_code=code)


def proofs_of(
    root: Path, preview: Preview, contents: Mapping[tuple[str, str], str], verifier: Verifier
) -> tuple[ColourProof, ...]:
    """Return what is proven about each colour that enters, changes its release, or whose weight rises.

    `contents` are content digests by endpoint and colour. A record that cannot be read is said, and stops nothing.
    """
    found = []
    for move in read_preview(preview).endpoints:
        for colour in _concerned(move):
            content = contents.get((move.endpoint, colour))
            found.append(_proof_of(root, move.endpoint, colour, content, verifier))
    return tuple(found)


def _concerned(move: EndpointMove) -> list[str]:
    entered = {one.colour for one in move.colours if one.operation == "create" or one.changes_release}
    before, after = move.before, move.after
    risen = {
        name
        for name, percent in (after.traffic.items() if after is not None else ())
        if before is not None and percent > before.percent_of(name)
    }
    return sorted(entered | risen)


def _proof_of(root: Path, endpoint: str, colour: str, content: str | None, verifier: Verifier) -> ColourProof:
    if content is None:
        return ColourProof(endpoint=endpoint, colour=colour, content=None, problem="Its content is not known.")
    short = content[:SHORT]
    try:
        proofs = read_proofs(root, endpoint, content)
    except ProofError as error:
        return ColourProof(endpoint=endpoint, colour=colour, content=short, problem=str(error))
    if not proofs:
        return ColourProof(endpoint=endpoint, colour=colour, content=short)
    proof = max(proofs, key=lambda one: one.rollout)
    file = proofs_path(root, endpoint, content).relative_to(root).as_posix()
    try:
        verdict = verifier.judge(proof, file)
        place = verifier.files_of(proof.stack)
    except Exception as error:
        if expected_code(error) is None:
            raise
        return ColourProof(endpoint=endpoint, colour=colour, content=short, proof=proof, problem=str(error))
    verified = place.branch if verdict.valid else None
    problem = None if verdict.valid else "; ".join(verdict.reasons)
    return ColourProof(endpoint=endpoint, colour=colour, content=short, proof=proof, verified=verified, problem=problem)


def without_values(report: PreviewReport, secrets: Iterable[str]) -> PreviewReport:
    """Return the report without values that a message of the program may repeat: secrets, and overridden variables."""
    values = [*secrets, *overridden_values(report.before), *overridden_values(report.after)]
    return replace(
        report,
        failures=tuple(redacted(text, values) for text in report.failures),
        notes=tuple(redacted(text, values) for text in report.notes),
    )


def overridden_values(settings: Settings | None) -> list[str]:
    """The values that a stack file gives to environment variables."""
    return [
        value
        for endpoint in (settings.endpoints.values() if settings else ())
        for deployment in endpoint.deployments.values()
        for value in deployment.environment_variables.values()
    ]
