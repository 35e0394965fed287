"""Approvals in pipelines: a run asks a reviewer about a step, once, and a reviewer's no becomes part of the record.

The run's own job writes a yes (`sluice ci approve`). A no ends that run before its job begins, so a delivery reads it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from delivery.run.approval_runs import dispatched, rejection, run_of, waiting_step
from git_server.port import GitServer, GitServerRefused, GitServerUnreachable
from rollout.people import requests
from rollout.people.requests import Deed
from rollout.record.event import Event
from rollout.record.state import RolloutState

APPROVAL_SUFFIX = "-approval"
"""What the name of the environment with the reviewers adds to the stack's."""
WITHOUT_REVIEWERS = (
    "Its environment has no reviewers, so this run will be refused: a person other than the one who started the "
    "rollout has to dispatch the approval by hand."
)
WITHOUT_A_COMMENT = "rejected by the reviewer"


@dataclass(frozen=True)
class Approvals:
    """What deliveries ask reviewers. `workflow` runs on `branch` in the environment with the reviewers."""

    server: GitServer
    workflow: str
    branch: str

    def rejected(self, events: Sequence[Event], state: RolloutState) -> Deed | None:
        """The no of a person to the step that waits; None without one."""
        step = waiting_step(state)
        run = run_of(events, step) if step is not None else None
        found = rejection(self.server.approvals(run), "") if run is not None else None
        if found is None:
            return None
        person, comment = found
        return requests.reject(state, person, comment or WITHOUT_A_COMMENT)

    def asked(self, events: Sequence[Event], state: RolloutState) -> Deed | None:
        """Start the run that asks about the step that waits, unless there is one; return what the record has to say."""
        step = waiting_step(state)
        if step is None or run_of(events, step) is not None:
            return None
        inputs = {"stack": state.stack, "endpoint": state.endpoint, "rollout": state.id, "step": str(step + 1)}
        run = self.server.dispatch(self.workflow, self.branch, inputs)
        deed = dispatched(state, step, run.id, run.url)
        return deed if self._has_reviewers(state.stack) else replace(deed, told=f"{deed.told}. {WITHOUT_REVIEWERS}")

    def _has_reviewers(self, stack: str) -> bool:
        """Whether the run waits for a reviewer; where that cannot be read, it is not said."""
        try:
            environment = self.server.environment(f"{stack}{APPROVAL_SUFFIX}")
        except (GitServerRefused, GitServerUnreachable):
            return True
        return environment is not None and environment.has_reviewers
