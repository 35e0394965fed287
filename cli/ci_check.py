"""`sluice ci check`: checks a pull request without a cloud, and prints which stacks it touches as JSON."""

from __future__ import annotations

import argparse
import json
from datetime import date

from cli.release_verify import remote_records, verifier_of
from cli.rollout_session import tell
from delivery.pull_request.check import check
from delivery.run.pipeline_world import PipelineWorld
from git_server.markdown import escaped


def run_check(options: argparse.Namespace) -> int:
    """Run `sluice ci check`."""
    del options
    world = PipelineWorld.entered()
    records = remote_records(world.root)
    checked = check(world.root, records, lambda: verifier_of(world.root, records), date.today())
    for line in [*checked.problems, *(f"note: {note}" for note in checked.notes)]:
        tell(line)
    print(json.dumps(checked.as_values(), indent=2))
    if checked.problems:
        world.summarize("\n".join(["### Refused", "", *(f"- {escaped(problem)}" for problem in checked.problems)]))
    return checked.exit_code
