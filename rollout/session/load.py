"""Requests of the controller's own, where the plan says `load: {rpm: N}`: for stacks without callers.

An open loop: requests leave at that rate, whether or not answers come. The record, status and report call it synthetic.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from typing import TYPE_CHECKING

from command_errors import CommandError
from endpoint_client.invocation import Target, find_target
from project import project_root
from rollout.record.state import Phase, RolloutState
from rollout.sources.samples import traffic_of

if TYPE_CHECKING:
    from endpoint_client.load import Load
    from rollout.session.site import Site

LOADED = frozenset({Phase.MIRROR, Phase.LIVE, Phase.BAKE})
RENEWAL_SECONDS = 10 * 60
"""A key or token is asked for again after this time. Azure's tokens last about an hour; a rollout may last a day."""


class SyntheticLoad:
    """The load of one rollout, sent from another thread while it gathers evidence."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._load: Load | None = None
        self._thread: threading.Thread | None = None
        self._authorized = 0.0

    def follow(self, state: RolloutState) -> None:
        """Begin or end it, as the state asks for."""
        wanted = state.plan.load is not None and state.phase in LOADED
        if not wanted:
            self.stop()
        elif self._load is None and state.plan.load is not None:
            from endpoint_client.load import Load  # aiohttp takes longer to import than all of this package

            target = self._target()
            bodies = traffic_of(project_root() / "models" / self._site.key)
            load = Load(target.uri, bodies, key=target.credential, rate=state.plan.load.rpm / 60)
            self._load = load
            self._thread = threading.Thread(target=lambda: asyncio.run(load.run()), daemon=True)
            self._thread.start()
        elif self._load is not None and time.monotonic() - self._authorized >= RENEWAL_SECONDS:
            with contextlib.suppress(CommandError):  # Azure does not answer: the next tick asks again
                self._load.authorize(self._target().credential)

    def _target(self) -> Target:
        target = find_target(self._site.azure.arm, self._site.address)
        self._authorized = time.monotonic()
        return target

    def stop(self) -> None:
        """End it, and wait for the requests that are under way."""
        if self._load is not None and self._thread is not None:
            self._load.stop()
            self._thread.join()
            self._load = self._thread = None
