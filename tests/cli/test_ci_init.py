"""`sluice ci init`: what it writes, what it prints, and its exit codes."""

import shutil
import subprocess
from pathlib import Path

import pytest

from cli.main import main

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("Pulumi.yaml", "Pulumi.dev.yaml", "Pulumi.prod.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    origin = ["remote", "add", "origin", "git@github.com:acme/models.git"]
    subprocess.run(["git", "-C", str(tmp_path), *origin], check=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file() and ".git/" not in str(path))
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_second_run_writes_nothing_and_check_agrees(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "init", "github", "--check"]) == 1
    assert "sluice-deliver.yml is missing" in capsys.readouterr().out
    assert main(["ci", "init", "github"]) == 0
    said = capsys.readouterr()
    assert "wrote Pulumi.prod.yaml: sluice:limits.require_proof: dev" in said.err
    assert "gh api --method PUT repos/acme/models/environments/prod-preview\n" in said.out
    written = contents(repository)
    assert main(["ci", "init", "github", "--check"]) == 0
    assert main(["ci", "init", "github"]) == 0
    assert "wrote" not in capsys.readouterr().err
    assert contents(repository) == written


def test_azure_devops_gets_its_pipelines_and_the_rights_of_its_build_service(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ci", "init", "azure-devops", "--repository", "acme/shop/models"]) == 0
    said = capsys.readouterr().out
    assert 'BUILD_SERVICE="shop Build Service (acme)"' in said
    assert "--allow-bit 16404" in said  # 4 contribute, 16 create branch, 16384 contribute to pull requests
    assert "--token $PROJECT_ID --allow-bit 128" in said  # queue builds
    assert (repository / ".azuredevops" / "sluice-approve.yml").is_file()
    assert not (repository / ".github").exists()


def test_the_build_service_bypasses_the_policies_of_main_only_if_it_pushes_there(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bypass = "--token repoV2/$PROJECT_ID/$REPOSITORY_ID --allow-bit 128"
    arguments = ["ci", "init", "azure-devops", "--repository", "acme/shop/models"]
    assert main(arguments) == 0
    assert bypass in capsys.readouterr().out
    assert main([*arguments, "--stack-branches"]) == 0
    assert bypass not in capsys.readouterr().out


def test_without_branches_of_their_own_nobody_is_told_to_protect_main(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["ci", "init", "github"]) == 0
    said = capsys.readouterr().out
    assert "rulesets" not in said
    assert "the check is required" not in said
    assert main(["ci", "init", "github", "--stack-branches"]) == 0
    assert "rulesets" in capsys.readouterr().out
    assert "sluice:after: dev" in (repository / "Pulumi.prod.yaml").read_text()


def test_check_names_the_command_with_its_stacks(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ci", "init", "github", "--stacks", "prod", "--check"]) == 1
    assert "Run `sluice ci init github --stacks prod` and commit what it writes." in capsys.readouterr().err


def test_a_project_below_the_top_of_its_repository_is_refused(
    repository: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    below = repository / "platform"
    below.mkdir()
    for file in repository.glob("Pulumi*.yaml"):
        file.rename(below / file.name)
    monkeypatch.chdir(below)
    assert main(["ci", "init", "github"]) == 2
    assert "is not the top folder of its repository" in capsys.readouterr().err
    assert not (below / ".github").exists()


def test_a_default_branch_that_is_not_main_is_refused(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    head = ["git", "-C", str(repository), "symbolic-ref", "refs/remotes/origin/HEAD"]
    subprocess.run([*head, "refs/remotes/origin/master"], check=True)
    assert main(["ci", "init", "github"]) == 2
    assert "the default branch of origin is master. The pipelines deliver what is merged into main." in (
        capsys.readouterr().err
    )
    assert not (repository / ".github").exists()
    subprocess.run([*head, "refs/remotes/origin/main"], check=True)
    assert main(["ci", "init", "github"]) == 0


def test_the_commands_fit_a_project_whose_name_has_a_space(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    address = "https://dev.azure.com/acme/Fraud%20Models/_git/models"
    subprocess.run(["git", "-C", str(repository), "remote", "set-url", "origin", address], check=True)
    assert main(["ci", "init", "azure-devops"]) == 0
    said = capsys.readouterr().out
    assert "PROJECT_ID=$(az devops project show --project 'Fraud Models' --query id -o tsv)" in said
    assert not [line for line in said.splitlines() if "=Fraud Models" in line], "a name without quotes"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["github", "--stacks", "dev,test"], "there is no stack file for test"),
        (["azure-devops", "--repository", "models"], "organization/project/repository"),
        (["github", "--stacks", "Dev"], "lower-case"),
    ],
)
def test_wrong_use_writes_nothing(
    repository: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], said: str
) -> None:
    before = contents(repository)
    assert main(["ci", "init", *arguments]) == 2
    assert said in capsys.readouterr().err
    assert contents(repository) == before
