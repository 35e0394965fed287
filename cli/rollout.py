"""`sluice rollout`: its subcommands and their arguments.

The modules `cli.rollout_*` run them, each imported when it is asked for. They parse and print; `rollout/` decides.
"""

from __future__ import annotations

import argparse
import importlib
import re
from typing import TYPE_CHECKING

from cli.arguments import add_stack_argument, duration

if TYPE_CHECKING:
    Subparsers = argparse._SubParsersAction[argparse.ArgumentParser]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice rollout`."""
    parser.description = (
        "Takes a new colour from 0 to 100 percent by `pulumi up`, only on evidence, or brings it back. "
        "Exit codes: 0 done or under way, 1 rolled back or failed, 2 drift or wrong use, 3 waits for a person, "
        "4 Azure, the engine or the metrics cannot be reached."
    )
    commands = parser.add_subparsers(dest="rollout_command", metavar="COMMAND", required=True)
    _add_plans(commands)
    _add_runs(commands)
    _add_views(commands)
    _add_people(commands)


def _add_plans(commands: Subparsers) -> None:
    plan = _add(commands, "plan", "rollout_plan", "each step's change of weights, its earliest time, what is wrong")
    power = _add(commands, "power", "rollout_plan", "what the plan can detect: chance, time, requests exposed")
    for command in (plan, power):
        command.add_argument("--to", metavar="COLOUR", help="default: the one new colour at 0 percent")
        command.add_argument("--rpm", type=_rate, metavar="N", help="requests a minute; default: the last hour's")
    backtest = _add(commands, "backtest", "rollout_plan", "run the plan on recorded minutes: what, when and why")
    source = backtest.add_mutually_exclusive_group(required=True)
    source.add_argument("--record", metavar="FILE", help="the record of a rollout (.jsonl)")
    source.add_argument("--csv", metavar="FILE", help="start, deployment, requests, errors and latencies")
    backtest.add_argument("--to", metavar="COLOUR", help="the new colour; default: the record's")


def _add_runs(commands: Subparsers) -> None:
    start = _add(commands, "start", "rollout_start", "begin a rollout; its plan is frozen from here on", writes=True)
    run = _add(commands, "run", "rollout_run", "start if needed, and go on to the end", writes=True)
    for command in (start, run):
        command.add_argument("--to", metavar="COLOUR", help="default: the one new colour at 0 percent")
        command.add_argument("--again", action="store_true", help="also a release that was aborted")
        command.add_argument("--supersede", action="store_true", help="roll back the rollout that is running first")
    step = _add(commands, "step", "rollout_run", "one tick, or ticks for a while", endpoint=False, writes=True)
    step.add_argument("endpoint", metavar="ENDPOINT", nargs="?", help="key in the stack file")
    step.add_argument("--all", action="store_true", help="every endpoint of the stack whose rollout is not over")
    step.add_argument("--for", dest="seconds", type=duration, metavar="TIME", help="go on for so long, such as 50m")
    fleet = _add(
        commands,
        "fleet",
        "rollout_fleet",
        "rollouts of several endpoints and stacks, wave by wave",
        endpoint=False,
        stack=False,
        writes=True,
    )
    fleet.add_argument("file", metavar="FILE", help="its waves, in YAML")
    fleet.add_argument("--for", dest="seconds", type=duration, metavar="TIME", help="go on for so long, such as 50m")
    fleet.add_argument("--status", action="store_true", help="show how far the waves are; change nothing")


def _add_views(commands: Subparsers) -> None:
    _add(commands, "status", "rollout_status", "phase, weights, evidence, and the next command")
    _add(commands, "watch", "rollout_status", "the same, live, until the rollout is over; it changes nothing")
    _add(commands, "history", "rollout_status", "every rollout of the endpoint")
    report = _add(commands, "report", "rollout_report", "one HTML file about a rollout")
    report.add_argument("--output", "-o", metavar="FILE", help="default: <rollout>.html in this folder")
    report.add_argument("--id", metavar="ROLLOUT", help="default: the last one")


def _add_people(commands: Subparsers) -> None:
    summaries = {
        "pause": "stay at the present weights; failed gates still take the colour back",
        "resume": "go on after a pause, a hold or drift",
        "approve": "say yes to the step that waits for a person",
        "reject": "say no to it: the rollout goes back",
        "promote": "take the remaining steps without evidence; the record says so",
        "rollback": "go back to the weights from before the rollout, also after its end",
        "abort": "the same, and bar the release",
    }
    added = {name: _add(commands, name, "rollout_people", summary, writes=True) for name, summary in summaries.items()}
    for command in added.values():
        command.add_argument("--reason", metavar="TEXT", help="for the record")
    answers = added["resume"].add_mutually_exclusive_group()
    for flag, help_text in (
        ("restore", "after drift: put the declared weights back"),
        ("adopt", "after drift: take the weights that Azure has, if a step of the plan has them"),
        ("replan", "take the plan of the stack file, with evidence from now on"),
    ):
        answers.add_argument(f"--{flag}", dest="drift", action="store_const", const=flag, help=help_text)
    added["rollback"].add_argument(
        "--to", type=_weights, metavar="WEIGHTS", help="such as blue=100, where the record is broken"
    )
    added["abort"].add_argument("--keep-weights", action="store_true", help="end here, without a change of weights")


def _add(
    commands: Subparsers,
    name: str,
    module: str,
    summary: str,
    *,
    endpoint: bool = True,
    stack: bool = True,
    writes: bool = False,
) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=summary, description=f"{summary}.".capitalize())
    if endpoint:
        command.add_argument("endpoint", metavar="ENDPOINT", help="key in the stack file")
    if stack:
        add_stack_argument(command)
    command.add_argument("--json", action="store_true", help="print facts as JSON")
    if writes:
        command.add_argument("--commit", action="store_true", help="commit stack file and record")
        command.add_argument("--push", action="store_true", help="commit and push them: the lock between machines")

    def run(options: argparse.Namespace) -> int:
        code: int = getattr(importlib.import_module(f"cli.{module}"), f"run_{name}")(options)
        return code

    command.set_defaults(run=run)
    return command


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        rate = 0.0
    if not 0 < rate <= 10_000_000:
        raise argparse.ArgumentTypeError(f"must be requests a minute, more than 0, got {text!r}")
    return rate


def _weights(text: str) -> dict[str, int]:
    """`blue=90,amber=10` as weights; their sum must be 100."""
    parts = dict(re.findall(r"(?:^|,)\s*([a-z0-9-]+)=(\d+)\s*(?=,|$)", text))
    weights = {name: int(percent) for name, percent in parts.items()}
    if sum(weights.values()) != 100 or text.count("=") != len(weights):
        raise argparse.ArgumentTypeError(f"must be weights that sum to 100, such as blue=100, got {text!r}")
    return weights
