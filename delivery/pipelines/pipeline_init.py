"""`sluice ci init` without its printing: the files of a repository, what they lack, and what is written."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from command_errors import UsageError
from delivery.pipelines.pipeline_files import Difference, System, differences, pipeline_files, require_stack_names
from delivery.pipelines.stack_keys import Addition, wanted_keys, with_keys
from models.atomic_write import replace_file
from models.document import DocumentError, read_document
from rollout.repository.git import Git

TEMPLATES = Path(__file__).resolve().parents[2] / "pipelines"
_STACK_FILE = re.compile(r"Pulumi\.([^.]+)\.yaml")
_REMOTES: Mapping[System, tuple[str, ...]] = {
    "github": (r"github[^/:]*[:/](?:\d+/)?([^/]+/[^/]+?)(?:\.git)?/?$",),
    "azure-devops": (
        r"dev\.azure\.com/([^/]+/[^/]+)/_git/([^/]+?)/?$",
        r"ssh\.dev\.azure\.com:v3/([^/]+/[^/]+)/([^/]+?)/?$",
    ),
}
_PLACEHOLDERS: Mapping[System, str] = {"github": "OWNER/REPOSITORY", "azure-devops": "ORGANIZATION/PROJECT/REPOSITORY"}


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What `ci init` writes: pipelines by path, and new texts of stack files with the keys that each gets."""

    files: Mapping[str, str]
    stack_files: Mapping[str, str]
    additions: Mapping[str, tuple[Addition, ...]]


def plan_of(root: Path, system: System, stacks: Sequence[str], *, branches: bool) -> Plan:
    """What a repository's pipelines and stack files become. Raises UsageError; reads only."""
    files = pipeline_files(TEMPLATES, system, stacks)
    texts, added = {}, {}
    for stack in stacks:
        name = f"Pulumi.{stack}.yaml"
        text = _text_of(root / name)
        additions = wanted_keys(text, stack, stacks, branches=branches)
        if additions:
            added[name] = tuple(additions)
            texts[name] = with_keys(text, additions, name)
    return Plan(files=files, stack_files=texts, additions=added)


def differences_of(root: Path, plan: Plan) -> list[Difference]:
    """What `ci init` would write; empty if the repository is as it would leave it."""
    lacking = [
        Difference(path=name, problem=f"lacks {', '.join(map(str, additions))}")
        for name, additions in plan.additions.items()
    ]
    return [*differences(root, plan.files), *lacking]


def write(root: Path, plan: Plan) -> list[str]:
    """Write what differs; return the paths."""
    written = []
    for path, text in {**plan.files, **plan.stack_files}.items():
        file = root / path
        if not file.is_file() or file.read_bytes() != text.encode():
            file.parent.mkdir(parents=True, exist_ok=True)
            replace_file(file, text)
            written.append(path)
    return written


def stacks_of(root: Path, asked: str | None) -> tuple[str, ...]:
    """The stacks in the order of promotion: as asked, else all stack files by name, those of production last."""
    if asked is not None:
        stacks = tuple(name.strip() for name in asked.split(",") if name.strip())
    else:
        names = [found[1] for path in root.iterdir() if (found := _STACK_FILE.fullmatch(path.name))]
        stacks = tuple(sorted(names, key=lambda name: (name.startswith("prod"), name)))
    require_stack_names(stacks)
    missing = [name for name in stacks if not (root / f"Pulumi.{name}.yaml").is_file()]
    if missing:
        raise UsageError(
            f"there is no stack file for {', '.join(missing)}. Create the file Pulumi.{missing[0]}.yaml, or give "
            "other stacks with --stacks."
        )
    return stacks


def repository_of(root: Path, system: System) -> str:
    """The repository as git's `origin` names it, else words in capital letters for a person to replace."""
    address = _git_says(root, "config", "--get", "remote.origin.url") or ""
    for pattern in _REMOTES[system]:
        if found := re.search(pattern, address):
            return unquote("/".join(found.groups()))
    return _PLACEHOLDERS[system]


def require_top_folder(root: Path) -> None:
    """Raise UsageError for a project below the top folder of its repository: git servers read no pipelines there."""
    top = _git_says(root, "rev-parse", "--show-toplevel")
    if top is not None and Path(top).resolve() != root.resolve():
        raise UsageError(
            f"{root} is not the top folder of its repository, {top}. Git servers read pipelines from the top folder "
            "only, and these pipelines run `make setup` there. Move the project to a repository of its own."
        )


def require_main(root: Path) -> None:
    """Raise UsageError where people merge into another branch than `main`, as far as this clone knows."""
    default = (_git_says(root, "symbolic-ref", "--quiet", "--short", "refs/remotes/origin/HEAD") or "").strip()
    name = default.removeprefix("origin/")
    if name not in ("", "main"):
        raise UsageError(
            f"the default branch of origin is {name}. The pipelines deliver what is merged into main. Rename the "
            "branch on the git server, then run `git remote set-head origin --auto` and this command again."
        )


def _git_says(root: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails, or if there is no git."""
    try:
        return Git(root).find(*arguments)
    except UsageError:
        return None


def require_repository(system: System, repository: str) -> str:
    """The repository, if it has the parts that its system needs. Raises UsageError."""
    placeholder = _PLACEHOLDERS[system]
    if repository.count("/") != placeholder.count("/") or not all(repository.split("/")):
        raise UsageError(f"--repository is {placeholder.lower()} for {system}, got {repository!r}.")
    return repository


def _text_of(file: Path) -> str:
    """The text of a stack file that Pulumi could read."""
    try:
        config = read_document(file).content.get("config")
        text = file.read_bytes().decode()
    except (DocumentError, OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}. Correct it, or restore it from the repository.") from error
    if not (config is None or isinstance(config, dict)):
        raise UsageError(f"{file}: `config` must be a mapping of keys to values. Correct it.")
    return text
