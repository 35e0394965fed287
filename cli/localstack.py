"""A rehearsal's stack: a copy of the stack file below the local Azure's home, and the stack in the backend there.

`pulumi stack init` writes a salt into the stack file beside the project file, whatever it is told; so it runs in the
copy's folder, on a project file that holds the name alone, and the work tree stays clean. The copy's encrypted values
are left out: they belong to the real stack's key.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cli.errors import UnavailableError, UsageError
from cli.localhome import LocalHome
from cli.project import project_name, project_root

ENCRYPTION_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt")
_ENCRYPTION_LINE = re.compile(rf"^({'|'.join(ENCRYPTION_KEYS)}):.*\n?", re.MULTILINE)
_SALT_LINE = re.compile(r"^encryptionsalt:.*$", re.MULTILINE)


@dataclass(frozen=True)
class CopiedStack:
    """The copy's file and what a person should know about it."""

    file: Path
    notes: tuple[str, ...]


def copy_stack(home: LocalHome, stack: str, environment: Mapping[str, str], *, fresh: bool) -> CopiedStack:
    """Copy the stack file unless a copy is there (its edits survive), and create the stack unless it exists."""
    root = project_root()
    project = project_name(root)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack):
        raise UsageError(f"{stack!r} is no stack name: letters, digits, '-', '_' and '.' are allowed.")
    source = root / f"Pulumi.{stack}.yaml"
    if not source.is_file():
        known = sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in root.glob("Pulumi.*.yaml"))
        raise UsageError(f"there is no {source.name} in {root}. Stacks with a file: {', '.join(known) or 'none'}.")
    folder = home.stacks / project
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "Pulumi.yaml").write_text(f"name: {project}\nruntime: python\n", encoding="utf-8")
    target = folder / source.name
    notes = []
    if fresh or not target.is_file():
        notes += _write_copy(source, target)
        notes.append(f"copied {source.name} to {target}")
    notes.append(
        f"`pulumi config set` in this shell edits the copy {target}, not the repository's file; --stack with another "
        f"name would read it too. `sluice local env --stack {stack} --fresh` copies the repository's file again."
    )
    if not (home.state / ".pulumi" / "stacks" / project / f"{stack}.json").is_file():
        create_stack(folder, stack, environment)
    return CopiedStack(target, tuple(notes))


def without_encryption(text: str) -> tuple[str, list[str]]:
    """A stack file's text without the keys of its encryption, and the names of encrypted values that had to go."""
    text = _ENCRYPTION_LINE.sub("", text)
    if "secure:" not in text:
        return text, []
    import yaml

    document = yaml.safe_load(text) or {}
    dropped: list[str] = []
    document["config"] = _without_secure(document.get("config") or {}, "", dropped)
    if not dropped:
        return text, []
    return yaml.safe_dump(document, sort_keys=False), dropped


def _without_secure(value: Any, path: str, dropped: list[str]) -> Any:
    if not isinstance(value, dict):
        return value
    kept = {}
    for key, item in value.items():
        if isinstance(item, dict) and set(item) == {"secure"}:
            dropped.append(f"{path}{key}")
        else:
            kept[key] = _without_secure(item, f"{path}{key}.", dropped)
    return kept


def _write_copy(source: Path, target: Path) -> list[str]:
    text, dropped = without_encryption(source.read_text(encoding="utf-8"))
    if target.is_file():  # the state's secrets are encrypted with the copy's salt
        salt = _SALT_LINE.search(target.read_text(encoding="utf-8"))
        text = f"{text.rstrip()}\n{salt.group(0)}\n" if salt else text
    temporary = target.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(target)
    return [f"left out of the copy, because only the real stack can decrypt it: {name}" for name in dropped]


def create_stack(folder: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Create the stack in the backend that the environment names, unless it exists; only `folder` is written to."""
    command = shutil.which("pulumi", path=environment.get("PATH")) or "pulumi"
    variables = {name: value for name, value in environment.items() if not name.startswith("PULUMI_OPTION_")}
    variables.pop("PULUMI_STACK", None)
    made = subprocess.run(
        [command, "--non-interactive", "--color", "never", "stack", "init", stack, "--no-select"],
        cwd=folder,
        env=variables,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    if made.returncode != 0 and "already exists" not in made.stderr:
        raise UnavailableError(f"cannot create the stack {stack} in the local backend: {made.stderr.strip()}")
