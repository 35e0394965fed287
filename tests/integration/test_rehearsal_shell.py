"""A rehearsal shell and its repository: whatever a user does to stacks with Pulumi, no file of the clone changes."""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.rehearsal import SLUICE, Azure, copy_project

pytestmark = pytest.mark.integration

# Arguments for the subcommands that do nothing without them. `{}` is a folder outside of the clone.
ARGUMENTS = {
    "change-secrets-provider": ["passphrase"],
    "export": ["--show-secrets", "--file", "{}/state.json"],
    "graph": ["{}/graph.dot"],
    "history": ["--show-secrets"],
    "import": ["--file", "{}/state.json"],
    "new": ["scratch"],
    "output": ["--show-secrets"],
    "rename": ["renamed"],
    "remove": ["--yes", "--force", "renamed"],
    "select": ["--create", "scratch2"],
    "tag": ["set", "a", "b"],
}
LAST = ("rename", "remove")
# These run after every subcommand ran once: other ways to the stacks of the repository.
FURTHER = [
    ["stack", "init", "scratch3"],
    ["stack", "init", "dev"],
    ["stack", "init", "copied", "--copy-config-from", "prod"],
    ["stack", "rename", "--stack", "prod", "dev"],
    ["stack", "rename", "--stack", "dev", "prod"],
    ["-C", "models", "stack", "history", "--show-secrets"],
    ["config", "set", "sluice:team", "other"],
    ["config", "cp", "--dest", "scratch2"],
    ["stack", "rm", "--yes", "prod"],
    ["stack", "init", "prod"],
    ["destroy", "--yes", "--skip-preview", "--remove"],
]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    project = copy_project(tmp_path_factory.mktemp("clone") / "sluice")
    identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
    for words in (["init", "--quiet"], ["add", "."], [*identity, "commit", "--quiet", "--message", "all"]):
        subprocess.run(["git", *words], cwd=project, check=True, capture_output=True)
    return project


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azure]:
    azure = Azure.started(tmp_path_factory.mktemp("azure"))
    yield azure
    azure.stop()


def variables_after(lines: str, clone: Path, before: dict[str, str]) -> dict[str, str]:
    """The variables of a shell in the clone that evaluated the lines of a `sluice` command."""
    done = subprocess.run(
        ["sh", "-c", f"{lines}; env -0"], cwd=clone, env=before, capture_output=True, text=True, check=True
    )
    return dict(entry.split("=", 1) for entry in done.stdout.split("\0") if "=" in entry)


def changed(clone: Path) -> str:
    """What git reports about the clone."""
    command = ["git", "status", "--porcelain", "--untracked-files=all"]
    return subprocess.run(command, cwd=clone, check=True, capture_output=True, text=True).stdout


def test_no_stack_command_changes_a_file_of_the_repository(azure: Azure, clone: Path, tmp_path: Path) -> None:
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SLUICE_"))}
    env = f"{SLUICE} local env --home {azure.home.path} --stack prod --fresh"
    shell = variables_after(f"eval $({env})", clone, outside)

    def pulumi(*words: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["pulumi", "--non-interactive", "--color", "never", *words],
            cwd=clone,
            env=shell,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            check=False,
        )

    known = re.findall(r"^  ([a-z][a-z-]+) ", pulumi("stack", "--help").stdout.split("Available Commands:")[1], re.M)
    assert set(ARGUMENTS) <= set(known)
    worked = []
    for name in [*(one for one in known if one not in LAST), *LAST]:
        words = [word.format(tmp_path) for word in ARGUMENTS.get(name, [])]
        if pulumi("stack", name, *words).returncode == 0:
            worked.append(name)
        assert changed(clone) == "", name
    assert {"change-secrets-provider", "export", "history", "import", "new", "rename", "remove"} <= set(worked)
    shell = variables_after(f'eval "$({env})"', clone, shell)
    for words in FURTHER:
        pulumi(*words)
        assert changed(clone) == "", words
    assert variables_after(f'eval "$({SLUICE} local env --unset)"', clone, shell) == variables_after(
        "true", clone, outside
    )


def test_a_file_that_pulumi_cannot_read_is_named_and_the_corrected_one_is_taken(azure: Azure, clone: Path) -> None:
    file = clone / "Pulumi.broken.yaml"
    command = [str(SLUICE), "local", "env", "--home", str(azure.home.path), "--stack", "broken"]
    try:
        for content in (
            b"config:\n\ta:b: 1\n",
            b"config:\n  a:b: 1\n  a:b: 2\n",
            b"# Z\xfcrich\n",
            b"config: {a:b: .nan}\n",
        ):
            file.write_bytes(content)
            refused = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=False)
            assert refused.returncode == 2, refused.stderr
            assert str(file) in refused.stderr
            assert "Traceback" not in refused.stderr
        file.write_text("config: {sluice:team: good}\n")
        assert (
            "PULUMI_STACK=broken;"
            in subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout
        )
    finally:
        file.unlink()


def test_a_reset_in_a_rehearsal_shell_leaves_a_home_that_can_be_started_again(clone: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("PULUMI_", "SLUICE_"))}

    def sluice(*words: str, shell: dict[str, str], expect: int = 0) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [str(SLUICE), *words], cwd=clone, env=shell, capture_output=True, text=True, stdin=subprocess.DEVNULL
        )
        assert done.returncode == expect, done.stdout + done.stderr
        return done

    sluice("local", "start", "--home", str(home), shell=outside)
    try:
        shell = variables_after(f'eval "$({SLUICE} local env --home {home} --stack dev)"', clone, outside)
        sluice("local", "reset", "--yes", shell=shell)
        subprocess.run(["pulumi", "whoami"], cwd=clone, env=shell, capture_output=True, check=False)
        assert (home / "pulumi").is_dir()
        said = sluice("doctor", shell=shell, expect=1).stdout
        assert 'fix: sluice local start && eval "$(sluice local env --stack dev)"' in said
        assert "plugin install" not in said
        sluice("local", "start", shell=shell)
        again = variables_after(f'eval "$({SLUICE} local env --stack dev)"', clone, shell)
        assert (
            subprocess.run(["pulumi", "whoami"], cwd=clone, env=again, capture_output=True, check=False).returncode == 0
        )
        sluice("local", "reset", "--yes", shell=again)
        assert not home.exists()
    finally:
        if home.exists():
            sluice("local", "stop", "--home", str(home), shell=outside)
