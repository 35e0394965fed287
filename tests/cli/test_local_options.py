"""What `sluice local start` passes to the server, and which records `sluice local logs --traffic` shows."""

from __future__ import annotations

import pytest

from cli import local, main
from cli.errors import ExitCode


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

    monkeypatch.setattr("cli.localserver.start", start)
    with pytest.raises(Started) as started:
        main.main(["local", "start", "--home", str(tmp_path), *given])
    assert started.value.args == (passed,)
    assert {*local.SERVER_FLAGS, *local.SERVER_CHOICES} >= {one.partition("=")[0] for one in passed}


def test_the_records_of_an_endpoint_are_shown_and_others_are_not_reached(tmp_path, capsys):
    (tmp_path / "logs/traffic").mkdir(parents=True)
    (tmp_path / "logs/traffic/fraud.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    (tmp_path / "secret.jsonl").write_text("secret")
    show = ["local", "logs", "--home", str(tmp_path), "--tail", "1", "--traffic"]
    assert main.main([*show, "Fraud"]) == ExitCode.DONE
    assert capsys.readouterr().out == '{"a": 2}\n'
    for other in ("churn", "../../secret"):
        assert main.main([*show, other]) == ExitCode.USAGE
        assert "no records of endpoint" in capsys.readouterr().err
