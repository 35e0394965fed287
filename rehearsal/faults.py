"""Faults of the running local Azure, set and cleared over its control address.

The server keeps them in memory, so a restart clears them. `localazure.faults` defines what each kind does.
"""

import http.client
import json
import time
import urllib.error
import urllib.request
from typing import Any

from command_errors import CommandError, UnavailableError, UsageError
from rehearsal.home import LocalHome

REQUEST_SECONDS = 30.0
WAIT_SECONDS = 10


def add_fault(home: LocalHome, **document: Any) -> dict[str, Any]:
    """Set a fault, by the fields of `localazure.faults.fault.Fault`; returns it as plain values, with its number."""
    return _call(home, "POST", "/_local/faults", document, expects="number")


def wait_until_held(home: LocalHome, number: int, count: int = 1, seconds: float = 120.0) -> dict[str, Any]:
    """Return the fault as plain values once it holds `count` at once. Raises CommandError after the time limit."""
    deadline = time.monotonic() + seconds
    while True:
        slice_ = max(0, min(WAIT_SECONDS, int(deadline - time.monotonic())))
        fault = _call(
            home, "GET", f"/_local/faults/held?number={number}&count={count}&seconds={slice_}", expects="number"
        )
        if "held" not in fault:
            raise UsageError(
                f"fault {describe(fault)}: this kind holds nothing; use hold, operation-never-ends or late-traffic."
            )
        if fault["held"] >= count:
            return fault
        if time.monotonic() + 1 > deadline:
            raise CommandError(f"fault {describe(fault)}: after {seconds:g} s it holds {fault['held']}, not {count}.")


def release_fault(home: LocalHome, number: int) -> int:
    """Release what a fault holds now; return how many."""
    return _count(home, "POST", f"/_local/faults/release?number={number}", "released")


def faults_of(home: LocalHome) -> list[dict[str, Any]]:
    """Return the active faults as plain values."""
    faults = _call(home, "GET", "/_local/faults", expects="value")["value"]
    if not isinstance(faults, list) or not all(isinstance(fault, dict) and "number" in fault for fault in faults):
        raise _odd(home)
    return faults


def clear_faults(home: LocalHome, number: int | None = None) -> int:
    """Remove one fault, or all, and release what they held; return how many there were."""
    query = "" if number is None else f"?number={number}"
    return _count(home, "DELETE", f"/_local/faults{query}", "cleared")


def describe(fault: dict[str, Any]) -> str:
    """Return one line of text; also used by `sluice local status`."""
    shown = [f"{fault['number']}: {fault.get('kind')}"]
    texts = {
        "type": "on {}",
        "name": "named {}",
        "method": "with {}",
        "by_seconds": "by {:g} s",
        "retry_after_seconds": "Retry-After {}",
        "status": "status {}",
        "when": "{} it takes effect",
        "share_percent": "{:g} % of them",
        "after": "after the first {}",
        "left": "{} left",
        "ends_in_seconds": "ends in {:.0f} s",
    }
    shown += [text.format(fault[name]) for name, text in texts.items() if fault.get(name) is not None]
    if fault.get("held"):
        shown.append(f"holds {fault['held']} now")
    if fault.get("seen"):
        shown.append(f"has hit {fault.get('hits')} of {fault['seen']}")
    return ", ".join(shown)


def _odd(home: LocalHome) -> UnavailableError:
    return UnavailableError(
        f"something other than a local Azure answers for {home.path}. Run "
        f"`sluice local stop{home.flag}` and `sluice local start{home.flag}`."
    )


def _count(home: LocalHome, method: str, path: str, name: str) -> int:
    value = _call(home, method, path, expects=name)[name]
    if not isinstance(value, int):
        raise _odd(home)
    return value


def _call(
    home: LocalHome, method: str, path: str, body: dict[str, Any] | None = None, *, expects: str
) -> dict[str, Any]:
    """Return the server's answer, an object that has the key `expects`."""
    server = home.require_server()
    try:
        token = home.control_token.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise UnavailableError(
            f"{home.control_token}, which lets a command control the local Azure, cannot be read: {error}. Delete it, "
            f"then run `sluice local stop{home.flag}` and `sluice local start{home.flag}`."
        ) from error
    data = None if body is None else json.dumps(body).encode()
    headers = {"X-Local-Token": token, "Content-Type": "application/json"}
    request = urllib.request.Request(server.http + path, data, headers, method=method)
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # loopback: no proxy stands in between
    try:
        with opener.open(request, timeout=REQUEST_SECONDS) as answer:
            found = json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            try:
                said = str(json.load(error)["error"]["message"])
            except (OSError, ValueError, KeyError, TypeError):
                raise _odd(home) from error
            raise UsageError(said) from error
    except (OSError, http.client.HTTPException) as error:
        raise UnavailableError(
            f"the local Azure does not answer on {server.http}: {error}. See `sluice local status`."
        ) from error
    except (ValueError, RecursionError) as error:
        raise _odd(home) from error
    if not isinstance(found, dict) or expects not in found:
        raise _odd(home)
    return found
