"""The rollouts of one endpoint, as a command line finds them: its stack, its place in Azure, its records.

One place chooses the adapters of `rollout.ports`; the modules of the single commands parse and print.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from command_errors import UsageError
from problem import did_you_mean
from project import project_name, project_root, stack_name
from stacks.file import stack_file_path, subscription_of_the_shell, variables_of
from stacks.names import read_names

if TYPE_CHECKING:
    from endpoint_client.address import EndpointAddress
    from naming import Names
    from rollout.declaration.stack_file import StackFile
    from rollout.engine import PulumiEngine
    from rollout.instances import DeploymentEdit
    from rollout.ports import Message, Repository
    from rollout.record.chain import Chain, Owner
    from rollout.record.journal import Journal
    from rollout.sources.azure_monitor import AzureMonitor
    from rollout.sources.live import ArmEndpoint
    from rollout.sources.live_autoscale import ArmAutoscale
    from settings import Settings

ARM_WAIT_SECONDS = 20 * 60.0
"""How long one operation of Azure may take."""


class SystemClock:
    """`ports.Clock`."""

    def now(self) -> int:
        """Seconds since 1970."""
        return int(time.time())

    def sleep(self, seconds: float) -> None:
        """Wait; Ctrl-C raises KeyboardInterrupt."""
        time.sleep(seconds)


class NoCommits:
    """`ports.Repository` of a command without --commit."""

    def sync(self) -> str | None:
        """Nothing is fetched."""
        return None

    def publish(self, message: Message, *, patient: bool = True, edit: DeploymentEdit | None = None) -> None:
        """Nothing is committed."""


@dataclass(frozen=True)
class Site:
    """One endpoint of one stack. `key` is the endpoint's key in the stack file.

    `file` is the stack file where a command works on several stacks; None: the one that the next `pulumi up` reads.
    `content` is what it declares; for a way back it may be the error because of which that is not known.
    """

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

        return ArmEndpoint(ArmOperations(tell, ARM_WAIT_SECONDS), self.endpoint_id)

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

    def repository(self, record: Path, options: argparse.Namespace, *, way_back: bool = False) -> Repository:
        """The clone that takes commits of stack file and record; without --commit it does nothing.

        On a way back, what git or origin refuses is told and stops nothing.
        """
        if not (options.commit or options.push):
            return NoCommits()
        from rollout.repository.best_effort import BestEffort
        from rollout.repository.clone import Clone

        def opened() -> Repository:
            return Clone(self.declared, record, push=options.push, say=tell)

        return BestEffort(opened, tell) if way_back else opened()

    def last_journal(self, clock: SystemClock) -> Journal:
        """Its last record. Raises UsageError if there is none."""
        from rollout.record.journal import Journal

        chains = self.chains()
        if not chains:
            raise UsageError(
                f"{self.key} has had no rollout in {self.stack}. Start one with `sluice rollout run {self.place}`."
            )
        return Journal(chains[-1], clock)

    def is_under_way(self, clock: SystemClock) -> bool:
        """Whether its last rollout has not ended."""
        return bool(self.chains()) and not self.last_journal(clock).state.is_over

    def chains(self) -> list[Chain]:
        """Its records, oldest first. Raises ForeignRecord if one belongs to another endpoint or stack."""
        from rollout.record.chain import Chain, record_files

        chains = [Chain(path) for path in record_files(self.folder)]
        for chain in chains:
            chain.require_owner(self.owner)
        return chains


def site_of(options: argparse.Namespace) -> Site:
    """The endpoint that the command line names. Raises UsageError with the endpoints that there are."""
    return site_at(stack_name(options.stack), options.endpoint)


def site_at(stack: str, key: str, file: Path | None = None) -> Site:
    """One endpoint of a stack. Raises UsageError with the endpoints that there are."""
    settings, names = read_names(stack, file)
    if key not in settings.endpoints:
        known = ", ".join(settings.endpoints) or "none"
        raise UsageError(
            f"stack {stack} declares no endpoint {key} (declared: {known}).{did_you_mean(key, settings.endpoints)}"
        )
    return _site(settings, names, key, file)


def sites_of(stack: str) -> list[Site]:
    """Every endpoint of a stack."""
    settings, names = read_names(stack)
    return [_site(settings, names, key, None) for key in settings.endpoints]


def _site(settings: Settings, names: Names, key: str, file: Path | None) -> Site:
    name = names.endpoint(key, settings.endpoints[key].name)
    return Site(settings.stack, key, _address(names.endpoint_id(name), settings.stack, key), (settings, names), file)


def site_to_go_back(options: argparse.Namespace) -> Site:
    """The endpoint that the command line names, also where the stack file is broken or does not declare it any more.

    Then a record of it says where it is, else Azure does.
    """
    from settings import SettingsError

    try:
        return site_of(options)
    except (SettingsError, UsageError) as error:
        stack = stack_name(options.stack)
        endpoint_id = _recorded_endpoint(stack, options.endpoint) or _live_endpoint(stack, options.endpoint)
        if endpoint_id is None:
            raise
        tell(f"the stack file is left aside, and the way back goes on: {error}")
        return Site(stack, options.endpoint, _address(endpoint_id, stack, options.endpoint), UsageError(str(error)))


def _recorded_endpoint(stack: str, key: str) -> str | None:
    """The ARM id of the endpoint in the newest of its records that begins well."""
    from rollout.record.chain import Chain, record_files, record_folder

    for path in reversed(record_files(record_folder(stack_file_path(stack).parent, stack, key))):
        started = next((event.data for event in Chain(path).events), {})
        if started.get("stack") == stack and started.get("endpoint") == key and started.get("endpoint_id"):
            return str(started["endpoint_id"])
    return None


def _live_endpoint(stack: str, key: str) -> str | None:
    """The ARM id of the endpoint in Azure; None if the subscription is not known."""
    from resource_manager.client import ArmClient
    from stacks.live_endpoint import find_endpoint_id

    subscription = subscription_of_the_shell()
    return None if subscription is None else find_endpoint_id(ArmClient(), subscription, stack, key)


def _address(endpoint_id: str, stack: str, key: str) -> EndpointAddress:
    from arm_id import ArmId
    from endpoint_client.address import EndpointAddress

    place = ArmId.parse(endpoint_id)
    where = (place.subscription_id, place.resource_group, place.names["workspaces"], place.name)
    return EndpointAddress(*where, key, f"--stack {stack}")


def tell(text: str) -> None:
    """Print one line for people; standard output is for JSON."""
    print(text, file=sys.stderr, flush=True)
