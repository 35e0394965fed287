"""`sluice ci check`: everything about a pull request that can be checked without a cloud, all problems at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from delivery.proofs.remote_records import BranchTip, RemoteRecords
from delivery.proofs.verification import Verdict, Verifier, verify_files
from delivery.pull_request.checked_change import Change, parse_changes, record_problems
from exit_codes import ExitCode
from models.content import RELEASES_FOLDER
from models.document import DocumentError, read_document
from models.errors import ModelError
from models.folder import survey
from models.inspection import inspect_models
from models.loader import load_models
from models.release_document import read as read_release
from problem import did_you_mean
from rollout.repository.git import NETWORK_SECONDS, Git
from rollout.repository.remote import Remote
from settings import SettingsError, parse_settings
from stack_config import Settings

PREFIX = "sluice:"
LOCATION = "azure-native:location"


@dataclass
class Checked:
    """What a check found. `stacks` are those that the change may touch."""

    stacks: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def exit_code(self) -> ExitCode:
        """0, or 2 with problems."""
        return ExitCode.USAGE if self.problems else ExitCode.DONE

    def as_values(self) -> dict[str, Any]:
        """The result as JSON values."""
        return {"stacks": self.stacks, "models": self.models, "problems": self.problems, "notes": self.notes}


def check(root: Path, records: RemoteRecords, verifier: Callable[[], Verifier], today: date) -> Checked:
    """Check the commit that is checked out against the branch that it goes into; `root` is the project's folder.

    Raises RecordsUnreachable if the change touches proofs or records and their branch cannot be read.
    """
    change = changes_of(root, records)
    checked = Checked(models=change.models)
    settings = _stack_settings(root, checked, today)
    checked.stacks = change.stacks({stack: found.endpoints if found else () for stack, found in settings.items()})
    checked.problems += _unknown_stacks(settings)
    checked.problems += change.document_problems()
    checked.problems += _documents(root)
    checked.problems += _models(root, change, settings, today)
    checked.problems += record_problems(
        change.records, {f.path for f in change.records if _is_kept(root, records, f.path.as_posix())}
    )
    if change.proofs:
        verdicts = verify_files(root, change.proofs, verifier())
        checked.problems += [_invalid(verdict) for verdict in verdicts if not verdict.valid]
    checked.problems = list(dict.fromkeys(checked.problems))
    return checked


def _invalid(verdict: Verdict) -> str:
    if verdict.proof is None:  # the file itself is wrong, and its reason says how to repair it
        return "; ".join(verdict.reasons)
    reasons = "; ".join(verdict.reasons).rstrip(".")
    return f"{verdict.file}: the proof is not valid: {reasons}. Run `sluice promote` again, or remove the line."


def changes_of(root: Path, records: RemoteRecords) -> Change:
    """Return what the commit that is checked out changes.

    A pipeline checks the merge out: its first parent is the branch that it goes into. Elsewhere it is compared with
    the point at which it left that branch, or in a shallow clone with the tip of that branch.
    """
    git = Git(root)
    base = _base(git, records)
    listed = git.run("diff-tree", "-r", "--name-status", "--no-renames", "-z", base, "HEAD").stdout.decode()
    return parse_changes(listed, git.text("rev-parse", "--show-prefix"))


def _base(git: Git, records: RemoteRecords) -> str:
    header = git.text("cat-file", "-p", "HEAD").partition("\n\n")[0].splitlines()
    parents = [line.removeprefix("parent ") for line in header if line.startswith("parent ")]
    if len(parents) == 2:
        if not git.holds("cat-file", "-e", f"{parents[0]}^{{commit}}"):
            Remote(git).fetch_commit(parents[0], NETWORK_SECONDS)
        return parents[0]
    tip = records.source.tip
    return git.find("merge-base", tip, "HEAD") or tip


def _stack_settings(root: Path, checked: Checked, today: date) -> dict[str, Settings | None]:
    """The settings of each stack file; None for one that is refused or has encrypted values."""
    found: dict[str, Settings | None] = {}
    for path in sorted(root.glob("Pulumi.*.yaml")):
        stack = path.name.removeprefix("Pulumi.").removesuffix(".yaml")
        found[stack] = None
        try:
            config = read_document(path).content.get("config") or {}
        except DocumentError as error:
            checked.problems.append(f"{path.name}: {error}. Pulumi refuses it too. Correct it.")
            continue
        if not isinstance(config, Mapping):
            checked.problems.append(f"{path.name}: `config` must be a mapping of keys to values. Correct it.")
            continue
        own = {str(key).removeprefix(PREFIX): value for key, value in config.items() if str(key).startswith(PREFIX)}
        if secret := [key for key, value in own.items() if _is_secret(value)]:
            checked.notes.append(f"{path.name}: {', '.join(secret)} is encrypted, so the rest is not checked here.")
            continue
        # The value of an environment variable may be encrypted by itself; that it is a string is all that is checked.
        raw = {key: _with_secrets_hidden(value) for key, value in own.items()}
        if LOCATION in config:
            raw["location"] = config[LOCATION]
        try:
            found[stack] = parse_settings(raw, stack=stack, today=today)
        except SettingsError as error:
            checked.problems += [str(problem) for problem in error.problems]
    return found


def _unknown_stacks(settings: Mapping[str, Settings | None]) -> Iterator[str]:
    """Stacks that a stack file names and that have no file."""
    known = ", ".join(settings) or "none"
    for stack, found in settings.items():
        if found is None:
            continue
        for key, other in (("sluice:limits.require_proof", found.limits.require_proof), ("sluice:after", found.after)):
            if other is not None and other not in settings:
                yield (
                    f"{key} of Pulumi.{stack}.yaml must name a stack of this repository (known: {known}), got "
                    f'"{other}".{did_you_mean(other, settings)} Correct it, or add Pulumi.{other}.yaml.'
                )


def _is_secret(value: object) -> bool:
    return isinstance(value, Mapping) and set(value) == {"secure"}


def _with_secrets_hidden(value: object) -> object:
    """A value of the stack file with a string in place of each encrypted one, which only the Pulumi CLI can read."""
    if _is_secret(value):
        return "(encrypted)"
    if isinstance(value, Mapping):
        return {key: _with_secrets_hidden(one) for key, one in value.items()}
    return [_with_secrets_hidden(one) for one in value] if isinstance(value, list) else value


def _documents(root: Path) -> Iterator[str]:
    """Every release document is whole: its name is the digest of its content."""
    for path in sorted((root / "models").glob(f"*/{RELEASES_FOLDER}/*.json")):
        try:
            read_release(root, path.parent.parent.name, path.stem)
        except ModelError as error:
            yield str(error)


def _models(root: Path, change: Change, settings: Mapping[str, Settings | None], today: date) -> Iterator[str]:
    """Changed models as `model check` sees them, and what the stacks declare of every model: pins, overrides."""
    folders = [root / "models" / name for name in change.models if (root / "models" / name / "endpoint.yml").is_file()]
    for result in inspect_models({folder: survey(folder) for folder in folders}, today):
        yield from result.problems
    for stack, found in settings.items():
        endpoints = found.endpoints if found else {}
        asked = {
            root / "models" / key: {name: chosen.release for name, chosen in endpoint.deployments.items()}
            for key, endpoint in endpoints.items()
        }
        for model in load_models(asked).values():
            if isinstance(model, ModelError):
                yield from (f"stack {stack}: {problem}" for problem in _lines(model))


def _lines(error: ModelError) -> Sequence[str]:
    return [str(problem) for problem in error.problems] or [str(error)]


def _is_kept(root: Path, records: RemoteRecords, path: str) -> bool:
    """Whether the branch of the pipelines has a record file with the same bytes; a deleted one must be gone there."""
    parts = path.split("/")
    here = root / path
    theirs: BranchTip = records.of(parts[1]) if len(parts) > 2 else records.source
    return theirs.read(path) == (here.read_bytes() if here.is_file() else None)
