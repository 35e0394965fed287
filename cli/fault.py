"""`sluice local fault`: faults on command in the running local Azure, as they can occur in Azure.

Five commands over the server's control address: add, wait, release, list, clear. Faults live in the server's memory;
a restart clears them. What each kind does is in `localazure.faults`.
"""

import argparse
import json
import re
from pathlib import Path

from exit_codes import ExitCode
from rehearsal.faults import add_fault, clear_faults, describe, faults_of, release_fault, wait_until_held
from rehearsal.home import local_home

LONGEST_SECONDS = 30 * 24 * 3600
_TYPES = """types:
  onlineEndpoints, onlineEndpoints/deployments, storageAccounts, ...: ARM types, or the end of one
  score  requests to models (/score); named by endpoint, or endpoint/deployment
  blobs  requests to the blob service; named by account/container/blob
  metrics  metric queries by either route; named by endpoint, or endpoint/deployment
  polls  reading the state of a long-running operation"""
_EXAMPLES = """examples:
  sluice local fault add 429 --retry-after 5 --type onlineEndpoints --method PUT --count 2
  sluice local fault add operation-fails --name fraud-dev/green --count 1
  sluice local fault add errors --name fraud-dev/green --share 10 --for 5m
  sluice local fault add drop --type score --name fraud-dev --after 100 --count 3
  sluice local fault add metrics-late --by 150s --name fraud-dev
  sluice local fault add 500 --type metrics --name fraud-dev --count 4
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
    add.add_argument(
        "--by", type=duration, metavar="DURATION", help="delay, slow, late-traffic, metrics-*: by how much"
    )
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
        description="Release what a fault (hold, operation-never-ends, late-traffic) holds now. It continues to "
        "hold later requests, up to --count; `clear` ends it.",
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
    # Kinds and meanings are pure values, so no module of the server is imported for them.
    from localazure.faults.fault import MEANINGS

    return "kinds:\n" + "\n".join(f"  {kind:22}{meaning}" for kind, meaning in MEANINGS.items())


def duration(text: str) -> float:
    """Return the seconds of a duration such as 500ms, 2s, 5m, 1h, or a plain number of seconds."""
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


def run_wait(options: argparse.Namespace) -> int:
    """Wait until something is held."""
    fault = wait_until_held(local_home(options.home), options.number, options.count, options.timeout)
    print(json.dumps(fault) if options.json else f"fault {describe(fault)}.")
    return ExitCode.DONE


def run_release(options: argparse.Namespace) -> int:
    """Release what is held."""
    released = release_fault(local_home(options.home), options.number)
    print(json.dumps({"released": released}) if options.json else f"released: {released}.")
    return ExitCode.DONE


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


def run_clear(options: argparse.Namespace) -> int:
    """Remove faults."""
    cleared = clear_faults(local_home(options.home), options.number)
    print(json.dumps({"cleared": cleared}) if options.json else f"faults cleared: {cleared}.")
    return ExitCode.DONE
