"""Which folders are a home: one that a rehearsal left is a home; a folder of other files is not, and stays."""

import shlex
import shutil
from pathlib import Path

import pytest

from cli import main
from command_errors import UnavailableError, UsageError
from exit_codes import ExitCode
from rehearsal.home import MARKER, LocalHome

LEFT_BY_PULUMI = ["pulumi/logs/pulumi-1-whoami.log", "pulumi/credentials.json", "pulumi/workspaces/a.json"]
LEFT_BY_AZ = ["azure/cloudEndpoints.json", "azure/az.sess", "azure/commandIndex.json", "azure/msal_token_cache.json"]


def fill(folder: Path, files: list[str]) -> None:
    for name in files:
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")


@pytest.mark.parametrize(
    "files", [LEFT_BY_PULUMI, LEFT_BY_AZ, [*LEFT_BY_PULUMI, *LEFT_BY_AZ, "state/.pulumi/meta.yaml"]]
)
def test_what_pulumi_and_az_write_after_a_reset_does_not_make_the_home_unusable(
    tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    home = LocalHome(tmp_path / "home")
    fill(home.path, files)
    home.create()
    assert home.looks_like_home()
    shutil.rmtree(home.path)
    fill(home.path, files)
    assert main.main(["local", "reset", "--yes", "--home", str(home.path)]) == ExitCode.DONE
    assert not home.path.exists()


@pytest.mark.parametrize(
    "files",
    [
        ["thesis.txt"],
        ["README.txt", "thesis.txt"],
        ["pulumi/Pulumi.yaml"],
        [*LEFT_BY_PULUMI, "pulumi/program/__main__.py"],
        [*LEFT_BY_AZ, "notes.txt"],
        ["state/terraform.tfstate"],
        ["logs/app.log"],
        ["azure/main.bicep"],
    ],
)
def test_a_folder_of_other_files_is_neither_taken_nor_deleted(
    tmp_path: Path, files: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    home = LocalHome(tmp_path / "home")
    fill(home.path, files)
    with pytest.raises(UsageError, match="is not empty"):
        home.create()
    assert main.main(["local", "reset", "--yes", "--home", str(home.path)]) == ExitCode.USAGE
    assert all((home.path / name).read_text() == "x" for name in files)


def test_commands_that_are_printed_name_a_home_only_where_they_would_not_find_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SLUICE_LOCAL_HOME", raising=False)
    home = LocalHome(tmp_path / "it's a home")
    assert shlex.split(home.flag) == ["--home", str(home.path)]
    with pytest.raises(UnavailableError) as refused:
        home.require_server()
    assert f"`sluice local start{home.flag}`" in str(refused.value)
    monkeypatch.setenv("SLUICE_LOCAL_HOME", str(home.path))
    assert home.flag == ""


def test_two_may_create_a_home_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write = Path.write_text

    def create_between(file: Path, text: str) -> int:
        """The moment between opening a file and writing to it, in which the other one comes."""
        file.touch()
        monkeypatch.setattr(Path, "write_text", write)
        LocalHome(file.parent).create()
        return file.write_text(text)

    monkeypatch.setattr(Path, "write_text", create_between)
    home = LocalHome(tmp_path / "home")
    home.create()
    assert home.looks_like_home()
    assert sorted(file.name for file in home.path.iterdir()) == ["README.txt", "logs"]


@pytest.mark.parametrize("below", ["", "home"])
def test_a_file_in_the_place_of_the_home_is_named_as_one(
    tmp_path: Path, below: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "file"
    file.touch()
    for command, code in (("start", 4), ("status", 4), ("env", 4), ("stop", 0)):
        assert main.main(["local", command, "--home", str(file / below)]) == code, command
    said = capsys.readouterr().err.splitlines()
    assert said[0].startswith(f"sluice: cannot write to {file / below}: ")
    assert "Check the path." in said[0]
    assert len(said) == 2


def test_a_home_whose_creation_was_killed_can_be_created(tmp_path: Path) -> None:
    home = LocalHome(tmp_path / "home")
    fill(home.path, [".README.txt-1234"])
    home.create()
    assert home.looks_like_home()


@pytest.mark.parametrize("content", ["", MARKER[:10], MARKER])
def test_a_home_whose_creation_was_killed_can_be_reset(
    tmp_path: Path, content: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = LocalHome(tmp_path / "home")
    home.path.mkdir()
    (home.path / ".README.txt-1234").write_text(content)
    assert main.main(["local", "reset", "--yes", "--home", str(home.path)]) == ExitCode.DONE
    assert not home.path.exists()


@pytest.mark.parametrize("name", [".README.txt-1234", ".README.txt-draft", "README.txt"])
def test_a_file_that_is_not_the_draft_of_a_marker_is_not_deleted(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    home = LocalHome(tmp_path / "home")
    home.path.mkdir()
    (home.path / name).write_text("my own notes" if name == ".README.txt-1234" else MARKER[:10])
    assert main.main(["local", "reset", "--yes", "--home", str(home.path)]) == ExitCode.USAGE
    assert (home.path / name).exists()


def test_a_link_in_the_place_of_a_folder_is_not_followed(tmp_path: Path) -> None:
    precious = tmp_path / "precious"
    fill(precious, ["logs/a.log"])
    home = LocalHome(tmp_path / "home")
    home.path.mkdir()
    (home.path / "pulumi").symlink_to(precious)
    assert not home.looks_like_home()


def test_a_reset_that_was_interrupted_can_be_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = LocalHome(tmp_path / "home")
    home.create()
    fill(home.path, ["azure.db", "blobs/a", "state/.pulumi/meta.yaml"])
    deleted: list[Path] = []

    def interrupted(path: Path) -> None:
        if deleted:
            raise KeyboardInterrupt
        deleted.append(path)

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", interrupted)
        with pytest.raises(KeyboardInterrupt):
            home.delete()
    assert home.looks_like_home()
    home.delete()
    assert not home.path.exists()
