"""Which change of an endpoint is allowed, given what Azure says is live now (laws 2 to 5 of the design).

Pure: plain values in, a `Transition` out, or one `TransitionError` that lists every violation. The program calls it
before it declares its first resource, so a refusal changes nothing. It does not read Azure, and it holds no clock.

While an endpoint serves nothing, weights that cannot be given yet wait for a later update; while it serves, they are an
error. A way back to the stable colour is limited by nothing but the existence of that colour.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cached_property

from endpoint_state import (
    DeclaredDeployment,
    DeclaredEndpoint,
    LiveDeployment,
    LiveEndpoint,
    LiveState,
    Transition,
)
from stack_config import Limits, Violation
from weights import DeclaredWeights, nonzero, show, whole_percents

__all__ = [
    "DeclaredDeployment",
    "DeclaredEndpoint",
    "LiveDeployment",
    "LiveEndpoint",
    "LiveState",
    "Transition",
    "TransitionError",
    "validate_removal",
    "validate_transition",
]

HEALTHY = frozenset({"succeeded", "scaling"})
"""States in which a deployment can be given requests. Autoscale puts a serving deployment into Scaling."""

UNFINISHED = frozenset({"creating", "deleting"})
"""States in which Azure refuses other operations on the resource, and the program cannot know what it will become."""


class TransitionError(ValueError):
    """The declared change is refused; `violations` has every reason, sorted by key."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(sorted(set(violations)))
        super().__init__("\n".join(str(violation) for violation in self.violations))


def validate_transition(live: LiveState, declared: DeclaredEndpoint, stable: str | None, limits: Limits) -> Transition:
    """Say what the next update may declare for one endpoint, or raise `TransitionError` with every violation."""
    change = _Change(live, declared, stable, limits)
    violations = [
        *change.declaration_violations(),
        *change.endpoint_violations(),
        *change.deployment_violations(),
        *change.weight_violations(),
        *change.image_violations(),
    ]
    if violations:
        raise TransitionError(violations)
    return change.transition()


def validate_removal(live: Iterable[LiveEndpoint], declared_names: Collection[str], *, stack: str) -> None:
    """Raise `TransitionError` if an endpoint that is no longer declared still has live or mirror weight.

    `live` are endpoints that an earlier update declared; a renamed endpoint is one that is no longer declared.
    """
    violations = [
        Violation(
            "sluice:endpoints",
            f'no longer declares the endpoint "{endpoint.name}", which has live weights '
            f"{show(nonzero(endpoint.traffic))} and mirrors {show(nonzero(endpoint.mirror))}. An endpoint is removed "
            f"or renamed at 0 percent only. Declare it again in Pulumi.{stack}.yaml, set its weights to 0, "
            f"run pulumi up --stack {stack}, then remove it.",
        )
        for endpoint in live
        if endpoint.name not in declared_names and (nonzero(endpoint.traffic) or nonzero(endpoint.mirror))
    ]
    if violations:
        raise TransitionError(violations)


class _Change:
    """One declared change beside what is live; each method is one group of rules."""

    def __init__(self, live: LiveState, declared: DeclaredEndpoint, stable: str | None, limits: Limits) -> None:
        self.live = live
        self.endpoint = live.endpoint
        self.declared = declared
        self.stable = stable
        self.limits = limits
        # Of weights that are wrong already, the well-formed ones are still compared with what is live.
        self.wanted = nonzero(whole_percents(declared.traffic))
        self.wanted_mirror = nonzero(whole_percents(declared.mirror))
        self.live_weights = nonzero(live.endpoint.traffic) if live.endpoint else {}
        self.live_mirror = nonzero(live.endpoint.mirror) if live.endpoint else {}
        self.existing: Mapping[str, LiveDeployment] = live.endpoint.deployments if live.endpoint else {}

    @property
    def _rollout(self) -> str:
        return f"sluice:rollout.{self.declared.key}"

    @property
    def _fix(self) -> str:
        return f"Fix it in Pulumi.{self.declared.stack}.yaml."

    @property
    def _up(self) -> str:
        return f"pulumi up --stack {self.declared.stack}"

    @property
    def _refresh(self) -> str:
        return f"pulumi up --refresh --stack {self.declared.stack}"

    @property
    def _recover(self) -> str:
        return f"sluice recover --stack {self.declared.stack}"

    def _deployment(self, name: str) -> str:
        return f"sluice:endpoints.{self.declared.key}.deployments.{name}"

    def _carried(self, name: str) -> str:
        """What a deployment carries now, in words; empty at 0 %."""
        parts = []
        if name in self.live_weights:
            parts.append(f"{self.live_weights[name]} percent of the live requests")
        if name in self.live_mirror:
            parts.append(f"{self.live_mirror[name]} percent of them mirrored")
        return " and ".join(parts)

    def _carries(self, name: str) -> bool:
        return name in self.live_weights or name in self.live_mirror

    @cached_property
    def _serves(self) -> bool:
        return bool(self.live_weights)

    @cached_property
    def _replaces_endpoint(self) -> bool:
        """Azure ignores another auth mode in an update and cannot change an identity, so both need a new endpoint."""
        return self.endpoint is not None and (self._other_auth_mode or self._other_identity)

    @property
    def _other_auth_mode(self) -> bool:
        return self.endpoint is not None and self.endpoint.auth_mode.lower() != self.declared.auth_mode.lower()

    @property
    def _other_identity(self) -> bool:
        return self.endpoint is not None and _lower(self.endpoint.identity_ids) != _lower(self.declared.identity_ids)

    @cached_property
    def _replaced(self) -> frozenset[str]:
        """At 0 %, a failed deployment and one with another release are deleted and created anew."""
        if self._replaces_endpoint:
            return frozenset(self.declared.deployments.keys() & self.existing.keys())
        return frozenset(
            name
            for name, declared in self.declared.deployments.items()
            if (live := self.existing.get(name)) is not None
            and not self._carries(name)
            # Without its network Azure would let a failed one fail again.
            and (live.release != declared.release or (live.state == "failed" and self.live.network_is_ready))
        )

    def _obstacle(self, name: str) -> str | None:
        """Why a deployment cannot be given more requests in this update, or None if it can."""
        live = self.existing.get(name)
        if live is None:
            return "does not exist in Azure yet"
        if name in self._replaced:
            reason = "has failed" if live.state == "failed" else "gets another release"
            return f"{reason} and is replaced in this update"
        # A stable colour that already answers requests is the way back, whatever an operation on it came to: a refused
        # delete, for instance, leaves a serving deployment in Failed (recorded).
        if name == self.stable and name in self.live_weights and live.state != "deleting":
            return None
        if live.state not in HEALTHY:
            return f"is {live.provisioning_state} in Azure, not Succeeded"
        return None

    def declaration_violations(self) -> Iterator[Violation]:
        """What is wrong whatever is live."""
        declared = self.declared
        yield from DeclaredWeights(
            stack=declared.stack,
            key=declared.key,
            traffic=declared.traffic,
            mirror=declared.mirror,
            deployments=declared.deployments.keys(),
            max_mirror=self.limits.max_mirror,
        ).violations()
        for name in declared.deployments:
            if name != name.lower():
                yield Violation(self._deployment(name), f"must be in lower case. {self._fix}")
        if self.stable is not None and self.stable not in declared.deployments:
            names = ", ".join(sorted(declared.deployments)) or "none"
            yield Violation(
                f"{self._rollout}.stable", f'must be a declared deployment ({names}), got "{self.stable}". {self._fix}'
            )
        if declared.kubernetes and self.wanted_mirror:
            yield Violation(
                f"{self._rollout}.mirror",
                f"must be empty, got {show(self.wanted_mirror)}: Kubernetes endpoints cannot mirror. {self._fix}",
            )

    def endpoint_violations(self) -> Iterator[Violation]:
        """Rules about the endpoint itself."""
        endpoint, key = self.endpoint, f"sluice:endpoints.{self.declared.key}"
        if endpoint is None:
            return
        if endpoint.state in UNFINISHED:
            yield Violation(
                key,
                f'is {endpoint.provisioning_state} in Azure as "{endpoint.name}", and takes no other change until that '
                f"has ended. Wait, then run {self._up} again.",
            )
        if endpoint.state == "failed" and not (self.live_weights or self.live_mirror or self.existing):
            yield Violation(
                key,
                f'failed to be created in Azure as "{endpoint.name}", and Azure accepts no deployment on such an '
                f"endpoint. It has none and serves nothing: delete it (az ml online-endpoint delete "
                f"--name {endpoint.name}), then run pulumi refresh and {self._up}.",
            )
        if self.live_weights or self.live_mirror:
            yield from self._serving_endpoint_violations(endpoint, key)

    def _serving_endpoint_violations(self, endpoint: LiveEndpoint, key: str) -> Iterator[Violation]:
        serving = f"while it serves ({show(self.live_weights or self.live_mirror)})"
        zero = f"set its weights to 0 and run {self._up} first: the endpoint is then replaced"
        file = f"models/{self.declared.key}/endpoint.yml"
        if self._other_auth_mode:
            yield Violation(
                key,
                f"must not change its auth mode from {endpoint.auth_mode} to {self.declared.auth_mode} {serving}: "
                f"Azure ignores the change. Restore auth_mode in {file}, or {zero}.",
            )
        if self._other_identity:
            was = ", ".join(sorted(endpoint.identity_ids)) or "a system-assigned identity"
            becomes = ", ".join(sorted(self.declared.identity_ids)) or "a system-assigned identity"
            yield Violation(
                key,
                f"must not change its identity from {was} to {becomes} {serving}: Azure sets an identity at creation "
                f"only. Restore identity in {file}, or {zero}.",
            )

    def deployment_violations(self) -> Iterator[Violation]:
        """Rules about each deployment, whatever its declared weight."""
        for name, live in self.existing.items():
            declared = self.declared.deployments.get(name)
            if declared is None:
                # One without a release tag is not this program's, so it is not removed by leaving it out.
                if self._carries(name) and live.release is not None:
                    yield Violation(
                        self._deployment(name),
                        f"must stay declared while it gets {self._carried(name)}: a deployment is removed at 0 percent "
                        f"only. Declare it again in Pulumi.{self.declared.stack}.yaml, set its weight to 0, "
                        f"run {self._up}, then remove it.",
                    )
                continue
            if name in self._replaced and not self.live.network_is_ready:
                yield Violation(
                    self._deployment(name),
                    f"must keep its release while the workspace's managed network is {self.live.network_status} in "
                    f"Azure, not Active: the deployment is replaced, and Azure could not create it again. Run "
                    f"{self._recover}, which provisions the network, then run {self._up} again.",
                )
            if live.state == "deleting":
                yield Violation(
                    self._deployment(name),
                    f"is being deleted in Azure. Wait until it is gone, then run {self._up} again.",
                )
            if self._carries(name) and live.release != declared.release and not declared.allow_live_change:
                yield Violation(self._deployment(name), self._live_change(name, live, declared))

    def _live_change(self, name: str, live: LiveDeployment, declared: DeclaredDeployment) -> str:
        if live.release is None:
            found = "it has no sluice:release tag, so nobody can tell whether this update changes what it runs"
        else:
            found = f"got {declared.release[:12]} over {live.release[:12]}"
        return (
            f"must keep its release while it gets {self._carried(name)}, {found}. Add a deployment under another name, "
            f"or set its weight to 0 and run {self._up} first. Who knows what they do sets allow_live_change: true "
            f"for it in Pulumi.{self.declared.stack}.yaml."
        )

    def weight_violations(self) -> Iterator[Violation]:
        """Rules about each increase: everything else is a way back."""
        for name, weight in self.wanted.items():
            declared = self.declared.deployments.get(name)
            if declared is None:
                continue
            rise = weight - self.live_weights.get(name, 0)
            if self._serves and rise > 0:
                yield from self._increase_violations("traffic", name, weight)
                if name != self.stable and rise > self.limits.max_step:
                    yield Violation(
                        f"{self._rollout}.traffic.{name}",
                        f"must not rise by more than {self.limits.max_step} percent in one update "
                        f"(sluice:limits.max_step), got {self.live_weights.get(name, 0)} to {weight}. Take a smaller "
                        f"step in Pulumi.{self.declared.stack}.yaml; only the stable deployment "
                        f"({self.stable or 'none is set'}) may jump.",
                    )
            yield from self._capacity_violations(name, weight, rise, declared)
        for name, weight in self.wanted_mirror.items():
            if self._serves and name in self.declared.deployments and weight > self.live_mirror.get(name, 0):
                yield from self._increase_violations("mirror", name, weight)
        yield from self._stop_violations()

    def _increase_violations(self, section: str, name: str, weight: int) -> Iterator[Violation]:
        obstacle = self._obstacle(name)
        if obstacle is not None:
            command, hint = self._up, ""
            if name not in self.existing:
                # It may be new, or somebody deleted it: then only a refresh makes the engine create it again.
                command = self._refresh
                hint = " (without --refresh, Pulumi does not notice a deployment that was deleted by hand)"
            yield Violation(
                f"{self._rollout}.{section}.{name}",
                f"must be 0 for now, got {weight}: {name} {obstacle}. Set it to 0 in "
                f"Pulumi.{self.declared.stack}.yaml, run {command}{hint}, and give it weight in a later update, once "
                "it is Succeeded.",
            )

    def _capacity_violations(
        self, name: str, weight: int, rise: int, declared: DeclaredDeployment
    ) -> Iterator[Violation]:
        minimum, live = self.limits.min_live_instances, self.existing.get(name)
        shrinks = live is not None and live.instances is not None and declared.instances < live.instances
        if name != self.stable and declared.instances < minimum and (rise > 0 or shrinks):
            yield Violation(
                self._deployment(name),
                f"must have at least {minimum} instances (sluice:limits.min_live_instances) with {weight} percent of "
                f"the live requests, got {declared.instances}. Raise instances (autoscale.min) in "
                f"Pulumi.{self.declared.stack}.yaml.",
            )

    def image_violations(self) -> Iterator[Violation]:
        """With `require_pinned`: an image that can be another one tomorrow is not started and gets no more requests.

        The way back to a stable colour that exists stays open, whatever its image is.
        """
        if not self.limits.require_pinned:
            return
        for name, declared in self.declared.deployments.items():
            made = name not in self.existing or name in self._replaced
            more = self.wanted.get(name, 0) > self.live_weights.get(name, 0)
            more = more or self.wanted_mirror.get(name, 0) > self.live_mirror.get(name, 0)
            way_back = name == self.stable and self._serves
            if declared.unpinned_image is not None and (made or (more and not way_back)):
                yield Violation(
                    self._deployment(name),
                    f"must have an image with a version (sluice:limits.require_pinned), got "
                    f'"{declared.unpinned_image}" in models/{self.declared.key}/{name}.yml. Write a dated tag, or a '
                    "digest (<image>@sha256:...).",
                )

    def _stop_violations(self) -> Iterator[Violation]:
        """To stop serving, each live colour is named with 0: an empty or forgotten section resets nothing."""
        unnamed = {name: weight for name, weight in self.live_weights.items() if name not in self.declared.traffic}
        if unnamed and not any(self.declared.traffic.values()):
            zeros = ", ".join(f"{name}: 0" for name in unnamed)
            yield Violation(
                f"{self._rollout}.traffic",
                f"must say who gets the requests of an endpoint that serves, got nothing for {show(unnamed)}. Declare "
                f"these weights, or {{{zeros}}} to stop serving, in Pulumi.{self.declared.stack}.yaml.",
            )

    def transition(self) -> Transition:
        """What may be declared now; called only when no rule is broken."""
        names = tuple(self.declared.deployments)
        waiting: list[str] = []
        if not self.live.workspace_exists:
            if names:
                waiting.append(f"deployments wait for the workspace: {', '.join(names)}")
            names = ()
        elif without_network := self._without_network():
            status = f"{self.live.network_status} in Azure, not Active"
            waiting.append(
                f"deployments wait for the workspace's managed network, which is {status}: {', '.join(without_network)}"
            )
            # What exists stays declared: left out, it would be deleted.
            names = tuple(name for name in names if name in self.existing)
        held = self._held(self.wanted)
        if held:
            waiting.append(f"live weights wait ({show(self.wanted)}): {held}")
        held_mirror = self._held(self.wanted_mirror) or held
        if held_mirror and self.wanted_mirror:
            waiting.append(f"mirrored weights wait ({show(self.wanted_mirror)}): {held_mirror}")
        return Transition(
            traffic={} if held else self.wanted,
            mirror={} if held_mirror else self.wanted_mirror,
            deployments=names,
            replaced=self._replaced,
            replaces_endpoint=self._replaces_endpoint,
            waiting=tuple(waiting),
            next=(self._up if self.live.network_is_ready else self._recover) if waiting else None,
        )

    def _without_network(self) -> list[str]:
        """Deployments that Azure would have to create, and cannot while the managed network is not provisioned."""
        if self.live.network_is_ready:
            return []
        return [
            name
            for name in self.declared.deployments
            if (live := self.existing.get(name)) is None or (live.state == "failed" and not self._carries(name))
        ]

    def _held(self, weights: Mapping[str, int]) -> str | None:
        """Why these weights wait, or None. On an endpoint that serves, nothing waits: it is an error instead."""
        if not weights or self._serves:
            return None
        if self.endpoint is None:
            return "the endpoint does not exist in Azure yet"
        if self._replaces_endpoint:
            return "the endpoint is replaced in this update"
        obstacles = [f"{name} {obstacle}" for name in weights if (obstacle := self._obstacle(name)) is not None]
        return "; ".join(obstacles) or None


def _lower(ids: Iterable[str]) -> frozenset[str]:
    return frozenset(identity.lower() for identity in ids)
