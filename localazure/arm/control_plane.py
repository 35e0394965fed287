"""Connects the control plane's parts: store, operations, scoring, batch jobs, identities and one behaviour per type.

Behaviours reach each other and the data plane only through this object. It does not know HTTP.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from localazure import identity
from localazure.arm.behaviour import Behaviour
from localazure.arm.long_running import LongRunning
from localazure.arm.machine_learning_api import MachineLearningApi, ServiceVersion
from localazure.arm.operations import Operations
from localazure.arm.reply import Request
from localazure.arm.roles import Identities, Roles
from localazure.arm.scoring import Scoring
from localazure.arm.soft_delete import SoftDeletions
from localazure.arm.timing import PACES, Clock, Timing
from localazure.batch.jobs import BatchJobs
from localazure.callers import workload_of
from localazure.errors import NotEmulated
from localazure.monitor.metrics import Metrics
from localazure.monitor.query import Distortion, undistorted
from localazure.resource import Resource
from localazure.storage.accounts import is_closed_to_public
from localazure.storage.blobs import BlobStore
from localazure.store import Store


@dataclass(frozen=True)
class Options:
    """The settings of a rehearsal."""

    outside_network: bool = False
    """The caller counts as outside of private networks: storage without public access answers 403."""
    caller_without_data_roles: bool = False
    """The caller needs a role assignment to read or write blobs; otherwise it may do everything."""
    keep_omitted_traffic: bool = False
    """An endpoint PUT without `traffic` keeps the weights. The reset is documented; no recording shows the case."""
    service: ServiceVersion = ServiceVersion.BY_API_VERSION
    """Which of the recorded Machine Learning services answers."""
    pace: str = "fast"
    """`fast`, or `real`: durations of the recorded service and no Retry-After."""
    quota: Mapping[str, int] = field(default_factory=dict)
    """Cores by family of VM sizes, for managed deployments; families that are not named have no limit."""
    vm_sizes: frozenset[str] = frozenset()
    """VM sizes, in lower case, that deployments can have in addition to the known ones."""
    taken_endpoint_names: frozenset[str] = frozenset()
    """Names, in lower case, that endpoints of other customers have."""
    role_delay: float = 0.0
    """Seconds until a role assignment takes effect."""
    finest_grain: int = 1
    """Seconds of the finest grain of metrics: 1, or 60 as in Azure."""
    oidc_keys: Mapping[str, RSAPublicKey] = field(default_factory=dict)
    """Issuers of ID tokens, and the keys that their tokens are signed with."""
    name_last_writer: bool = False
    """Endpoints and deployments have `systemData.lastModifiedBy`; recorded ones do not."""


class ControlPlane:
    """All state and rules of one local Azure."""

    def __init__(
        self,
        home: Path,
        base_url: str,
        scoring: Scoring,
        batch: BatchJobs,
        behaviours: Callable[[ControlPlane], Iterable[Behaviour]],
        *,
        options: Options | None = None,
        clock: Clock = time.time,
        timing: Timing | None = None,
    ) -> None:
        self.home = home
        self.base_url = base_url
        self.scoring = scoring
        self.batch = batch
        self.options = options or Options()
        self.clock = clock
        self.timing = timing or PACES[self.options.pace]
        self.store = Store(home / "azure.db")
        self.operations = Operations(self.store, clock, self.timing)
        self.long_running = LongRunning(self.store, self.timing, base_url, self._view)
        self.blobs = BlobStore(home / "blobs", self.store, clock)
        self.identities = Identities(self.store)
        self.metrics = Metrics(clock)
        self.distort_metrics: Distortion = undistorted
        self.roles = Roles(self.store, lambda: self.clock(), self.options.role_delay)
        self.deleted = SoftDeletions(self.store, lambda: self.clock())
        self.token_secret = self._token_secret()
        self._background: set[asyncio.Task[None]] = set()
        self._behaviours = {one.shape.arm.lower(): one for one in behaviours(self)}

    def _view(self, resource: Resource, api_version: str) -> Any:
        request = Request("GET", resource.resource_id, api_version, {}, {}, "")
        return self.behaviour(resource.resource_id.type).read(resource, request)

    def _token_secret(self) -> str:
        secret = self.store.setting("token_secret")
        if secret is None:
            secret = secrets.token_hex(32)
            self.store.set_setting("token_secret", secret)
        return secret

    def start(self) -> None:
        """Bring the data plane to the state in the store and continue interrupted operations."""
        for behaviour in self._behaviours.values():
            behaviour.restore()
        self.operations.resume()

    def run_in_background(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.get_running_loop().create_task(work)
        self._background.add(task)
        task.add_done_callback(self._background.discard)
        return task

    async def stop(self) -> None:
        """Stop; unfinished work continues at the next start."""
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        await self.operations.close()

    def close(self) -> None:
        self.store.close()

    def behaviour(self, arm_type: str) -> Behaviour:
        """Raises NotEmulated for a type that the catalog does not have."""
        behaviour = self._behaviours.get(arm_type.lower())
        if behaviour is None:
            raise NotEmulated(f"The resource type {arm_type}")
        return behaviour

    def behaviours(self) -> Iterable[Behaviour]:
        """That of every emulated type."""
        return self._behaviours.values()

    def types(self) -> list[str]:
        """Every emulated type, as Azure spells it."""
        return [behaviour.shape.arm for behaviour in self._behaviours.values()]

    def machine_learning(self, api_version: str) -> MachineLearningApi:
        """How the Machine Learning service answers a request with this api-version."""
        return MachineLearningApi.of(api_version, self.options.service)

    def remove_tree(self, resource: Resource) -> None:
        """Remove a resource and everything below it, with their side effects."""
        with self.store.transaction():
            for below in reversed(self.store.under(resource.id)):
                self.behaviour(below.resource_id.type).removed(below)
                self.store.delete(below.id)
                self.operations.conclude_deletions(below.id)
            self.behaviour(resource.resource_id.type).removed(resource)
            self.store.delete(resource.id)

    def location_for(self, resource: Resource) -> str:
        """The region in an operation's URL: the resource's, or else that of its nearest ancestor."""
        current: Resource | None = resource
        while current is not None:
            if location := str(current.body.get("location", "")):
                return location
            current = self.store.get(current.resource_id.parent)
        return "global"

    def storage_account(self, name: str) -> Resource | None:
        """Account names are unique in all of Azure."""
        return next(iter(self.store.named("microsoft.storage/storageaccounts", name)), None)

    def caller_reaches(self, account: Resource) -> bool:
        """Whether a storage account's network rules let the caller through."""
        return not (self.options.outside_network and is_closed_to_public(account))

    def caller_may_use_blobs(self, account: Resource, write: bool, token: str, container: str = "") -> bool:
        """Whether the roles of a bearer token permit it. Raises ExpiredToken for a workload identity's old one."""
        scope = f"{account.id}/blobServices/default/containers/{container}" if container else account.id
        workload = workload_of(token, self.token_secret, self.clock())
        if workload is not None:
            return self.roles.allows_blobs({workload.object_id}, scope, write=write)
        if not self.options.caller_without_data_roles:
            return True
        return self.roles.allows_blobs({identity.CALLER_OBJECT_ID}, scope, write=write)


def new_guid() -> str:
    return str(uuid.uuid4())
