"""`sluice release list`, `show` and `diff`: what each stack serves, what a release is, and what differs."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from command_errors import UsageError
from exit_codes import ExitCode
from problem import did_you_mean
from project import project_root

if TYPE_CHECKING:
    from delivery.proofs.stack_place import Files
    from delivery.releases.comparison import Difference
    from delivery.releases.listing import Row
    from models.release_document import ReleaseDocument

HEADINGS = ("STACK", "ENDPOINT", "COLOUR", "WEIGHT", "CONTENT", "SINCE", "BY", "PROOF")
_HEXADECIMAL = re.compile(r"[0-9a-f]{16,64}")
_STACK_FILE = re.compile(r"Pulumi\.([^.]+)\.yaml")


def add_list_commands(commands: Any) -> None:
    """Add `list`, `show` and `diff` to the commands of `sluice release`."""
    command: argparse.ArgumentParser = commands.add_parser(
        "list",
        help="what each stack serves, since when, by whom, and on which proof",
        description="Reads stack files, records and proofs from the branch of origin that keeps them. It asks Azure "
        "nothing: `sluice release verify --stack` compares a stack with Azure.",
    )
    command.add_argument("--stack", "-s", action="append", help="only this stack (repeatable); default: every stack")
    _add_common_arguments(command)
    command.set_defaults(run=list_releases)
    command = commands.add_parser(
        "show",
        help="a release document: commit, files, settings, proofs",
        description="Shows a release document of this checkout with its proofs.",
    )
    command.add_argument("model", metavar="MODEL", help="folder below models/, e.g. fraud-detection")
    command.add_argument("content", metavar="CONTENT", help="16 to 64 digits of its content")
    command.add_argument("--json", action="store_true", help="print the result as JSON")
    command.set_defaults(run=show_release)
    command = commands.add_parser(
        "diff",
        help="the files and settings in which two releases, or two stacks, differ",
        description="Compares two release documents, or what two stacks serve. Exit code 0: equal, 1: different, "
        "4: the branch of a stack cannot be read. Values of environment variables are not shown.",
    )
    command.add_argument("first", metavar="A", help="a stack, or 16 to 64 digits of a content")
    command.add_argument("second", metavar="B", help="the same")
    _add_common_arguments(command)
    command.set_defaults(run=diff_releases)


def _add_common_arguments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--here", action="store_true", help="read stack files and records of this checkout, not of origin"
    )
    command.add_argument("--json", action="store_true", help="print the result as JSON")


def list_releases(options: argparse.Namespace) -> int:
    """Run `sluice release list`."""
    from delivery.releases.checkout_releases import CheckoutReleases
    from delivery.releases.listing import rows_of
    from models.errors import ModelError

    root = project_root()
    files_of = _files_of(root, here=options.here)

    def content_of(endpoint: str, colour: str) -> str | None:
        try:
            return CheckoutReleases(root, endpoint).content(colour)
        except ModelError as error:
            print(f"{endpoint} {colour}: {error}", file=sys.stderr)
            return None

    rows = [row for stack in _asked(root, options.stack) for row in rows_of(stack, files_of(stack), content_of)]
    if options.json:
        print(json.dumps([row.as_values() for row in rows], indent=2))
        return ExitCode.DONE
    lines = [HEADINGS, *map(_cells, rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(HEADINGS))]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    return ExitCode.DONE


def show_release(options: argparse.Namespace) -> int:
    """Run `sluice release show`."""
    from cli.release import model_folders
    from delivery.promotion.promotion_text import facts_of
    from delivery.releases.comparison import settings_of
    from models.proof import read_proofs
    from models.release_document import read

    model_folders([options.model])
    root = project_root()
    document = read(root, options.model, _digits(options.content))
    proofs = read_proofs(root, options.model, document.content)
    pins = _pins(root, document)
    if options.json:
        values = {**json.loads(document.text()), "proofs": [one.as_values() for one in proofs], "pinned": pins}
        print(json.dumps(values, indent=2))
        return ExitCode.DONE
    print(f"{document.model} {document.content}\ncommit {document.commit}")
    print(f"pinned: {', '.join(pins) or 'in no stack'}")
    print(f"files ({len(document.files)}):")
    for entry in document.files:
        print(f"  {entry.sha256[:12]}  {entry.size:>12,}  {entry.part}/{entry.path}")
    print("settings:")
    for name, value in settings_of(document).items():
        print(f"  {name}: {value}")
    print("proofs (sluice release verify --proofs checks them):" if proofs else "proofs: none")
    for proof in proofs:
        print(f"  {proof.stack} {proof.rollout}: {facts_of(proof, str)}")
    return ExitCode.DONE


def diff_releases(options: argparse.Namespace) -> int:
    """Run `sluice release diff`."""
    root = project_root()
    names = (options.first, options.second)
    stacks = [name for name in names if name in _stacks(root)]
    if len(stacks) == 2:
        return _diff_stacks(root, options)
    documents = [name for name in names if _HEXADECIMAL.fullmatch(name)]
    if len(documents) != 2:
        wrong = [repr(name) for name in names if name not in [*stacks, *documents]]
        known = ", ".join(_stacks(root)) or "none"
        raise UsageError(
            f"{' and '.join(wrong)} must be a stack (there are: {known}) or 16 to 64 hexadecimal digits of a content. "
            "Run `sluice release list` to see both."
            if wrong
            else "a stack and a content cannot be compared. Name two stacks, or the contents of two release documents."
        )
    first, second = (_document(root, digits) for digits in documents)
    return _report(options, {f"{first.model}": (first, second)}, {})


def _diff_stacks(root: Path, options: argparse.Namespace) -> int:
    from delivery.releases.checkout_releases import CheckoutReleases
    from delivery.releases.served_releases import served_releases

    files_of = _files_of(root, here=options.here)
    first, second = (
        served_releases(stack, files_of(stack), lambda endpoint: CheckoutReleases(root, endpoint))
        for stack in (options.first, options.second)
    )
    pairs = {name: (first[name].document, second[name].document) for name in first if name in second}
    notes = {
        name: f"only {options.first if name in first else options.second} serves it"
        for name in sorted(first.keys() ^ second.keys())
    }
    for name in pairs:
        for stack, served in ((options.first, first[name]), (options.second, second[name])):
            if served.overridden and not options.json:
                listed = ", ".join(served.overridden)
                print(f"{name}: {stack} overrides the environment variables {listed}", file=sys.stderr)
    return _report(options, pairs, notes)


def _report(
    options: argparse.Namespace, pairs: dict[str, tuple[ReleaseDocument, ReleaseDocument]], notes: dict[str, str]
) -> int:
    """Print the differences of each pair; `notes` are endpoints that only one side has."""
    from delivery.releases.comparison import differences

    found = {name: differences(*pair) for name, pair in pairs.items()}
    equal = not notes and all(first.content == second.content for first, second in pairs.values())
    if options.json:
        endpoints = {name: _pair_values(*pairs[name], found[name]) for name in pairs}
        print(json.dumps({"equal": equal, "endpoints": endpoints, "only": notes}, indent=2))
    else:
        for name, (first, second) in pairs.items():
            if first.content == second.content:
                print(f"{name}: the same content, {first.short}")
                continue
            print(f"{name}: {first.short} -> {second.short}")
            for difference in found[name]:
                print(f"  {difference}")
        for name, note in notes.items():
            print(f"{name}: {note}")
    return ExitCode.DONE if equal else ExitCode.FAILED


def _pair_values(first: ReleaseDocument, second: ReleaseDocument, found: Sequence[Difference]) -> dict[str, Any]:
    return {"first": first.content, "second": second.content, "differences": [vars(one) for one in found]}


def _files_of(root: Path, *, here: bool) -> Callable[[str], Files]:
    """Where a stack's file and records are read: the branch of origin that keeps them, or this checkout."""
    from cli.release_verify import remote_records
    from delivery.releases.checkout_files import CheckoutFiles
    from stacks.file import stack_file_path

    if here:  # in a rehearsal, beside its copy of the stack file
        return lambda stack: CheckoutFiles(stack_file_path(stack).resolve().parent)
    return remote_records(root).of


def _stacks(root: Path) -> list[str]:
    found = (_STACK_FILE.fullmatch(path.name) for path in root.glob("Pulumi.*.yaml"))
    return sorted(match.group(1) for match in found if match)


def _asked(root: Path, stacks: Sequence[str] | None) -> list[str]:
    there = _stacks(root)
    for stack in stacks or ():
        if stack not in there:
            raise UsageError(
                f"there is no stack file Pulumi.{stack}.yaml (stacks: {', '.join(there) or 'none'})."
                f"{did_you_mean(stack, there)}"
            )
    return list(stacks or there)


def _digits(text: str) -> str:
    if not _HEXADECIMAL.fullmatch(text):
        raise UsageError(f"CONTENT must be 16 to 64 hexadecimal digits in lower case, got {text!r}.")
    return text


def _document(root: Path, digits: str) -> ReleaseDocument:
    """The document of a content, of whatever model."""
    from models.release_document import document_path, read

    models = [
        path.name for path in sorted((root / "models").glob("*/")) if document_path(root, path.name, digits).is_file()
    ]
    if not models:
        raise UsageError(
            f"no model has a release document of the content {digits[:16]}. `ls models/*/releases` shows what there is."
        )
    return read(root, models[0], digits)


def _pins(root: Path, document: ReleaseDocument) -> list[str]:
    """Stacks and colours of this checkout that are pinned to a document."""
    from delivery.promotion.promotion_target import is_pin_of
    from delivery.proofs.proven_release import pin_of, section_of
    from delivery.proofs.record_branch import config_of

    found = []
    for stack in _stacks(root):
        config = config_of((root / f"Pulumi.{stack}.yaml").read_bytes())
        deployments = section_of(config, "sluice:endpoints", document.model).get("deployments")
        for colour, keys in (deployments if isinstance(deployments, dict) else {}).items():
            if is_pin_of(pin_of(keys), document.content):
                found.append(f"{colour} in {stack}")
    return found


def _cells(row: Row) -> tuple[str, ...]:
    weight = f"{row.weight} %{f' +{row.mirror} % mirrored' if row.mirror else ''}{' (stable)' if row.stable else ''}"
    content = f"{row.content or 'not known'}{'' if row.pinned else ' (not pinned)'}"
    return row.stack, row.endpoint, row.colour, weight, content, row.since or "–", row.by or "–", row.proof
