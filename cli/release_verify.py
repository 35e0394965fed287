"""`sluice release verify`: documents of the checkout, proofs against their records, a stack against its file."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from exit_codes import ExitCode
from problem import did_you_mean
from project import project_name, project_root

if TYPE_CHECKING:
    from delivery.proofs.remote_records import RemoteRecords
    from delivery.proofs.stack_verification import Check
    from delivery.proofs.verification import Verdict, Verifier


def add_verify_command(commands: Any) -> None:
    """Add `verify` to the commands of `sluice release`."""
    command: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="check release documents, proofs, or what a stack serves",
        description="Without an option: every release document of this checkout. --proofs: the record that each "
        "proof names, read from the branch of origin that keeps it, never from this checkout. --stack: document, "
        "release lock, every blob in the storage, asset ids and tags in Azure. Exit code 0: all equal, 1: something "
        "differs, 4: origin, storage or Azure cannot be read.",
    )
    command.add_argument("models", metavar="MODEL", nargs="*", help="folder below models/; default: all of them")
    command.add_argument("--proofs", action="store_true", help="check the proofs")
    command.add_argument("--stack", "-s", help="check what this stack serves")
    command.add_argument("--deep", action="store_true", help="with --stack: read and hash the bytes of every blob")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=verify_releases)


def verify_releases(options: argparse.Namespace) -> int:
    """Run `sluice release verify`."""
    if options.deep and not options.stack:
        raise UsageError("--deep reads the blobs of a stack. Give --stack as well.")
    root = project_root()
    models = _models(root, options.models)
    found: dict[str, list[Mapping[str, Any]]] = {}
    if not (options.proofs or options.stack):
        found["documents"] = _verify_documents(root, models, told=not options.json)
    if options.proofs:
        found["proofs"] = _verify_proofs(root, models, told=not options.json)
    if options.stack:
        found["stack"] = _verify_stack(options, models)
    if options.json:
        print(json.dumps(found, indent=2))
    return ExitCode.DONE if all(one["equal"] for each in found.values() for one in each) else ExitCode.FAILED


def _verify_documents(root: Path, models: Sequence[str], *, told: bool) -> list[Mapping[str, Any]]:
    from models.content import RELEASES_FOLDER
    from models.errors import ModelError
    from models.release_document import read

    results: list[Mapping[str, Any]] = []
    for model in models:
        for path in sorted((root / "models" / model / RELEASES_FOLDER).glob("*.json")):
            file, problem = path.relative_to(root).as_posix(), None
            try:
                read(root, model, path.stem)
            except ModelError as error:
                problem = str(error)
            results.append({"file": file, "equal": problem is None, "problems": [problem] if problem else []})
            if told:
                print(f"DIFFERENT  {problem}" if problem else f"ok         {file}")
    if not results:
        print("there are no release documents to check", file=sys.stderr)
    return results


def _verify_proofs(root: Path, models: Sequence[str], *, told: bool) -> list[Mapping[str, Any]]:
    from delivery.proofs.verification import proof_files, verify_files

    files = proof_files(root, models)
    if not files:
        print("there are no proofs to check", file=sys.stderr)
        return []
    verdicts = verify_files(root, files, verifier_of(root, remote_records(root)))
    for verdict in verdicts if told else ():
        print(_told(verdict))
    return [verdict.as_values() for verdict in verdicts]


def _verify_stack(options: argparse.Namespace, models: Sequence[str]) -> list[Mapping[str, Any]]:
    from cli.stack_checks import checks_of

    checks: list[Check] = []
    for check in checks_of(options.stack, models if options.models else None, deep=options.deep):
        checks.append(check)
        if not options.json:
            _tell(check)
    if not checks:
        print(f"stack {options.stack} declares no deployment to check", file=sys.stderr)
    return [check.as_values() for check in checks]


def _tell(check: Check) -> None:
    place = f"{check.endpoint} {check.colour} {check.layer}"
    if not check.problems:
        print(f"ok         {place}: {check.found}", flush=True)
    for problem in check.problems:
        print(f"DIFFERENT  {place}: {problem}", flush=True)


def remote_records(root: Path) -> RemoteRecords:
    """The records on the remote of this clone."""
    from delivery.proofs.remote_records import RemoteRecords

    return RemoteRecords(root, os.environ)


def verifier_of(root: Path, records: RemoteRecords) -> Verifier:
    """The verifier of this clone and this shell."""
    from delivery.proofs.verification import Verifier
    from resource_manager.client import ArmClient

    return Verifier(files_of=records.of, project=project_name(root), arm_host=ArmClient().base_url.partition("://")[2])


def _models(root: Path, asked: Sequence[str]) -> list[str]:
    there = sorted(path.name for path in (root / "models").glob("*/") if not path.name.startswith((".", "__")))
    if unknown := [name for name in asked if name not in there]:
        raise UsageError(
            f"there is no folder models/{unknown[0]} (there are: {', '.join(there) or 'none'})."
            f"{did_you_mean(unknown[0], there)}"
        )
    return list(asked) or there


def _told(verdict: Verdict) -> str:
    proof = verdict.proof
    named = verdict.file if proof is None else f"{proof.endpoint} {proof.short} in {proof.stack} by {proof.rollout}"
    if verdict.valid and proof is not None:
        return f"valid      {named}: {proof.errors} of {proof.requests} requests failed"
    return f"INVALID    {named}: {'; '.join(verdict.reasons)}"
