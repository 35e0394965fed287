"""Which change of an endpoint is allowed, given what Azure says is live now (laws 2 to 5 of the design).

Pure: plain values in, a `Transition` out, or one `TransitionError` that lists every violation. The program calls it
before it declares its first resource, so a refusal changes nothing. It does not read Azure, and it holds no clock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field

from stack_config import Limits


@dataclass(frozen=True, kw_only=True)
class LiveDeployment:
    """A deployment as Azure describes it; `release` is its `sluice:release` tag, None when it has none."""

    name: str
    provisioning_state: str
    release: str | None = None
    instances: int | None = None


@dataclass(frozen=True, kw_only=True)
class LiveEndpoint:
    """An endpoint as Azure describes it; `identity_ids` are lower-cased ARM ids, empty for a system-assigned identity."""

    name: str
    provisioning_state: str
    auth_mode: str
    identity_ids: frozenset[str] = frozenset()
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    deployments: Mapping[str, LiveDeployment] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LiveState:
    """What the program read before it declared anything: is there a workspace, and the endpoint in it."""

    workspace_exists: bool
    endpoint: LiveEndpoint | None = None


@dataclass(frozen=True, kw_only=True)
class DeclaredDeployment:
    """A deployment as the stack file and its az ml YAML declare it; `instances` is the autoscale minimum, if any."""

    release: str
    allow_live_change: bool = False
    instances: int = 1


@dataclass(frozen=True, kw_only=True)
class DeclaredEndpoint:
    """An endpoint as declared; `key` is its key in the stack file of `stack`, `name` its name in Azure."""

    stack: str
    key: str
    name: str
    auth_mode: str
    identity_ids: frozenset[str] = frozenset()
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    deployments: Mapping[str, DeclaredDeployment] = field(default_factory=dict)
    kubernetes: bool = False


@dataclass(frozen=True, kw_only=True)
class Transition:
    """What this update may declare.

    `traffic` and `mirror` are what the endpoint's PUT carries now (zeros left out); `deployments` the names to declare;
    `replaced` those that are deleted and created anew (failed, or another release at 0 %); `replaces_endpoint` says
    that the endpoint itself must be (another identity while nothing is served); `waiting` says in words what is declared
    but held back until the next update; `protected` that a weight is not 0, so nothing under it may be deleted.
    """

    traffic: Mapping[str, int]
    mirror: Mapping[str, int]
    deployments: tuple[str, ...]
    replaced: frozenset[str]
    replaces_endpoint: bool
    waiting: tuple[str, ...]

    @property
    def settled(self) -> bool:
        """After this update Azure is what the stack file says."""
        return not self.waiting

    @property
    def protected(self) -> bool:
        """The endpoint has live or mirror weight after this update."""
        return bool(self.traffic or self.mirror)


@dataclass(frozen=True, order=True)
class Violation:
    """One broken rule: the full key in the stack file, and the sentence (problem, value, rule, fix)."""

    key: str
    message: str

    def __str__(self) -> str:
        return f"{self.key} {self.message}"


class TransitionError(ValueError):
    """The declared change is refused; `violations` has every reason, sorted by key."""

    def __init__(self, violations: Iterable[Violation]) -> None:
        self.violations = tuple(sorted(violations))
        super().__init__("\n".join(str(violation) for violation in self.violations))


def validate_transition(live: LiveState, declared: DeclaredEndpoint, stable: str | None, limits: Limits) -> Transition:
    """Say what the next update may declare for one endpoint, or raise `TransitionError` with every violation."""
    raise NotImplementedError


def validate_removal(live: Iterable[LiveEndpoint], declared_names: Collection[str], *, stack: str) -> None:
    """Raise `TransitionError` if an endpoint that is no longer declared still has live or mirror weight."""
    raise NotImplementedError
