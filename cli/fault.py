"""`sluice local fault`: faults on command: what may go wrong in Azure, switched on in the running local Azure.

Five commands over the server's control address: add, wait, release, list, clear. Faults live in the server's memory;
a restart clears them. What each kind does is in `localazure.faults`.
"""

import argparse
import http.client
import json
import re
import time
from pathlib import Path
from typing import Any

from cli.localhome import LocalHome, local_home
from command_errors import CommandError, UnavailableError, UsageError
from exit_codes import ExitCode

REQUEST_SECONDS = 30.0
WAIT_SECONDS = 10
LONGEST_SECONDS = 30 * 24 * 3600
_TYPES = """types:
  onlineEndpoints, onlineEndpoints/deployments, storageAccounts, ...: ARM types, or the end of one
  score  requests to models (/score); named by endpoint, or endpoint/deployment
  blobs  requests to the blob service; named by account/container/blob
  polls  reading the state of a long-running operation"""
_EXAMPLES = """examples:
  sluice local fault add 429 --retry-after 5 --type onlineEndpoints --method PUT --count 2
  sluice local fault add operation-fails --name fraud-dev/green --count 1
  sluice local fault add errors --name fraud-dev/green --share 10 --for 5m
  sluice local fault add drop --type score --name fraud-dev --after 100 --count 3
  sluice local fault add hold --when after --type onlineEndpoints --method PUT --count 1
  sluice local fault wait 1; sluice local fault release 1
  sluice local fault list; sluice local fault clear"""
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0}


def add_parser(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `sluice local fault` and its commands to those of `sluice local`."""
    home = argparse.ArgumentParser(add_help=False)
    home.add_argument(
        "--home", type=Path, help="folder of the local Azure; default: SLUICE_LOCAL_HOME, else .sluice/local"
    )
    parser = commands.add_parser(
        "fault",
        help="make something go wrong: add, wait, release, list, clear",
        description="Make something go wrong in the running local Azure. Faults end when it restarts.",
        epilog=f"{_kinds()}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    actions = parser.add_subparsers(dest="fault_command", metavar="COMMAND", required=True)

    add = actions.add_parser(
        "add",
        parents=[home],
        help="set a fault",
        description="Set a fault. Without --type and --name it hits everything that it can, except requests to models, "
        "which need --type score.",
        epilog=f"{_kinds()}\n\n{_TYPES}\n\n{_EXAMPLES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add.add_argument("kind", metavar="KIND", help="what goes wrong, see below")
    add.add_argument("--type", metavar="TYPE", help="only this type of resource or request, see below")
    add.add_argument("--name", help="only this resource, or the end of its path of names: blue, fraud-dev/blue")
    add.add_argument(
        "--method", type=str.upper, metavar="M", help="only this method; of an operation: PUT, DELETE, POST"
    )
    add.add_argument("--count", type=int, metavar="N", help="end it after N hits")
    add.add_argument("--for", dest="for_", type=duration, metavar="DURATION", help="end it after this time: 30s, 5m")
    add.add_argument("--after", type=int, metavar="N", help="spare the first N that match")
    add.add_argument("--share", type=float, metavar="PERCENT", help="hit only a share of what matches")
    add.add_argument("--by", type=duration, metavar="DURATION", help="delay, slow, late-traffic: by how much")
    add.add_argument("--retry-after", type=int, metavar="SECONDS", help="429: value of the header (default 1)")
    add.add_argument("--status", type=int, metavar="CODE", help="errors, 500: which status (default 500)")
    add.add_argument("--when", metavar="MOMENT", help="hold: before or after the request took effect (default before)")
    add.set_defaults(run=run_add)

    wait = actions.add_parser(
        "wait",
        parents=[home],
        help="wait until a fault holds something",
        description="Wait until a fault (hold, operation-never-ends, late-traffic) holds something. The exit code is 1 "
        "if it does not in time.",
    )
    wait.add_argument("--count", type=int, default=1, metavar="N", help="until it holds this many at once (default 1)")
    wait.add_argument("--timeout", type=duration, default=120.0, metavar="DURATION", help="how long (default 2m)")
    wait.set_defaults(run=run_wait)

    release = actions.add_parser(
        "release",
        parents=[home],
        help="release what a fault holds",
        description="Release what a fault (hold, operation-never-ends, late-traffic) holds now. It goes on holding "
        "what comes later, as --count says; `clear` ends it.",
    )
    release.set_defaults(run=run_release)

    listing = actions.add_parser("list", parents=[home], help="show the faults that are set")
    listing.set_defaults(run=run_list)

    clear = actions.add_parser("clear", parents=[home], help="remove one fault, or all")
    clear.add_argument("number", nargs="?", type=int, metavar="NUMBER", help="as `list` shows it; default: all")
    clear.set_defaults(run=run_clear)
    for one in (wait, release):
        one.add_argument("number", type=int, metavar="NUMBER", help="as `add` and `list` show it")
    for one in (add, wait, release, listing, clear):
        one.add_argument("--json", action="store_true", help="print the facts as JSON")


def _kinds() -> str:
    # Kinds and meanings are pure values: nothing of the server is loaded for them.
    from localazure.faults.fault import MEANINGS

    return "kinds:\n" + "\n".join(f"  {kind:22}{meaning}" for kind, meaning in MEANINGS.items())


def duration(text: str) -> float:
    """Seconds of a duration such as 500ms, 2s, 5m, 1h, or a plain number of seconds."""
    matched = _DURATION.fullmatch(text.strip())
    if matched is None:
        raise argparse.ArgumentTypeError(f"a duration is a number with ms, s, m or h, got {text!r}")
    seconds = float(matched[1]) * _SECONDS[matched[2] or "s"]
    if seconds > LONGEST_SECONDS:
        raise argparse.ArgumentTypeError(f"a duration is at most {LONGEST_SECONDS // 3600} h, got {text!r}")
    return seconds


def run_add(options: argparse.Namespace) -> int:
    """Set one fault."""
    document = {
        "kind": options.kind,
        "type": options.type,
        "name": options.name,
        "method": options.method,
        "count": options.count,
        "for_seconds": options.for_,
        "after": options.after,
        "share_percent": options.share,
        "by_seconds": options.by,
        "retry_after_seconds": options.retry_after,
        "status": options.status,
        "when": options.when,
    }
    answer = add_fault(
        local_home(options.home), **{name: value for name, value in document.items() if value is not None}
    )
    print(json.dumps(answer) if options.json else f"fault {describe(answer)} is set.")
    return ExitCode.DONE


def add_fault(home: LocalHome, **document: Any) -> dict[str, Any]:
    """Set a fault, by the fields of `localazure.faults.fault.Fault`; returns it as plain values, with its number."""
    return _call(home, "POST", "/_local/faults", document, expects="number")


def run_wait(options: argparse.Namespace) -> int:
    """Wait until something is held."""
    fault = wait_until_held(local_home(options.home), options.number, options.count, options.timeout)
    print(json.dumps(fault) if options.json else f"fault {describe(fault)}.")
    return ExitCode.DONE


def wait_until_held(home: LocalHome, number: int, count: int = 1, seconds: float = 120.0) -> dict[str, Any]:
    """The fault, as plain values, once it holds `count` at once. Raises CommandError if it does not in time."""
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


def run_release(options: argparse.Namespace) -> int:
    """Release what is held."""
    released = release_fault(local_home(options.home), options.number)
    print(json.dumps({"released": released}) if options.json else f"released: {released}.")
    return ExitCode.DONE


def release_fault(home: LocalHome, number: int) -> int:
    """Release what a fault holds now; how many."""
    return _count(home, "POST", f"/_local/faults/release?number={number}", "released")


def run_list(options: argparse.Namespace) -> int:
    """Show what is set."""
    faults = faults_of(local_home(options.home))
    if options.json:
        print(json.dumps(faults, indent=2))
    elif not faults:
        print("no fault is set.")
    else:
        print("\n".join(describe(fault) for fault in faults))
    return ExitCode.DONE


def faults_of(home: LocalHome) -> list[dict[str, Any]]:
    """The faults that are set and not yet over, as plain values."""
    faults = _call(home, "GET", "/_local/faults", expects="value")["value"]
    if not isinstance(faults, list) or not all(isinstance(fault, dict) and "number" in fault for fault in faults):
        raise _odd(home)
    return faults


def run_clear(options: argparse.Namespace) -> int:
    """Remove faults."""
    cleared = clear_faults(local_home(options.home), options.number)
    print(json.dumps({"cleared": cleared}) if options.json else f"faults cleared: {cleared}.")
    return ExitCode.DONE


def clear_faults(home: LocalHome, number: int | None = None) -> int:
    """Remove one fault, or all, and release what they held; how many there were."""
    query = "" if number is None else f"?number={number}"
    return _count(home, "DELETE", f"/_local/faults{query}", "cleared")


def describe(fault: dict[str, Any]) -> str:
    """One line for people; also used by `sluice local status`."""
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
    """The server's answer, an object that has the key `expects`."""
    import urllib.error
    import urllib.request

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
