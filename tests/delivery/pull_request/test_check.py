"""`ci check` in a clone: every problem of a pull request at once, compared with the branch that it goes into."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import date
from pathlib import Path

import pytest
import yaml

from delivery.proofs.remote_records import RemoteRecords
from delivery.proofs.verification import Verifier
from delivery.pull_request.check import Checked, changes_of, check
from exit_codes import ExitCode

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]
TODAY = date(2026, 11, 28)
IDENTITY = ["-c", "user.name=ana", "-c", "user.email=ana@example.com"]


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *IDENTITY, "-C", str(folder), *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


class Project:
    """An origin, a person's clone, and what a pipeline checks out: the merge of a pull request, at depth 1."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.origin, self.work = folder, folder / "origin.git", folder / "work"
        git(folder, "init", "-q", "--bare", "-b", "main", str(self.origin))
        git(self.origin, "config", "uploadpack.allowAnySHA1InWant", "true")
        git(folder, "clone", "-q", str(self.origin), str(self.work))
        git(self.work, "checkout", "-q", "-b", "main")
        for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
            shutil.copy(ROOT / name, self.work)
        shutil.copytree(ROOT / "models" / "fraud-detection", self.work / "models" / "fraud-detection")
        self.write({"rollouts/dev/fraud-detection/1.jsonl": "one\n"})
        git(self.work, "push", "-q", "origin", "main")
        git(self.work, "checkout", "-q", "-b", "change")

    def write(self, files: dict[str, str | None]) -> None:
        """Commit files; None deletes one."""
        for name, text in files.items():
            path = self.work / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.unlink() if text is None else path.write_text(text)
        git(self.work, "add", "-A")
        git(self.work, "commit", "-q", "-m", "change")

    def merged(self) -> Path:
        """The checkout of a pipeline: the merge of main and the change; main goes on afterwards."""
        git(self.work, "checkout", "-q", "main")
        git(self.work, "merge", "-q", "--no-ff", "-m", "merge", "change")
        git(self.work, "push", "-q", "origin", "main:refs/pull/7/merge")
        git(self.work, "reset", "-q", "--hard", "HEAD^1")
        self.write({"rollouts/dev/fraud-detection/1.jsonl": "one\ntwo\n"})
        git(self.work, "push", "-q", "origin", "main")
        clone = self.folder / "run"
        git(self.folder, "init", "-q", str(clone))
        git(clone, "remote", "add", "origin", f"file://{self.origin}")
        git(clone, "fetch", "-q", "--depth", "1", "origin", "refs/pull/7/merge")
        git(clone, "checkout", "-q", "FETCH_HEAD")
        return clone

    def check(self) -> Checked:
        root = self.merged()
        records = RemoteRecords(root, {"GITHUB_BASE_REF": "main"})
        return check(root, records, lambda: Verifier(files_of=records.of, project="sluice", arm_host="x"), TODAY)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def test_a_good_change_names_its_stacks_and_no_problem(project: Project) -> None:
    stack = yaml.safe_load((project.work / "Pulumi.dev.yaml").read_text())
    stack["config"]["sluice:endpoints"]["fraud-detection"]["deployments"]["green"] = {"instances": 1}
    project.write({"Pulumi.dev.yaml": yaml.safe_dump(stack), "docs/x.md": "x"})
    checked = project.check()
    assert (checked.problems, checked.stacks, checked.exit_code) == ([], ("dev",), ExitCode.DONE)
    assert json.loads(json.dumps(checked.as_values()))["stacks"] == ["dev"]


def test_every_problem_is_listed_at_once(project: Project) -> None:
    twice = (project.work / "Pulumi.dev.yaml").read_text() + "  sluice:team: twice\n"
    project.write(
        {
            "Pulumi.dev.yaml": twice,
            "Pulumi.prod.yaml": (project.work / "Pulumi.prod.yaml")
            .read_text()
            .replace("max_step: 25", "max_step: 250"),
            "models/fraud-detection/blue.yml": "name: blue\nmodel: [\n",
            "models/fraud-detection/releases/0123456789abcdef.json": "{}",
            "models/fraud-detection/releases/0123456789abcdef.proofs.jsonl": "{}\n",
            "rollouts/dev/fraud-detection/2.jsonl": "forged\n",
        }
    )
    checked = project.check()
    assert checked.exit_code is ExitCode.USAGE
    problems = "\n".join(checked.problems)
    for expected in (
        "Pulumi.dev.yaml: the YAML cannot be read",
        "'sluice:team' is written twice",
        "sluice:limits.max_step must be at most 100",
        "fraud-detection/blue.yml",
        "models/fraud-detection/releases/0123456789abcdef.json is not a release document",
        "0123456789abcdef.proofs.jsonl",
        "rollouts/dev/fraud-detection/2.jsonl: only pipelines write below rollouts/",
    ):
        assert expected in problems, problems
    assert "1.jsonl" not in problems, "what the pipelines pushed since is no change of this pull request"


def test_an_encrypted_value_of_a_variable_hides_nothing_else(project: Project) -> None:
    """`pulumi config set --secret --path` writes it so; a job without the stack's key cannot read it."""
    document = yaml.safe_load((project.work / "Pulumi.dev.yaml").read_text())
    deployments = document["config"]["sluice:endpoints"]["fraud-detection"]["deployments"]
    variables = {"OMP_NUM_THREADS": {"secure": "v1:abc:def"}}
    deployments["blue"] = {"environment_variables": variables, "instance": 3}
    project.write({"Pulumi.dev.yaml": yaml.safe_dump(document)})
    (problem,) = project.check().problems
    assert "blue.instance is not a known key" in problem
    assert "abc" not in problem


def test_a_laptop_compares_with_the_point_at_which_the_branch_left(project: Project) -> None:
    project.write({"docs/x.md": "x"})
    git(project.work, "checkout", "-q", "main")
    project.write({"rollouts/dev/fraud-detection/1.jsonl": "one\ntwo\n"})
    git(project.work, "push", "-q", "origin", "main")
    git(project.work, "checkout", "-q", "change")
    change = changes_of(project.work, RemoteRecords(project.work, {"GITHUB_BASE_REF": "main"}))
    assert [str(file.path) for file in change.files] == ["docs/x.md"]


def test_a_stack_file_names_stacks_of_this_repository(project: Project) -> None:
    text = (project.work / "Pulumi.prod.yaml").read_text()
    project.write({"Pulumi.prod.yaml": text.replace("max_step: 25", "max_step: 25, require_proof: dew")})
    (problem,) = project.check().problems
    assert problem.startswith("sluice:limits.require_proof of Pulumi.prod.yaml must name a stack of this repository")
    assert 'got "dew". Did you mean dev?' in problem
