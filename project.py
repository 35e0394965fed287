"""Which project and stack a command is about: `--stack`, else PULUMI_STACK, else the selected one.

It reads Pulumi.yaml's name and asks the CLI for the selected stack; it changes neither.
"""

import os
import re
import subprocess
from pathlib import Path

from command_errors import UsageError

PROJECT_FILE = "Pulumi.yaml"


def project_root() -> Path:
    """The folder of Pulumi.yaml, from the working directory upwards, else the checkout that holds this module."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file():
            return folder
    return Path(__file__).resolve().parent


def project_name(root: Path) -> str:
    """The project's name as Pulumi.yaml says."""
    file = root / PROJECT_FILE
    if not file.is_file():
        raise UsageError(f"no {PROJECT_FILE} in {root}. Run sluice inside a checkout of the project.")
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{file} cannot be read: {error}. Restore it from the repository.") from error
    found = re.search(r"^name:\s*[\"']?([A-Za-z0-9_.-]+)", text, re.MULTILINE)
    if found is None:
        raise UsageError(f"{file} has no `name:` line. Restore it from the repository.")
    return found.group(1)


def stack_name(asked: str | None) -> str:
    """The stack a command is about, without organization and project. Raises UsageError for what names no stack."""
    name = asked if asked is not None else os.environ.get("PULUMI_STACK") or _selected_stack()
    parts = name.split("/")
    if len(parts) > 3 or not all(re.fullmatch(r"[A-Za-z0-9_.-]*[A-Za-z0-9_-][A-Za-z0-9_.-]*", part) for part in parts):
        raise UsageError(
            f"{name!r} names no stack: a name has letters, digits, hyphens, underscores and periods, with organization "
            "and project before it if you like. Give --stack, such as --stack dev."
        )
    return parts[-1]


def _selected_stack() -> str:
    try:
        answer = subprocess.run(
            ["pulumi", "--non-interactive", "stack", "--show-name"],
            cwd=project_root(),
            capture_output=True,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            env={**os.environ, "PULUMI_SKIP_UPDATE_CHECK": "true"},
        )
    except OSError as error:
        raise UsageError(
            f"no stack is named, and the pulumi command cannot be asked for the selected one: {error.strerror}. "
            "Give --stack, or run `make setup`."
        ) from error
    name = answer.stdout.strip()
    if answer.returncode != 0 or not name:
        raise UsageError("no stack is named and none is selected. Give --stack, or run `pulumi stack select`.")
    return name
