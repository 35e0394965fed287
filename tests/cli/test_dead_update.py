"""What `sluice recover` and `sluice remove` check before they look at a stack."""

from pathlib import Path

import pytest

from cli import main
from exit_codes import ExitCode
from rehearsal.environment import IS_SET
from rehearsal.home import HOME_VARIABLE

COMMANDS = ["recover --stack dev", "remove --stack dev --yes"]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("rehearsal", [True, False], ids=["rehearsal", "other shell"])
def test_a_backend_that_is_gone_is_named_with_the_next_step(
    command: str, rehearsal: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PULUMI_BACKEND_URL", f"file://{tmp_path}/home/state")
    monkeypatch.setenv("PULUMI_STACK", "dev")
    monkeypatch.delenv(IS_SET, raising=False)
    if rehearsal:
        monkeypatch.setenv(IS_SET, "https://localhost:18443")
        monkeypatch.setenv(HOME_VARIABLE, str(tmp_path / "home"))
    assert main.main(command.split()) == ExitCode.UNAVAILABLE
    said = capsys.readouterr().err
    assert said.startswith(f"sluice: the folder {tmp_path}/home/state, which holds the stacks, does not exist. ")
    next_step = '`sluice local start && eval "$(sluice local env --stack dev)"`' if rehearsal else "PULUMI_BACKEND_URL"
    assert next_step in said


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("minutes", ["nan", "-1", "inf", "soon", ""])
def test_a_time_that_would_never_pass_is_refused(
    command: str, minutes: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as refused:
        main.main([*command.split(), f"--wait-minutes={minutes}"])
    assert refused.value.code == ExitCode.USAGE
    assert f"must be a number of minutes, 0 or more, got {minutes!r}" in capsys.readouterr().err
