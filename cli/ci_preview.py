"""`sluice ci preview`: what a merge would do to a stack, as a comment on the pull request and in the job's summary."""

from __future__ import annotations

import argparse
from pathlib import Path

from cli.release import publishing_place
from cli.release_verify import verifier_of
from cli.rollout_session import new_session, tell
from command_errors import UsageError
from delivery.pull_request.comment import SUMMARY_LIMIT, comment
from delivery.pull_request.preview import without_values
from delivery.pull_request.preview_report import PreviewReport
from delivery.pull_request.stack_preview import StackPreview
from delivery.run.pipeline_world import PipelineWorld
from delivery.stack_branch.own_branch import own_branch
from git_server.markdown import escaped
from git_server.port import GitServerRefused, GitServerUnreachable
from git_server.redaction import secrets_in
from project import stack_name


def run_preview(options: argparse.Namespace) -> int:
    """Run `sluice ci preview`."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    if options.markdown and not Path(options.markdown).parent.is_dir():
        raise UsageError(f"--markdown names {options.markdown}, whose folder does not exist. Create it.")
    number = _pull_request(world) if options.comment else None
    preview = StackPreview(
        world,
        new_session(),
        stack,
        destination=lambda: publishing_place(stack)[1],
        verifier=lambda records: verifier_of(world.root, records),
    )
    if options.local:
        from cli.ci_local import name_a_subscription, previewed_locally

        name_a_subscription()
        report, found = preview.on_a_local_azure(lambda target: previewed_locally(world.root, stack, target))
    else:
        report, found = preview.with_azure(own_branch(world, stack, tell))
    show(world, without_values(report, secrets_in(world.variables)), number, options.markdown)
    return found.exit_code


def show(world: PipelineWorld, report: PreviewReport, number: int | None, file: str | None) -> None:
    """Put a report where people read it: comment, summary of the job, file, standard output."""
    whole = world.hidden(comment(report, limit=SUMMARY_LIMIT))
    if file:
        Path(file).write_text(f"{report.marker}\n{whole}", encoding="utf-8")
    refused = None
    if number is not None and world.server is not None:
        try:
            tell(f"comment: {world.server.upsert_comment(number, report.marker, world.hidden(comment(report)))}")
        except (GitServerRefused, GitServerUnreachable) as error:
            refused = f"The pull request has no comment: {error}"
            tell(refused)
    world.summarize(whole + (f"\n{escaped(refused)}\n" if refused else ""))
    if number is None and not file:
        print(whole)


def _pull_request(world: PipelineWorld) -> int:
    if world.run.pull_request is None:
        raise UsageError(
            "--comment needs a run of a pull request, and this is none. Leave it out, or give --markdown FILE."
        )
    if world.server is None:
        raise UsageError("--comment needs a git server: set GITHUB_REPOSITORY and GITHUB_TOKEN, or leave it out.")
    return world.run.pull_request
