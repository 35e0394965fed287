"""`sluice release verify`: whether lines of proof say what the records on the remote branch say."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from exit_codes import ExitCode
from problem import did_you_mean
from project import project_name, project_root

if TYPE_CHECKING:
    from delivery.remote_records import RemoteRecords
    from delivery.verification import Verdict, Verifier


def add_verify_command(commands: Any) -> None:
    """Add `verify` to the commands of `sluice release`."""
    command: argparse.ArgumentParser = commands.add_parser(
        "verify",
        help="check proofs against the records of rollouts on the remote branch",
        description="Reads the record that each proof names from the branch of origin that keeps it, never from this "
        "checkout. Exit code 0: all valid, 1: a proof is invalid, 4: the branch cannot be read.",
    )
    command.add_argument("models", metavar="MODEL", nargs="*", help="folder below models/; default: all of them")
    command.add_argument("--proofs", action="store_true", required=True, help="check the proofs")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=verify_releases)


def verify_releases(options: argparse.Namespace) -> int:
    """Run `sluice release verify`."""
    from delivery.verification import proof_files, verify_files

    root = project_root()
    files = proof_files(root, _models(root, options.models))
    if not files:
        print("there are no proofs to check", file=sys.stderr)
    verdicts = verify_files(root, files, verifier_of(root, remote_records(root))) if files else []
    if options.json:
        print(json.dumps([verdict.as_values() for verdict in verdicts], indent=2))
    else:
        for line in map(_told, verdicts):
            print(line)
    return ExitCode.DONE if all(verdict.valid for verdict in verdicts) else ExitCode.FAILED


def remote_records(root: Path) -> RemoteRecords:
    """The records on the remote of this clone."""
    from delivery.remote_records import RemoteRecords

    return RemoteRecords(root, os.environ)


def verifier_of(root: Path, records: RemoteRecords) -> Verifier:
    """The verifier of this clone and this shell."""
    from delivery.verification import Verifier
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
        return f"valid    {named}: {proof.errors} of {proof.requests} requests failed"
    return f"INVALID  {named}: {'; '.join(verdict.reasons)}"
