"""The `pulumi` of a rehearsal shell: the real CLI, prevented from writing to stack files of the repository.

PULUMI_OPTION_CONFIG_FILE points `config`, `preview` and `up` at the copy of a stack file. `stack init`, `new`,
`rename`, `rm`, `change-secrets-provider`, `history` and `destroy --remove` nevertheless write, move or delete the
Pulumi.<stack>.yaml beside the project file (run with 3.259.0 and 3.274.1). So they run on the project file beside the
copies, and a stack that a flag names uses its own copy. Other projects and commands are not changed.

It runs by path, without the project's packages, so it imports only the standard library.
"""

import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PROJECT_FILES = ("Pulumi.yaml", "Pulumi.yml", "Pulumi.json")
CONFIG_FILE = "PULUMI_OPTION_CONFIG_FILE"
# Flags that may precede a word of a command and whose value is the next word.
VALUE_FLAGS = (
    *("-C", "--cwd", "-s", "--stack", "-v", "--verbose", "--color", "--tracing", "--otel-traces", "--profiling"),
    *("--memprofilerate", "--file", "--config-file", "--secrets-provider", "--copy-config-from", "--event-log"),
    *("--dest", "--source"),
)
PATH_FLAGS = (
    "--file",
    "--config-file",
    "--event-log",
    "--save-plan",
    "--plan",
    "--policy-pack",
    "--policy-pack-config",
)
# Commands for one stack: they read its file, and some create the stack if it does not exist.
OF_A_STACK = (
    *("cancel", "config", "destroy", "dn", "down", "import", "logs", "pre", "preview", "refresh", "stack", "state"),
    *("up", "update", "watch"),
)
CREATING = ("new", "init", "create", "setup")  # one command and its aliases


class Refused(Exception):
    """The command would write to the repository; the message names the alternative."""


@dataclass(frozen=True)
class Words:
    """The relevant parts of a command line."""

    words: tuple[str, ...]
    flags: Mapping[str, str]

    @property
    def stack(self) -> str | None:
        """The stack that a flag names, without organization and project."""
        named = self.flags.get("--stack") or self.flags.get("-s")
        return named.rsplit("/", 1)[-1] if named else None

    @property
    def folder(self) -> str:
        """The folder in which the command must run."""
        return self.flags.get("--cwd") or self.flags.get("-C") or "."


def read_words(arguments: Sequence[str]) -> Words:
    """Return words and flags; a flag without a value has the value "true"."""
    words: list[str] = []
    flags: dict[str, str] = {}
    rest = iter(arguments)
    for argument in rest:
        if argument == "--":
            words += rest
        elif not argument.startswith("-") or argument == "-":
            words.append(argument)
        elif "=" in argument:
            name, _, value = argument.partition("=")
            flags[name] = value
        else:
            flags[argument] = next(rest, "") if argument in VALUE_FLAGS else "true"
    return Words(tuple(words), flags)


def guarded(
    arguments: Sequence[str], environment: Mapping[str, str], here: Path, root: Path, copies: Path
) -> tuple[list[str], dict[str, str]]:
    """Return arguments and environment for the real CLI. Raises Refused for a command without a harmless form.

    `here` is the working directory, `root` the repository's project, `copies` the folder with a project file of the
    same name and the copies of stack files.
    """
    given = read_words(arguments)
    own = environment.get(CONFIG_FILE)
    if own and _project_in(Path(own).parent) is not None:
        copies = Path(own).parent
    project = _nearest_project(here / given.folder)
    if project is None or project == copies.resolve() or not _is_a_checkout(project, root):
        return list(arguments), dict(environment)
    if given.words[:1] and given.words[0] in OF_A_STACK:
        environment = {**environment, **_led_to_the_copy(given, environment, project, copies)}
    return (_moved(arguments, here, copies) if _writes_stack_files(given) else list(arguments)), dict(environment)


def _is_a_checkout(project: Path, root: Path) -> bool:
    """Return whether the folder is the repository or another clone of it."""
    if project == root.resolve():
        return True
    return (project / ".git").exists() and _name_of(project) == _name_of(root)


def _led_to_the_copy(given: Words, environment: Mapping[str, str], project: Path, copies: Path) -> dict[str, str]:
    """Return variables that point at the copy of the named stack's file, if the shell's variables point elsewhere."""
    own = environment.get(CONFIG_FILE)
    creating = given.words[0] == "stack" and given.words[1:2] and given.words[1] in (*CREATING, "select")
    named = given.words[2] if creating and len(given.words) > 2 else given.stack
    stack = (named or environment.get("PULUMI_STACK") or "").rsplit("/", 1)[-1]
    copy = copies / f"Pulumi.{stack}.yaml"
    if not stack or (own is not None and (Path(own).name == copy.name or Path(own).parent != copies)):
        return {}
    if copy.is_file():
        if given.words[:2] == ("stack", "select") and "PULUMI_STACK" not in environment:
            raise Refused(f"this shell has no stack, so name it instead of selecting it: export PULUMI_STACK={stack}")
        return {CONFIG_FILE: str(copy)}
    if (project / copy.name).is_file():
        raise Refused(
            f"{copy.name} is the repository's, and a rehearsal works on a copy. To copy it and create the stack: "
            f'eval "$(sluice local env --stack {stack})"'
        )
    return {}


def _writes_stack_files(given: Words) -> bool:
    match given.words[:2]:
        case ("stack", *_) | ("state", "move" | "mv"):
            return True
        case ("destroy" | "down" | "dn", *_):
            return given.flags.get("--remove", "false") not in ("false", "0")
    return False


def _moved(arguments: Sequence[str], here: Path, copies: Path) -> list[str]:
    """Return the same command for another folder; its file names still mean the same files."""
    words = read_words(arguments)
    moved: list[str] = []
    previous = ""
    for number, argument in enumerate(arguments):
        if argument == "--":
            return [*moved, "--cwd", str(copies), *arguments[number:]]
        name, equals, value = argument.partition("=")
        if previous in PATH_FLAGS or (words.words[:2] == ("stack", "graph") and argument in words.words[2:3]):
            argument = str(here / words.folder / argument)
        elif name in PATH_FLAGS and equals:
            argument = f"{name}={here / words.folder / value}"
        moved.append(argument)
        previous = argument
    return [*moved, "--cwd", str(copies)]  # the last --cwd counts


def _nearest_project(folder: Path) -> Path | None:
    folder = folder.resolve()
    return next((one for one in (folder, *folder.parents) if _project_in(one) is not None), None)


def _project_in(folder: Path) -> Path | None:
    return next((folder / name for name in PROJECT_FILES if (folder / name).is_file()), None)


def _name_of(folder: Path) -> str | None:
    file = _project_in(folder)
    if file is None:
        return None
    found = re.search(
        r"^[\s\"'{]*name[\"']?:\s*[\"']?([A-Za-z0-9_.-]+)", file.read_text("utf-8", "replace"), re.MULTILINE
    )
    return found.group(1) if found else None


def main(arguments: Sequence[str]) -> None:
    """Become the real CLI; `arguments` are its path, the repository, the copies' folder, and the user's arguments."""
    real, root, copies, *given = arguments
    try:
        words, environment = guarded(given, os.environ, Path.cwd(), Path(root), Path(copies))
    except Refused as refused:
        sys.exit(f"sluice: {refused}")
    try:
        os.execve(real, [real, *words], environment)
    except OSError as error:
        sys.exit(f'sluice: cannot run {real}: {error.strerror}. In a new shell: eval "$(sluice local env)"')


if __name__ == "__main__":
    main(sys.argv[1:])
