"""Which commands of a rehearsal shell run where: none may write to a stack file of the repository."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rehearsal import pulumi_guard
from rehearsal.pulumi_guard import CONFIG_FILE, Refused, guarded

PROJECT = "name: sluice\nruntime: python\n"


class Shell:
    """A clone with a stack file, and a folder of copies."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "clone"
        self.copies = folder / "home" / "stacks" / "sluice"
        for project in (self.root, self.copies):
            project.mkdir(parents=True)
            (project / "Pulumi.yaml").write_text(PROJECT)
        (self.root / "models").mkdir()
        (self.root / "Pulumi.dev.yaml").write_text("config: {}\n")
        (self.root / "Pulumi.prod.yaml").write_text("config: {}\n")
        self.variables: dict[str, str] = {}

    def with_stack(self, stack: str) -> "Shell":
        """As after `sluice local env --stack`."""
        copy = self.copies / f"Pulumi.{stack}.yaml"
        copy.write_text("config: {}\n")
        self.variables = {"PULUMI_STACK": stack, CONFIG_FILE: str(copy)}
        return self

    def run(self, command: str, here: str = ".") -> tuple[list[str], dict[str, str]]:
        return guarded(command.split(), self.variables, self.root / here, self.root, self.copies)

    def moved(self, command: str) -> list[str]:
        return [*command.split(), "--cwd", str(self.copies)]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path)


@pytest.mark.parametrize(
    "command",
    [
        "stack rm --yes prod",
        "stack rename prod2",
        "--non-interactive --color never stack init scratch",
        "stack new scratch",
        "stack select --create scratch",
        "stack change-secrets-provider passphrase",
        "stack history --show-secrets",
        "-s prod stack tag set a b",
        "destroy --yes --remove",
        "state move --dest other urn",
        "-C models stack rm prod",
    ],
)
def test_what_writes_a_stack_file_beside_the_project_file_runs_beside_the_copies(shell: Shell, command: str) -> None:
    arguments, variables = shell.with_stack("prod").run(command)
    assert arguments == shell.moved(command)
    assert variables == shell.variables


@pytest.mark.parametrize("command", ["up --yes", "preview", "config set a b", "destroy --yes", "whoami", "version", ""])
def test_every_other_command_is_left_alone(shell: Shell, command: str) -> None:
    assert shell.with_stack("prod").run(command) == (command.split(), shell.variables)


def test_files_that_a_moved_command_names_stay_where_they_are(shell: Shell) -> None:
    shell.with_stack("prod")
    arguments, _ = shell.run("stack export --file state.json", "models")
    assert arguments[3] == str(shell.root / "models" / "state.json")
    arguments, _ = shell.run("stack import --file=/tmp/state.json")
    assert arguments[2] == "--file=/tmp/state.json"
    arguments, _ = shell.run("stack graph out.dot")
    assert arguments[2] == str(shell.root / "out.dot")


def test_words_after_two_dashes_stay_last(shell: Shell) -> None:
    arguments, _ = shell.with_stack("prod").run("stack rm -- prod")
    assert arguments == ["stack", "rm", "--cwd", str(shell.copies), "--", "prod"]


def test_a_stack_that_a_flag_names_uses_its_own_copy(shell: Shell) -> None:
    shell.with_stack("dev").with_stack("prod")
    _, variables = shell.run("up --stack organization/sluice/dev")
    assert variables[CONFIG_FILE] == str(shell.copies / "Pulumi.dev.yaml")
    _, variables = shell.run("config set -s prod a b")
    assert variables[CONFIG_FILE] == str(shell.copies / "Pulumi.prod.yaml")


@pytest.mark.parametrize(
    "command", ["stack init dev", "up -s dev", "config set a b --stack dev", "stack select -c dev"]
)
@pytest.mark.parametrize("stack", ["prod", None])
def test_a_stack_of_the_repository_is_not_used_without_a_copy(shell: Shell, command: str, stack: str | None) -> None:
    if stack:
        shell.with_stack(stack)
    with pytest.raises(Refused, match=r"Pulumi\.dev\.yaml is the repository's.*sluice local env --stack dev"):
        shell.run(command)


def test_a_shell_without_a_stack_uses_the_copy_of_the_stack_that_is_named(shell: Shell) -> None:
    shell.with_stack("dev").variables = {}
    _, variables = shell.run("up -s dev")
    assert variables[CONFIG_FILE] == str(shell.copies / "Pulumi.dev.yaml")
    with pytest.raises(Refused, match="export PULUMI_STACK=dev"):
        shell.run("stack select dev")


def test_other_projects_are_left_alone_and_other_clones_are_not(shell: Shell, tmp_path: Path) -> None:
    shell.with_stack("prod")
    for name, text, git in (("bootstrap", "name: other\n", True), ("plain", PROJECT, False), ("clone2", PROJECT, True)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "Pulumi.yaml").write_text(text)
        if git:
            (folder / ".git").mkdir()
        arguments, _ = guarded(["stack", "rm", "prod"], shell.variables, folder, shell.root, shell.copies)
        assert (arguments[-1] == str(shell.copies)) == (name == "clone2")


def test_a_harness_with_a_stack_file_of_its_own_keeps_it(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "harness"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(PROJECT)
    shell.variables = {"PULUMI_STACK": "dev", CONFIG_FILE: str(folder / "Pulumi.dev.yaml")}
    assert shell.run("up --stack dev") == (["up", "--stack", "dev"], shell.variables)
    assert shell.run("stack export")[0] == ["stack", "export", "--cwd", str(folder)]


def test_it_becomes_the_real_command_or_refuses_with_a_reason(shell: Shell, tmp_path: Path) -> None:
    real = tmp_path / "real pulumi"
    real.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\nexit 7\n')
    real.chmod(0o755)

    def run(*arguments: str) -> "subprocess.CompletedProcess[str]":
        command = [sys.executable, "-I", "-S", pulumi_guard.__file__, str(real), str(shell.root), str(shell.copies)]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PULUMI_")}
        return subprocess.run(
            [*command, *arguments], cwd=shell.root, env=environment, capture_output=True, text=True, check=False
        )

    done = run("config", "set", "a", "b c")
    assert (done.returncode, done.stdout) == (7, "config\nset\na\nb c\n")
    refused = run("stack", "init", "dev")
    assert refused.returncode == 1
    assert refused.stderr.startswith("sluice: Pulumi.dev.yaml is the repository's")
    real.unlink()
    gone = run("version")
    assert "sluice local env" in gone.stderr
    assert "Traceback" not in gone.stderr
