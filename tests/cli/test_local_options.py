"""What `sluice local start` passes to the server, and which records `sluice local logs --traffic` shows."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from cli import main
from exit_codes import ExitCode
from localazure.command_line import server_parser, wrong_switches
from localazure.switches import REHEARSAL_SWITCHES
from rehearsal.home import Server


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ([], []),
        (["--outside-network"], ["--outside-network"]),
        (["--compute", "simulated", "--autoscale-speed", "60"], ["--compute=simulated", "--autoscale-speed=60"]),
    ],
)
def test_choices_of_a_rehearsal_are_passed_to_the_server(monkeypatch, tmp_path, given, passed):
    class Started(BaseException):
        pass

    def start(home, *, port, flags, say):
        raise Started(flags)

    monkeypatch.setattr("rehearsal.server_process.start", start)
    with pytest.raises(Started) as started:
        main.main(["local", "start", "--home", str(tmp_path), *given])
    assert started.value.args == (passed,)
    assert {switch.name for switch in REHEARSAL_SWITCHES} >= {one.partition("=")[0] for one in passed}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--timing", "slow"], ["--timing", "'slow'", "fast", "real"]),
        (["--compute", "cloud"], ["--compute", "'cloud'", "processes", "simulated"]),
        (["--service", "2023"], ["--service", "by-version, 2022, 2024", "'2023'"]),
        (["--autoscale-speed", "fast"], ["--autoscale-speed", "whole number from 1 to 60", "'fast'"]),
        (["--autoscale-speed", "61"], ["--autoscale-speed", "from 1 to 60"]),
        (["--quota", "DSv2"], ["--quota", "FAMILY=CORES", "'DSv2'"]),
        (["--quota", "DSv2=4", "--quota", "=4", "--timing", "slow"], ["'=4'", "'slow'"]),
        (["--port", "0"], ["--port must be 1 to 65534"]),
        (["--host", "0.0.0.0"], ["127.0.0.1 only"]),
    ],
)
def test_options_that_the_server_would_not_take_are_refused_before_anything_is_made(tmp_path, capsys, given, said):
    home = tmp_path / "home"
    assert main.main(["local", "start", "--home", str(home), *given]) == ExitCode.USAGE
    error = capsys.readouterr().err
    assert error.startswith("sluice: ")
    assert "usage:" not in error
    assert all(part in error for part in said), error
    assert not home.exists()


def test_every_switch_of_the_server_that_takes_values_is_checked():
    parser = server_parser()
    restricted = {action.option_strings[0] for action in parser._actions if action.choices or action.type}
    assert restricted - {"--home", "--port", "--environments"} <= {
        switch.name for switch in REHEARSAL_SWITCHES if switch.value
    }
    assert wrong_switches([f"{flag}=" for flag in sorted(restricted - {"--home", "--port"})])


@pytest.mark.parametrize("folder", ["a b", "it's", "$HOME", "ümlaut", "-x"])
def test_a_command_that_is_printed_for_a_home_can_be_pasted(monkeypatch, tmp_path, capsys, folder):
    home = tmp_path / folder
    server = Server(pid=1, https="https://localhost:1", http="http://localhost:2", version="0", started=0.0)
    monkeypatch.setattr("rehearsal.server_process.start", lambda *given, **more: (server, True))
    assert main.main(["local", "start", "--home", str(home)]) == ExitCode.DONE
    assert main.main(["local", "status", "--home", str(home)]) == ExitCode.UNAVAILABLE
    for command in re.findall(r"sluice local (?:env|start) --home [^`)]+", capsys.readouterr().out):
        assert shlex.split(command)[-1] == str(home)


def test_the_records_of_an_endpoint_are_shown_and_others_are_not_reached(tmp_path, capsys):
    (tmp_path / "logs/traffic").mkdir(parents=True)
    (tmp_path / "logs/traffic/fraud.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / "secret.jsonl").write_text("secret")
    show = ["local", "logs", "--home", str(tmp_path), "--tail", "1", "--traffic"]
    assert main.main([*show, "Fraud"]) == ExitCode.DONE
    assert capsys.readouterr().out == '{"a": 2}\n'
    for other in ("churn", "../../secret"):
        assert main.main([*show, other]) == ExitCode.USAGE
        assert "no traffic records of endpoint" in capsys.readouterr().err


def test_a_negative_number_of_lines_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "server.log").write_text("a\nb\n")
    assert main.main(["local", "logs", "--home", str(tmp_path), "--tail=-1"]) == ExitCode.USAGE
    assert capsys.readouterr() == ("", "sluice: --tail must be 0 or more, got -1.\n")
