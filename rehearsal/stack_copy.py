"""A rehearsal's stack: a copy of the stack file below the local Azure's home, and the stack in the backend there.

`pulumi stack init` always writes a salt into the stack file beside the project file, so it runs in the copy's folder,
on a project file that holds only the name, and the work tree stays clean. The copy has no encrypted values, because
only the real stack's key can decrypt them. It has no branch of its own either: a rehearsal writes to none.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from command_errors import CommandError, UnavailableError, UsageError
from project import PROJECT_FILE, project_name, project_root
from rehearsal.home import LocalHome
from strict_yaml import StrictLoader, read_yaml

ENCRYPTION_KEYS = ("secretsprovider", "encryptedkey", "encryptionsalt")
_ENCRYPTION_LINE = re.compile(rf"^({'|'.join(ENCRYPTION_KEYS)}):.*\n?", re.MULTILINE)
_BRANCH_LINES = re.compile(r"^[ \t]+[\"']?sluice:(branch|after)[\"']?:.*\n?", re.MULTILINE)
_SALT_LINE = re.compile(r"^encryptionsalt:.*$", re.MULTILINE)
UNREADABLE = "could not read stack configuration"


@dataclass(frozen=True)
class CopiedStack:
    """The copy's file and messages about it."""

    file: Path
    notes: tuple[str, ...]


def prepare_folder(home: LocalHome, root: Path) -> Path:
    """Return the folder of the copies, with a project file for the CLI; its program is the repository's."""
    project = project_name(root)
    runtime = _read_mapping(root / PROJECT_FILE, fix="Correct it.").get("runtime") or "python"
    if isinstance(runtime, dict):
        options = dict(runtime.get("options") or {})
        if "virtualenv" in options:
            options["virtualenv"] = str(root / str(options["virtualenv"]))
        runtime = {**runtime, "options": options}
    folder = home.stacks / project
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / PROJECT_FILE, yaml.safe_dump({"name": project, "main": str(root), "runtime": runtime}))
    return folder


def copy_stack(home: LocalHome, stack: str, environment: Mapping[str, str], *, fresh: bool) -> CopiedStack:
    """Copy the stack file unless a copy exists (its edits survive), and create the stack unless it exists.

    Raises UsageError for a file that is missing or that Pulumi could not read, and then creates no copy.
    """
    root = project_root()
    project = project_name(root)
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", stack):
        raise UsageError(f"{stack!r} is not a stack name: use letters, digits, '-', '_' and '.'.")
    source = root / f"Pulumi.{stack}.yaml"
    target = home.stacks / project / source.name
    notes = []
    copying = fresh or not target.is_file()
    if copying:
        if not source.is_file():
            files = [file for file in root.glob("Pulumi.*.yaml") if file.is_file()]
            known = sorted(file.name.removeprefix("Pulumi.").removesuffix(".yaml") for file in files)
            raise UsageError(f"there is no {source.name} in {root}. Stacks with a file: {', '.join(known) or 'none'}.")
        prepare_folder(home, root)
        notes += _write_copy(source, target)
        notes.append(f"copied {source.name} to {target}")
    else:
        again = f"Correct it, or copy the repository's file again: sluice local env{home.flag} --stack {stack} --fresh"
        _read_mapping(target, fix=again)
    notes.append(
        f"`pulumi config set` in this shell edits the copy {target}, not the repository's file. "
        f"`sluice local env{home.flag} --stack {stack} --fresh` copies the repository's file again."
    )
    if not (home.state / ".pulumi" / "stacks" / project / f"{stack}.json").is_file():
        try:
            create_stack(prepare_folder(home, root), stack, environment)
        except CommandError as error:
            if copying:
                target.unlink(missing_ok=True)  # the next try copies the file again
            if UNREADABLE in str(error):
                raise UsageError(f"Pulumi cannot read {source if copying else target}. Correct it. {error}") from error
            raise
    return CopiedStack(target, tuple(notes))


def without_encryption(text: str) -> tuple[str, list[str]]:
    """Return a stack file's content without its encryption keys, and the names of removed encrypted values."""
    text = _ENCRYPTION_LINE.sub("", text)
    if "secure:" not in text:
        return text, []
    document = read_yaml(text) or {}
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
    _read_mapping(source, fix="Correct the file, then repeat the command.")
    text, dropped = without_encryption(_BRANCH_LINES.sub("", source.read_text(encoding="utf-8")))
    if target.is_file():  # the state's secrets are encrypted with the copy's salt
        salt = _SALT_LINE.search(target.read_text(encoding="utf-8", errors="replace"))
        text = f"{text.rstrip()}\n{salt.group(0)}\n" if salt else text
    _write(target, text)
    return [f"left out of the copy, because only the real stack can decrypt it: {name}" for name in dropped]


def _write(file: Path, text: str) -> None:
    temporary = file.with_suffix(f".{os.getpid()}")
    temporary.write_text(text, encoding="utf-8")
    temporary.replace(file)


def _read_mapping(file: Path, *, fix: str) -> dict[str, Any]:
    """Return the file's content as Pulumi reads it. Raises UsageError, with the line, if Pulumi could not read it."""
    try:
        text = file.read_bytes().decode("utf-8")
        document = yaml.load(text, _PulumiLoader) or {}
    except UnicodeDecodeError as error:
        line = file.read_bytes()[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{file} is not UTF-8: line {line} has the byte 0x{error.object[error.start]:02x}. {fix}"
        ) from error
    except yaml.MarkedYAMLError as error:
        where = f"line {error.problem_mark.line + 1}: " if error.problem_mark else ""
        raise UsageError(f"{file} is not YAML that Pulumi can read: {where}{error.problem}. {fix}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UsageError(f"{file} is not YAML that Pulumi can read: {' '.join(str(error).split())}. {fix}") from error
    config = document.get("config") if isinstance(document, dict) else None
    if not isinstance(document, dict) or not (config is None or isinstance(config, dict)):
        what = "`config` in it" if isinstance(document, dict) else "it"
        raise UsageError(
            f"{file} cannot be used: {what} must be a mapping of keys to values, like `sluice:team: payments`. {fix}"
        )
    return document


class _PulumiLoader(StrictLoader):
    """A loader that refuses duplicate keys, as Pulumi does; PyYAML keeps the last one."""


def _construct_mapping(loader: _PulumiLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen: dict[str, int] = {}
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            line = key.start_mark.line + 1
            if key.value in seen:
                problem = f"the key {key.value!r} appears twice, first in line {seen[key.value]}"
                raise yaml.constructor.ConstructorError(None, None, problem, key.start_mark)
            seen[key.value] = line
    loader.flatten_mapping(node)
    mapping: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return mapping


_PulumiLoader.add_constructor(None, lambda loader, node: None)  # tags that Pulumi does not know are not an error
_PulumiLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _construct_mapping)


def create_stack(folder: Path, stack: str, environment: Mapping[str, str]) -> None:
    """Create the stack in the backend that the environment names, unless it exists; write only to `folder`."""
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
