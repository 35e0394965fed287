"""The stack that a release is promoted to: under which colour, and with which size.

Pure: plain values of the stack file and of the last rollout's state in, a colour and its keys out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from delivery.proofs.proven_release import network_of
from models.release_document import ReleaseDocument
from models.spec import DeploymentSpec
from naming import MAX_ENDPOINT_NAME, NAME_PATTERN
from rollout.decision.order import Outcome
from rollout.record.state import RolloutState
from weights import nonzero, whole_percents

COLOURS = ("blue", "green", "amber", "violet")
"""The names that a promotion chooses from, in this order."""
_SIZES = ("instances", "sku", "autoscale")
_DROPPED = ("allow_live_change", "allow_unproven")
"""What was allowed for the release before is not allowed for this one."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """One endpoint of the stack, as its file declares it."""

    stack: str
    endpoint: str
    deployments: Mapping[str, Mapping[str, Any]]
    """The keys of each colour."""
    stable: str | None = None
    traffic: Mapping[str, int] = field(default_factory=dict)
    mirror: Mapping[str, int] = field(default_factory=dict)
    network: str | None = None
    busy: Mapping[str, str] = field(default_factory=dict)
    """Colours that a rollout needs, with the reason."""

    @classmethod
    def of(
        cls,
        config: Mapping[str, Any],
        weights: Iterable[Mapping[str, Any]],
        stack: str,
        endpoint: str,
        busy: Mapping[str, str],
    ) -> Target | None:
        """Read the config of a stack file; None if it does not declare the endpoint.

        `weights` are the configs whose weights count, the one that decides about `stable` last.
        """
        declared = _mapping(_mapping(config.get("sluice:endpoints")).get(endpoint))
        if not declared:
            return None
        rollouts = [_mapping(_mapping(one.get("sluice:rollout")).get(endpoint)) for one in weights]
        stable = next((one["stable"] for one in reversed(rollouts) if isinstance(one.get("stable"), str)), None)
        return cls(
            stack=stack,
            endpoint=endpoint,
            deployments={str(name): _mapping(keys) for name, keys in _mapping(declared.get("deployments")).items()},
            stable=stable,
            traffic=_highest(rollouts, "traffic"),
            mirror=_highest(rollouts, "mirror"),
            network=network_of(config),
            busy=busy,
        )

    def pinned_to(self, content: str) -> str | None:
        """The colour that is pinned to a content."""
        found = (name for name, keys in self.deployments.items() if is_pin_of(keys.get("release"), content))
        return next(found, None)

    def taken(self, name: str) -> str | None:
        """Why a colour cannot take another release, as a clause; None if it can."""
        if name in self.traffic or name in self.mirror:
            how = f"{self.traffic[name]} % of the live requests" if name in self.traffic else "mirrored requests"
            return f"it has {how} in {self.stack}"
        if name == self.stable:
            return f"it is the stable colour of {self.stack}"
        return self.busy.get(name)


def is_pin_of(pin: object, content: str) -> bool:
    """Whether the `release` of a deployment names a content."""
    return isinstance(pin, str) and len(pin) >= 16 and content.startswith(pin)


def choose_colour(target: Target, content: str, asked: str | None, likewise: str) -> str:
    """Return the colour for a content: the one it is pinned to, else `asked`, `likewise`, or the first free one.

    `likewise` is its name in the stack that proved it.

    Raises ValueError with the reason.
    """
    pinned = target.pinned_to(content)
    if pinned is not None and asked in (None, pinned):
        return pinned
    if pinned is not None:
        raise ValueError(f"{target.stack} has this release already, as {pinned}. Leave out --colour {asked}")
    if asked is not None:
        if not re.match(NAME_PATTERN, asked) or not 3 <= len(asked) <= MAX_ENDPOINT_NAME:
            raise ValueError(
                f"--colour must be 3 to {MAX_ENDPOINT_NAME} lower-case letters, digits and single hyphens, a letter "
                f'first, got "{asked}"'
            )
        if reason := target.taken(asked):
            raise ValueError(f"{asked} cannot take another release: {reason}. Name another --colour")
        return asked
    undeclared = [name for name in COLOURS if name not in target.deployments]
    for name in (likewise, *undeclared, *COLOURS):
        if target.taken(name) is None:
            return name
    reasons = "; ".join(f"{name}: {target.taken(name)}" for name in COLOURS)
    raise ValueError(f"no colour of {target.stack} is free ({reasons}). Name another one with --colour")


def busy_colours(state: RolloutState | None, now: int) -> dict[str, str]:
    """Return the colours that the last rollout of an endpoint needs; `now` is seconds since 1970."""
    if state is None:
        return {}
    if not state.is_over:
        why = f"the rollout {state.id} is under way with it"
        return dict.fromkeys([*state.baseline.traffic, *state.baseline.mirror, state.colour], why)
    assert state.ended is not None
    until = state.ended.at + state.plan.rollback_window_seconds
    if state.ended.outcome is not Outcome.DONE or state.retired or now > until:
        return {}
    when = datetime.fromtimestamp(until, UTC).strftime("%Y-%m-%d %H:%M UTC")
    return dict.fromkeys(state.stable_colours, f"it is the way back of the rollout {state.id} until {when}")


def deployment_values(target: Target, colour: str, stable: DeploymentSpec, document: ReleaseDocument) -> dict[str, Any]:
    """Return the keys of the colour: the pin, and what the stable colour has; None removes a key.

    `stable` is what the stable colour serves: where the stack file leaves its size to the az ml file, that size is
    written out if the promoted release would bring another one.
    """
    chosen = target.deployments[target.stable] if target.stable is not None else {}
    sizes = {name: chosen.get(name) for name in _SIZES}
    defaults = document.defaults
    if sizes["sku"] is None and stable.instance_type != defaults["instance_type"]:
        sizes["sku"] = stable.instance_type
    if sizes["autoscale"] is None and stable.autoscale is not None:
        autoscale = asdict(stable.autoscale)
        if autoscale != defaults["autoscale"]:
            least = autoscale["min_instances"]
            sizes["autoscale"] = {
                "min": least,
                "max": autoscale["max_instances"],
                "default": least,
                "target_cpu_percent": autoscale["target_cpu_percent"],
            }
    if isinstance(sizes["autoscale"], Mapping):  # a rollout does not start a colour that idles
        sizes["autoscale"] = {name: value for name, value in sizes["autoscale"].items() if name != "idle_instances"}
    fixed = sizes["autoscale"] is None and stable.autoscale is None
    if sizes["instances"] is None and (fixed and stable.instance_count != defaults["instance_count"]):
        sizes["instances"] = stable.instance_count
    overrides = {
        name: value
        for name, value in _mapping(chosen.get("environment_variables")).items()
        if name in _mapping(document.settings["body"].get("environmentVariables"))
    }
    before = target.deployments.get(colour, {})
    values = {"release": document.short, **sizes, "environment_variables": overrides or None}
    removed = {name: None for name in (*values, *_DROPPED) if name in before}
    return {**removed, **{name: value for name, value in values.items() if value is not None}}


def _highest(rollouts: Iterable[Mapping[str, Any]], name: str) -> dict[str, int]:
    found: dict[str, int] = {}
    for rollout in rollouts:
        for colour, weight in nonzero(whole_percents(_mapping(rollout.get(name)))).items():
            found[colour] = max(weight, found.get(colour, 0))
    return found


def _mapping(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, Mapping) else {}
