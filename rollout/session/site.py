"""One endpoint of one stack, as a command works on it: its stack file, its place in Azure, its records."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from project import project_name, project_root
from rollout.session.session import NoCommits, Session
from stacks.file import stack_file_path, variables_of

if TYPE_CHECKING:
    from endpoint_client.address import EndpointAddress
    from naming import Names
    from rollout.declaration.stack_file import StackFile
    from rollout.engine import PulumiEngine
    from rollout.people.start_facts import Colour
    from rollout.ports import EngineLocks, Repository
    from rollout.record.chain import Chain, Owner
    from rollout.record.journal import Journal
    from rollout.sources.azure_monitor import AzureMonitor
    from rollout.sources.live import ArmEndpoint
    from rollout.sources.live_autoscale import ArmAutoscale
    from settings import Settings

ARM_WAIT_SECONDS = 20 * 60.0
"""How long one operation of Azure may take."""


@dataclass(frozen=True)
class Site:
    """One endpoint. `key` is its key in the stack file.

    `file` is the stack file where a command works on several stacks; None: the one that the next `pulumi up` reads.
    `content` is what it declares; for a way back it may be the error because of which that is not known.
    """

    session: Session
    stack: str
    key: str
    address: EndpointAddress
    content: tuple[Settings, Names] | UsageError
    file: Path | None = None

    @property
    def is_declared(self) -> bool:
        """Whether the stack file could be read."""
        return not isinstance(self.content, UsageError)

    @property
    def settings(self) -> Settings:
        """What the stack file declares. Raises UsageError if it cannot be read."""
        return self._content[0]

    @property
    def names(self) -> Names:
        """The stack's names in Azure. Raises UsageError if the stack file cannot be read."""
        return self._content[1]

    @property
    def _content(self) -> tuple[Settings, Names]:
        if isinstance(self.content, UsageError):
            raise self.content
        return self.content

    def colours(self) -> Mapping[str, Colour]:
        """Its declared colours with their digests. Raises UsageError for files that cannot be read."""
        return self.session.colours_of(self.key, self.settings.endpoints[self.key].deployments)

    @property
    def place(self) -> str:
        """`fraud-detection --stack prod`: the end of every command about it."""
        return f"{self.key} --stack {self.stack}"

    @cached_property
    def stack_file(self) -> Path:
        """The stack file in use: a rehearsal's copy, or the repository's."""
        return self.file or stack_file_path(self.stack)

    @property
    def engine(self) -> PulumiEngine:
        """The Pulumi engine on the stack."""
        from rollout.engine import PulumiEngine

        environment = variables_of(self.stack, self.file) if self.file is not None else None
        return PulumiEngine(project_root(), self.stack, environment)

    @property
    def folder(self) -> Path:
        """Where its records are."""
        from rollout.record.chain import record_folder

        return record_folder(self.stack_file.parent, self.stack, self.key)

    @property
    def endpoint_name(self) -> str:
        """Its name in Azure."""
        return self.address.name

    @property
    def endpoint_id(self) -> str:
        """Its ARM id."""
        return self.address.id

    @property
    def owner(self) -> Owner:
        """What a record of it has to say about its place."""
        from rollout.record.chain import Owner

        return Owner(
            project=project_name(project_root()),
            stack=self.stack,
            endpoint=self.key,
            subscription=self.address.subscription_id,
            workspace=self.address.workspace,
        )

    @cached_property
    def azure(self) -> ArmEndpoint:
        """The endpoint in Azure."""
        from resource_manager.operations import ArmOperations
        from rollout.sources.live import ArmEndpoint

        return ArmEndpoint(ArmOperations(self.session.say, ARM_WAIT_SECONDS), self.endpoint_id)

    @cached_property
    def autoscale(self) -> ArmAutoscale:
        """The autoscale settings of its deployments in Azure."""
        from rollout.sources.live_autoscale import ArmAutoscale

        return ArmAutoscale(self.azure.arm, lambda name: self.names.autoscale_id(self.endpoint_name, name))

    @cached_property
    def monitor(self) -> AzureMonitor:
        """The endpoint's metrics."""
        from rollout.sources.azure_monitor import ArmMetricsRoute, AzureMonitor

        return AzureMonitor(self.endpoint_id, ArmMetricsRoute(self.azure.arm, self.address.subscription_id))

    @cached_property
    def declared(self) -> StackFile:
        """The endpoint's lines in the stack file."""
        from rollout.declaration.stack_file import StackFile

        return StackFile(self.stack_file, self.key)

    @cached_property
    def locks(self) -> EngineLocks:
        """The locks and the history of the stack in the engine's backend."""
        return self.session.locks_of(self.engine, self.session.say)

    def repository(self, record: Path, *, way_back: bool = False) -> Repository:
        """The clone that takes commits of stack file and record; it does nothing where the command commits nothing.

        On a way back, what git or origin refuses is told and stops nothing.
        """
        session = self.session
        if not (session.commit or session.push):
            return NoCommits()
        from rollout.repository.best_effort import BestEffort
        from rollout.repository.clone import Clone

        def opened() -> Repository:
            return Clone(self.declared, record, push=session.push, say=session.say)

        return BestEffort(opened, session.say) if way_back else opened()

    def last_journal(self) -> Journal:
        """Its last record. Raises UsageError if there is none."""
        from rollout.record.journal import Journal

        chains = self.chains()
        if not chains:
            raise UsageError(
                f"{self.key} has had no rollout in {self.stack}. Start one with `sluice rollout run {self.place}`."
            )
        return Journal(chains[-1], self.session.clock)

    def is_under_way(self) -> bool:
        """Whether its last rollout has not ended."""
        return bool(self.chains()) and not self.last_journal().state.is_over

    def chains(self) -> list[Chain]:
        """Its records, oldest first. Raises ForeignRecord if one belongs to another endpoint or stack."""
        from rollout.record.chain import Chain, record_files

        chains = [Chain(path) for path in record_files(self.folder)]
        for chain in chains:
            chain.require_owner(self.owner)
        return chains
