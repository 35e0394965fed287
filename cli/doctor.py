"""`sluice doctor`: what is wrong with this set-up, and the command that fixes it. `diagnosis/` has the checks."""

import argparse
import json
import os
from dataclasses import asdict

from cli.arguments import add_stack_argument
from diagnosis.checks import examine
from diagnosis.finding import Health
from exit_codes import ExitCode


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `sluice doctor`."""
    add_stack_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Run every check; exit code 1 if one found a problem."""
    findings = list(examine(options.stack, os.environ))
    sick = any(finding.health is Health.PROBLEM for finding in findings)
    if options.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=2))
        return ExitCode.FAILED if sick else ExitCode.DONE
    for finding in findings:
        print(f"{finding.health.upper():8} {finding.check}: {finding.text}")
        if finding.fix:
            print(f"         fix: {finding.fix}")
    return ExitCode.FAILED if sick else ExitCode.DONE
