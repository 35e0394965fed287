"""One declared change of an endpoint compared with the live state: what is wanted, what serves, what is replaced.

Pure: plain values in, facts out. Which changes are refused is in `change_rules.py`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property

from endpoint_state import DeclaredEndpoint, LiveDeployment, LiveState
from stack_config import Limits
from weights import nonzero, whole_percents

HEALTHY = frozenset({"succeeded", "scaling"})
"""States in which a deployment can be given requests. Autoscale puts a serving deployment into Scaling."""


class DeclaredChange:
    """The declared state of one endpoint, and the live one.

    `stable` is the colour to fall back to. `wanted` and `wanted_mirror` are the declared weights, `live_weights` and
    `live_mirror` those of Azure, all without zeros; `existing` are the deployments in Azure.
    """

    def __init__(self, live: LiveState, declared: DeclaredEndpoint, stable: str | None, limits: Limits) -> None:
        self.live = live
        self.endpoint = live.endpoint
        self.declared = declared
        self.stable = stable
        self.limits = limits
        # If some weights are invalid, the valid ones are still compared with the live ones.
        self.wanted = nonzero(whole_percents(declared.traffic))
        self.wanted_mirror = nonzero(whole_percents(declared.mirror))
        self.live_weights = nonzero(live.endpoint.traffic) if live.endpoint else {}
        self.live_mirror = nonzero(live.endpoint.mirror) if live.endpoint else {}
        self.existing: Mapping[str, LiveDeployment] = live.endpoint.deployments if live.endpoint else {}

    @property
    def rollout_key(self) -> str:
        """Where its weights stand in the stack file."""
        return f"sluice:rollout.{self.declared.key}"

    @property
    def fix(self) -> str:
        """The end of an error whose fix is in the stack file."""
        return f"Fix it in Pulumi.{self.declared.stack}.yaml."

    @property
    def up(self) -> str:
        """The command that updates the stack."""
        return f"pulumi up --stack {self.declared.stack}"

    @property
    def refresh(self) -> str:
        """The command that refreshes the state from Azure and then updates the stack."""
        return f"pulumi up --refresh --stack {self.declared.stack}"

    @property
    def recover(self) -> str:
        """The command that repairs the stack."""
        return f"sluice recover --stack {self.declared.stack}"

    def deployment_key(self, name: str) -> str:
        """Where a deployment stands in the stack file."""
        return f"sluice:endpoints.{self.declared.key}.deployments.{name}"

    def carried(self, name: str) -> str:
        """Return a description of a deployment's live and mirrored weight; empty at 0 %."""
        parts = []
        if name in self.live_weights:
            parts.append(f"{self.live_weights[name]} percent of the live requests")
        if name in self.live_mirror:
            parts.append(f"{self.live_mirror[name]} percent of them mirrored")
        return " and ".join(parts)

    def carries(self, name: str) -> bool:
        """Whether a deployment has live or mirror weight now."""
        return name in self.live_weights or name in self.live_mirror

    @cached_property
    def serves(self) -> bool:
        """Whether a deployment of the endpoint has live weight now."""
        return bool(self.live_weights)

    @cached_property
    def replaces_endpoint(self) -> bool:
        """Azure ignores another auth mode in an update and cannot change an identity, so both need a new endpoint."""
        return self.endpoint is not None and (self.changes_auth_mode or self.changes_identity)

    @property
    def changes_auth_mode(self) -> bool:
        """Whether the endpoint exists with another auth mode."""
        return self.endpoint is not None and self.endpoint.auth_mode.lower() != self.declared.auth_mode.lower()

    @property
    def changes_identity(self) -> bool:
        """Whether the endpoint exists with another identity; the case of an ARM id does not matter."""
        return self.endpoint is not None and _lower(self.endpoint.identity_ids) != _lower(self.declared.identity_ids)

    @cached_property
    def replaced(self) -> frozenset[str]:
        """The deployments that are recreated: at 0 %, failed ones and those with another release."""
        if self.replaces_endpoint:
            return frozenset(self.declared.deployments.keys() & self.existing.keys())
        return frozenset(
            name
            for name, declared in self.declared.deployments.items()
            if (live := self.existing.get(name)) is not None
            and not self.carries(name)
            # Without the managed network, Azure could not recreate a failed one.
            and (live.release != declared.release or (live.state == "failed" and self.live.network_is_ready))
        )

    def obstacle(self, name: str) -> str | None:
        """Why a deployment cannot be given more requests in this update, or None if it can."""
        live = self.existing.get(name)
        if live is None:
            return "does not exist in Azure yet"
        if name in self.replaced:
            reason = "has failed" if live.state == "failed" else "gets another release"
            return f"{reason} and is replaced in this update"
        # A stable colour that already answers requests may always get more, whatever the result of the last operation
        # on it: a refused delete, for instance, leaves a serving deployment Failed (recorded).
        if name == self.stable and name in self.live_weights and live.state != "deleting":
            return None
        if live.state not in HEALTHY:
            return f"is {live.provisioning_state} in Azure, not Succeeded"
        if self.too_few(name):
            least = self.declared.deployments[name].instances
            return f"has too few instances in Azure: {live.instances}, and autoscale.min is {least}"
        return None

    def too_few(self, name: str) -> bool:
        """Whether a colour would get its first live weight before autoscale has started its least instances.

        The weight changes before the setting, and an instance takes minutes to start. The stable colour is exempt: the
        way back stays open.
        """
        live, declared = self.existing.get(name), self.declared.deployments.get(name)
        if live is None or declared is None or live.instances is None or name == self.stable:
            return False
        if name in self.replaced or live.state not in HEALTHY:
            return False  # it has another obstacle
        first = name in self.wanted and name not in self.live_weights
        return first and declared.scales and live.instances < declared.instances


def _lower(ids: Iterable[str]) -> frozenset[str]:
    return frozenset(identity.lower() for identity in ids)
