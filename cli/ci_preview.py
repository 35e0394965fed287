"""`sluice ci preview`: what a merge would do to a stack, as a comment on the pull request and in the job's summary."""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from cli.ci_branch import own_branch
from cli.ci_stack import plan_publication
from cli.ci_world import PipelineWorld, say
from command_errors import CommandError, UsageError
from delivery.pull_request.comment import SUMMARY_LIMIT, comment
from delivery.pull_request.markdown import escaped
from delivery.pull_request.preview import Previewed, attempt, proofs_of, without_values
from delivery.pull_request.preview_report import ColourProof, PreviewReport
from delivery.pull_request.redaction import secrets_in
from git_server.port import GitServerRefused, GitServerUnreachable
from models.release_lock import LOCKS_VARIABLE
from project import project_name, stack_name
from rollout.engine import PulumiEngine
from rollout.events import Preview
from rollout.repository.git import Git
from stacks.file import read_settings

if TYPE_CHECKING:
    from delivery.proofs.remote_records import BranchTip
    from stack_config import Settings


def run_preview(options: argparse.Namespace) -> int:
    """Run `sluice ci preview`."""
    world, stack = PipelineWorld.entered(), stack_name(options.stack)
    own = own_branch(world, stack) if not options.local else None
    if own is None:
        return _preview(world, stack, options)
    with own.merged() as merged:
        return _preview(merged, stack, options)


def _preview(world: PipelineWorld, stack: str, options: argparse.Namespace) -> int:
    number = _pull_request(world) if options.comment else None
    notes: list[str] = []
    target = _target(world, notes)
    publishes: tuple[str, ...] = ()
    with ExitStack() as opened:
        if options.local:
            from cli.ci_local import name_a_subscription, previewed_locally

            name_a_subscription()
            found = previewed_locally(world.root, stack, target)
        else:
            found, publishes = _previewed(world, stack, opened)
    report = PreviewReport(
        project=project_name(world.root),
        stack=stack,
        commit=Git(world.root).find("rev-parse", "HEAD"),
        preview=found.preview,
        failures=found.failures,
        before=_settings_of(target, stack, notes) if target is not None else None,
        after=_settings_here(stack),
        proofs=_proofs(world, stack, found, notes, local=options.local),
        publishes=publishes,
        notes=tuple(notes),
        is_local=options.local,
    )
    report = without_values(report, secrets_in(world.variables))
    show(world, report, number, options.markdown)
    return found.exit_code


def show(world: PipelineWorld, report: PreviewReport, number: int | None, file: str | None) -> None:
    """Put a report where people read it: comment, summary of the job, file, standard output."""
    whole = world.hidden(comment(report, limit=SUMMARY_LIMIT))
    if file:
        Path(file).write_text(f"{report.marker}\n{whole}", encoding="utf-8")
    refused = None
    if number is not None and world.server is not None:
        try:
            say(f"comment: {world.server.upsert_comment(number, report.marker, world.hidden(comment(report)))}")
        except (GitServerRefused, GitServerUnreachable) as error:
            refused = f"The pull request has no comment: {error}"
            say(refused)
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


def _target(world: PipelineWorld, notes: list[str]) -> BranchTip | None:
    """The branch that the change goes into; without it, what the change does by hand is not known."""
    from delivery.proofs.remote_records import RemoteRecords

    try:
        return RemoteRecords(world.root, world.variables).source
    except CommandError as error:
        notes.append(f"What the target branch says is not known: {error}")
        return None


def _settings_of(target: BranchTip, stack: str, notes: list[str]) -> Settings | None:
    text = target.read(f"Pulumi.{stack}.yaml")
    if text is None:
        return None
    with tempfile.TemporaryDirectory(prefix="sluice-target-") as folder:
        file = Path(folder) / f"Pulumi.{stack}.yaml"
        file.write_bytes(text)
        try:
            return read_settings(stack, file)[0]
        except Exception as error:
            if getattr(error, "exit_code", None) is None:
                raise
            notes.append(f"the stack file of {target.branch} cannot be read: {error}")
            return None


def _settings_here(stack: str) -> Settings | None:
    """The settings that were previewed; None if they are refused, which the preview says too."""
    try:
        return read_settings(stack)[0]
    except Exception as error:
        if getattr(error, "exit_code", None) is None:
            raise
        return None


def _previewed(world: PipelineWorld, stack: str, opened: ExitStack) -> tuple[Previewed, tuple[str, ...]]:
    """The preview with the release locks as a delivery will have written them, and the models that it publishes."""
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="sluice-locks-")))
    publishes: list[str] = []

    def preview() -> Preview:
        publishes.extend(plan_publication(stack, folder))
        environment = {**world.variables, LOCKS_VARIABLE: str(folder)} if publishes else world.variables
        return PulumiEngine(world.root, stack, environment).preview()

    return attempt(preview), tuple(publishes)


def _proofs(
    world: PipelineWorld, stack: str, found: Previewed, notes: list[str], *, local: bool
) -> tuple[ColourProof, ...]:
    from cli.release_verify import remote_records, verifier_of
    from cli.rollout_session import new_session
    from rollout.session.finding import sites_of

    if found.preview is None or local:
        return ()
    try:
        contents = {
            (site.key, name): colour.content
            for site in sites_of(new_session(), stack)
            for name, colour in site.colours().items()
        }
        verifier = verifier_of(world.root, remote_records(world.root))
        return proofs_of(world.root, found.preview, contents, verifier)
    except CommandError as error:
        notes.append(f"what is proven is not known: {error}")
        return ()
