"""The command itself: exit codes, messages without tracebacks, and what it does when nothing is missing."""

import errno
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from toolchain import environment, setup
from toolchain.console import ToolchainError, run, run_or_fail
from toolchain.environment import STAMP, ensure_environment, fingerprint
from toolchain.uv import find_uv, uv_environment

MakeProgram = Callable[..., Path]
ROOT = Path(__file__).parents[2]

OLD_PYTHON = """
import runpy, sys
sys.version_info = (3, 9, 18, "final", 0)
runpy.run_module("toolchain", run_name="__main__")
"""


@pytest.fixture
def project(tmp_path: Path, make_program: MakeProgram) -> Path:
    """A project with a stamped environment."""
    root = tmp_path / "project"
    make_program("python", "", root / ".venv" / "bin")
    (root / "requirements-dev.lock").write_text("one==1\n")
    (root / "pyproject.toml").write_text("")
    (root / ".venv" / STAMP).write_text(fingerprint(root))
    return root


def test_an_older_python_is_told_so() -> None:
    answer = subprocess.run([sys.executable, "-c", OLD_PYTHON], cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 1
    assert answer.stderr.startswith("setup: error: this is Python 3.9; the project needs Python 3.11 or later.\n  Fix:")
    assert "Traceback" not in answer.stderr


@pytest.mark.parametrize("arguments", [[], ["unknown"], ["lock", "--wrong"], ["setup", "now"]])
def test_wrong_use_is_exit_code_2(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert setup.main(arguments) == 2
    assert "usage: python3 -m toolchain COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (ToolchainError("no Go", "install Go"), 1, "setup: error: no Go\n  Fix: install Go\n"),
        (OSError(errno.ENOSPC, "No space left on device", "/x"), 1, "setup: error: the disk is full: /x\n  Fix: free"),
        (KeyboardInterrupt(), 130, "setup: interrupted; run the same command again"),
    ],
)
def test_a_failure_is_words_and_an_exit_code(
    error: BaseException,
    code: int,
    message: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(setup, "set_up", fail)
    assert setup.main(["setup"]) == code
    assert message in capsys.readouterr().err


def test_an_environment_with_the_right_stamp_is_left_alone(
    project: Path, bare_machine: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(environment, "_make", lambda *_: pytest.fail("there was nothing to do"))
    assert ensure_environment(project, bare_machine) is False


@pytest.mark.parametrize("change", ["lock", "pyproject", "stamp", "interpreter"])
def test_an_environment_is_brought_up_to_date_when_what_it_was_made_from_changes(
    project: Path, bare_machine: dict[str, str], monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    def make(root: Path, folder: Path, variables: dict[str, str]) -> None:
        (folder / STAMP).write_text(fingerprint(root))
        (folder / "bin" / "python").touch(0o755)

    monkeypatch.setattr(environment, "_make", make)
    monkeypatch.setattr(environment, "_compile_project", lambda *_: None)
    match change:
        case "lock":
            (project / "requirements-dev.lock").write_text("one==2\n")
        case "pyproject":
            (project / "pyproject.toml").write_text("[project]\n")
        case "stamp":
            (project / ".venv" / STAMP).unlink()
        case "interpreter":
            (project / ".venv" / "bin" / "python").unlink()
    assert ensure_environment(project, bare_machine) is True
    assert ensure_environment(project, bare_machine) is False


def test_a_recent_uv_on_path_is_used_and_an_old_one_is_not(
    bare_machine: dict[str, str], make_program: MakeProgram, capsys: pytest.CaptureFixture[str]
) -> None:
    on_path = make_program("uv", "echo uv 9.9.9")
    assert find_uv(bare_machine) == on_path
    make_program("uv", "echo uv 0.1.0")
    cached = make_program(
        "uv", "echo uv 0.13.9", Path(bare_machine["XDG_CACHE_HOME"]) / "sluice" / "uv" / "0.13.9" / "bin"
    )
    assert find_uv(bare_machine) == cached
    assert f"not using {on_path}: 0.1.0, need 0.5.0" in capsys.readouterr().out


def test_uv_uses_the_index_that_pip_is_configured_for_unless_it_has_its_own() -> None:
    pip = {"PIP_INDEX_URL": "https://mirror.example/simple", "PIP_CERT": "/etc/mirror.pem", "PATH": "/usr/bin:/bin"}
    variables = uv_environment(pip)
    assert variables["UV_DEFAULT_INDEX"] == "https://mirror.example/simple"
    assert variables["SSL_CERT_FILE"] == "/etc/mirror.pem"
    own = uv_environment(pip | {"UV_DEFAULT_INDEX": "https://own.example/simple"})
    assert own["UV_DEFAULT_INDEX"] == "https://own.example/simple"
    assert "UV_DEFAULT_INDEX" not in uv_environment(pip | {"UV_INDEX_URL": "https://own.example/simple"})


def test_a_failed_step_tells_network_and_disk_apart() -> None:
    for words, expected in (
        ("error sending request for url", "check the network"),
        ("No space left on device", "free some space"),
        ("hash mismatch", "see above"),
    ):
        with pytest.raises(ToolchainError) as error:
            run_or_fail(["/bin/sh", "-c", f"echo '{words}'; exit 3"], doing="trying", fix="see above", environment={})
        assert words in error.value.problem
        assert error.value.fix.startswith(expected)


def test_a_long_step_reports_that_it_is_still_running(capsys: pytest.CaptureFixture[str]) -> None:
    code, output = run(["/bin/sh", "-c", "sleep 0.3; echo done"], doing="sleeping", heartbeat_seconds=0.1)
    assert (code, output) == (0, "done\n")
    assert "setup:   still sleeping (0 s)" in capsys.readouterr().out
