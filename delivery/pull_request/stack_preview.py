"""What a merge would do to a stack in Azure, and what a reviewer has to know about it: one `PreviewReport`."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import CommandError, expected_code
from delivery.proofs.record_branch import RecordsUnreachable
from delivery.proofs.remote_records import BranchTip, RemoteRecords
from delivery.proofs.verification import Verifier
from delivery.pull_request.preview import Previewed, attempt, proofs_of, refusal
from delivery.pull_request.preview_report import ColourProof, PreviewReport
from delivery.run.pipeline_world import PipelineWorld
from delivery.run.publication_plan import plan_publication
from delivery.stack_branch.own_branch import OwnBranch
from models.release_lock import LOCKS_VARIABLE
from project import project_name
from rollout.engine import PulumiEngine
from rollout.events import Preview
from rollout.repository.git import Git
from rollout.session.finding import sites_of
from rollout.session.session import Session
from stacks.file import read_settings

if TYPE_CHECKING:
    from models.publisher import Destination
    from stack_config import Settings


class StackPreview:
    """One stack of the checkout. `destination` is where its files are published to."""

    def __init__(
        self,
        world: PipelineWorld,
        session: Session,
        stack: str,
        destination: Callable[[], Destination],
        verifier: Callable[[RemoteRecords], Verifier],
    ) -> None:
        self._world = world
        self._session = session
        self._stack = stack
        self._destination = destination
        self._verifier = verifier
        self._notes: list[str] = []
        self._publishes: list[str] = []

    def with_azure(self, own: OwnBranch | None) -> tuple[PreviewReport, Previewed]:
        """Preview what a delivery would deploy; with a branch of its own, what that would be after a sync.

        A sync that is refused is a preview that failed: the comment says why.
        """
        before = self._settings_of(self._target(own))
        with ExitStack() as opened:
            root, found = self._world.root, None
            if own is not None:
                try:
                    root = opened.enter_context(own.merged())
                except Exception as error:
                    found = refusal(error)
            found = found or attempt(lambda: self._preview(root))
            return self._report(found, before, proofs=self._proofs(root, found)), found

    def on_a_local_azure(self, previewed: Callable[[BranchTip | None], Previewed]) -> tuple[PreviewReport, Previewed]:
        """Preview on a local Azure, where `previewed` brings the stack of the target branch up first."""
        target = self._target(None)
        found = previewed(target)
        return self._report(found, self._settings_of(target), is_local=True), found

    def _report(
        self,
        found: Previewed,
        before: Settings | None,
        *,
        proofs: tuple[ColourProof, ...] = (),
        is_local: bool = False,
    ) -> PreviewReport:
        return PreviewReport(
            project=project_name(self._world.root),
            stack=self._stack,
            commit=Git(self._world.root).find("rev-parse", "HEAD"),
            preview=found.preview,
            failures=found.failures,
            before=before,
            after=self._settings_here(),
            proofs=proofs,
            publishes=tuple(self._publishes),
            notes=tuple(self._notes),
            is_local=is_local,
        )

    def _preview(self, root: Path) -> Preview:
        """The preview with the release locks as a delivery will have written them."""
        with tempfile.TemporaryDirectory(prefix="sluice-locks-") as folder:
            sites = sites_of(self._session, self._stack)
            self._publishes += plan_publication(sites, Path(folder), self._destination)
            locks = {LOCKS_VARIABLE: folder} if self._publishes else {}
            return PulumiEngine(root, self._stack, {**self._world.variables, **locks}).preview()

    def _target(self, own: OwnBranch | None) -> BranchTip | None:
        """The branch that the change goes into: the stack's own, else the source branch.

        Without it, what the change does by hand is not known.
        """
        try:
            records = RemoteRecords(self._world.root, self._world.variables)
            try:
                return records.of(self._stack) if own is not None else records.source
            except RecordsUnreachable:  # the stack's branch does not exist before the first delivery
                return records.source
        except CommandError as error:
            self._notes.append(f"What the target branch says is not known: {error}")
            return None

    def _settings_of(self, target: BranchTip | None) -> Settings | None:
        text = target.read(f"Pulumi.{self._stack}.yaml") if target is not None else None
        if target is None or text is None:
            return None
        with tempfile.TemporaryDirectory(prefix="sluice-target-") as folder:
            file = Path(folder) / f"Pulumi.{self._stack}.yaml"
            file.write_bytes(text)
            try:
                return read_settings(self._stack, file)[0]
            except Exception as error:
                if expected_code(error) is None:
                    raise
                self._notes.append(f"the stack file of {target.branch} cannot be read: {error}")
                return None

    def _settings_here(self) -> Settings | None:
        """The settings that were previewed; None if they are refused, which the preview says too."""
        try:
            return read_settings(self._stack)[0]
        except Exception as error:
            if expected_code(error) is None:
                raise
            return None

    def _proofs(self, root: Path, found: Previewed) -> tuple[ColourProof, ...]:
        if found.preview is None:
            return ()
        try:
            contents = {
                (site.key, name): colour.content
                for site in sites_of(self._session, self._stack)
                for name, colour in site.colours().items()
            }
            verifier = self._verifier(RemoteRecords(root, self._world.variables))
            return proofs_of(root, found.preview, contents, verifier)
        except CommandError as error:
            self._notes.append(f"what is proven is not known: {error}")
            return ()
