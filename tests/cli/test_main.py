"""The command as a whole: exit codes, one message per error, and a start that is fast."""

import argparse
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from cli import main as command
from command_errors import CommandError, UnavailableError, UsageError, WaitingError
from rollout.errors import EngineFailed, EngineLocked, EngineRefused

ROOT = Path(__file__).resolve().parents[2]


def ending_with(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def run(_: argparse.Namespace) -> int:
        raise error

    parser = argparse.ArgumentParser()
    parser.set_defaults(run=run)
    monkeypatch.setattr(command, "_parser", lambda _: parser)
    return command.main([])


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (CommandError("x"), 1),
        (EngineFailed("x"), 1),
        (UsageError("x"), 2),
        (EngineRefused("x"), 2),
        (WaitingError("x"), 3),
        (UnavailableError("x"), 4),
        (EngineLocked("x"), 4),
        (KeyboardInterrupt(), 130),
    ],
)
def test_each_kind_of_error_has_its_exit_code_and_no_traceback(
    error: BaseException, code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending_with(error, monkeypatch) == code
    said = capsys.readouterr().err
    assert said.startswith("sluice: ")
    assert "Traceback" not in said


def test_a_defect_is_one_line_that_names_it_and_the_way_to_its_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(command.TRACEBACK_VARIABLE, raising=False)
    assert ending_with(ZeroDivisionError("by\nzero"), monkeypatch) == 1
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("sluice: a defect of sluice: ZeroDivisionError: by zero (")
    monkeypatch.setenv(command.TRACEBACK_VARIABLE, "1")
    with pytest.raises(ZeroDivisionError):
        ending_with(ZeroDivisionError(), monkeypatch)


def test_output_that_cannot_be_written_is_one_line() -> None:
    """A full disk shows only when the buffer is written, which Python does again when it ends."""
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "cli.main", "local", "status", "--json", "--home", "/nowhere"],
            cwd=ROOT,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert answer.returncode == 1
    assert answer.stderr.splitlines() == [
        "sluice: No space left on device. Free space on that disk and run the command again."
    ]


def test_a_disk_without_room_for_temporary_files_stops_no_import() -> None:
    """Pulumi's library asks for the folder of temporary files, and Python looks for one by writing to it."""
    answer = subprocess.run(
        [sys.executable, "-m", "cli.main", "rollout", "rollback", "nothing", "--stack", "none"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0)),
    )
    assert answer.returncode == 2
    assert "Pulumi.none.yaml" in answer.stderr


@pytest.mark.parametrize("words", [["unknown"], [], ["local"], ["invoke", "endpoint"]])
def test_wrong_use_is_exit_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(words)
    assert ended.value.code == 2


def test_help_lists_every_command_and_loads_none() -> None:
    code = (
        "import sys, cli.main\n"
        "try: cli.main.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'pulumi', 'pydantic', 'azure', 'aiohttp', 'yaml', 'cli.local', 'cli.demo'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    for name in command.COMMANDS:
        assert f"    {name}" in answer.stdout


def test_every_listed_command_exists() -> None:
    for name in command.COMMANDS:
        with pytest.raises(SystemExit) as ended:
            command.main([name, "--help"])
        assert ended.value.code == 0


def test_the_readme_names_every_command() -> None:
    listed = (ROOT / "README.md").read_text().partition("## Commands")[2].partition("\n## ")[0]
    named = set(re.findall(r"`(?:sluice )?([a-z-]+)[ `]", listed))
    assert set(command.COMMANDS) <= named
