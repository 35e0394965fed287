"""The pipeline files of a team: the templates in `pipelines/`, with its stacks in place of STACK and STACKS.

A template is a complete file that the linters read. A block between the lines `# for each stack:` and `# end` is
repeated for each stack. Pure, apart from reading the templates.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from command_errors import UsageError

System = Literal["github", "azure-devops"]
SYSTEMS: tuple[System, ...] = ("github", "azure-devops")
FOLDERS: Mapping[System, str] = {"github": ".github/workflows", "azure-devops": ".azuredevops"}
"""Where the pipelines of a system lie in a repository."""
PREFIX = "sluice-"
"""The start of each file's name, so that a team's own files keep theirs."""
HEADER = "# Written by `{command}`; with --check the same command compares.\n"
_BLOCK = re.compile(r"^ *# for each stack:\n(.*?)^ *# end\n", re.MULTILINE | re.DOTALL)
_STACK_NAME = re.compile(r"(?!all$)[a-z][a-z0-9-]*(?<!-preview)(?<!-rollback)(?<!-approval)")


@dataclass(frozen=True, kw_only=True)
class Difference:
    """A file that is not what `ci init` writes: `path` in the repository, and the first line that differs, from 1."""

    path: str
    problem: str


def pipeline_files(templates: Path, system: System, stacks: Sequence[str]) -> dict[str, str]:
    """The text of each pipeline by its path in the repository.

    `templates` is the folder `pipelines/`, `stacks` the stacks in the order of promotion. Raises UsageError.
    """
    require_stack_names(stacks)
    header = HEADER.format(command=init_command(system, stacks))
    found = {
        f"{FOLDERS[system]}/{PREFIX}{path.name}": header + rendered(path.read_text("utf-8"), stacks)
        for path in sorted((templates / system).glob("*.yml"))
    }
    if not found:
        raise UsageError(f"{templates / system} has no pipeline. Restore the folder from the repository.")
    return found


def init_command(system: System, stacks: Sequence[str]) -> str:
    """The command that writes these pipelines."""
    return f"sluice ci init {system} --stacks {','.join(stacks)}"


def require_stack_names(stacks: Sequence[str]) -> None:
    """Refuse names that cannot be used as the name of an environment, a job and a service connection."""
    wrong = [name for name in stacks if not _STACK_NAME.fullmatch(name)]
    if wrong or len(set(stacks)) != len(stacks) or not stacks:
        raise UsageError(
            f"the pipelines need one or more different stacks, got {', '.join(stacks) or 'none'}. The name of a stack "
            "begins with a lower-case letter and has only lower-case letters, digits and hyphens. It is not `all`, and "
            "it does not end in -preview, -rollback or -approval: the pipelines use these names themselves. Give the "
            "stacks in the order of promotion: --stacks dev,prod."
        )


def rendered(template: str, stacks: Sequence[str]) -> str:
    """A template with these stacks."""

    def repeated(block: re.Match[str]) -> str:
        return "".join(_with_stack(block[1], stack) for stack in stacks)

    return re.sub(r"\bSTACKS\b", ", ".join(stacks), _BLOCK.sub(repeated, template))


def _with_stack(block: str, stack: str) -> str:
    """One block for one stack. Azure Pipelines takes no hyphen in the name of a stage."""
    named = re.sub(r"(?<=stage: )(\w+)_STACK\b", lambda found: f"{found[1]}_{stack.replace('-', '_')}", block)
    return re.sub(r"(?<![A-Za-z])STACK(?![A-Za-z])", stack, named)


def differences(root: Path, wanted: Mapping[str, str]) -> list[Difference]:
    """What `ci init` would write, in the order of the files; empty if nothing differs."""
    found = []
    for path, text in wanted.items():
        file = root / path
        if not file.is_file():
            found.append(Difference(path=path, problem="is missing"))
            continue
        now, then = file.read_text("utf-8", errors="replace").splitlines(), text.splitlines()
        if now != then:
            same = (number for number, (one, other) in enumerate(zip(now, then, strict=False), 1) if one != other)
            line = next(same, min(len(now), len(then)) + 1)
            found.append(Difference(path=path, problem=f"differs from line {line} on"))
    known = {Path(path).name for path in wanted}
    for folder in sorted({str(Path(path).parent) for path in wanted}):
        for file in sorted((root / folder).glob(f"{PREFIX}*.yml")):
            if file.name not in known:
                found.append(Difference(path=f"{folder}/{file.name}", problem="is no pipeline of this version"))
    return found
