"""What declared weights must look like, whatever is live: whole percents, known colours, sums, the mirror's rules.

Pure, and strict about types: 33.5, "90" and true are not weights. Which *change* of weights is allowed is decided in
`transitions.py`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from config_values import MAX_MIRROR_PERCENT
from stack_config import Violation


@dataclass(frozen=True, kw_only=True)
class DeclaredWeights:
    """Weights as they stand in the stack file of `stack` under `sluice:rollout.<key>`, with the `stable` colour."""

    stack: str
    key: str
    traffic: Mapping[str, object]
    mirror: Mapping[str, object]
    deployments: Collection[str]
    stable: object = None
    max_mirror: int = MAX_MIRROR_PERCENT

    @property
    def path(self) -> str:
        """The key that the weights stand under."""
        return f"sluice:rollout.{self.key}"

    @property
    def where(self) -> str:
        """The end of every error: where to repair it."""
        return f"Fix it in Pulumi.{self.stack}.yaml."

    def violations(self) -> list[Violation]:
        """Everything that is wrong with them."""
        return [
            *self._stable(),
            *self._values("traffic", self.traffic),
            *self._values("mirror", self.mirror),
            *self._sum(),
            *self._mirror(),
            *self._both(),
        ]

    def _stable(self) -> Iterator[Violation]:
        """A value that is not a string is reported by the models of the stack file."""
        if isinstance(self.stable, str) and self.stable not in self.deployments:
            declared = ", ".join(sorted(self.deployments)) or "none"
            yield Violation(
                f"{self.path}.stable",
                f'must be a deployment of sluice:endpoints.{self.key}.deployments ({declared}), got "{self.stable}". '
                f"{self.where}",
            )

    def _values(self, section: str, weights: Mapping[str, object]) -> Iterator[Violation]:
        for name, weight in weights.items():
            if not is_whole_percent(weight):
                yield Violation(
                    f"{self.path}.{section}.{name}",
                    f"must be a whole number of percent from 0 to 100, got {json.dumps(weight, ensure_ascii=False)}. "
                    f"{self.where}",
                )
            if name not in self.deployments:
                yield Violation(f"{self.path}.{section}.{name}", self._unknown(name))

    def _unknown(self, name: str) -> str:
        from difflib import get_close_matches  # only when there is an error to explain

        declared = ", ".join(sorted(self.deployments)) or "none"
        close = get_close_matches(name.lower(), self.deployments, n=1)
        hint = f"Did you mean {close[0]}? " if close else ""
        if name != name.lower():
            hint += "Names are lower-case. "
        return (
            f"names a deployment that sluice:endpoints.{self.key}.deployments does not declare "
            f"(declared: {declared}). {hint}{self.where}"
        )

    def _sum(self) -> Iterator[Violation]:
        if not all(is_whole_percent(weight) for weight in self.traffic.values()):
            return
        total = sum(whole_percents(self.traffic).values())
        if total not in (0, 100):
            yield Violation(
                f"{self.path}.traffic",
                f"must sum to 0 or 100 percent, got {total} ({show(whole_percents(self.traffic))}). {self.where}",
            )

    def _mirror(self) -> Iterator[Violation]:
        mirror = nonzero(whole_percents(self.mirror))
        if len(mirror) > 1:
            yield Violation(
                f"{self.path}.mirror",
                f"must name exactly one deployment, got {len(mirror)} ({show(mirror)}). {self.where}",
            )
        limit = min(self.max_mirror, MAX_MIRROR_PERCENT)
        reason = "Azure's limit" if limit == MAX_MIRROR_PERCENT else "sluice:limits.max_mirror"
        for name, weight in mirror.items():
            if weight > limit:
                yield Violation(
                    f"{self.path}.mirror.{name}",
                    f"must be at most {limit} percent ({reason}), got {weight}. {self.where}",
                )
        if mirror and not any(self.traffic.values()):
            yield Violation(
                f"{self.path}.mirror",
                f"must be empty while no deployment has live weight, got {show(mirror)}: it copies live requests, and "
                f"there are none. {self.where}",
            )

    def _both(self) -> Iterator[Violation]:
        live, mirror = nonzero(whole_percents(self.traffic)), nonzero(whole_percents(self.mirror))
        for name in live.keys() & mirror.keys():
            yield Violation(
                f"{self.path}.mirror.{name}",
                f"must be 0 while {name} has live weight, got {mirror[name]} (live {live[name]}): a deployment gets "
                f"live or mirrored requests, not both. {self.where}",
            )


def is_whole_percent(weight: object) -> bool:
    """True for an integer from 0 to 100; a bool does not count."""
    return isinstance(weight, int) and not isinstance(weight, bool) and 0 <= weight <= 100


def whole_percents(weights: Mapping[str, object]) -> dict[str, int]:
    """The entries whose values are whole percents."""
    return {name: weight for name, weight in weights.items() if isinstance(weight, int) and is_whole_percent(weight)}


def nonzero(weights: Mapping[str, int]) -> dict[str, int]:
    """Without the zeros: to Azure, 0 and absent are the same."""
    return {name: int(weight) for name, weight in weights.items() if weight}


def show(weights: Mapping[str, int]) -> str:
    """`blue=90, green=5`"""
    return ", ".join(f"{name}={weight}" for name, weight in weights.items()) or "none"
