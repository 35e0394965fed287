"""`sluice local`: the local Azure as a background process: start, stop, status, reset, env, logs, fault.

The server is a process with its own session. The lock that it holds identifies it, so that a stale record is never
trusted and no other process is ever ended. `localazure` is the local Azure itself.
"""

import argparse
import json
import os
import sys
import time
from datetime import datetime
from pathlib import Path

import processes
from cli import fault
from command_errors import UnavailableError, UsageError
from exit_codes import ExitCode
from localazure.switches import REHEARSAL_SWITCHES
from rehearsal.faults import describe
from rehearsal.home import local_home

FOLLOW_SECONDS = 0.3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice local` and its commands."""
    commands = parser.add_subparsers(dest="local_command", metavar="COMMAND", required=True)

    start = _command(commands, "start", run_start, "start the local Azure in the background and wait until it is ready")
    start.add_argument(
        "--port", type=int, help="HTTPS port (HTTP is the next one); default: the last one, else a free one"
    )
    start.add_argument("--host", default="127.0.0.1", help="127.0.0.1, which cannot be changed")
    for tried in ("--bind", "--listen", "--address"):  # so that these also get the explanation
        start.add_argument(tried, dest="host", help=argparse.SUPPRESS)
    for switch in REHEARSAL_SWITCHES:
        if switch.value:  # the server says what values there are, and why it takes no other
            start.add_argument(switch.name, metavar=switch.value, action="append", default=[], help=switch.meaning)
        else:
            start.add_argument(switch.name, action="store_true", help=switch.meaning)
    start.add_argument("--json", action="store_true", help="print the address as JSON")

    _command(commands, "stop", run_stop, "stop the local Azure and every model process")

    status = _command(commands, "status", run_status, "report whether the local Azure runs, where, and what it serves")
    status.add_argument("--json", action="store_true", help="print the facts as JSON")

    reset = _command(commands, "reset", run_reset, "stop the local Azure and delete everything that it holds")
    reset.add_argument("--yes", "-y", action="store_true", help="do not ask")

    env = _command(commands, "env", run_env, 'print export lines: eval "$(sluice local env)"')
    env.add_argument("--stack", "-s", help="also a copy of this stack's file, selected")
    env.add_argument(
        "--fresh", action="store_true", help="with --stack: copy the file again, edits of the copy are lost"
    )
    env.add_argument("--unset", action="store_true", help="print the lines that undo it")
    env.add_argument("--json", action="store_true", help="print the variables as JSON")

    logs = _command(commands, "logs", run_logs, "print what the server wrote, or the requests of an endpoint")
    logs.add_argument(
        "--traffic",
        metavar="ENDPOINT",
        help="print the requests to this endpoint, if a diagnostic setting enables AmlOnlineEndpointTrafficLog",
    )
    logs.add_argument("--tail", "-n", type=int, default=100, metavar="LINES")
    logs.add_argument("--follow", "-f", action="store_true")

    fault.add_parser(commands)


def _command(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]", name: str, run: object, summary: str
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=summary, description=summary[0].upper() + summary[1:] + ".")
    parser.add_argument(
        "--home", type=Path, help="folder of the local Azure; default: SLUICE_LOCAL_HOME, else .sluice/local"
    )
    parser.set_defaults(run=run)
    return parser


def run_start(options: argparse.Namespace) -> int:
    """Start, or report that it is running already."""
    from localazure.startup import StartError, check_host
    from rehearsal.server_process import start

    try:
        check_host(options.host)
    except StartError as error:
        raise UsageError(str(error)) from error
    home = local_home(options.home)
    flags = _server_flags(options)
    _check_flags(flags)
    server, started = start(home, port=options.port, flags=flags, say=_say)
    if flags and not started:
        _say(
            f"the server is already running, so {' '.join(flags)} has no effect. "
            f"To change its options, run `sluice local stop{home.flag}` and start it again."
        )
    if options.json:
        print(json.dumps({**vars(server), "home": str(home.path), "already_running": not started}))
        return ExitCode.DONE
    _say("the local Azure is ready:" if started else "the local Azure is running already:")
    print(f"  Azure Resource Manager, models, blobs  {server.https}")
    print(f"  the same without TLS                   {server.http}")
    print(f"  home {home.path}, process {server.pid}")
    print(f'Next: eval "$(sluice local env{home.flag})"')
    return ExitCode.DONE


def _server_flags(options: argparse.Namespace) -> list[str]:
    flags: list[str] = []
    for switch in REHEARSAL_SWITCHES:
        given = getattr(options, switch.name.removeprefix("--").replace("-", "_"))
        if switch.name == "--oidc-issuer":  # the server runs in another folder
            given = [f"{url}={Path(file).absolute()}" for url, _, file in (one.partition("=") for one in given) if file]
        flags += [f"{switch.name}={value}" for value in given] if switch.value else [switch.name] * bool(given)
    return flags


def _check_flags(flags: list[str]) -> None:
    """Raise UsageError with every flag that the server would reject."""
    if not flags:
        return  # the server's modules take a while to import
    from localazure.command_line import wrong_switches

    problems = wrong_switches(flags)
    if problems:
        raise UsageError(f"{'; '.join(problems)}. Nothing was started. See `sluice local start --help`.")


def run_stop(options: argparse.Namespace) -> int:
    """Stop the local Azure; it is not an error if it does not run."""
    from rehearsal.server_process import stop

    home = local_home(options.home)
    print("stopped." if stop(home, say=_say) else f"no local Azure runs in {home.path}.")
    return ExitCode.DONE


def run_status(options: argparse.Namespace) -> int:
    """Print facts about the server; exit code 4 if it does not run."""
    from rehearsal.server_process import live_status

    home = local_home(options.home)
    server = home.server()
    if server is None:
        if options.json:
            print(json.dumps({"running": False, "home": str(home.path)}))
        else:
            starting = home.holder() is not None
            state = "is not ready yet. Wait for it" if starting else "does not run. Start it"
            print(f"the local Azure in {home.path} {state} with `sluice local start{home.flag}`.")
        return ExitCode.UNAVAILABLE
    live = live_status(server)
    instances = [
        {"endpoint": endpoint, "deployment": name, **instance, "rss_mib": processes.resident_mib(instance["pid"])}
        for endpoint, facts in live["scoring"].items()
        for name, deployment in facts["deployments"].items()
        for instance in deployment["instances"]
    ]
    if options.json:
        facts = {
            "running": True,
            "home": str(home.path),
            "server": {**vars(server), "rss_mib": live["memory_mib"]},
            "instances": instances,
            "azure": live,
        }
        print(json.dumps(facts, indent=2))
        return ExitCode.DONE
    started = datetime.fromtimestamp(server.started)
    print(f"running since {started:%Y-%m-%d %H:%M:%S}: {server.https} and {server.http}, process {server.pid}")
    print(f"home {home.path}, {live['resources']} resources, resident memory {live['memory_mib']} MiB")
    for one in live.get("faults", []):
        print(f"fault {describe(one)}")
    for endpoint, facts in live["scoring"].items():
        print(f"endpoint {endpoint}: traffic {facts['traffic'] or 'none'}, mirror {facts['mirror'] or 'none'}")
        for name, deployment in facts["deployments"].items():
            own = [one for one in instances if (one["endpoint"], one["deployment"]) == (endpoint, name)]
            pids = ", ".join(str(one["pid"]) for one in own if one["pid"] is not None)
            kind = f"{len(own)} simulated" if deployment.get("simulated") else f"processes {pids or 'none'}"
            print(f"  {name}: {deployment['state']}, {kind}")
    return ExitCode.DONE


def run_reset(options: argparse.Namespace) -> int:
    """Delete the home folder, and never any other folder."""
    from rehearsal.server_process import stop

    home = local_home(options.home)
    if not home.path.exists():
        print(f"there is nothing in {home.path}.")
        return ExitCode.DONE
    if not home.looks_like_home():
        raise UsageError(f"{home.path} is not the home of a local Azure, so nothing was deleted. Check --home.")
    if not options.yes:
        if not sys.stdin.isatty():
            raise UsageError(
                f"reset deletes everything in {home.path}, and there is no terminal to confirm it on. Give --yes."
            )
        answer = input(f"Delete every resource, model and state in {home.path}? [y/N] ")
        if answer.strip().lower() not in ("y", "yes"):
            print("nothing was deleted.")
            return ExitCode.WAITING
    stop(home, say=_say)
    try:
        home.delete()
    except OSError as error:
        raise UnavailableError(f"{home.path} cannot be deleted: {error.strerror} ({error.filename}).") from error
    print(f"deleted {home.path}.")
    return ExitCode.DONE


def run_env(options: argparse.Namespace) -> int:
    """Print lines for `eval`; messages for people go to stderr."""
    from rehearsal.environment import local_environment, unset_lines

    if options.unset:
        print("\n".join(unset_lines(os.environ)))
        return ExitCode.DONE
    if options.fresh and not options.stack:
        raise UsageError("--fresh copies a stack file again, so it needs --stack.")
    environment = local_environment(local_home(options.home), options.stack, fresh=options.fresh)
    if options.json:
        print(json.dumps({"set": dict(environment.exports), "unset": list(environment.removed)}, indent=2))
    else:
        print("\n".join(environment.shell_lines(os.environ)))
    for note in environment.notes:
        _say(note)
    return ExitCode.DONE


def run_logs(options: argparse.Namespace) -> int:
    """Print the end of a log, and with --follow also new lines."""
    if options.tail < 0:
        raise UsageError(f"--tail must be 0 or more, got {options.tail}.")
    home = local_home(options.home)
    if options.traffic is not None:
        log = home.traffic_log(options.traffic)
        missing = (
            f"there are no traffic records of endpoint {options.traffic!r} in {home.path}. They begin with the first "
            "request after a diagnostic setting enables AmlOnlineEndpointTrafficLog."
        )
    else:
        log = home.server_log
        missing = f"there is no log in {home.path}: the local Azure was never started there."
    if not log.is_file():
        raise UsageError(missing)
    with log.open(encoding="utf-8", errors="replace") as stream:
        sys.stdout.writelines(stream.readlines()[-options.tail :] if options.tail else [])
        while options.follow:
            sys.stdout.write(stream.read())
            sys.stdout.flush()
            time.sleep(FOLLOW_SECONDS)
    return ExitCode.DONE


def _say(text: str) -> None:
    print(f"sluice: {text}", file=sys.stderr, flush=True)
