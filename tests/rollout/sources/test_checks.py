"""Checks of the user's own."""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from gate_config import CheckSettings
from rollout.evidence.intervals import Verdict
from rollout.sources.checks import run_checks

pytestmark = pytest.mark.slow

MODULE = """
import os, sys, time
def good(): print("noise"); return True
def nothing(): os.write(1, b"more noise")
def bad(): return False
def why(): return "the queue has 12 messages"
def broken(): raise ValueError("no such table")
def wrong(): return 3
def leaves(): os._exit(0)
def hangs(): time.sleep(600)
"""


@pytest.fixture
def url() -> Iterator[str]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/slow":
                time.sleep(3)
            self.send_response(int(self.path.strip("/")) if self.path != "/slow" else 200)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Print nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def said(check: CheckSettings, root: Path) -> tuple[Verdict, str]:
    (found,) = run_checks({"smoke": check}, root)
    assert found.gate == "checks.smoke"
    return found.verdict, found.reason


@pytest.mark.parametrize(
    ("path", "verdict"),
    [("200", "pass"), ("204", "fail"), ("404", "fail"), ("503", "fail"), ("500", "error")],
)
def test_an_address_passes_with_200_only(url, tmp_path, path, verdict):
    found, reason = said(CheckSettings(url=f"{url}/{path}"), tmp_path)
    assert found.value == verdict
    assert f"/{path} answered {path}" in reason


def test_an_address_that_does_not_answer_in_time_errs(url, tmp_path):
    found, reason = said(CheckSettings(url=f"{url}/slow", timeout="1s"), tmp_path)
    assert (found, reason) == (Verdict.ERROR, f"{url}/slow did not answer within 1 s")


def test_an_address_where_nothing_listens_errs(tmp_path):
    found, reason = said(CheckSettings(url="http://127.0.0.1:9/"), tmp_path)
    assert found is Verdict.ERROR
    assert "cannot be asked" in reason


@pytest.mark.parametrize(
    ("function", "verdict", "reason"),
    [
        ("good", "pass", "own_check:good returned True"),
        ("nothing", "pass", "own_check:nothing returned None"),
        ("bad", "fail", "own_check:bad returned False"),
        ("why", "fail", "own_check:why: the queue has 12 messages"),
        ("broken", "error", "own_check:broken ended with code 1: ValueError: no such table"),
        ("wrong", "error", "own_check:wrong ended with code 1: TypeError: own_check:wrong returned int"),
        ("absent", "error", "own_check:absent ended with code 1: AttributeError"),
        ("leaves", "error", "own_check:leaves ended the process without returning"),
    ],
)
def test_a_function_of_the_repository_says_yes_no_or_why(tmp_path, function, verdict, reason):
    (tmp_path / "own_check.py").write_text(MODULE)
    found, said_reason = said(CheckSettings(function=f"own_check:{function}", timeout="60s"), tmp_path)
    assert found.value == verdict
    assert said_reason.startswith(reason)


def test_a_function_that_hangs_is_ended(tmp_path):
    (tmp_path / "own_check.py").write_text(MODULE)
    found, reason = said(CheckSettings(function="own_check:hangs", timeout="1s"), tmp_path)
    assert (found, reason) == (Verdict.ERROR, "own_check:hangs did not return within 1 s")


def test_results_stand_in_the_order_of_the_plan(tmp_path):
    (tmp_path / "own_check.py").write_text(MODULE)
    checks = {
        "b": CheckSettings(function="own_check:good", timeout="60s"),
        "a": CheckSettings(function="own_check:bad", timeout="60s", dry_run=True),
    }
    first, second = run_checks(checks, tmp_path)
    assert (first.gate, first.verdict, first.dry_run) == ("checks.b", Verdict.PASS, False)
    assert (second.gate, second.verdict, second.dry_run) == ("checks.a", Verdict.FAIL, True)
    assert run_checks({}, tmp_path) == ()
