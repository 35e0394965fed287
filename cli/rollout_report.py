"""`sluice rollout report`: writes one HTML file about a rollout. `rollout/report` draws it."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path

from cli.rollout_site import Site, SystemClock, site_of, tell
from command_errors import UnavailableError, UsageError, explain_system_error
from exit_codes import ExitCode
from rollout.record.chain import Chain
from rollout.report.page import Commit, render


def run_report(options: argparse.Namespace) -> int:
    """Run `sluice rollout report`."""
    site = site_of(options)
    chain = _chosen(site, options.id) if options.id else site.last_journal(SystemClock()).chain
    output = Path(options.output or f"{chain.path.stem}.html")
    tell(f"drawing {chain.path.stem}")
    page = render(chain.events, commits=_commits(chain.path), broken=chain.broken)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UnavailableError(f"the report was not written: {explain_system_error(error)}") from error
    print(json.dumps({"report": str(output)}) if options.json else str(output))
    return ExitCode.DONE


def _chosen(site: Site, rollout: str) -> Chain:
    chains = {chain.path.stem: chain for chain in site.chains()}
    if rollout not in chains:
        known = ", ".join(chains) or "none"
        raise UsageError(f"{site.key} has no rollout {rollout} in {site.stack} (known: {known}).")
    return chains[rollout]


def _commits(record: Path) -> list[Commit]:
    """The commits that changed a record, oldest first; none outside of a repository."""
    command = ["git", "-C", str(record.parent), "log", "--reverse", "--format=%H %ct %s", "--", record.name]
    try:
        said = subprocess.run(command, capture_output=True, text=True, errors="replace").stdout
    except OSError:
        return []
    lines = (line.split(" ", 2) for line in said.splitlines())
    return [Commit(sha=sha, at=int(at), subject=subject) for sha, at, subject in lines]
