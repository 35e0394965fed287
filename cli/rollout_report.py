"""`sluice rollout report`: writes one HTML file about a rollout. `rollout/report` draws it."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from cli.rollout_session import site_to_look_at_of, tell
from command_errors import UnavailableError, UsageError, explain_system_error
from exit_codes import ExitCode
from rollout.record.journal import Journal
from rollout.report.commits import commits_of
from rollout.report.page import render
from rollout.report.summary import sentence
from rollout.session.site import Site


def run_report(options: argparse.Namespace) -> int:
    """Run `sluice rollout report`. A broken record is reported up to the break."""
    site = site_to_look_at_of(options)
    journal = _chosen(site, options.id) if options.id else site.last_journal()
    record = journal.chain.path
    output = Path(options.output or f"{record.stem}.html")
    events = journal.chain.events[: journal.state.events]  # as far as they make sense
    tell(f"{record.stem}: {sentence(journal.state)}")
    page = render(events, commits=commits_of(record), broken=journal.broken)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise UnavailableError(f"the report was not written: {explain_system_error(error)}") from error
    facts = {"report": str(output), "id": record.stem, "sentence": sentence(journal.state), "broken": journal.broken}
    print(json.dumps(facts, indent=2) if options.json else str(output))
    return ExitCode.DONE


def _chosen(site: Site, rollout: str) -> Journal:
    chains = {chain.path.stem: chain for chain in site.chains()}
    if rollout not in chains:
        known = ", ".join(chains) or "none"
        raise UsageError(
            f"{site.key} has no rollout {rollout} in {site.stack} (known: {known}). Give --id one of these."
        )
    return Journal(chains[rollout], site.session.clock)
