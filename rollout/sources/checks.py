"""Checks of the user's own: an address that answers 200, or a function of the repository that returns true.

A function runs in a process of its own, in the repository's folder: it may hang, exit or print, and it reads no login
of ours that the environment does not give it anyway. It is called without arguments; it passes if it returns True or
None, it says "not now" if it returns False or the reason, and it errs if it raises or takes too long.
"""

from __future__ import annotations

import http.client
import json
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from gate_config import CheckSettings
from resource_manager.client import trust
from rollout.evidence.intervals import GateResult, Verdict

MAX_AT_ONCE = 8
LONGEST_REASON = 300
_CALL = """
import importlib, json, os, sys
module, function = sys.argv[1].split(":")
sys.path.insert(0, os.getcwd())
answers, sys.stdout = os.fdopen(os.dup(1), "w"), sys.stderr
os.dup2(2, 1)
found = getattr(importlib.import_module(module), function)()
if not (found is None or isinstance(found, (bool, str))):
    raise TypeError(f"{sys.argv[1]} returned {type(found).__name__}; a check returns True, False or the reason why not")
answers.write(json.dumps(found))
answers.close()
"""


def run_checks(checks: Mapping[str, CheckSettings], root: Path) -> tuple[GateResult, ...]:
    """The result of every check, in the order of the plan; all run at once, each within its own time limit.

    `root` is the folder of the repository, from which functions are imported. Never raises: a check that cannot be run
    is an ERROR.
    """
    if not checks:
        return ()
    with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
        said = list(pool.map(lambda check: _run(check, root), checks.values()))
    return tuple(
        GateResult(gate=f"checks.{name}", verdict=verdict, reason=reason, dry_run=check.dry_run)
        for (name, check), (verdict, reason) in zip(checks.items(), said, strict=True)
    )


def _run(check: CheckSettings, root: Path) -> tuple[Verdict, str]:
    if check.url is not None:
        return _get(check.url, check.timeout_seconds)
    return _call(check.function or "", check.timeout_seconds, root)


def _get(url: str, timeout: int) -> tuple[Verdict, str]:
    try:
        with urllib.request.urlopen(url, timeout=timeout, context=trust() if url.startswith("https") else None) as got:
            if got.status == 200:
                return Verdict.PASS, f"{url} answered 200"
            return Verdict.FAIL, f"{url} answered {got.status}, not 200"
    except urllib.error.HTTPError as error:
        with error:
            kind = Verdict.ERROR if error.code >= 500 and error.code != 503 else Verdict.FAIL
            return kind, f"{url} answered {error.code}, not 200"
    except TimeoutError:
        return Verdict.ERROR, f"{url} did not answer within {timeout} s"
    except (OSError, http.client.HTTPException, ValueError) as error:
        if isinstance(getattr(error, "reason", None), TimeoutError):
            return Verdict.ERROR, f"{url} did not answer within {timeout} s"
        return Verdict.ERROR, f"{url} cannot be asked: {_cut(str(getattr(error, 'reason', None) or error))}"


def _call(function: str, timeout: int, root: Path) -> tuple[Verdict, str]:
    try:
        done = subprocess.run(
            [sys.executable, "-c", _CALL, function],
            cwd=root,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Verdict.ERROR, f"{function} did not return within {timeout} s"
    except OSError as error:
        return Verdict.ERROR, f"{function} cannot be started: {error.strerror}"
    if done.returncode != 0:
        last = next((line for line in reversed(done.stderr.splitlines()) if line.strip()), "no message")
        return Verdict.ERROR, f"{function} ended with code {done.returncode}: {_cut(last)}"
    try:
        found = json.loads(done.stdout)
    except ValueError:
        return Verdict.ERROR, f"{function} ended the process without returning"
    if found is None or found is True:
        return Verdict.PASS, f"{function} returned {found}"
    return Verdict.FAIL, f"{function} returned False" if found is False else f"{function}: {_cut(found)}"


def _cut(text: str) -> str:
    return " ".join(text.split())[:LONGEST_REASON]
